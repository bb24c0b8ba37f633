"""One request as it came over the wire, read by nobody's library."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return next((value for one, value in self.headers if one.lower() == name), "")

    def asked(self, name: str, default: str = "") -> str:
        """Return a value of the query."""
        return dict(self.query).get(name, default)

    def record(self) -> dict[str, Any]:
        """Return it for a comparison, without what is made up for each request."""
        headers: dict[str, list[str]] = {}
        for name, value in self.headers:
            headers.setdefault(name.lower(), []).append(value)
        text = self.body.decode("latin-1")
        boundary = re.search("boundary=(\\S+)", self.header("content-type"))
        if boundary and boundary[1] in text:
            text = text.replace(boundary[1], "BOUNDARY")
            kind = headers["content-type"][0]
            headers["content-type"] = [kind.replace(boundary[1], "BOUNDARY")]
            if headers.get("content-length") == [str(len(self.body))]:
                headers["content-length"] = ["right"]
        elif random := re.match("--([0-9a-f]{32})", text):
            text = text.replace(random[1], "BOUNDARY")
        target = re.sub("_=\\d{13}", "_=TIME", self.target)
        return {"method": self.method, "target": target, "headers": headers, "body": text}


def read_request(reader: BinaryIO, send: Callable[[bytes], None]) -> Request | None:
    """Return the next request, or None at the end; ValueError for what is no request."""
    first = reader.readline()
    if not first:
        return None
    method, target, _version = first.decode("latin-1").split(" ")
    headers: list[tuple[str, str]] = []
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name, value.strip(" \r\n")))
    head = Request(method, target, headers, b"")
    if head.header("expect").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(method, target, headers, read_body(head, reader))


def read_body(head: Request, reader: BinaryIO) -> bytes:
    if head.header("transfer-encoding").lower() == "chunked":
        if head.header("content-length"):
            raise ValueError("both a length and chunks")
        body = b""
        while size := int(reader.readline().split(b";")[0], 16):
            body += exactly(reader, size)
            reader.readline()
        while reader.readline() not in (b"\r\n", b""):
            pass
        return body
    return exactly(reader, int(head.header("content-length") or 0))


def exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise ValueError("broken off")
    return data

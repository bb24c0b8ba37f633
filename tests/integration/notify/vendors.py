"""Local servers that behave like the vendors: they check signatures and say no in their ways."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "SEC0123456789"
# How far a vendor lets a clock go wrong.
CLOCK_S = 3600


@dataclass
class Taken:
    """A message that a vendor took: when, and what it was sent."""

    at: float
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Vendor:
    """``behaviour`` holds what to do with the next requests: a status, "hang" or "close"."""

    check: Callable[[str, dict[str, str], bytes], tuple[int, dict[str, Any] | str]]
    taken: list[Taken] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    behaviour: deque[int | str] = field(default_factory=deque)
    # What every request gets until it is None.
    always: int | str | None = None
    retry_after: str = "1"
    # What it takes to answer.
    slowness_s: float = 0.0
    most_at_once: int = 0
    url: str = ""
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def request(self) -> Iterator[int | str | None]:
        """Count a request, and yield what is to be done with it."""
        with self._lock:
            self.asked.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            act = self.behaviour.popleft() if self.behaviour else self.always
        try:
            yield act
        finally:
            with self._lock:
                self._now -= 1

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """Keep a message."""
        with self._lock:
            self.taken.append(Taken(time.monotonic(), json.loads(body), headers))


class _Handler(BaseHTTPRequestHandler):
    vendor: Vendor
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.close_connection = True
        with self.vendor.request() as act:
            time.sleep(self.vendor.slowness_s)
            if act == "close":
                return
            if act == "hang":
                self.rfile.read(1)
                return
            if act == "drip":
                self._drip()
                return
            if isinstance(act, int):
                self._answer(act, "no")
                return
            status, body = self.vendor.check(self.path, headers, raw)
            if status == 200 and (body == "ok" or _well(body)):
                self.vendor.take(raw, headers)
            self._answer(status, body if isinstance(body, str) else json.dumps(body))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", self.vendor.retry_after)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _drip(self) -> None:
        """Answer a byte at a time, so that no single step takes long."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


def _well(body: dict[str, Any] | str) -> bool:
    return isinstance(body, dict) and 0 in (body.get("errcode"), body.get("code"))


def slack(_: str, __: dict[str, str], raw: bytes) -> tuple[int, dict[str, Any] | str]:
    """Slack wants text, and blocks within its limits."""
    body = json.loads(raw)
    (attachment,) = body["attachments"]
    texts = [block["text"]["text"] for block in attachment["blocks"] if "text" in block]
    fields = [len(block["fields"]) for block in attachment["blocks"] if "fields" in block]
    right = (
        body["text"]
        and all(0 < len(text) <= 3000 for text in texts)
        and max(fields, default=0) <= 10
    )
    return (200, "ok") if right else (400, "invalid_blocks")


def dingtalk(path: str, _: dict[str, str], raw: bytes) -> tuple[int, dict[str, Any] | str]:
    """DingTalk says everything with HTTP 200."""
    query = parse_qs(urlsplit(path).query)
    timestamp = query.get("timestamp", ["0"])[0]
    right = base64.b64encode(
        hmac.new(SECRET.encode(), f"{timestamp}\n{SECRET}".encode(), hashlib.sha256).digest()
    ).decode()
    if query.get("access_token") != ["t"]:
        return 200, {"errcode": 300001, "errmsg": "token is not exist"}
    if query.get("sign") != [right] or abs(time.time() - int(timestamp) / 1000) > CLOCK_S:
        return 200, {"errcode": 310000, "errmsg": "sign not match"}
    body = json.loads(raw)
    if body["msgtype"] != "markdown" or not body["markdown"]["title"]:
        return 200, {"errcode": 40035, "errmsg": "invalid parameter"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def feishu(_: str, __: dict[str, str], raw: bytes) -> tuple[int, dict[str, Any] | str]:
    """Feishu too."""
    body = json.loads(raw)
    timestamp = body.get("timestamp", "0")
    key = f"{timestamp}\n{SECRET}".encode()
    right = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    if body.get("sign") != right or abs(time.time() - int(timestamp)) > CLOCK_S:
        return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}
    if body["msg_type"] != "interactive" or "elements" not in body["card"]:
        return 200, {"code": 9499, "msg": "Bad Request"}
    return 200, {"code": 0, "msg": "success", "data": {}}


def webhook(_: str, headers: dict[str, str], raw: bytes) -> tuple[int, dict[str, Any] | str]:
    """A program that checks the signature of ours."""
    signed = f"{headers.get('x-fleet-timestamp')}.".encode() + raw
    right = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return (200, "ok") if headers.get("x-fleet-signature") == right else (403, "wrong signature")


PATHS = {"dingtalk": "/robot/send?access_token=t"}
CHECKS = {"slack": slack, "dingtalk": dingtalk, "feishu": feishu, "webhook": webhook}


@contextmanager
def serve(name: str, address: str) -> Iterator[Vendor]:
    """Run a vendor's server."""
    vendor = Vendor(CHECKS[name])
    handler = type("Handler", (_Handler,), {"vendor": vendor})
    with ThreadingHTTPServer((address, 0), handler) as server:
        server.daemon_threads = True
        vendor.url = f"http://{address}:{server.server_port}{PATHS.get(name, '/hook')}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()

"""A request as it was sent, for who wants to look at it afterwards."""

from __future__ import annotations

from typing import Any

from fleet_http.request.body import Body
from fleet_http.response_head import ResponseHeaders
from fleet_http.urls import Url


class Request:
    """Method, target, head and body."""

    __slots__ = ("content", "head", "method", "target")

    def __init__(self, method: str, target: Url, head: bytes, content: Body | None) -> None:
        self.method = method
        self.target = target
        # As it was written: request line and headers, without the empty line.
        self.head = head
        self.content = content

    @property
    def url(self) -> str:
        return self.target.url

    @property
    def path_url(self) -> str:
        return self.target.path

    @property
    def body(self) -> Any:
        """The bytes that were sent, None if there were none or they were never in memory."""
        return self.content.data if self.content else None

    @property
    def headers(self) -> ResponseHeaders:
        return ResponseHeaders(self.head)

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"

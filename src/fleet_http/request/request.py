"""A request as it was sent, for a scenario that inspects it afterwards."""

from __future__ import annotations

from typing import Any

from fleet_http.request.body import Body
from fleet_http.response_head import ResponseHeaders
from fleet_http.urls import Url


class Request:
    """Method, URL, head and body."""

    __slots__ = ("content", "head", "method", "parsed_url")

    def __init__(self, method: str, url: Url, head: bytes, content: Body | None) -> None:
        """``head``: request line and headers as they were sent, without the empty line."""
        self.method = method
        self.parsed_url = url
        self.head = head
        self.content = content

    @property
    def url(self) -> str:
        return self.parsed_url.text

    @property
    def path_url(self) -> str:
        return self.parsed_url.path

    @property
    def body(self) -> Any:
        """The bytes that were sent; None for no body and for one that was never in memory."""
        return self.content.data if self.content else None

    @property
    def headers(self) -> ResponseHeaders:
        return ResponseHeaders(self.head)

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"

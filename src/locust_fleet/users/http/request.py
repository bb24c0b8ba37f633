"""A request as it was sent, for who wants to look at it afterwards."""

from __future__ import annotations

from typing import Any

from locust_fleet.users.http.answer import AnswerHeaders
from locust_fleet.users.http.target import Target


class Request:
    """Method, target, head and body."""

    __slots__ = ("body", "head", "method", "target")

    def __init__(self, method: str, target: Target, head: bytes, body: Any) -> None:
        self.method = method
        self.target = target
        # As it was written: request line and headers, without the empty line.
        self.head = head
        self.body = body

    @property
    def url(self) -> str:
        return self.target.url

    @property
    def path_url(self) -> str:
        return self.target.path

    @property
    def headers(self) -> AnswerHeaders:
        return AnswerHeaders(self.head)

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"

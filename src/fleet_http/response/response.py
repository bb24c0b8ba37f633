"""The response that a scenario gets: requests' Response as far as scenarios use it.

Everything that costs time is computed when it is asked for. So most defaults are attributes of the
class, and a new response sets few attributes of its own.
"""

from __future__ import annotations

from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

import datetime as dt
import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import requests.exceptions
from charset_normalizer import detect
from requests.cookies import RequestsCookieJar
from requests.utils import get_encoding_from_headers

from fleet_http.request.cookies import Cookies
from fleet_http.request.redirects import STATUSES
from fleet_http.request.request import Request
from fleet_http.response.stream import Stream
from fleet_http.response_head import ResponseHeaders, reason

NO_WITH_BLOCK = (
    "to decide yourself whether a request failed, give it catch_response=True"
    " and use it in a with block"
)


class Timings(NamedTuple):
    """Seconds that each phase took; the first two are 0 on a connection that was used before."""

    connect_s: float
    tls_s: float
    # From the first byte that was sent to the head of the response.
    first_byte_s: float


class Response:
    """A response, or the error that came instead; then status_code is 0 and content None."""

    error: Exception | None = None
    history: list[Response] | tuple[()] = ()
    stream: Stream | None = None
    # Seconds to connect and for the TLS handshake.
    opening: tuple[float, float] = (0.0, 0.0)
    # What is reported to Locust after a with block, which may change it.
    request_meta: dict[str, Any]
    # Set by self.rest of the user.
    js: Any = None

    _headers: ResponseHeaders | None = None
    _text: str | None = None
    _encoding: str | None = None
    _event: EventHook | None = None
    _entered = False
    _result: Exception | bool | None = None

    def __init__(
        self, request: Request, status: int, lines: bytes, content: bytes | None, waited_s: float
    ) -> None:
        """``lines``: the head without its empty line; ``waited_s``: from sending until it came."""
        self.request = request
        self.status_code = status
        self._lines = lines
        self._content = content
        self._waited_s = waited_s

    @classmethod
    def failed(cls, request: Request, error: Exception) -> Response:
        """Return a response that stands for a failed request."""
        response = cls(request, 0, b"", None, 0.0)
        response.error = error
        return response

    # What the server sent.

    @property
    def url(self) -> str:
        return self.request.parsed_url.text

    @property
    def headers(self) -> ResponseHeaders:
        if self._headers is None:
            self._headers = ResponseHeaders(self._lines)
        return self._headers

    @property
    def content(self) -> Any:
        """The body as bytes, None if the request failed."""
        if self.stream is not None:
            stream, self.stream = self.stream, None
            self._content = stream.read()
        return self._content

    @property
    def length(self) -> int:
        """Bytes of the body; its Content-Length as long as the body is not read."""
        if self.stream is not None:
            return int(self.headers.get("content-length") or 0)
        return len(self._content) if self._content else 0

    @property
    def text(self) -> str:
        """The body as text, by the charset of its headers or, without one, by its content."""
        if self._text is None:
            self._text = self._decoded(self.content or b"")
        return self._text

    @property
    def encoding(self) -> str | None:
        if self._encoding is None:
            self._encoding = get_encoding_from_headers(self.headers)
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: str | None) -> None:
        self._encoding, self._text = encoding, None

    @property
    def apparent_encoding(self) -> str | None:
        """The encoding that fits the body."""
        try:
            (self.content or b"").decode()
        except UnicodeDecodeError:
            return detect(self.content)["encoding"]
        return "utf-8"

    def _decoded(self, content: bytes) -> str:
        try:
            return content.decode(self.encoding or self.apparent_encoding or "utf-8", "replace")
        except LookupError:
            return content.decode("utf-8", "replace")

    def json(self, **options: Any) -> Any:
        """Return the body, parsed as JSON; raises requests' JSONDecodeError, a ValueError."""
        try:
            content = self.content
            if content and not options and content[:1] in b'{["':
                try:
                    return json.loads(content)
                except UnicodeDecodeError:
                    pass
            return json.loads(self.text, **options)
        except json.JSONDecodeError as error:
            raise requests.exceptions.JSONDecodeError(error.msg, error.doc, error.pos) from error

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies that this response sets."""
        jar = Cookies()
        jar.keep(self.request.parsed_url, self._lines)
        return jar

    @property
    def reason(self) -> str:
        return reason(self._lines)

    @property
    def ok(self) -> bool:
        return self.error is None and self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        return self.status_code in STATUSES and "location" in self.headers

    @property
    def is_permanent_redirect(self) -> bool:
        return self.status_code in (301, 308) and "location" in self.headers

    @property
    def elapsed(self) -> dt.timedelta:
        """From the first byte that was sent to the head of the response."""
        return dt.timedelta(seconds=self._waited_s)

    @property
    def timings(self) -> Timings:
        return Timings(*self.opening, self._waited_s)

    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: bool = False
    ) -> Iterator[Any]:
        """Yield the body in parts of at most ``chunk_size``; with stream=True as they come."""
        stream, content = self.stream, self._content
        whole = stream.parts() if stream else iter([content] if content else [])
        size = chunk_size or 1 << 62
        parts = (
            part[start : start + size] for part in whole for start in range(0, len(part), size)
        )
        if not decode_unicode or not self.encoding:
            return parts
        import codecs

        return codecs.iterdecode(parts, self.encoding, errors="replace")

    def iter_lines(
        self, chunk_size: int = 512, decode_unicode: bool = False, delimiter: Any = None
    ) -> Iterator[Any]:
        """Yield the body line by line."""
        pending: Any = None
        for part in self.iter_content(chunk_size, decode_unicode):
            text = part if pending is None else pending + part
            lines = text.split(delimiter) if delimiter else text.splitlines()
            # The last line continues in the next part unless its end has come.
            continues = bool(lines and lines[-1]) and lines[-1][-1] == text[-1]
            pending = lines.pop() if continues else None
            yield from lines
        if pending is not None:
            yield pending

    def close(self) -> None:
        """Leave the rest of the body unread."""
        if self.stream is not None:
            self.stream.close()

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"

    # What is reported to Locust.

    def raise_for_status(self) -> None:
        """Raise why the request is a failure, if it is one."""
        if isinstance(self._result, Exception):
            raise self._result
        problem = None if self._result else self.problem(self.url)
        if problem:
            raise problem

    def problem(self, name: str) -> Exception | None:
        """Return why the request, called ``name``, failed by its error or status; else None."""
        if self.error is not None:
            return self.error
        status = self.status_code
        if status < 400:
            return None
        side = "Client" if status < 500 else "Server"
        return requests.exceptions.HTTPError(
            f"{status} {side} Error: {self.reason} for url: {name}"
        )

    def catch(self, event: EventHook, meta: dict[str, Any]) -> None:
        """Fire the event after a with block, which may decide whether the request failed."""
        self._event = event
        self.request_meta = meta

    def success(self) -> None:
        """Count the request as a success, whatever its status; LocustError outside a with block."""
        if not self._entered:
            raise LocustError(NO_WITH_BLOCK)
        self._result = True

    def failure(self, exc: Any) -> None:
        """Count the request as failed; ``exc`` is a text or an exception.

        Raises LocustError outside a with block.
        """
        if not self._entered:
            raise LocustError(NO_WITH_BLOCK)
        self._result = exc if isinstance(exc, Exception) else CatchResponseError(exc)

    def __enter__(self) -> Response:
        if self._event is None:
            raise LocustError(NO_WITH_BLOCK)
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        meta = self.request_meta
        if self._result is not None:
            meta["exception"] = None if self._result is True else self._result
        elif isinstance(error, ResponseError):
            meta["exception"] = error
        elif error is not None:
            # As with HttpUser, the task fails and the request is not counted.
            self.close()
            return False
        else:
            meta["exception"] = self.problem(meta["name"])
        if self._event is not None:
            self._event.fire(response=self, **meta)
        return self._result is None or kind is None

"""Send an HTTP POST and return within a deadline, whatever the other side does."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from locust_fleet.notify.channels.delivery_result import Answer, Result

# For each operation of the socket, and for all together: a server may send one byte at a time.
SOCKET_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 15.0
LONGEST_BODY = 4000
# Statuses that are not the fault of the message: it may be accepted in a moment.
RETRYABLE = (408, 425, 429)


class NoAnswer(Exception):
    """The server was not reached or did not answer in time; the message says which."""


@dataclass(frozen=True)
class Reply:
    """The status, the headers with names in lower case, and the first LONGEST_BODY bytes."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        """Return the text as a JSON object; an empty one when it is something else."""
        try:
            body = json.loads(self.text)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


def post_json(
    url: str,
    body: Mapping[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
    deadline_s: float = REQUEST_TIMEOUT_S,
) -> Reply:
    """Send JSON and return the reply; raises NoAnswer. Redirects are not followed."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "locust-fleet"}
    parts = urlsplit(url)
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        connection.connect()
        with deadline(connection.sock, deadline_s):
            connection.request("POST", path, body=raw, headers={**sent, **(headers or {})})
            response = connection.getresponse()
            text = response.read(LONGEST_BODY).decode("utf-8", "replace")
        return Reply(
            response.status, {key.lower(): value for key, value in response.getheaders()}, text
        )
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{parts.hostname}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=SOCKET_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, port, timeout=SOCKET_TIMEOUT_S)


@contextmanager
def deadline(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a connection down after ``seconds``; the block then raises TimeoutError."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"no answer within {seconds:g} s")


def later(error: Exception) -> Answer:
    """Return the answer of a channel that was not reached: try again."""
    return Answer(Result.LATER, str(error))


def judge(reply: Reply) -> Answer:
    """Return what the HTTP status means; some vendors say more in the body."""
    text = f"HTTP {reply.status} {reply.text}".strip()
    if 200 <= reply.status < 300:
        return Answer(Result.DELIVERED, text)
    if reply.status in RETRYABLE or reply.status >= 500:
        return Answer(Result.LATER, text, retry_after_s(reply.headers.get("retry-after", "")))
    return Answer(Result.REFUSED, text)


def retry_after_s(header: str) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; None for anything else."""
    if header.strip().isascii() and header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None

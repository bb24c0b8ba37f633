"""One request and its answer: writes it, sends it on a connection of the pool, reads what comes."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from weakref import WeakSet

from fleet_http.connection.connect import Route
from fleet_http.connection.connection import Connection, Head
from fleet_http.connection.pool import ConnectionPool
from fleet_http.connection.proxy import Proxy, proxy_for
from fleet_http.connection.tls_transport import TlsConfig
from fleet_http.connection.transport import PART
from fleet_http.errors import BadRedirect, BadRequest, ConnectionLost, RedirectLoop
from fleet_http.hooks import HOOKS
from fleet_http.request.body import Body, Bytes, Chunks
from fleet_http.request.cookies import Cookies
from fleet_http.request.headers import Given, Headers, as_text
from fleet_http.request.redirects import (
    SAME_BODY,
    STATUSES,
    keeps_authorization,
    next_method,
    next_url,
)
from fleet_http.request.request import Request
from fleet_http.response.decode import Decoding, decoded
from fleet_http.response.response import Response
from fleet_http.response.stream import Stream
from fleet_http.response_head import looked_into
from fleet_http.urls import Origin, Url, Urls

VERBS = {verb: f"{verb} ".encode() for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")}
METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+")
# Sending one of these twice does what sending it once does (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
# Those that need not say that they have no body.
BODILESS = frozenset(("GET", "HEAD"))
# A server that says nothing for so long will read the body without being asked, as in curl.
CONTINUE_WAIT_S = 1.0
FRAMING = frozenset(("content-length", "transfer-encoding"))
# Places whose routes are kept; beyond, they are made anew.
KEPT = 256
# They speak of a body that a redirect leaves behind.
BODY_HEADERS = ("content-length", "content-type", "transfer-encoding")
# What the next place gets of these it has set itself, or the proxy to it is given.
FIRST_ONLY = ("cookie", "proxy-authorization")


@dataclass(slots=True)
class RequestOptions:
    """How a request is to be made, over all redirects."""

    headers: Given | None
    body: Body | None
    jar: Cookies
    # Seconds: to connect, and for each step of the answer.
    timeouts: tuple[float, float]
    trust: TlsConfig
    proxy: Proxy | None
    stream: bool
    # Whether the body waits until the server wants it.
    expects: bool = False


class Sender:
    """Makes the requests of one user."""

    def __init__(
        self,
        headers: Headers,
        cookies: Cookies,
        largest: int,
        unix: str | None = None,
    ) -> None:
        self.headers = headers
        # Where the cookies of answers go.
        self.cookies = cookies
        self._pool = ConnectionPool()
        self._largest = largest
        self._unix = unix
        self._streams: WeakSet[Stream] = WeakSet()
        self._routes: dict[tuple[Origin, TlsConfig, Proxy | None], Route] = {}

    def send(self, method: str, target: Url, order: RequestOptions) -> Response:
        """Return the answer; raises HttpFailure, OSError."""
        head = self._head(method, target, order)
        request = Request(method, target, head, order.body)
        key = target.origin, order.trust, order.proxy
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= KEPT:
                self._routes.clear()
            route = self._routes[key] = Route(*key, self._unix)
        connection, answer = self._asked(route, request, order)
        try:
            return self._response(request, connection, answer, order)
        except BaseException:
            connection.close()
            raise

    def _head(self, method: str, target: Url, order: RequestOptions) -> bytes:
        """Return request line and headers without the empty line at their end."""
        word = VERBS.get(method)
        if word is None:
            if METHOD.fullmatch(method) is None:
                raise BadRequest(f"the method {method!r} is no word")
            word = method.encode("ascii") + b" "
        lines, names = self.headers.block(order.headers)
        body = order.body
        if body is not None:
            order.expects = "expect" in names
            if not FRAMING.isdisjoint(names):
                # What is sent has one length, which is not what somebody guessed.
                own = {**(order.headers or {}), **dict.fromkeys(FRAMING)}
                lines, names = self.headers.block(own)
        parts = [word]
        if order.proxy is not None and target.origin.scheme == "http":
            # A proxy has to know the host; through a tunnel it is not asked.
            parts += [b"http://", target.host[len(b"Host: ") : -len(b"\r\n")]]
            lines += order.proxy.credentials
        parts += [target.bare if "host" in names else target.line, lines]
        if order.jar.filled and "cookie" not in names:
            parts.append(order.jar.line(target))
        if body is not None:
            if body.kind and "content-type" not in names:
                parts.append(b"Content-Type: %b\r\n" % body.kind.encode())
            parts.append(body.framing)
        elif method not in BODILESS and "content-length" not in names:
            parts.append(b"Content-Length: 0\r\n")
        return b"".join(parts)

    def _asked(
        self, route: Route, request: Request, order: RequestOptions
    ) -> tuple[Connection, Head]:
        connection = self._pool.take(route) or self._pool.open(route, order.timeouts[0])
        try:
            return connection, self._ask(connection, request, order)
        except (ConnectionLost, ConnectionError):
            # The server closed what it had kept open, just when it was used again.
            # What is made as it is sent is gone.
            again = request.method in IDEMPOTENT and not isinstance(order.body, Chunks)
            if not (again and connection.reused and connection.silent):
                raise
        HOOKS.counters.retries += 1
        connection = self._pool.open(route, order.timeouts[0])
        return connection, self._ask(connection, request, order)

    def _ask(self, connection: Connection, request: Request, order: RequestOptions) -> Head:
        try:
            now = perf_counter()
            connection.begin(order.timeouts[1], now)
            try:
                self._write(connection, request, order)
            except ConnectionError as error:
                # It may have said why before it stopped to listen.
                head = connection.read_head_after(error, request.method == "HEAD")
            else:
                head = connection.read_head(request.method == "HEAD")
            status, lines, came = head
            return status, lines, came - now
        except BaseException:
            connection.close()
            raise

    def _write(self, connection: Connection, request: Request, order: RequestOptions) -> None:
        link, body = connection.link, order.body
        if body is None:
            link.send(request.head + b"\r\n")
        elif isinstance(body, Bytes) and len(body.data) < PART and not order.expects:
            link.send(b"%b\r\n%b" % (request.head, body.data))
        else:
            link.send(request.head + b"\r\n")
            if order.expects and not connection.is_body_wanted(CONTINUE_WAIT_S):
                return
            body.send(link)
            link.deadline = perf_counter() + order.timeouts[1]

    def _response(
        self, request: Request, connection: Connection, answer: Head, order: RequestOptions
    ) -> Response:
        status, lines, waited = answer
        sets_cookies, encoding = looked_into(lines)
        if sets_cookies:
            self.cookies.learn(request.target, lines)
            if order.jar is not self.cookies:
                order.jar.learn(request.target, lines)
        fresh = not connection.reused
        if order.stream:
            response = Response(request, status, lines, None, waited)
            decoding = Decoding(encoding, sys.maxsize) if encoding else None
            response.stream = Stream(connection, decoding, self._largest, self._done)
            self._streams.add(response.stream)
        else:
            content = connection.read_body(self._largest)
            self._done(connection, True)
            if encoding and content:
                content = decoded(content, encoding, self._largest)
            response = Response(request, status, lines, content, waited)
        if fresh:
            response.opening = connection.connect_s, connection.tls_s
        return response

    def close(self) -> None:
        """Close all connections, also of what is still read."""
        for stream in list(self._streams):
            stream.close()
        self._pool.close()

    def _done(self, connection: Connection, whole: bool) -> None:
        if whole and connection.keep and not connection.spent:
            self._pool.give_back(connection)
        else:
            connection.close()

    def follow(
        self,
        response: Response,
        order: RequestOptions,
        targets: Urls,
        most: int,
        proxies: Mapping[str, str] | None,
    ) -> Response:
        """Go where redirects lead and return the last answer; raises as send does."""
        history: list[Response] = []
        order = replace(order)
        while response.status_code in STATUSES and response.headers.get("location"):
            if len(history) >= most:
                raise RedirectLoop(f"more than {most} redirects")
            # Read to its end, so that the next one may use the connection.
            _ = response.content
            response.history = list(history)
            history.append(response)
            request = response.request
            try:
                url = next_url(request.url, response.headers["location"])
                target = targets.at(url)
            except ValueError as error:
                # Not the scenario's fault, which so is not told by an exception.
                raise BadRedirect("a redirect to something that is no HTTP address") from error
            method = next_method(request.method, response.status_code)
            if response.status_code not in SAME_BODY:
                order.body = None
                order.headers = without(order.headers, BODY_HEADERS)
            order.headers = without(order.headers, FIRST_ONLY)
            if not keeps_authorization(request.url, url):
                order.headers = without(order.headers, ("authorization",))
            order.proxy = proxy_for(url, proxies) if proxies else None
            response = self.send(method, target, order)
        response.history = history
        return response


def without(headers: Given | None, names: Collection[str]) -> Given:
    """Return headers of one request that take those of the names, in lower case, away."""
    kept = {name: v for name, v in (headers or {}).items() if as_text(name).lower() not in names}
    return {**kept, **dict.fromkeys(names)}

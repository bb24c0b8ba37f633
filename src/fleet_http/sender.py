"""Send a request on a connection of the pool, read its response, and follow redirects."""

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
from fleet_http.connection.transport import PART_BYTES
from fleet_http.errors import BadRedirect, BadRequest, ConnectionLost, RedirectLoop
from fleet_http.hooks import HOOKS
from fleet_http.request.body import Body, Bytes, Chunks
from fleet_http.request.cookies import Cookies
from fleet_http.request.headers import HeaderMapping, Headers, as_text
from fleet_http.request.redirects import (
    SAME_BODY,
    STATUSES,
    keeps_authorization,
    next_method,
    next_url,
)
from fleet_http.request.request import Request
from fleet_http.response.decode import ContentDecoder, decoded
from fleet_http.response.response import Response
from fleet_http.response.stream import Stream
from fleet_http.response_head import cookies_and_encoding
from fleet_http.urls import Origin, Url, Urls

VERBS = {verb: f"{verb} ".encode() for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")}
METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+")
# Sending one of these twice has the same effect as sending it once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
# Methods that need no Content-Length without a body.
BODILESS = frozenset(("GET", "HEAD"))
# After this time without 100 (Continue), the body is sent all the same, as curl does.
CONTINUE_WAIT_S = 1.0
FRAMING = frozenset(("content-length", "transfer-encoding"))
# The cache of routes is emptied when it is full.
MAX_CACHED_ROUTES = 256
# Headers that describe a body, removed when a redirect drops the body.
BODY_HEADERS = ("content-length", "content-type", "transfer-encoding")
# Headers of the scenario that only the first request carries: the client sets its own.
FIRST_ONLY = ("cookie", "proxy-authorization")


@dataclass(slots=True)
class RequestOptions:
    """The options of a request; body, headers and proxy may change with a redirect."""

    headers: HeaderMapping | None
    # The cookies to send.
    cookies: Cookies
    # Seconds to connect, and for each step of the response.
    timeouts: tuple[float, float]
    tls_config: TlsConfig
    proxies: Mapping[str, str]
    stream: bool
    body: Body | None = None
    proxy: Proxy | None = None
    # Whether the body waits for 100 (Continue).
    expects: bool = False


class Sender:
    """Sends the requests of one user."""

    def __init__(
        self,
        headers: Headers,
        cookies: Cookies,
        max_response_bytes: int,
        unix_socket: str | None = None,
    ) -> None:
        """``headers`` are sent with every request; ``cookies`` keeps those that responses set."""
        self.headers = headers
        self.cookies = cookies
        self._pool = ConnectionPool()
        self._max_response_bytes = max_response_bytes
        self._unix_socket = unix_socket
        self._streams: WeakSet[Stream] = WeakSet()
        self._routes: dict[tuple[Origin, TlsConfig, Proxy | None], Route] = {}

    def send(self, method: str, url: Url, options: RequestOptions) -> Response:
        """Return the response; raises HttpFailure, OSError."""
        head = self._head(method, url, options)
        request = Request(method, url, head, options.body)
        key = url.origin, options.tls_config, options.proxy
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= MAX_CACHED_ROUTES:
                self._routes.clear()
            route = self._routes[key] = Route(*key, self._unix_socket)
        connection, response_head = self._exchange(route, request, options)
        try:
            return self._response(request, connection, response_head, options)
        except BaseException:
            connection.close()
            raise

    def _head(self, method: str, url: Url, options: RequestOptions) -> bytes:
        """Return request line and headers without the empty line at their end."""
        verb = VERBS.get(method)
        if verb is None:
            if METHOD.fullmatch(method) is None:
                raise BadRequest(f"the method {method!r} is not a valid HTTP method")
            verb = method.encode("ascii") + b" "
        lines, names = self.headers.block(options.headers)
        body = options.body
        if body is not None:
            options.expects = "expect" in names
            if not FRAMING.isdisjoint(names):
                # The client knows how the body is sent; the scenario may have guessed wrong.
                own = {**(options.headers or {}), **dict.fromkeys(FRAMING)}
                lines, names = self.headers.block(own)
        parts = [verb]
        if options.proxy is not None and url.origin.scheme == "http":
            # A proxy needs the host in the request line; a tunnel does not read it.
            parts += [b"http://", url.host_header[len(b"Host: ") : -len(b"\r\n")]]
            lines += options.proxy.credentials
        parts += [url.request_line if "host" in names else url.request_head, lines]
        if options.cookies.filled and "cookie" not in names:
            parts.append(options.cookies.line(url))
        if body is not None:
            if body.kind and "content-type" not in names:
                parts.append(b"Content-Type: %b\r\n" % body.kind.encode())
            parts.append(body.framing)
        elif method not in BODILESS and "content-length" not in names:
            parts.append(b"Content-Length: 0\r\n")
        return b"".join(parts)

    def _exchange(
        self, route: Route, request: Request, options: RequestOptions
    ) -> tuple[Connection, Head]:
        """Return a connection on which the request was sent, and the head of its response.

        An idempotent request is sent a second time if the server closed an idle connection just
        when it was used again.
        """
        connection = self._pool.take(route) or self._pool.open(route, options.timeouts[0])
        try:
            return connection, self._exchange_on(connection, request, options)
        except (ConnectionLost, ConnectionError):
            # The parts of Chunks are used up.
            repeatable = request.method in IDEMPOTENT and not isinstance(options.body, Chunks)
            if not (repeatable and connection.reused and connection.silent):
                raise
        HOOKS.counters.retries += 1
        connection = self._pool.open(route, options.timeouts[0])
        return connection, self._exchange_on(connection, request, options)

    def _exchange_on(
        self, connection: Connection, request: Request, options: RequestOptions
    ) -> Head:
        """Return the head of the response, with the seconds from sending until it came."""
        try:
            now = perf_counter()
            connection.begin(options.timeouts[1], now)
            try:
                self._write(connection, request, options)
            except ConnectionError as error:
                # The server may have responded before it stopped reading.
                head = connection.read_head_after(error, request.method == "HEAD")
            else:
                head = connection.read_head(request.method == "HEAD")
            status, lines, came = head
            return status, lines, came - now
        except BaseException:
            connection.close()
            raise

    def _write(self, connection: Connection, request: Request, options: RequestOptions) -> None:
        transport, body = connection.transport, options.body
        if body is None:
            transport.send(request.head + b"\r\n")
        elif isinstance(body, Bytes) and len(body.data) < PART_BYTES and not options.expects:
            transport.send(b"%b\r\n%b" % (request.head, body.data))
        else:
            transport.send(request.head + b"\r\n")
            if options.expects and not connection.is_body_wanted(CONTINUE_WAIT_S):
                return
            body.send(transport)
            transport.deadline = perf_counter() + options.timeouts[1]

    def _response(
        self, request: Request, connection: Connection, head: Head, options: RequestOptions
    ) -> Response:
        status, lines, waited_s = head
        sets_cookies, encoding = cookies_and_encoding(lines)
        if sets_cookies:
            self.cookies.keep(request.parsed_url, lines)
            if options.cookies is not self.cookies:
                options.cookies.keep(request.parsed_url, lines)
        is_new = not connection.reused
        if options.stream:
            response = Response(request, status, lines, None, waited_s)
            decoder = ContentDecoder(encoding, sys.maxsize) if encoding else None
            response.stream = Stream(connection, decoder, self._max_response_bytes, self._done)
            self._streams.add(response.stream)
        else:
            content = connection.read_body(self._max_response_bytes)
            self._done(connection, True)
            if encoding and content:
                content = decoded(content, encoding, self._max_response_bytes)
            response = Response(request, status, lines, content, waited_s)
        if is_new:
            response.opening = connection.connect_s, connection.tls_s
        return response

    def close(self) -> None:
        """Close all connections, also those of streams that are not read to their end."""
        for stream in list(self._streams):
            stream.close()
        self._pool.close()

    def _done(self, connection: Connection, whole: bool) -> None:
        if whole and connection.keep and not connection.spent:
            self._pool.give_back(connection)
        else:
            connection.close()

    def follow(
        self, response: Response, options: RequestOptions, urls: Urls, max_redirects: int
    ) -> Response:
        """Follow redirects and return the last response.

        Raises BadRedirect, RedirectLoop after more than ``max_redirects``, and what ``send`` does.
        """
        history: list[Response] = []
        options = replace(options)
        while response.status_code in STATUSES and response.headers.get("location"):
            if len(history) >= max_redirects:
                raise RedirectLoop(f"more than {max_redirects} redirects")
            # Read to its end, so that the next request can use the connection.
            _ = response.content
            response.history = list(history)
            history.append(response)
            response = self._send_next(response, options, urls)
        response.history = history
        return response

    def _send_next(self, response: Response, options: RequestOptions, urls: Urls) -> Response:
        """Send the request that a redirect asks for; changes the options as the redirect says."""
        request = response.request
        try:
            location = next_url(request.url, response.headers["location"])
            url = urls.get_absolute(location)
        except ValueError as error:
            # A failed request, because the server and not the scenario is wrong.
            raise BadRedirect("a redirect to something that is not an HTTP URL") from error
        method = next_method(request.method, response.status_code)
        if response.status_code not in SAME_BODY:
            options.body = None
            options.headers = without(options.headers, BODY_HEADERS)
        options.headers = without(options.headers, FIRST_ONLY)
        if not keeps_authorization(request.url, location):
            options.headers = without(options.headers, ("authorization",))
        options.proxy = proxy_for(location, options.proxies)
        return self.send(method, url, options)


def without(headers: HeaderMapping | None, names: Collection[str]) -> HeaderMapping:
    """Return headers of one request without those of the given names (in lower case).

    Headers of these names that the client would send with every request are removed as well.
    """
    kept = {name: v for name, v in (headers or {}).items() if as_text(name).lower() not in names}
    return {**kept, **dict.fromkeys(names)}

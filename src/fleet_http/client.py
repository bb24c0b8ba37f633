"""What a scenario talks to: requests' Session as far as scenarios use it, reported to Locust."""

from __future__ import annotations

from locust.event import EventHook
from locust.user import User

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter, time
from typing import Any

import gevent
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from fleet_http.connection.proxy import proxy_for
from fleet_http.connection.tls_transport import TlsConfig
from fleet_http.hooks import HOOKS
from fleet_http.request.auth import authorized
from fleet_http.request.body import body_of
from fleet_http.request.cookies import Cookies, add_to
from fleet_http.request.headers import Given, Headers
from fleet_http.request.redirects import STATUSES
from fleet_http.request.request import Request
from fleet_http.response.decode import ACCEPTED
from fleet_http.response.response import Response
from fleet_http.sender import RequestOptions, Sender
from fleet_http.urls import urls_of, without_credentials

DEFAULT_HEADERS = {
    "User-Agent": "locust-fleet",
    "Accept-Encoding": ACCEPTED,
    "Accept": "*/*",
    "Connection": "keep-alive",
}

# The scenario is wrong, whatever the target does: as with HttpUser, it gets to know at once.
UNREADABLE = (InvalidSchema, InvalidURL, MissingSchema)

Timeout = float | tuple[float | None, float | None]
Cert = str | tuple[str, str]


class HttpClient:
    """The HTTP client of one user: its cookies, its connections, its headers for every request."""

    # An attribute of requests' Session that is not here says so when it is set.
    __slots__ = (
        "__weakref__",
        "_base_url",
        "_context",
        "_exchange",
        "_targets",
        "_timeouts",
        "_trust",
        "auth",
        "ending",
        "max_redirects",
        "proxies",
        "request_event",
        "request_name",
        "user",
    )

    def __init__(
        self,
        base_url: str,
        request_event: EventHook,
        user: User | None = None,
        *,
        connection_timeout: float | None = None,
        network_timeout: float | None = None,
        max_redirects: int = 30,
        largest_answer: int = 256 << 20,
        default_headers: Given | None = None,
        verify: bool | str = True,
        cert: Cert | None = None,
        unix_socket: str | None = None,
    ) -> None:
        self._base_url, self.auth = without_credentials(base_url)
        self.request_event = request_event
        self.user = user
        # Under which requests are counted that have no name of their own.
        self.request_name: str | None = None
        self.max_redirects = max_redirects
        # As in requests; the environment is not asked.
        self.proxies: Mapping[str, str] = {}
        # Whether the user was told to stop (``FleetHttpUser.stop``).
        self.ending = False
        self._timeouts = (
            HOOKS.connection_timeout_s if connection_timeout is None else connection_timeout,
            HOOKS.network_timeout_s if network_timeout is None else network_timeout,
        )
        self._trust = TlsConfig(verify, cert)
        self._targets = urls_of(self._base_url)
        self._exchange = Sender(
            Headers({**DEFAULT_HEADERS, **(default_headers or {})}),
            Cookies(),
            largest_answer,
            unix_socket,
        )
        # Locust's own says nothing, request after request.
        self._context = user.context if user and type(user).context is not User.context else None

    @property
    def base_url(self) -> str:
        """What a URL that is only a path is put behind."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._base_url, auth = without_credentials(base_url)
        self.auth = auth or self.auth
        self._targets = urls_of(self._base_url)

    @property
    def headers(self) -> Headers:
        """What every request sends."""
        return self._exchange.headers

    @headers.setter
    def headers(self, headers: Given) -> None:
        self._exchange.headers = Headers(headers)

    @property
    def cookies(self) -> Cookies:
        return self._exchange.cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._exchange.cookies = Cookies()
        add_to(self._exchange.cookies, cookies)

    @property
    def verify(self) -> bool | str:
        """Whether certificates are checked, or the path of the CAs that are trusted."""
        return self._trust.verify

    @verify.setter
    def verify(self, verify: bool | str) -> None:
        self._trust = self._trust._replace(verify=verify)

    @property
    def cert(self) -> Cert | None:
        """Our own certificate, with its key in the same file or as the second of two."""
        return self._trust.cert

    @cert.setter
    def cert(self, cert: Cert | None) -> None:
        self._trust = self._trust._replace(cert=cert)

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        catch_response: bool = False,
        context: Mapping[str, Any] | None = None,
        *,
        params: Any = None,
        data: Any = None,
        json: Any = None,
        files: Any = None,
        headers: Given | None = None,
        cookies: Any = None,
        auth: Any = None,
        timeout: Timeout | None = None,
        allow_redirects: bool = True,
        proxies: Mapping[str, str] | None = None,
        stream: bool = False,
        verify: bool | str | None = None,
        cert: Cert | None = None,
    ) -> Response:
        """Send a request and return its answer; the arguments are those of HttpUser.

        A URL that cannot be read raises requests' InvalidURL, InvalidSchema or MissingSchema.
        Whatever else goes wrong is a failed request, with ``error`` in the response.
        """
        if self.ending:
            gevent.sleep(0)
        started_at, started = time(), perf_counter()
        target = self._targets.get(url, params)
        proxies = proxies or self.proxies
        counters = HOOKS.counters
        counters.in_flight += 1
        try:
            order = RequestOptions(
                headers,
                None if data is json is files is None else body_of(data, json, files),
                self._exchange.cookies if cookies is None else self._jar_with(cookies),
                self._timeouts if timeout is None else self._given(timeout),
                self._trust if verify is cert is None else self._other(verify, cert),
                proxy_for(target.url, proxies) if proxies else None,
                stream,
            )
            auth = auth or self.auth or target.auth
            if auth:
                order.headers = authorized(auth, method, target, headers, order.body)
            response = self._exchange.send(method.upper(), target, order)
            if allow_redirects and response.status_code in STATUSES:
                response = self._exchange.follow(
                    response, order, self._targets, self.max_redirects, proxies
                )
        except UNREADABLE:
            raise
        except OSError as error:
            # Statistics keep errors, which would keep all that was read on the way to them.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            response = Response.failed(Request(method, target, b"", None), error)
        finally:
            counters.in_flight -= 1
        took_ms = (perf_counter() - started) * 1000
        name = name or self.request_name or target.path
        if self._context is not None:
            context = {**self._context(), **(context or {})}
        meta = {
            "request_type": method,
            "name": name,
            "response_time": took_ms,
            "response_length": response.length,
            "context": context or {},
            "exception": None,
            "start_time": started_at,
            "url": target.url,
        }
        if catch_response:
            response.catch(self.request_event, meta)
        else:
            meta["response"] = response
            if response.status_code >= 400 or response.error is not None:
                meta["exception"] = response.problem(name)
            self.request_event.fire(**meta)
        return response

    def get(self, url: str, **options: Any) -> Response:
        return self.request("GET", url, **options)

    def options(self, url: str, **options: Any) -> Response:
        return self.request("OPTIONS", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> Response:
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> Response:
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> Response:
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> Response:
        return self.request("DELETE", url, **options)

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Count the requests of a with block under one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def close(self) -> None:
        """Close all connections."""
        self._exchange.close()

    def _jar_with(self, cookies: Any) -> Cookies:
        jar = Cookies()
        add_to(jar, self.cookies)
        add_to(jar, cookies)
        return jar

    def _given(self, timeout: Timeout) -> tuple[float, float]:
        connect_s, answer_s = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
        return (
            self._timeouts[0] if connect_s is None else float(connect_s),
            self._timeouts[1] if answer_s is None else float(answer_s),
        )

    def _other(self, verify: bool | str | None, cert: Cert | None) -> TlsConfig:
        return TlsConfig(
            self._trust.verify if verify is None else verify,
            self._trust.cert if cert is None else cert,
        )

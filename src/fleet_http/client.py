"""The client of a scenario: requests' Session as far as scenarios use it, reported to Locust."""

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
from fleet_http.request.headers import HeaderMapping, Headers
from fleet_http.request.redirects import STATUSES
from fleet_http.request.request import Request
from fleet_http.response.decode import ACCEPTED
from fleet_http.response.response import Response
from fleet_http.sender import RequestOptions, Sender
from fleet_http.urls import Url, urls_of, without_credentials

DEFAULT_HEADERS = {
    "User-Agent": "locust-fleet",
    "Accept-Encoding": ACCEPTED,
    "Accept": "*/*",
    "Connection": "keep-alive",
}

# Raised in the scenario, as with HttpUser: it is wrong, whatever the server does.
INVALID_URL = (InvalidSchema, InvalidURL, MissingSchema)

Timeout = float | tuple[float | None, float | None]
Cert = str | tuple[str, str]


class HttpClient:
    """The HTTP client of one user: its cookies, its connections, its headers for every request."""

    # Setting an attribute of requests' Session that is missing here raises AttributeError.
    __slots__ = (
        "__weakref__",
        "_base_url",
        "_context",
        "_sender",
        "_timeouts",
        "_tls_config",
        "_urls",
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
        default_headers: HeaderMapping | None = None,
        verify: bool | str = True,
        cert: Cert | None = None,
        unix_socket: str | None = None,
    ) -> None:
        """Timeouts are in seconds, None for those of ``HOOKS``; ``largest_answer`` is in bytes."""
        self._base_url, self.auth = without_credentials(base_url)
        self.request_event = request_event
        self.user = user
        # The name of requests that are sent without a name.
        self.request_name: str | None = None
        self.max_redirects = max_redirects
        # As in requests, but environment variables are ignored.
        self.proxies: Mapping[str, str] = {}
        # Whether the user is being stopped (``FleetHttpUser.stop``).
        self.ending = False
        self._timeouts = (
            HOOKS.connection_timeout_s if connection_timeout is None else connection_timeout,
            HOOKS.network_timeout_s if network_timeout is None else network_timeout,
        )
        self._tls_config = TlsConfig(verify, cert)
        self._urls = urls_of(self._base_url)
        headers = Headers({**DEFAULT_HEADERS, **(default_headers or {})})
        self._sender = Sender(headers, Cookies(), largest_answer, unix_socket)
        # Locust's own context() is empty, so it is not called for every request.
        self._context = user.context if user and type(user).context is not User.context else None

    @property
    def base_url(self) -> str:
        """What a URL without a scheme is appended to."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._base_url, auth = without_credentials(base_url)
        self.auth = auth or self.auth
        self._urls = urls_of(self._base_url)

    @property
    def headers(self) -> Headers:
        """The headers of every request."""
        return self._sender.headers

    @headers.setter
    def headers(self, headers: HeaderMapping) -> None:
        self._sender.headers = Headers(headers)

    @property
    def cookies(self) -> Cookies:
        return self._sender.cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._sender.cookies = Cookies()
        add_to(self._sender.cookies, cookies)

    @property
    def verify(self) -> bool | str:
        """Whether certificates are checked, or the path of the CAs that are trusted."""
        return self._tls_config.verify

    @verify.setter
    def verify(self, verify: bool | str) -> None:
        self._tls_config = self._tls_config._replace(verify=verify)

    @property
    def cert(self) -> Cert | None:
        """The client certificate, with its key in the same file or as the second of two paths."""
        return self._tls_config.cert

    @cert.setter
    def cert(self, cert: Cert | None) -> None:
        self._tls_config = self._tls_config._replace(cert=cert)

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
        headers: HeaderMapping | None = None,
        cookies: Any = None,
        auth: Any = None,
        timeout: Timeout | None = None,
        allow_redirects: bool = True,
        proxies: Mapping[str, str] | None = None,
        stream: bool = False,
        verify: bool | str | None = None,
        cert: Cert | None = None,
    ) -> Response:
        """Send a request and return its response; the arguments are those of HttpUser.

        An invalid URL raises requests' InvalidURL, InvalidSchema or MissingSchema. Whatever else
        goes wrong is a failed request, with ``error`` in the response.
        """
        if self.ending:
            gevent.sleep(0)
        started_at, started = time(), perf_counter()
        parsed_url = self._urls.get(url, params)
        options = RequestOptions(
            headers,
            self._sender.cookies if cookies is None else self._cookies_with(cookies),
            self._timeouts if timeout is None else self._timeouts_with(timeout),
            self._tls_config if verify is cert is None else self._tls_config_with(verify, cert),
            proxies or self.proxies,
            stream,
        )
        content = None if data is json is files is None else (data, json, files)
        response = self._send(method, parsed_url, options, content, auth, allow_redirects)
        took_ms = (perf_counter() - started) * 1000
        name = name or self.request_name or parsed_url.path
        self._report(
            response, method, name, parsed_url, context, started_at, took_ms, catch_response
        )
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
        self._sender.close()

    def _send(
        self,
        method: str,
        url: Url,
        options: RequestOptions,
        content: tuple[Any, Any, Any] | None,
        auth: Any,
        allow_redirects: bool,
    ) -> Response:
        """Return the response, or one that stands for a failed request.

        ``content`` is what requests calls data, json and files, None for no body.
        """
        counters = HOOKS.counters
        counters.in_flight += 1
        try:
            if content is not None:
                options.body = body_of(*content)
            if options.proxies:
                options.proxy = proxy_for(url.text, options.proxies)
            auth = auth or self.auth or url.auth
            if auth:
                options.headers = authorized(auth, method, url, options.headers, options.body)
            response = self._sender.send(method.upper(), url, options)
            if allow_redirects and response.status_code in STATUSES:
                response = self._sender.follow(response, options, self._urls, self.max_redirects)
            return response
        except INVALID_URL:
            raise
        except OSError as error:
            # Statistics keep the error, which would keep every object of its traceback alive.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            return Response.failed(Request(method, url, b"", None), error)
        finally:
            counters.in_flight -= 1

    def _report(
        self,
        response: Response,
        method: str,
        name: str,
        url: Url,
        context: Mapping[str, Any] | None,
        started_at: float,
        took_ms: float,
        catch_response: bool,
    ) -> None:
        """Fire Locust's request event, now or after the with block of ``catch_response``."""
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
            "url": url.text,
        }
        if catch_response:
            response.catch(self.request_event, meta)
            return
        meta["response"] = response
        if response.status_code >= 400 or response.error is not None:
            meta["exception"] = response.problem(name)
        self.request_event.fire(**meta)

    def _cookies_with(self, cookies: Any) -> Cookies:
        jar = Cookies()
        add_to(jar, self.cookies)
        add_to(jar, cookies)
        return jar

    def _timeouts_with(self, timeout: Timeout) -> tuple[float, float]:
        connect_s, network_s = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
        return (
            self._timeouts[0] if connect_s is None else float(connect_s),
            self._timeouts[1] if network_s is None else float(network_s),
        )

    def _tls_config_with(self, verify: bool | str | None, cert: Cert | None) -> TlsConfig:
        return TlsConfig(
            self._tls_config.verify if verify is None else verify,
            self._tls_config.cert if cert is None else cert,
        )

"""Why a request has no usable response. Each of these is a failed request in the statistics.

They are errors of requests as well, so ``except`` clauses written for HttpUser catch them. Errors
of the operating system and of TLS (connection refused, connection reset, unknown name, untrusted
certificate) are reported unchanged.

HttpFailure
├── ConnectionTimeout   no connection within ``connection_timeout``
├── ResponseTimeout     no response, or no progress of one, within ``network_timeout``
├── ConnectionLost      the server closed the connection too early
├── BadResponse         the server sent something that is not HTTP/1
├── ResponseTooLarge    the response is larger than the client may keep in memory
├── BadContent          the body is not encoded as its headers say
├── RedirectLoop        more redirects than allowed
├── BadRedirect         a redirect to something that is not an HTTP URL
├── BadRequest          the scenario asks for a request that cannot be sent
└── ProxyRefused        a proxy did not open a tunnel
"""

from __future__ import annotations

import requests.exceptions


class HttpFailure(requests.exceptions.RequestException):
    """The root. Messages contain no URL, because failures are grouped by their messages."""


class ConnectionTimeout(HttpFailure, requests.exceptions.ConnectTimeout):
    """The server, or its proxy, did not accept a connection in time."""


class ResponseTimeout(HttpFailure, requests.exceptions.ReadTimeout):
    """The server took too long to respond, or to continue its response."""


class ConnectionLost(HttpFailure, requests.exceptions.ConnectionError):
    """The server closed the connection before its response was complete."""


class BadResponse(HttpFailure, requests.exceptions.ConnectionError):
    """The server sent something that is not HTTP/1; the message says which rule it breaks."""


class ResponseTooLarge(HttpFailure, requests.exceptions.ConnectionError):
    """The response would take more memory than ``largest_answer`` bytes."""


class BadContent(HttpFailure, requests.exceptions.ContentDecodingError):
    """The body is not encoded as Content-Encoding says."""


class RedirectLoop(HttpFailure, requests.exceptions.TooManyRedirects):
    """The server redirected more often than ``max_redirects``."""


class BadRedirect(HttpFailure):
    """The server redirects to something that is not an HTTP URL."""


class BadRequest(HttpFailure, requests.exceptions.InvalidHeader):
    """The request cannot be written as HTTP; the message names what is wrong with it."""


class ProxyRefused(HttpFailure, requests.exceptions.ProxyError):
    """The proxy answered CONNECT with a status other than 200."""

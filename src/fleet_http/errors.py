"""Why a request got no answer that can be used: each is a failed request in the statistics.

They are errors of requests as well, so what a scenario says for HttpUser catches them. What the
system says by itself (refused, reset, no such name, a certificate that is not trusted) is
reported in its own words.

HttpFailure
├── ConnectTooLate   no connection in time
├── AnswerTooLate    no answer, or no progress of one, in time
├── ConnectionLost   the server closed the connection too early
├── BadAnswer        what came is not HTTP/1
├── AnswerTooLarge   more than the client may keep in memory
├── BadContent       the content is not encoded as its headers say
├── RedirectLoop     more redirects than allowed
├── BadRedirect      a redirect to nowhere
├── BadRequest       what the scenario asks for cannot be sent
└── ProxyRefused     a proxy did not open a tunnel
"""

from __future__ import annotations

import requests.exceptions

from locust_fleet.errors import FleetError


class HttpFailure(FleetError, requests.exceptions.RequestException):
    """The root; messages name no address, because failures are grouped by their words."""


class ConnectTooLate(HttpFailure, requests.exceptions.ConnectTimeout):
    """The target, or its proxy, did not take a connection in time."""


class AnswerTooLate(HttpFailure, requests.exceptions.ReadTimeout):
    """The server took too long to answer, or to go on answering."""


class ConnectionLost(HttpFailure, requests.exceptions.ConnectionError):
    """The server closed the connection before its answer was complete."""


class BadAnswer(HttpFailure, requests.exceptions.ConnectionError):
    """What the server sent is not HTTP/1; the message says where it broke the rules."""


class AnswerTooLarge(HttpFailure, requests.exceptions.ConnectionError):
    """The answer would take more memory than ``largest_answer`` bytes."""


class BadContent(HttpFailure, requests.exceptions.ContentDecodingError):
    """The content is not what Content-Encoding says."""


class RedirectLoop(HttpFailure, requests.exceptions.TooManyRedirects):
    """There were more redirects than ``max_redirects``."""


class BadRedirect(HttpFailure):
    """The server redirects to something that is no HTTP address."""


class BadRequest(HttpFailure, requests.exceptions.InvalidHeader):
    """The request cannot be written as HTTP; the message names what is wrong with it."""


class ProxyRefused(HttpFailure, requests.exceptions.ProxyError):
    """The proxy answered CONNECT with something else than 200."""

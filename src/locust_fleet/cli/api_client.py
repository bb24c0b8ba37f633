"""Use the API through nginx from inside the stack, as a program outside would.

It needs only the standard library.
"""

from __future__ import annotations

import http.cookiejar
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from locust_fleet.errors import FleetError
from locust_fleet.policy.timeouts import CLIENT_STOP_TIMEOUT_S

URL = "https://nginx:8443"
ANSWER_TIMEOUT_S = 10.0


class RefusedError(FleetError):
    """The stack refused a request; the message is its own, ``status`` the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def opener() -> urllib.request.OpenerDirector:
    """Return a client with cookies and without a proxy.

    It trusts any certificate: that of nginx has the name that people use outside, and nobody is in
    between on the stack's own network.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        urllib.request.ProxyHandler({}),
    )


class ApiClient:
    """The API of the stack, with a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._opener = opener()

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of an answer.

        Raises RefusedError for an HTTP error, OSError when nobody answers.
        """
        return self._ask(path, None, ANSWER_TIMEOUT_S)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return the JSON of the answer; raises as ``get`` does."""
        return self._ask(path, json.dumps(body).encode(), CLIENT_STOP_TIMEOUT_S)

    def _ask(self, path: str, body: bytes | None, timeout_s: float) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, _sentence(error)) from None


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {error.code}"

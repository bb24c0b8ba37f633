"""Speak to the front from inside the stack, as a program outside would; standard library only."""

from __future__ import annotations

import http.cookiejar
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from locust_fleet.errors import FleetError

URL = "https://nginx:8443"
ANSWER_TIMEOUT_S = 10
# Stopping waits until users have finished, at most the stop timeout and Locust's extra minute.
STOP_TIMEOUT_S = 150


class RefusedError(FleetError):
    """The front, or what is behind it, said no in its own words; ``status`` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def opener() -> urllib.request.OpenerDirector:
    """Return a client with cookies and without a proxy.

    It trusts any certificate: that of the front names the outside, and on the stack's own
    network nobody is in between.
    """
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trusting),
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
        """Return an answer; RefusedError for a no, OSError when nobody answers."""
        return self._ask(path, None, ANSWER_TIMEOUT_S)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do something; raises as ``get`` does."""
        return self._ask(path, json.dumps(body).encode(), STOP_TIMEOUT_S)

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

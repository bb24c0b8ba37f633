"""What ``auth=`` adds to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests.auth import HTTPBasicAuth, HTTPDigestAuth, _basic_auth_str
from requests.structures import CaseInsensitiveDict

from fleet_http.errors import BadRequest
from fleet_http.request.body import Body, Bytes
from fleet_http.request.headers import Given
from fleet_http.urls import Url


class Unsigned:
    """A request as requests shows it to an ``AuthBase`` or a function, which add headers to it."""

    def __init__(self, method: str, target: Url, headers: Given | None, body: Body | None) -> None:
        self.method, self.url, self.path_url = method, target.url, target.path
        self.headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict(headers or {})
        if body is not None and body.kind:
            self.headers.setdefault("Content-Type", body.kind)
        # None for what is never in memory.
        self.body: str | bytes | None = None
        if isinstance(body, Bytes):
            self.body = body.data.decode("utf-8") if body.text else body.data


def authorized(
    auth: Any, method: str, target: Url, headers: Given | None, body: Body | None
) -> Mapping[str, Any]:
    """Return the headers of one request with what ``auth`` adds; raises BadRequest."""
    if isinstance(auth, HTTPDigestAuth):
        raise BadRequest("digest authentication is not supported; use HttpUser for it")
    if isinstance(auth, HTTPBasicAuth):
        auth = auth.username, auth.password
    if isinstance(auth, (tuple, list)):
        user, password = auth
        kept = {name: v for name, v in (headers or {}).items() if name.lower() != "authorization"}
        return {**kept, "Authorization": _basic_auth_str(user, password)}
    if not callable(auth):
        raise BadRequest(f"auth is {type(auth).__name__}; use (user, password) or a function")
    unsigned = Unsigned(method, target, headers, body)
    before = unsigned.url, unsigned.body
    signed = auth(unsigned) or unsigned
    if (signed.url, signed.body) != before:
        raise BadRequest("auth= changed more than headers; use HttpUser for it")
    headers_of: Mapping[str, Any] = signed.headers
    return headers_of

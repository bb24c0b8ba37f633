"""The headers that ``auth=`` adds to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests.auth import HTTPBasicAuth, HTTPDigestAuth, _basic_auth_str
from requests.structures import CaseInsensitiveDict

from fleet_http.errors import BadRequest
from fleet_http.request.body import Body, Bytes
from fleet_http.request.headers import HeaderMapping
from fleet_http.urls import Url


class UnsignedRequest:
    """A request as requests shows it to an ``AuthBase`` or a function, which add headers to it."""

    def __init__(
        self, method: str, url: Url, headers: HeaderMapping | None, body: Body | None
    ) -> None:
        self.method, self.url, self.path_url = method, url.text, url.path
        self.headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict(headers or {})
        if body is not None and body.kind:
            self.headers.setdefault("Content-Type", body.kind)
        # None also for a body that is never in memory.
        self.body: str | bytes | None = None
        if isinstance(body, Bytes):
            self.body = body.data.decode("utf-8") if body.text else body.data


def authorized(
    auth: Any, method: str, url: Url, headers: HeaderMapping | None, body: Body | None
) -> Mapping[str, Any]:
    """Return the headers of one request with those that ``auth`` adds; raises BadRequest.

    ``auth`` is (user, password), HTTPBasicAuth, or a function of a request, as in requests.
    """
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
    unsigned = UnsignedRequest(method, url, headers, body)
    before = unsigned.url, unsigned.body
    signed = auth(unsigned) or unsigned
    if (signed.url, signed.body) != before:
        raise BadRequest("auth= changed more than headers; use HttpUser for it")
    signed_headers: Mapping[str, Any] = signed.headers
    return signed_headers

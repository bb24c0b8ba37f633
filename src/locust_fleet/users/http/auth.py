"""What ``auth=`` adds to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests.auth import HTTPBasicAuth, HTTPDigestAuth, _basic_auth_str
from requests.structures import CaseInsensitiveDict

from locust_fleet.users.http.errors import BadRequest
from locust_fleet.users.http.headers import Given
from locust_fleet.users.http.target import Target


class Unsigned:
    """A request as requests shows it to an ``AuthBase`` or a function, which add headers to it."""

    def __init__(self, method: str, target: Target, headers: Given | None, body: Any) -> None:
        self.method, self.url, self.path_url = method, target.url, target.path
        self.headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict(headers or {})
        self.body = body


def authorized(
    auth: Any, method: str, target: Target, headers: Given | None, body: Any
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
    return (auth(unsigned) or unsigned).headers

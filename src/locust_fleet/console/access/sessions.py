"""Sign and read the session cookie.

The cookie alone proves a session, so that people who are signed in can see and stop a run while
Postgres is away. A session lasts a fixed time from the sign-in. If each request prolonged it, it
would never end: an open tab of Locust's UI makes one every two seconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Response
from itsdangerous import BadData, URLSafeTimedSerializer

from locust_fleet.console.access.roles import Role

# With this prefix browsers insist on Secure, Path=/ and no Domain, so no other site can set it.
COOKIE = "__Host-fleet_session"


@dataclass(frozen=True)
class LoginSession:
    """Who signed in. ``valid_from`` is that of the account at the sign-in (us since 1970).

    To end all its sessions, an account gets a later ``valid_from``.
    """

    name: str
    role: Role
    valid_from: int


class LoginSessions:
    """Signs sessions with a key, and reads what this key has signed."""

    def __init__(self, key: str, hours: int) -> None:
        self._max_age_s = hours * 3600
        self._serializer = URLSafeTimedSerializer(
            key, salt="fleet-session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def sign(self, session: LoginSession) -> str:
        """Return the cookie's value."""
        return str(self._serializer.dumps([session.name, session.role.value, session.valid_from]))

    def read(self, value: str) -> LoginSession | None:
        """Return the session of a cookie, None when it has expired or this key did not sign it."""
        try:
            name, role, valid_from = self._serializer.loads(value, max_age=self._max_age_s)
            return LoginSession(str(name), Role(role), int(valid_from))
        except (BadData, ValueError, TypeError):
            return None

    def set_cookie(self, response: Response, session: LoginSession) -> None:
        """Set the cookie.

        SameSite is Lax, not Strict, so that a link to a run in a chat opens for somebody who is
        signed in. Writes are protected by their Origin (roles.py).
        """
        response.set_cookie(
            COOKIE,
            self.sign(session),
            max_age=self._max_age_s,
            secure=True,
            httponly=True,
            samesite="Lax",
        )


def delete_cookie(response: Response) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")

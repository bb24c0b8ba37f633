"""Sign and read the session cookie.

A session is verified from the cookie alone, so that somebody who is signed in can see and stop
a run while Postgres is away. It lasts a fixed time from the sign-in: an open tab of Locust's UI
asks every two seconds, so a session that each request prolongs would never end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Response
from itsdangerous import BadData, URLSafeTimedSerializer

from locust_fleet.console.access.roles import Role

# The prefix makes browsers insist on Secure, Path=/ and no Domain: nobody else can plant one.
COOKIE = "__Host-fleet_session"


@dataclass(frozen=True)
class LoginSession:
    """Who signed in. ``valid_from`` is the account's own mark (microseconds) at that moment.

    The account's mark moves on when its sessions are to end: an older session counts no more.
    """

    name: str
    role: Role
    valid_from: int


class LoginSessions:
    """Sign sessions with a key, and read back what this key has signed."""

    def __init__(self, key: str, hours: int) -> None:
        self._max_age_s = hours * 3600
        self._serializer = URLSafeTimedSerializer(
            key, salt="fleet-session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def sign(self, session: LoginSession) -> str:
        """Return the cookie's value."""
        return str(self._serializer.dumps([session.name, session.role.value, session.valid_from]))

    def read(self, value: str) -> LoginSession | None:
        """Return the session of a cookie, None when it is expired or not ours."""
        try:
            name, role, valid_from = self._serializer.loads(value, max_age=self._max_age_s)
            return LoginSession(str(name), Role(role), int(valid_from))
        except (BadData, ValueError, TypeError):
            return None

    def give(self, response: Response, session: LoginSession) -> None:
        """Set the cookie.

        Lax, not Strict: a link to a run in a chat must open for somebody who is signed in.
        Writes are guarded by their Origin.
        """
        response.set_cookie(
            COOKIE,
            self.sign(session),
            max_age=self._max_age_s,
            secure=True,
            httponly=True,
            samesite="Lax",
        )


def take(response: Response) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")

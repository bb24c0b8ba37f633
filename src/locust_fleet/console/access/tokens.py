"""API tokens: shown once, stored as a hash, valid until they expire or are revoked."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from locust_fleet.console.access.accounts import NAME, AccountError
from locust_fleet.console.access.roles import Role
from locust_fleet.runtime.postgres import Connection

# Secret scanners of repositories and logs find a token by its prefix.
PREFIX = "fleet_"
LONGEST_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class Token:
    """A token as it is stored: without its text, which cannot be recovered."""

    id: int
    name: str
    token_hash: bytes
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return "active", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


def hash_token(token: str) -> bytes:
    """Return the hash to store; a plain one is enough, because nobody can guess 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def create(
    connection: Connection, name: str, role: Role, life: timedelta | None, created_by: str
) -> str:
    """Create a token and return its text; with a ``life`` of None it does not expire.

    Raises AccountError for a name or life that is not allowed.
    """
    if not NAME.fullmatch(name):
        raise AccountError("A name has 1 to 64 letters, digits, dots, dashes, underscores or @.")
    if life is not None and not timedelta(0) < life <= LONGEST_LIFE:
        raise AccountError("A token is valid for at least a minute and at most ten years.")
    token = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO api_tokens (name, token_hash, role, created_by, expires_at)"
        " VALUES (%s, %s, %s, %s, now() + %s)",
        (name, hash_token(token), role.value, created_by, life),
    )
    return token


def delete(connection: Connection, token: str) -> None:
    """Delete a token that is no longer needed."""
    connection.execute("DELETE FROM api_tokens WHERE token_hash = %s", (hash_token(token),))


def revoke(connection: Connection, token_id: int) -> str:
    """Revoke a token and return its name; AccountError when it is missing or already revoked."""
    row = connection.execute(
        "UPDATE api_tokens SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL"
        " RETURNING name",
        (token_id,),
    ).fetchone()
    if row is None:
        raise AccountError(f"There is no token {token_id}, or it is revoked already.")
    return str(row[0])


def read_all(connection: Connection) -> list[Token]:
    """Return all tokens, the newest first."""
    rows = connection.execute(
        "SELECT id, name, token_hash, role, created_by, created_at, expires_at, revoked_at,"
        " last_used_at FROM api_tokens ORDER BY id DESC"
    ).fetchall()
    return [
        Token(number, name, bytes(token_hash), Role(role), *rest)
        for number, name, token_hash, role, *rest in rows
    ]


def note_use(connection: Connection, token_ids: list[int]) -> None:
    """Store that tokens were used at this moment."""
    connection.execute(
        "UPDATE api_tokens SET last_used_at = now() WHERE id = ANY(%s)", (token_ids,)
    )

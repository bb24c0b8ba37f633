"""Hold all accounts and tokens in memory, so that checking a request costs no query.

Every process reads them again every two seconds, so a changed role, a new password or a revoked
token takes effect everywhere within that time. While Postgres is away the last reading stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from locust_fleet.console.access import accounts, tokens
from locust_fleet.console.access.accounts import Account
from locust_fleet.console.access.roles import Role
from locust_fleet.console.access.sessions import LoginSession
from locust_fleet.console.access.tokens import Token
from locust_fleet.console.database import postgres_timeout
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.postgres import Connect, Connection

REFRESH_S = 2.0
# An unknown token makes this process read again; a flood of them must not flood Postgres.
SHORTEST_PAUSE_S = 0.2
# nginx waits five seconds for an answer.
POSTGRES_TIMEOUT_S = 3.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """Who makes a request. A token is called token:NAME; no account can have such a name."""

    name: str
    role: Role

    @property
    def is_token(self) -> bool:
        """Tell whether the request was made with an API token."""
        return self.name.startswith("token:")


@dataclass(frozen=True)
class Stranger:
    """Why a cookie or token does not identify anybody."""

    reason: str


@dataclass(frozen=True)
class DirectorySnapshot:
    """All accounts and tokens as they were at one moment of Postgres's clock (microseconds)."""

    at: int
    accounts: Mapping[str, Account]
    tokens: Mapping[bytes, Token]


NOT_SIGNED_IN = Stranger("Sign in first.")
SESSION_ENDED = Stranger("This session has ended; sign in again.")
TOKEN_UNKNOWN = Stranger("This token is unknown, expired or revoked.")
TOKENS_UNREAD = Stranger("Tokens cannot be checked while the database is away; try again soon.")


def identify_session(
    session: LoginSession | None, snapshot: DirectorySnapshot | None
) -> Identity | Stranger:
    """Return whose session it is; without a snapshot, the name and role in the cookie count."""
    if session is None:
        return SESSION_ENDED
    signed = Identity(session.name, session.role)
    if snapshot is None:
        return signed
    account = snapshot.accounts.get(session.name)
    if account is None:
        # The account may be younger than the snapshot, which is up to two seconds old.
        return signed if session.valid_from > snapshot.at else SESSION_ENDED
    if account.disabled_at is not None or session.valid_from < mark_of(account.valid_from):
        return SESSION_ENDED
    return Identity(account.name, account.role)


def identify_token(
    token_hash: bytes, snapshot: DirectorySnapshot | None, now: datetime
) -> Identity | Stranger:
    """Return whose token it is."""
    if snapshot is None:
        return TOKENS_UNREAD
    token = snapshot.tokens.get(token_hash)
    if token is None or token.state(now) != "active":
        return TOKEN_UNKNOWN
    return Identity(f"token:{token.name}", token.role)


def mark_of(moment: datetime) -> int:
    """Return a time as whole microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def read_snapshot(connection: Connection) -> DirectorySnapshot:
    """Read all accounts and tokens."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return DirectorySnapshot(
        at=mark_of(row[0]),
        accounts={account.name: account for account in accounts.read_all(connection)},
        tokens={token.token_hash: token for token in tokens.read_all(connection)},
    )


class IdentityCache:
    """The last snapshot, kept fresh by ``keep_fresh`` in the background."""

    def __init__(self, connect: Connect) -> None:
        self.snapshot: DirectorySnapshot | None = None
        self.reachable = False
        self._connect = connect
        self._connection: Connection | None = None
        self._read_lock = threading.Lock()
        self._read_at = float("-inf")
        self._used_tokens: set[int] = set()

    def keep_fresh(self, closing: threading.Event) -> None:
        """Read again every two seconds until ``closing`` is set."""
        while not closing.is_set():
            self.refresh()
            closing.wait(REFRESH_S)

    def refresh(self) -> None:
        """Read again; returns after a reading that began after this call. Never raises."""
        called_at = time.monotonic()
        with self._read_lock:
            if self._read_at > called_at:
                return
            time.sleep(max(0.0, self._read_at + SHORTEST_PAUSE_S - called_at))
            self._read_at = time.monotonic()
            self._read()

    def by_session(self, session: LoginSession | None) -> Identity | Stranger:
        """Return whose session it is."""
        return identify_session(session, self.snapshot)

    def by_token(self, text: str) -> Identity | Stranger:
        """Return whose token it is; an unknown token makes the directory read Postgres again."""
        token_hash = tokens.hash_token(text)
        if text.startswith(tokens.PREFIX) and not self._knows(token_hash):
            self.refresh()
        snapshot = self.snapshot
        identity = identify_token(token_hash, snapshot, datetime.now(UTC))
        if snapshot and isinstance(identity, Identity):
            self._used_tokens.add(snapshot.tokens[token_hash].id)
        return identity

    def _knows(self, token_hash: bytes) -> bool:
        return self.snapshot is not None and token_hash in self.snapshot.tokens

    def _read(self) -> None:
        try:
            with postgres_timeout(POSTGRES_TIMEOUT_S):
                if self._connection is None:
                    self._connection = self._connect()
                self.snapshot = read_snapshot(self._connection)
                self._note_used_tokens(self._connection)
        except (psycopg.Error, StoreUnavailable) as error:
            if self.reachable or self.snapshot is None:
                logger.warning("accounts cannot be read, the last reading stays in use: %s", error)
            self.reachable = False
            self.close()
        else:
            self.reachable = True

    def _note_used_tokens(self, connection: Connection) -> None:
        used, self._used_tokens = self._used_tokens, set()
        if used:
            tokens.note_use(connection, sorted(used))

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

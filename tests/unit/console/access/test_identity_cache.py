from datetime import UTC, datetime, timedelta

import pytest

from locust_fleet.console.access.accounts import Account
from locust_fleet.console.access.identity_cache import (
    SESSION_ENDED,
    TOKEN_UNKNOWN,
    TOKENS_UNREAD,
    DirectorySnapshot,
    Identity,
    IdentityCache,
    identify_session,
    identify_token,
    mark_of,
)
from locust_fleet.console.access.roles import Role
from locust_fleet.console.access.sessions import LoginSession
from locust_fleet.console.access.tokens import Token, hash_token
from locust_fleet.errors import StoreUnavailable

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
MARK = mark_of(NOW)
HOUR = timedelta(hours=1)


def account(role: Role = Role.OPERATOR, disabled_at: datetime | None = None) -> Account:
    return Account("ada", "hash", role, NOW, disabled_at, NOW)


def token(expires_at: datetime | None = None, revoked_at: datetime | None = None) -> Token:
    return Token(
        1, "ci", hash_token("fleet_x"), Role.OPERATOR, "ada", NOW, expires_at, revoked_at, None
    )


def snapshot(*accounts: Account, tokens: tuple[Token, ...] = ()) -> DirectorySnapshot:
    return DirectorySnapshot(
        at=mark_of(NOW + HOUR),
        accounts={account.name: account for account in accounts},
        tokens={token.token_hash: token for token in tokens},
    )


def test_a_mark_keeps_every_microsecond() -> None:
    assert mark_of(NOW + timedelta(microseconds=1)) - mark_of(NOW) == 1


def test_a_session_has_the_role_that_the_account_has_now() -> None:
    who = identify_session(LoginSession("ada", Role.ADMIN, MARK), snapshot(account(Role.VIEWER)))

    assert who == Identity("ada", Role.VIEWER)


def test_without_a_snapshot_the_signed_role_counts() -> None:
    assert identify_session(LoginSession("ada", Role.ADMIN, MARK), None) == Identity(
        "ada", Role.ADMIN
    )


@pytest.mark.parametrize(
    ("session", "accounts"),
    [
        (None, (account(),)),
        (LoginSession("ada", Role.ADMIN, MARK), ()),
        (LoginSession("ada", Role.ADMIN, MARK - 1), (account(),)),
        (LoginSession("ada", Role.ADMIN, MARK), (account(disabled_at=NOW),)),
    ],
    ids=["not ours", "removed", "signed out everywhere", "disabled"],
)
def test_a_session_ends(session: LoginSession | None, accounts: tuple[Account, ...]) -> None:
    assert identify_session(session, snapshot(*accounts)) is SESSION_ENDED


def test_a_session_newer_than_the_snapshot_counts_though_its_account_is_not_in_it() -> None:
    session = LoginSession("eve", Role.VIEWER, mark_of(NOW + HOUR) + 1)

    assert identify_session(session, snapshot(account())) == Identity("eve", Role.VIEWER)


def test_a_session_opened_by_a_new_password_counts_before_the_snapshot_knows_it() -> None:
    session = LoginSession("ada", Role.VIEWER, MARK + 5)

    assert identify_session(session, snapshot(account())) == Identity("ada", Role.OPERATOR)


def test_a_token_has_a_name_that_no_account_can_have() -> None:
    who = identify_token(hash_token("fleet_x"), snapshot(tokens=(token(),)), NOW)

    assert who == Identity("token:ci", Role.OPERATOR)


@pytest.mark.parametrize(
    ("stored", "valid"),
    [
        (token(expires_at=NOW + HOUR), True),
        (token(expires_at=NOW), False),
        (token(revoked_at=NOW), False),
    ],
    ids=["not expired", "expired", "revoked"],
)
def test_a_token_counts_until_it_expires_or_is_revoked(stored: Token, valid: bool) -> None:
    who = identify_token(stored.token_hash, snapshot(tokens=(stored,)), NOW)

    assert isinstance(who, Identity) is valid


def test_an_unknown_token_identifies_nobody() -> None:
    assert identify_token(hash_token("fleet_y"), snapshot(), NOW) is TOKEN_UNKNOWN


def test_a_token_identifies_nobody_before_the_first_snapshot() -> None:
    assert identify_token(hash_token("fleet_x"), None, NOW) is TOKENS_UNREAD


def test_the_last_snapshot_stays_while_postgres_is_away() -> None:
    def connect() -> None:
        raise StoreUnavailable("away")

    directory = IdentityCache(connect)  # type: ignore[arg-type]
    directory.snapshot = snapshot(account())

    directory.refresh()

    assert directory.by_session(LoginSession("ada", Role.ADMIN, MARK)) == Identity(
        "ada", Role.OPERATOR
    )
    assert not directory.reachable

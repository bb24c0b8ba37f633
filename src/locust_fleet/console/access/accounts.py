"""Accounts in Postgres, and the one rule about them: there is always an admin who can sign in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from locust_fleet.console.access.passwords import hash_password
from locust_fleet.console.access.roles import Role
from locust_fleet.console.database import Connection
from locust_fleet.errors import FleetError, SettingsError

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
COLUMNS = "name, password_hash, role, created_at, disabled_at, sessions_valid_from"
# Later than any mark before, whatever the clock of the database has done in between.
NEXT_MARK = "greatest(clock_timestamp(), sessions_valid_from + interval '1 microsecond')"


class AccountError(FleetError):
    """What was asked for cannot be done with this account or token; the message says why."""


class LastAdmin(AccountError):
    """Nobody could manage accounts any more: make somebody else an admin first."""


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in, unless disabled; their sessions count from ``valid_from`` on."""

    name: str
    password_hash: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    valid_from: datetime


def read_all(connection: Connection) -> list[Account]:
    """Return all accounts by name."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM accounts ORDER BY name").fetchall()
    return [_account(row) for row in rows]


def find(connection: Connection, name: str) -> Account | None:
    """Return an account, None when there is none of this name."""
    row = connection.execute(f"SELECT {COLUMNS} FROM accounts WHERE name = %s", (name,)).fetchone()
    return _account(row) if row else None


def add(connection: Connection, name: str, password_hash: str, role: Role) -> None:
    """Add an account; AccountError when the name is taken or not one."""
    if not NAME.fullmatch(name):
        raise AccountError("A name has 1 to 64 letters, digits, dots, dashes, underscores or @.")
    added = connection.execute(
        "INSERT INTO accounts (name, password_hash, role) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (name, password_hash, role.value),
    ).rowcount
    if not added:
        raise AccountError(f"There is already an account {name}.")


def set_password(connection: Connection, name: str, password_hash: str) -> datetime:
    """Replace a password and end all sessions; returns the mark from which new ones count."""
    return _end_sessions(connection, name, "password_hash = %s", (password_hash,))


def end_sessions(connection: Connection, name: str) -> datetime:
    """Sign an account out everywhere; returns the mark from which new sessions count."""
    return _end_sessions(connection, name, "name = name", ())


def set_role(connection: Connection, name: str, role: Role) -> None:
    """Change a role; LastAdmin when nobody else is an admin."""
    with connection.transaction():
        _lock(connection)
        if role is not Role.ADMIN:
            _keep_an_admin(connection, name)
        _change(connection, "UPDATE accounts SET role = %s WHERE name = %s", (role.value, name))


def disable(connection: Connection, name: str) -> None:
    """Keep an account from signing in and end its sessions; LastAdmin as above."""
    with connection.transaction():
        _lock(connection)
        _keep_an_admin(connection, name)
        _end_sessions(
            connection, name, "disabled_at = coalesce(disabled_at, clock_timestamp())", ()
        )


def enable(connection: Connection, name: str) -> None:
    """Let a disabled account sign in again."""
    _change(connection, "UPDATE accounts SET disabled_at = NULL WHERE name = %s", (name,))


def remove(connection: Connection, name: str) -> None:
    """Delete an account; LastAdmin as above. What it did stays in the audit log."""
    with connection.transaction():
        _lock(connection)
        _keep_an_admin(connection, name)
        _change(connection, "DELETE FROM accounts WHERE name = %s", (name,))


def ensure_first_admin(connection: Connection, web_auth: str) -> str | None:
    """Create the admin of ``user:password`` if there is no account at all.

    Returns the name when it was created. Raises SettingsError when the setting is not one.
    """
    with connection.transaction():
        _lock(connection)
        if connection.execute("SELECT 1 FROM accounts LIMIT 1").fetchone():
            return None
        name, separator, password = web_auth.partition(":")
        if not separator or not password or not NAME.fullmatch(name):
            raise SettingsError(
                "LOCUST_WEB_AUTH is not user:password; the user has 1 to 64 letters, digits,"
                " dots, dashes, underscores or @, and the password is not empty"
            )
        add(connection, name, hash_password(password), Role.ADMIN)
    return name


def parse_role(text: str) -> Role:
    """Return a role by its name; AccountError lists what there is."""
    try:
        return Role(text)
    except ValueError:
        raise AccountError(f"Use a role of: {', '.join(role.value for role in Role)}.") from None


def _account(row: tuple[object, ...]) -> Account:
    name, password_hash, role, created_at, disabled_at, valid_from = row
    assert isinstance(created_at, datetime)
    assert isinstance(valid_from, datetime)
    assert disabled_at is None or isinstance(disabled_at, datetime)
    return Account(str(name), str(password_hash), Role(role), created_at, disabled_at, valid_from)


def _lock(connection: Connection) -> None:
    """Let one at a time change who is an admin: two must not remove each other."""
    connection.execute("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")


def _keep_an_admin(connection: Connection, name: str) -> None:
    admins = {
        admin
        for (admin,) in connection.execute(
            "SELECT name FROM accounts WHERE role = 'admin' AND disabled_at IS NULL"
        )
    }
    if admins == {name}:
        raise LastAdmin(f"{name} is the only admin; make somebody else an admin first.")


def _end_sessions(
    connection: Connection, name: str, change: str, values: tuple[object, ...]
) -> datetime:
    row = connection.execute(
        f"UPDATE accounts SET {change}, sessions_valid_from = {NEXT_MARK}"
        " WHERE name = %s RETURNING sessions_valid_from",
        (*values, name),
    ).fetchone()
    if row is None:
        raise AccountError(f"There is no account {name}.")
    mark: datetime = row[0]
    return mark


def _change(connection: Connection, statement: str, values: tuple[object, ...]) -> None:
    name = values[-1]
    if not connection.execute(statement, values).rowcount:
        raise AccountError(f"There is no account {name}.")

"""Accounts in Postgres. One rule holds for all of them: an admin who can sign in always remains."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from locust_fleet.console.access.passwords import hash_password
from locust_fleet.console.access.roles import Role
from locust_fleet.errors import FleetError, SettingsError
from locust_fleet.runtime.postgres import Connection

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
COLUMNS = "name, password_hash, role, created_at, disabled_at, sessions_valid_from"
# Later than the mark before, even if the clock of the database was set back.
NEXT_MARK = "greatest(clock_timestamp(), sessions_valid_from + interval '1 microsecond')"


class AccountError(FleetError):
    """This cannot be done with an account or token; the message says why."""


class LastAdmin(AccountError):
    """This would leave no admin: make somebody else an admin first."""


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in unless disabled; sessions older than ``valid_from`` have ended."""

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
    """Add an account; raises AccountError when the name is taken or not allowed."""
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
    """Replace a password and end all sessions; returns the new ``valid_from``."""
    return _end_sessions(connection, name, "password_hash = %s", (password_hash,))


def end_sessions(connection: Connection, name: str) -> datetime:
    """Sign an account out everywhere; returns the new ``valid_from``."""
    return _end_sessions(connection, name, "name = name", ())


def set_role(connection: Connection, name: str, role: Role) -> None:
    """Change a role; raises LastAdmin when nobody else is an admin."""
    with connection.transaction():
        _lock(connection)
        if role is not Role.ADMIN:
            _keep_an_admin(connection, name)
        _change(connection, "UPDATE accounts SET role = %s WHERE name = %s", (role.value, name))


def disable(connection: Connection, name: str) -> None:
    """Disable an account and end its sessions; raises LastAdmin when nobody else is an admin."""
    with connection.transaction():
        _lock(connection)
        _keep_an_admin(connection, name)
        _end_sessions(
            connection, name, "disabled_at = coalesce(disabled_at, clock_timestamp())", ()
        )


def enable(connection: Connection, name: str) -> None:
    """Enable a disabled account; raises AccountError when there is none of this name."""
    _change(connection, "UPDATE accounts SET disabled_at = NULL WHERE name = %s", (name,))


def remove(connection: Connection, name: str) -> None:
    """Delete an account, but not its audit entries; raises LastAdmin for the last admin."""
    with connection.transaction():
        _lock(connection)
        _keep_an_admin(connection, name)
        _change(connection, "DELETE FROM accounts WHERE name = %s", (name,))


def ensure_first_admin(connection: Connection, web_auth: str) -> str | None:
    """Create the admin of ``user:password`` (LOCUST_WEB_AUTH) if there is no account at all.

    Returns the name if it was created. Raises SettingsError when the setting has another form.
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
    """Return a role by its name; AccountError lists the roles."""
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
    """Let one transaction at a time change admins: two must not remove each other."""
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

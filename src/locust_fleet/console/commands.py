"""``locust-fleet user``, ``token`` and ``migrate``, which work on the database alone.

On a host: docker compose exec console locust-fleet user list.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from locust_fleet import logs
from locust_fleet.console import monitoring_role
from locust_fleet.console.access import accounts, audit, tokens
from locust_fleet.console.access.accounts import AccountError, LastAdmin
from locust_fleet.console.access.passwords import generate_password, hash_password, problem
from locust_fleet.console.access.roles import Role
from locust_fleet.runtime import postgres
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.console import MigrateSettings
from locust_fleet.settings.fleet import LogSettings
from locust_fleet.settings.stores import PostgresSettings

ACTOR = "(command line)"
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
ROLES = [role.value for role in Role]

Command = Callable[[Connection, argparse.Namespace], None]


def add_migrate_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``migrate``."""
    parser = subparsers.add_parser("migrate", help="bring the database up to date")
    parser.set_defaults(run=migrate)


def add_user_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``user list|add|passwd|role|disable|enable|remove``."""
    parser = subparsers.add_parser("user", help="manage accounts")
    commands = parser.add_subparsers(required=True, metavar="ACTION")

    _command(commands, "list", "print all accounts", _list_users)
    for name, help_text, command in (
        ("add", "add an account", _add_user),
        ("passwd", "replace a password and end the account's sessions", _set_password),
        ("role", "change a role", _set_role),
        ("disable", "keep an account from signing in", _disable),
        ("enable", "let a disabled account sign in again", _enable),
        ("remove", "delete an account", _remove),
    ):
        action = _command(commands, name, help_text, command)
        action.add_argument("name")
        if name == "add":
            action.add_argument("--role", choices=ROLES, default="viewer")
        if name == "role":
            action.add_argument("role", choices=ROLES)
        if name in ("add", "passwd"):
            action.add_argument(
                "--password-stdin",
                action="store_true",
                help="read the password from stdin; without it one is generated and printed",
            )


def add_token_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``token list|create|revoke``."""
    parser = subparsers.add_parser("token", help="manage API tokens")
    commands = parser.add_subparsers(required=True, metavar="ACTION")

    _command(commands, "list", "print all tokens", _list_tokens)
    create = _command(commands, "create", "create a token and print it once", _create_token)
    create.add_argument("--name", required=True)
    create.add_argument("--role", choices=ROLES, default="operator")
    create.add_argument(
        "--expires", type=_life, default=timedelta(days=90), metavar="TIME", help="30m, 24h, 90d"
    )
    create.add_argument(
        "--print-token-only", action="store_true", help="print nothing but the token"
    )
    revoke = _command(commands, "revoke", "revoke a token", _revoke_token)
    revoke.add_argument("id", type=int)


def migrate(_: argparse.Namespace) -> int:
    """Bring the schema up to date, and create the first admin and the reader of the monitoring.

    Raises SettingsError, StoreUnavailable or MigrationError.
    """
    settings = MigrateSettings.from_env(os.environ)
    logs.configure(LogSettings.from_env(os.environ), "migrate")
    with postgres.connect(settings.postgres) as connection:
        applied = postgres.migrate(connection, settings.migrations_dir)
        admin = accounts.ensure_first_admin(connection, settings.web_auth)
        monitoring_role.ensure(connection, settings.reader_password)
    print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")
    if admin:
        print(f"created the first admin: {admin}")
    return 0


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help_text: str,
    command: Command,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text)
    parser.set_defaults(run=lambda arguments: _run(command, arguments))
    return parser


def _run(command: Command, arguments: argparse.Namespace) -> int:
    with postgres.connect(PostgresSettings.from_env(os.environ)) as connection:
        try:
            command(connection, arguments)
        except AccountError as error:
            print(f"locust-fleet: {error}", file=sys.stderr)
            return 3 if isinstance(error, LastAdmin) else 1
    return 0


def _list_users(connection: Connection, _: argparse.Namespace) -> None:
    _print_table(
        ("NAME", "ROLE", "STATE", "SINCE"),
        (
            (
                account.name,
                account.role.value,
                "disabled" if account.disabled_at else "active",
                _day(account.created_at),
            )
            for account in accounts.read_all(connection)
        ),
    )


def _add_user(connection: Connection, arguments: argparse.Namespace) -> None:
    password = _new_password(arguments)
    role = Role(arguments.role)
    accounts.add(connection, arguments.name, hash_password(password), role)
    _note(connection, "add account", {"account": arguments.name, "role": role.value})
    _show_password(arguments, password)


def _set_password(connection: Connection, arguments: argparse.Namespace) -> None:
    password = _new_password(arguments)
    accounts.set_password(connection, arguments.name, hash_password(password))
    _note(connection, "password account", {"account": arguments.name})
    _show_password(arguments, password)


def _set_role(connection: Connection, arguments: argparse.Namespace) -> None:
    accounts.set_role(connection, arguments.name, Role(arguments.role))
    _note(connection, "role account", {"account": arguments.name, "role": arguments.role})


def _disable(connection: Connection, arguments: argparse.Namespace) -> None:
    accounts.disable(connection, arguments.name)
    _note(connection, "disable account", {"account": arguments.name})


def _enable(connection: Connection, arguments: argparse.Namespace) -> None:
    accounts.enable(connection, arguments.name)
    _note(connection, "enable account", {"account": arguments.name})


def _remove(connection: Connection, arguments: argparse.Namespace) -> None:
    accounts.remove(connection, arguments.name)
    _note(connection, "remove account", {"account": arguments.name})


def _list_tokens(connection: Connection, _: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    _print_table(
        ("ID", "NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "CREATED BY"),
        (
            (
                str(token.id),
                token.name,
                token.role.value,
                token.state(now),
                _day(token.expires_at),
                _day(token.last_used_at),
                token.created_by,
            )
            for token in tokens.read_all(connection)
        ),
    )


def _create_token(connection: Connection, arguments: argparse.Namespace) -> None:
    role = Role(arguments.role)
    token = tokens.create(connection, arguments.name, role, arguments.expires, ACTOR)
    _note(connection, "create token", {"token": arguments.name, "role": role.value})
    if not arguments.print_token_only:
        print("Copy it now; it is not shown again.", file=sys.stderr)
    print(token)


def _revoke_token(connection: Connection, arguments: argparse.Namespace) -> None:
    name = tokens.revoke(connection, arguments.id)
    _note(connection, "revoke token", {"token": name, "id": str(arguments.id)})


def _note(connection: Connection, action: str, detail: Mapping[str, str]) -> None:
    audit.write(connection, [audit.Entry(ACTOR, "", action, detail, allowed=True)])


def _new_password(arguments: argparse.Namespace) -> str:
    if not arguments.password_stdin:
        return generate_password()
    password = sys.stdin.readline().rstrip("\r\n")
    wrong = problem(password, arguments.name)
    if wrong:
        raise AccountError(wrong)
    return password


def _show_password(arguments: argparse.Namespace, password: str) -> None:
    if not arguments.password_stdin:
        print(f"Password of {arguments.name}, shown this once:", file=sys.stderr)
        print(password)


def _life(text: str) -> timedelta:
    match = re.fullmatch("([0-9]{1,6})([mhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time; use 30m, 24h or 90d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _day(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if moment else "-"


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )

"""The command line of both images: ``locust-fleet``."""

from __future__ import annotations

import argparse
import importlib.util
import sys

from locust_fleet.cli import healthcheck, master_commands, run_locust
from locust_fleet.errors import FleetError, SettingsError
from locust_fleet.sizing import command as sizing


def main() -> None:
    """Run a command and end the process with its exit code.

    0 done, 1 failed, 2 wrong arguments or settings, 3 unfit (``try-worker``); run-test has more.
    """
    parser = make_parser()
    arguments, rest = parser.parse_known_args()
    if rest and not getattr(arguments, "takes_locust_options", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.locust_options = rest
    try:
        code = arguments.run(arguments)
    except FleetError as error:
        print(f"locust-fleet: {error}", file=sys.stderr)
        code = 2 if isinstance(error, SettingsError) else 1
    sys.exit(code)


def make_parser() -> argparse.ArgumentParser:
    """Return a parser that knows the commands of the present image."""
    parser = argparse.ArgumentParser(prog="locust-fleet", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_locust.add_parsers(commands)
    healthcheck_parser = commands.add_parser(
        "healthcheck", help="ask a health page; 1 unless it answers 200"
    )
    healthcheck_parser.add_argument("url", nargs="?", default=healthcheck.HEALTH_URL)
    healthcheck_parser.set_defaults(run=lambda arguments: healthcheck.healthcheck(arguments.url))
    master_commands.add_parsers(commands)
    sizing.add_parser(commands)
    # Only the image of the console has what its commands need.
    if importlib.util.find_spec("argon2"):
        _add_console_commands(commands)
    return parser


def _add_console_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    from locust_fleet.cli import run_test, smoke_test
    from locust_fleet.console import commands as console
    from locust_fleet.notify import commands as notify

    console.add_migrate_parser(commands)
    console.add_user_parser(commands)
    console.add_token_parser(commands)
    smoke_test.add_parser(commands)
    notify.add_parsers(commands)
    run_test.add_parser(commands)

"""The one command of both images: ``locust-fleet``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from locust_fleet.cli import healthcheck
from locust_fleet.errors import FleetError, SettingsError
from locust_fleet.locust_patches.patch import replace

READY_URL = "http://127.0.0.1:8080/ready"
WEB_PORT = 8089
# Stopping waits until users have finished, at most the stop timeout and Locust's extra minute.
STOP_TIMEOUT_S = 150.0
# How often a new worker is looked at.
LOOK_S = 0.5
# A verdict on it, as no failure to ask ends; handover.sh knows it.
UNFIT = 3


def main() -> None:
    """Run the command line; ends the process with 0 done, 1 failed, 2 bad settings, 3 unfit."""
    arguments, rest = _parser().parse_known_args()
    if rest and not getattr(arguments, "takes_locust_options", False):
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        arguments.locust_options = rest
        sys.exit(arguments.run(arguments))
    except SettingsError as error:
        sys.exit(_complain(str(error), 2))
    except FleetError as error:
        sys.exit(_complain(str(error), 1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="locust-fleet", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for role, run in (("master", _master), ("worker", _worker)):
        command = commands.add_parser(
            role, help=f"run Locust as a {role}, with any Locust options", add_help=False
        )
        command.set_defaults(run=run, takes_locust_options=True)

    command = commands.add_parser("check-locustfile", help="import a locustfile; 1 if it fails")
    command.add_argument("path", nargs="?", type=Path, help="default: LOCUST_LOCUSTFILE")
    command.set_defaults(run=_check_locustfile)

    command = commands.add_parser("healthcheck", help="ask a health page; 1 unless it is well")
    command.add_argument("url", nargs="?", default=healthcheck.HEALTH_URL)
    command.set_defaults(run=_healthcheck)

    command = commands.add_parser("run-state", help="print how the run stands, as JSON")
    command.set_defaults(run=_run_state)

    command = commands.add_parser(
        "try-worker", help="wait until a new worker is one of the fleet; 3 if it is unfit"
    )
    command.add_argument("host", help="its host name")
    command.set_defaults(run=_try_worker)

    command = commands.add_parser("stop-run", help="stop the load through the master alone")
    command.set_defaults(run=_stop_run)

    command = commands.add_parser("plan", help="say what a test of some size needs")
    command.add_argument("--users", required=True)
    command.add_argument("--file-size", default="0B", help="that each sends, such as 17.5MB")
    command.add_argument("--interval", default="1s", help="between two requests of a user")
    command.add_argument("--users-per-worker", help="at most; default: measured, or 150")
    command.add_argument("--link", help="of this machine, such as 10Gbit; default: of its card")
    command.add_argument("--measure", action="store_true", help="what a request costs here")
    command.add_argument("--host", help="measure against this URL; default: a sink of its own")
    command.add_argument("--seconds", type=float, default=10, help="to measure for")
    command.set_defaults(run=_plan)

    # Only the console image has what these need.
    if importlib.util.find_spec("argon2"):
        from locust_fleet.cli import run_test, smoke_test
        from locust_fleet.console import commands as console
        from locust_fleet.notify import commands as notify

        command = commands.add_parser("migrate", help="bring the database up to date")
        command.set_defaults(run=console.migrate)
        console.add_user_parser(commands)
        console.add_token_parser(commands)
        smoke_test.add_parser(commands)
        notify.add_parsers(commands)
        run_test.add_parser(commands)
    return parser


def _master(arguments: argparse.Namespace) -> int:
    from locust_fleet.settings.master import MasterSettings

    settings = MasterSettings.from_env(os.environ)
    _trust_target_ca()
    import locust.main

    from locust_fleet import bootstrap

    bootstrap.attach_master(settings)
    sys.argv = ["locust", "--master", *arguments.locust_options]
    locust.main.main()
    return 0


def _worker(arguments: argparse.Namespace) -> int:
    from locust_fleet.settings.worker import WorkerSettings

    settings = WorkerSettings.from_env(os.environ)
    _trust_target_ca()
    import locust.main

    from locust_fleet import bootstrap

    bootstrap.attach_worker(settings)
    sys.argv = ["locust", "--worker", *arguments.locust_options]
    locust.main.main()
    return 0


def _trust_target_ca() -> None:
    """Add the private CAs of targets to the public ones, for every HTTP client of this process."""
    import certifi

    own = Path(os.environ.get("TARGET_CA_FILE", ""))
    if not own.is_file() or not own.read_text(encoding="utf-8").strip():
        return
    bundle = Path(tempfile.mkdtemp()) / "ca-bundle.pem"
    bundle.write_text(
        Path(certifi.where()).read_text(encoding="utf-8") + own.read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    os.environ["SSL_CERT_FILE"] = str(bundle)
    # Sessions of Locust 2.47.0 do not look at the environment; requests asks this when imported.
    replace(certifi, "where", lambda: str(bundle))


def _check_locustfile(arguments: argparse.Namespace) -> int:
    path = arguments.path or Path(os.environ.get("LOCUST_LOCUSTFILE", ""))
    spool = Path(os.environ.get("SPOOL_DIR", "/var/lib/locust-fleet/spool"))
    from locust.util.load_locustfile import load_locustfile

    from locust_fleet.master.diagnostics import note

    problem = None
    try:
        users, _ = load_locustfile(str(path))
        if not users:
            problem = "it defines no User class"
    except BaseException as error:
        traceback.print_exc()
        problem = traceback.format_exception_only(error)[-1].strip()
    sentence = f"locustfile {path.name} cannot be used: {problem}" if problem else None
    if spool.is_dir():
        note(spool, sentence)
    return _complain(sentence, 1) if sentence else 0


def _healthcheck(arguments: argparse.Namespace) -> int:
    return healthcheck.healthcheck(arguments.url)


def _run_state(_: argparse.Namespace) -> int:
    print(json.dumps(_ask_master("/fleet/run", None, timeout_s=10)))
    return 0


def _try_worker(arguments: argparse.Namespace) -> int:
    from locust_fleet.cli.canary import Canary, CanaryVerdict

    trial = Canary(arguments.host)
    while True:
        try:
            status = _ask_master("/fleet/run", None, timeout_s=10)
        except FleetError:
            status = None
        verdict = trial.look(status, time.monotonic())
        if verdict is not CanaryVerdict.WAIT:
            print(trial.reason)
            return 0 if verdict is CanaryVerdict.FIT else UNFIT
        time.sleep(LOOK_S)


def _plan(arguments: argparse.Namespace) -> int:
    from locust_fleet.sizing import command

    return command.run(arguments)


def _stop_run(_: argparse.Namespace) -> int:
    state = _ask_master("/fleet/run", None, timeout_s=10)
    if state["state"] not in ("spawning", "running", "stopping"):
        print("no run is active")
        return 0
    _ask_master("/stop", b"", timeout_s=STOP_TIMEOUT_S)
    print(f"stopped {state['run']['id'] if state['run'] else 'the run'}")
    return 0


def _ask_master(path: str, body: bytes | None, *, timeout_s: float) -> dict[str, Any]:
    """Ask the master of this container, or the one it stands by for.

    Raises FleetError when it does not answer.
    """
    from locust_fleet.settings.values import secret

    url = f"http://{_leading_host()}:{WEB_PORT}"
    request = urllib.request.Request(url + path, data=body)
    request.add_header("X-Fleet-Front", secret(os.environ, "FRONT_SECRET"))
    request.add_header("X-Fleet-User", "scripts/stop_run.sh")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError) as error:
        raise FleetError(f"the master does not answer at {url}: {error}") from error


def _leading_host() -> str:
    try:
        with urllib.request.urlopen(READY_URL, timeout=3) as answer:
            leader = json.load(answer).get("leader")
    except (OSError, ValueError):
        leader = None
    return leader.rpartition(":")[0] if leader else "127.0.0.1"


def _complain(message: str, code: int) -> int:
    print(f"locust-fleet: {message}", file=sys.stderr)
    return code

"""``locust-fleet master``, ``worker`` and ``check-locustfile``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

from locust_fleet.errors import FleetError
from locust_fleet.locust_patches.patch import replace
from locust_fleet.settings.commands import LocustfileSettings, target_ca_file


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``master``, ``worker`` and ``check-locustfile``."""
    for role, run in (("master", run_master), ("worker", run_worker)):
        command = subparsers.add_parser(
            role, help=f"run Locust as a {role}; takes all options of Locust", add_help=False
        )
        command.set_defaults(run=run, takes_locust_options=True)

    command = subparsers.add_parser("check-locustfile", help="import a locustfile; 1 if that fails")
    command.add_argument("path", nargs="?", type=Path, help="default: LOCUST_LOCUSTFILE")
    command.set_defaults(run=check_locustfile)


def run_master(arguments: argparse.Namespace) -> int:
    """Run Locust as a master; raises SettingsError before Locust is imported."""
    from locust_fleet.settings.master import MasterSettings

    settings = MasterSettings.from_env(os.environ)
    trust_target_ca()
    import locust.main

    from locust_fleet import bootstrap

    bootstrap.attach_master(settings)
    sys.argv = ["locust", "--master", *arguments.locust_options]
    locust.main.main()
    return 0


def run_worker(arguments: argparse.Namespace) -> int:
    """Run Locust as a worker; raises SettingsError before Locust is imported."""
    from locust_fleet.settings.worker import WorkerSettings

    settings = WorkerSettings.from_env(os.environ)
    trust_target_ca()
    import locust.main

    from locust_fleet import bootstrap

    bootstrap.attach_worker(settings)
    sys.argv = ["locust", "--worker", *arguments.locust_options]
    locust.main.main()
    return 0


def trust_target_ca() -> None:
    """Make every HTTP client of this process trust the private CAs of targets as well."""
    import certifi

    own = target_ca_file(os.environ)
    private_cas = own.read_text(encoding="utf-8") if own else ""
    if not private_cas.strip():
        return
    bundle = Path(tempfile.mkdtemp()) / "ca-bundle.pem"
    bundle.write_text(
        Path(certifi.where()).read_text(encoding="utf-8") + private_cas, encoding="utf-8"
    )
    os.environ["SSL_CERT_FILE"] = str(bundle)
    # Sessions of Locust 2.47.0 ignore the environment; requests calls this when it is imported.
    replace(certifi, "where", lambda: str(bundle))


def check_locustfile(arguments: argparse.Namespace) -> int:
    """Import a locustfile, and leave the result where the master shows it.

    Raises FleetError, which names the file and the reason, when it cannot be used.
    """
    settings = LocustfileSettings.from_env(os.environ)
    path = arguments.path or settings.locustfile
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
    if settings.spool_dir.is_dir():
        note(settings.spool_dir, sentence)
    if sentence:
        raise FleetError(sentence)
    return 0

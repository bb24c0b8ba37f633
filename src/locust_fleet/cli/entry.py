"""The entry point of ``locust-fleet``, which keeps the health check cheap.

Docker runs the check every few seconds in each container, beside the load. Loading all commands,
argparse and urllib for it would take 85 ms of CPU on a worker and 300 ms in the console.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``locust-fleet``; ends the process with the exit code of its command."""
    match sys.argv[1:]:
        case ["healthcheck", *url] if all(each.startswith("http://") for each in url):
            from locust_fleet.cli.healthcheck import HEALTH_URL, healthcheck

            sys.exit(healthcheck(url[0] if url else HEALTH_URL))
        case _:
            from locust_fleet.cli import main as commands

            commands.main()

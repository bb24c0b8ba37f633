"""A small fleet of processes: the demo target, a master and workers, without containers."""

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from locust_fleet.settings import PostgresSettings
from tests.integration.conftest import ROOT, free_port, wait_until

ADDRESS = "127.0.0.34"
FRONT_SECRET = "front-secret"
COMMAND = (sys.executable, "-c", "from locust_fleet.cli import main; main()")


class Fleet:
    """Starts processes, talks to the master as the front would, and ends what it started."""

    def __init__(self, folder: Path, postgres: PostgresSettings, locustfile: str) -> None:
        self.folder = folder
        self._locustfile = folder / "busy.py"
        self._locustfile.write_text(locustfile)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._metrics_ports: dict[str, int] = {}
        self._web_port, self._bind_port = free_port(ADDRESS), free_port(ADDRESS)
        self.target = f"http://{ADDRESS}:{free_port(ADDRESS)}"
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "LOCUST_LOCUSTFILE": str(self._locustfile),
            "LOCUST_HOST": self.target,
            "LOCUST_MASTER_BIND_HOST": ADDRESS,
            "LOCUST_MASTER_BIND_PORT": str(self._bind_port),
            "LOCUST_MASTER_NODE_HOST": ADDRESS,
            "LOCUST_MASTER_NODE_PORT": str(self._bind_port),
            "LOCUST_WEB_HOST": ADDRESS,
            "LOCUST_WEB_PORT": str(self._web_port),
            "ALLOWED_TARGETS": ADDRESS,
            "FRONT_SECRET": FRONT_SECRET,
            "POSTGRES_HOST": postgres.host,
            "POSTGRES_PORT": str(postgres.port),
            "POSTGRES_DB": postgres.database,
            "POSTGRES_USER": postgres.user,
            "POSTGRES_PASSWORD": postgres.password,
            "SPOOL_DIR": str(folder / "spool"),
            "REPORTS_DIR": str(folder / "reports"),
        }

    def start_target(self) -> None:
        config = ROOT / "conf" / "gunicorn_demo.py"
        bind = self.target.removeprefix("http://")
        command = ("-m", "gunicorn", "--config", str(config), "--bind", bind)
        self._start("target", (sys.executable, *command, "locust_fleet.demo:create_app()"))
        wait_until(lambda: self._answers(f"{self.target}/health"), "the demo target answering")

    def start_master(self, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        self._start("master", (*COMMAND, "master", "--config", config), **env)
        wait_until(lambda: self._answers(f"{self.web}/fleet/run"), "the master answering")

    def start_worker(self, name: str, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        self._start(name, (*COMMAND, "worker", "--config", config), **env)

    def start(self, *workers: str, locustfile: str | None = None, **env: str) -> None:
        """Start everything, and return once the workers are ready."""
        if locustfile is not None:
            self._locustfile.write_text(locustfile)
        self.start_target()
        self.start_master()
        for worker in workers:
            self.start_worker(worker, **env)
        self.wait_for_workers(len(workers))

    def end(self, name: str, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End one process; returns its exit code."""
        process = self._processes.pop(name)
        process.send_signal(with_signal)
        return process.wait(timeout=60)

    def signal(self, *names: str) -> None:
        """Ask processes to end, all at once."""
        for name in names:
            self._processes[name].terminate()

    def exit_code(self, name: str) -> int | None:
        return self._processes[name].poll()

    def end_all(self) -> None:
        """End what runs; print the ends of the logs, which pytest shows when a test fails."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            print(f"--- {log.name}", *lines[-40:], sep="\n")

    @property
    def web(self) -> str:
        return f"http://{ADDRESS}:{self._web_port}"

    def ask(
        self, path: str, form: dict[str, Any] | None = None, user: str = "alice", **headers: str
    ) -> Any:
        """Ask the master; returns its JSON."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        headers |= {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": user}
        request = urllib.request.Request(self.web + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=130) as answer:
            return json.load(answer)

    def swarm(
        self,
        users: int,
        *,
        user: str = "alice",
        alerts: dict[str, float] | None = None,
        **form: str,
    ) -> Any:
        defaults = {"user_count": users, "spawn_rate": users, "host": self.target}
        headers = {"X-Fleet-Run-Alerts": json.dumps(alerts)} if alerts is not None else {}
        return self.ask("/swarm", {**defaults, **form}, user=user, **headers)

    def stop(self) -> None:
        self.ask("/stop", {})

    def reset(self) -> None:
        """Press the button of Locust's page."""
        headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
        request = urllib.request.Request(self.web + "/stats/reset", b"", headers)
        with urllib.request.urlopen(request, timeout=5):
            pass

    def state(self) -> Any:
        return self.ask("/fleet/run")

    def served(self) -> int:
        with urllib.request.urlopen(f"{self.target}/stats", timeout=5) as answer:
            return int(json.load(answer)["total"])

    def wait_for_workers(self, count: int) -> None:
        wait_until(lambda: self.state()["workers"] == count, f"{count} workers ready")

    def wait_for_users(self, count: int, timeout_s: float = 15) -> None:
        wait_until(lambda: self.state()["users"] == count, f"{count} users", timeout_s)

    def wait_for_requests(self, count: int) -> None:
        wait_until(lambda: self.state()["totals"]["requests"] >= count, f"{count} requests")

    def metrics(self, name: str) -> dict[str, float]:
        """Scrape a master or worker; returns each line's value by what stands before it."""
        with urllib.request.urlopen(
            f"http://{ADDRESS}:{self._metrics_ports[name]}/metrics", timeout=5
        ) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {series: float(value) for series, _, value in pairs}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, command: tuple[str, ...], **env: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={
                    **self._env,
                    "HEALTH_PORT": str(free_port("0.0.0.0")),
                    "METRICS_PORT": str(self._metrics_port(name)),
                    **env,
                },
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _metrics_port(self, name: str) -> int:
        self._metrics_ports[name] = free_port("0.0.0.0")
        return self._metrics_ports[name]

    def _answers(self, url: str) -> bool:
        request = urllib.request.Request(url, headers={"X-Fleet-Front": FRONT_SECRET})
        try:
            with urllib.request.urlopen(request, timeout=2):
                return True
        except OSError:
            return False

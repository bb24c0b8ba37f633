"""A small fleet of processes: the demo target, masters and workers, without containers."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locust_fleet.settings.stores import PostgresSettings
from tests.support.cable import Cable
from tests.support.checkout import ROOT
from tests.support.http import answers
from tests.support.ports import free_port
from tests.support.postgres import postgres_environment
from tests.support.process import LOCUST_FLEET, start
from tests.support.shop import Shop
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.34"
FRONT_SECRET = "front-secret"
# What the front adds to what it passes on.
FRONT = {"X-Fleet-Front": FRONT_SECRET}


class Fleet:
    """Starts processes, talks to the leader as the front would, and ends what it started."""

    def __init__(
        self,
        folder: Path,
        postgres: PostgresSettings,
        shop: Shop,
        locustfile: str,
        more_env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._locustfile = folder / "busy.py"
        self._locustfile.write_text(locustfile)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._frozen: set[str] = set()
        self._masters: dict[str, str] = {}
        self._health_ports: dict[str, int] = {}
        self._metrics_ports: dict[str, int] = {}
        self._web_port, self._bind_port = free_port(ADDRESS), free_port(ADDRESS)
        self._shop = shop
        self.target = shop.url
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
            "ALLOWED_TARGETS": ",".join(sorted({ADDRESS, str(urlsplit(shop.url).hostname)})),
            "FRONT_SECRET": FRONT_SECRET,
            **postgres_environment(postgres),
            "SPOOL_DIR": str(folder / "spool"),
            "REPORTS_DIR": str(folder / "reports"),
            **(more_env or {}),
        }

    def start_target(self) -> None:
        self._shop.renew()

    def start_master(self, name: str = "master", host: str = ADDRESS, **env: str) -> None:
        """Start a master, and return once it leads; the address may be one that others have."""
        self._start_master(name, host, **env)
        wait_until(lambda: answers(f"{self.web}/fleet/run", FRONT), "the master answering")

    def start_standby(self, name: str, host: str = ADDRESS, **env: str) -> None:
        """Start a master while another one leads, and return once it stands by."""
        self._start_master(name, host, **env)
        wait_until(lambda: self.role(name) == "standby", f"{name} standing by")

    def _start_master(self, name: str, host: str, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        places = {"LOCUST_MASTER_BIND_HOST": host, "LOCUST_WEB_HOST": host, "NODE_ID": name}
        self._masters[name] = host
        self._start(name, (*LOCUST_FLEET, "master", "--config", config), **places, **env)

    def start_worker(self, name: str, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        self._start(name, (*LOCUST_FLEET, "worker", "--config", config), **env)

    def start(self, *workers: str, locustfile: str | None = None, **env: str) -> None:
        """Start everything, and return once the workers are ready."""
        if locustfile is not None:
            self._locustfile.write_text(locustfile)
        self.start_target()
        self.start_master(**env)
        for worker in workers:
            self.start_worker(worker, **env)
        self.wait_for_workers(len(workers))

    def end(self, name: str, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End one process; returns its exit code."""
        process = self._processes.pop(name)
        self._masters.pop(name, None)
        process.send_signal(with_signal)
        return process.wait(timeout=60)

    def signal(self, *names: str) -> None:
        """Ask processes to end, all at once."""
        for name in names:
            self._processes[name].terminate()

    def freeze(self, name: str) -> None:
        """Let a process hang."""
        self._frozen.add(name)
        self._processes[name].send_signal(signal.SIGSTOP)

    def wake(self, name: str) -> None:
        self._frozen.discard(name)
        self._processes[name].send_signal(signal.SIGCONT)

    def cable(self) -> Cable:
        """Return a way to the master that can be cut; give a worker its ``env``."""
        return Cable(ADDRESS, self._bind_port)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def exit_code(self, name: str) -> int | None:
        return self._processes[name].poll()

    def end_all(self) -> None:
        """End what runs; print the ends of the logs, which pytest shows when a test fails."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        logs = [*self.folder.glob("*.log"), self._shop.log]
        for log in sorted(log for log in logs if log.exists()):
            lines = log.read_text(errors="replace").splitlines()
            print(f"--- {log.name}", *lines[-40:], sep="\n")

    @property
    def lease_address(self) -> str:
        return f"{ADDRESS}:{self._bind_port}"

    def ready(self, name: str) -> dict[str, Any]:
        """Return what a process says of itself; nothing if it does not answer."""
        url = f"http://127.0.0.1:{self._health_ports[name]}/ready"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except OSError:
            return {}

    def role(self, name: str) -> str:
        return str(self.ready(name).get("role", "away"))

    def leader(self) -> str | None:
        """Return the master that leads, if one does."""
        awake = [name for name in self._masters if name not in self._frozen]
        return next((name for name in awake if self.role(name) == "leader"), None)

    @property
    def web(self) -> str:
        leader = self.leader() if len(self._masters) > 1 else next(iter(self._masters), None)
        host = self._masters[leader] if leader else ADDRESS
        return f"http://{host}:{self._web_port}"

    def ask(
        self, path: str, form: dict[str, Any] | None = None, user: str = "alice", **headers: str
    ) -> Any:
        """Ask the master; returns its JSON."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        headers |= {**FRONT, "X-Fleet-User": user}
        request = urllib.request.Request(self.web + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=130) as answer:
            return json.load(answer)

    def page(self, path: str) -> str:
        """Return a page of Locust's UI."""
        headers = {**FRONT, "X-Fleet-User": "alice"}
        request = urllib.request.Request(self.web + path, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

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

    def stop_at(self, host: str) -> None:
        """Ask one master to stop the run, whether it leads or not."""
        headers = {**FRONT, "X-Fleet-User": "alice"}
        request = urllib.request.Request(f"http://{host}:{self._web_port}/stop", b"", headers)
        with urllib.request.urlopen(request, timeout=60):
            pass

    def reset(self) -> None:
        """Press the button of Locust's page."""
        headers = {**FRONT, "X-Fleet-User": "alice"}
        request = urllib.request.Request(self.web + "/stats/reset", b"", headers)
        with urllib.request.urlopen(request, timeout=5):
            pass

    def set_user(self, **settings: Any) -> None:
        """Set something for a class of users, as Locust's page does."""
        headers = {**FRONT, "X-Fleet-User": "alice"}
        body = json.dumps(settings).encode()
        request = urllib.request.Request(self.web + "/user", body, headers)
        with urllib.request.urlopen(request, timeout=5):
            pass

    def state(self) -> Any:
        return self.ask("/fleet/run")

    def has_resumed(self) -> bool:
        """Whether the leader answers, which takes a moment, and has the run."""
        try:
            return not self.state()["resuming"]
        except OSError:
            return False

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

    def open_files(self, name: str) -> int:
        """Return how many files and sockets a process has open."""
        return len(list(Path(f"/proc/{self._processes[name].pid}/fd").iterdir()))

    def log(self, name: str) -> str:
        """Return what a process has written; the target also for tests before."""
        log = self._shop.log if name == "target" else self.folder / f"{name}.log"
        return log.read_text()

    def _start(self, name: str, command: tuple[str, ...], **env: str) -> None:
        self._health_ports[name] = free_port("0.0.0.0")
        self._metrics_ports[name] = free_port("0.0.0.0")
        ports = {
            "HEALTH_PORT": str(self._health_ports[name]),
            "METRICS_PORT": str(self._metrics_ports[name]),
        }
        log = self.folder / f"{name}.log"
        self._processes[name] = start(command, log, {**self._env, **ports, **env})


NewFleet = Callable[..., Fleet]

"""A small fleet of processes: the demo target, masters and workers, without containers."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from locust_fleet.settings.stores import PostgresSettings
from tests.integration.conftest import ROOT, free_port, wait_until

ADDRESS = "127.0.0.34"
FRONT_SECRET = "front-secret"
COMMAND = (sys.executable, "-c", "from locust_fleet.cli.entry import main; main()")


class Cable:
    """Forwards to a port of the fleet. Cut, it keeps its connections and what was sent."""

    def __init__(self, host: str, port: int) -> None:
        self._to, self._port = (host, port), port
        self._whole = threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._server = socket.create_server((host, 0))
        self.env = {"LOCUST_MASTER_NODE_PORT": str(self._server.getsockname()[1])}
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def plug_into(self, host: str, port: int | None = None) -> None:
        """End all connections, and lead those to come elsewhere."""
        self._to = (host, port or self._port)
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            try:
                far = socket.create_connection(self._to)
            except OSError:
                near.close()
                continue
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with one, other, contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._whole.wait()
                other.sendall(data)


class Fleet:
    """Starts processes, talks to the leader as the front would, and ends what it started."""

    def __init__(
        self,
        folder: Path,
        postgres: PostgresSettings,
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
            **(more_env or {}),
        }

    def start_target(self) -> None:
        config = ROOT / "conf" / "gunicorn_demo.py"
        bind = self.target.removeprefix("http://")
        command = ("-m", "gunicorn", "--config", str(config), "--bind", bind)
        self._start("target", (sys.executable, *command, "locust_fleet.demo:create_app()"))
        wait_until(lambda: self._answers(f"{self.target}/health"), "the demo target answering")

    def start_master(self, name: str = "master", host: str = ADDRESS, **env: str) -> None:
        """Start a master, and return once it leads; the address may be one that others have."""
        self._start_master(name, host, **env)
        wait_until(lambda: self._answers(f"{self.web}/fleet/run"), "the master answering")

    def start_standby(self, name: str, host: str = ADDRESS, **env: str) -> None:
        """Start a master while another one leads, and return once it stands by."""
        self._start_master(name, host, **env)
        wait_until(lambda: self.role(name) == "standby", f"{name} standing by")

    def _start_master(self, name: str, host: str, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        places = {"LOCUST_MASTER_BIND_HOST": host, "LOCUST_WEB_HOST": host, "NODE_ID": name}
        self._masters[name] = host
        self._start(name, (*COMMAND, "master", "--config", config), **places, **env)

    def start_worker(self, name: str, **env: str) -> None:
        config = str(ROOT / "conf" / "production.conf")
        self._start(name, (*COMMAND, "worker", "--config", config), **env)

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
        for log in sorted(self.folder.glob("*.log")):
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
        headers |= {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": user}
        request = urllib.request.Request(self.web + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=130) as answer:
            return json.load(answer)

    def page(self, path: str) -> str:
        """Return a page of Locust's UI."""
        headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
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
        headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
        request = urllib.request.Request(f"http://{host}:{self._web_port}/stop", b"", headers)
        with urllib.request.urlopen(request, timeout=60):
            pass

    def reset(self) -> None:
        """Press the button of Locust's page."""
        headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
        request = urllib.request.Request(self.web + "/stats/reset", b"", headers)
        with urllib.request.urlopen(request, timeout=5):
            pass

    def set_user(self, **settings: Any) -> None:
        """Set something for a class of users, as Locust's page does."""
        headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
        body = json.dumps(settings).encode()
        request = urllib.request.Request(self.web + "/user", body, headers)
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

    def open_files(self, name: str) -> int:
        """Return how many files and sockets a process has open."""
        return len(list(Path(f"/proc/{self._processes[name].pid}/fd").iterdir()))

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, command: tuple[str, ...], **env: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={
                    **self._env,
                    "HEALTH_PORT": str(self._health_port(name)),
                    "METRICS_PORT": str(self._metrics_port(name)),
                    **env,
                },
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _health_port(self, name: str) -> int:
        self._health_ports[name] = free_port("0.0.0.0")
        return self._health_ports[name]

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

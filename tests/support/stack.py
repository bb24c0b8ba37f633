"""A deployed stack of its own: a copy of the checkout, a project name, an address and ports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from tests.support.checkout import HARDENED, copy_checkout
from tests.support.containers import address_of, health, running
from tests.support.engine import docker
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.41"
PASSWORD = "correct horse battery"
DEMO = "http://demo-target:8000"
SERVICES = ("nginx", "console", "locust-master", "demo-target", "redis", "postgres")


class Stack:
    """What an operator and a tester do with a deployed stack."""

    def __init__(self, folder: Path, project: str, address: str = ADDRESS) -> None:
        self.folder = folder
        self.project = project
        # What ran when it was whole and idle last.
        self._whole: Counter[str] = Counter()
        self.https_port = free_port(address)
        self.http_port = free_port(address)
        self.url = f"https://{address}:{self.https_port}"
        copy_checkout(folder)
        self.set_env(
            COMPOSE_PROJECT_NAME=project,
            BIND_ADDRESS=address,
            HTTP_PORT=str(self.http_port),
            HTTPS_PORT=str(self.https_port),
            # So that the certificate that deploy.sh makes is for this address.
            ALLOWED_HOSTS=address,
            LOCUST_WEB_AUTH=f"admin:{PASSWORD}",
            # Not the defaults: a port that somebody forgot to pass on shows.
            POSTGRES_PORT="5433",
            REDIS_PORT="6380",
        )
        env = folder / ".env"
        env.write_text(f"SCENARIO_COLOUR=blue 'sky'\n{env.read_text()}")
        secret = folder / "secrets" / "scenario" / "token"
        secret.parent.mkdir(parents=True)
        secret.write_text("secret of a scenario")

    # --- files ---

    def set_env(self, **values: str) -> None:
        """Write settings into .env, as an operator would."""
        file = self.folder / ".env"
        if not file.exists():
            shutil.copy(self.folder / ".env.example", file)
        text = file.read_text()
        for name, value in values.items():
            text, found = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", text)
            assert found, f"{name} is not in .env.example"
        file.write_text(text)

    def env(self, name: str) -> str:
        found = re.search(rf"(?m)^{name}=(.*)$", (self.folder / ".env").read_text())
        assert found, f"{name} is not in .env"
        return found[1]

    def locustfile(self, name: str, text: str) -> None:
        (self.folder / "locustfiles" / name).write_text(text)

    # --- operator ---

    def script(
        self, name: str, *arguments: str, timeout_s: float = 600, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of this stack's checkout to its end, as on a hardened server."""
        return subprocess.run(
            [str(self.folder / "scripts" / name), *arguments],
            cwd=self.folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            umask=HARDENED,
        )

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.script("deploy.sh", "production", *arguments)

    def compose(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-directory", str(self.folder), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=300,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"docker compose {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def plan(self, *arguments: str) -> str:
        """What `docker compose up` with these arguments would do."""
        done = subprocess.run(
            ["docker", "compose", "--dry-run", "create", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stderr

    def containers(self, service: str = "") -> list[str]:
        """Ids of the running containers."""
        return running(self.project, service)

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a container of a service; returns what it prints."""
        return docker("exec", self.containers(service)[0], *command)

    def remove(self) -> None:
        self.compose("down", "--volumes", "--timeout", "5", "--remove-orphans", check=False)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "40", check=False)

    def sql(self, query: str) -> list[str]:
        """Ask the results database; one line a row, columns separated by |."""
        user, database = self.env("POSTGRES_USER"), self.env("POSTGRES_DB")
        command = ("psql", "-U", user, "-d", database, "-At", "-c", query)
        return self.execute("postgres", *command).splitlines()

    def served(self) -> int:
        """Requests that the demo target has served, by its own count."""
        return int(requests.get(self._at_target("/stats"), timeout=10).json()["total"])

    def reset_served(self) -> None:
        requests.post(self._at_target("/stats/reset"), timeout=10).raise_for_status()

    def recorded(self, run_id: str) -> int:
        """Requests of a run that are in Postgres."""
        [total] = self.sql(
            f"SELECT coalesce(sum(requests), 0) FROM run_samples WHERE run_id = '{run_id}'"
        )
        return int(total)

    # --- tester ---

    def browser(self, name: str = "admin", password: str = PASSWORD) -> requests.Session:
        """Return a session that has signed in."""
        session = self.stranger()
        answer = session.post(
            f"{self.url}/console/sign-in",
            data={"name": name, "password": password},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code in (302, 303), said(answer)
        return session

    def stranger(self) -> requests.Session:
        """Return a session that has not, with the Origin that a browser would send."""
        session = requests.Session()
        session.verify = str(self.folder / "secrets" / "tls_cert.pem")
        session.trust_env = False
        session.headers["Origin"] = self.url
        return session

    def token(self, role: str) -> requests.Session:
        """Return a session with an API token of a role."""
        command = ("token", "create", "--name", f"e2e-{role}", "--role", role)
        token = self.execute("console", "locust-fleet", *command, "--print-token-only")
        session = self.stranger()
        del session.headers["Origin"]
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    def run(self, session: requests.Session) -> Any:
        """How the run and the fleet stand."""
        answer = session.get(f"{self.url}/api/v1/run", timeout=30)
        assert answer.status_code == 200, said(answer)
        return answer.json()

    def start(self, session: requests.Session, **order: Any) -> str:
        """Start a run through the API; returns its id."""
        body = {"users": 20, "spawn_rate": 20, **order}
        answer = session.post(f"{self.url}/api/v1/runs", json=body, timeout=60)
        assert answer.status_code == 201, said(answer)
        return str(answer.json()["id"])

    def stop(self, session: requests.Session, run_id: str) -> None:
        answer = session.post(f"{self.url}/api/v1/runs/{run_id}/stop", timeout=150)
        assert answer.status_code == 200, said(answer)

    def idle(self) -> None:
        """Stop whatever runs, and have all services and three workers again."""
        # Bringing up what is there takes seconds each time.
        if self._running() != self._whole:
            self.scale(3)
            self.compose("up", "--detach", "--no-recreate", "--no-deps", "--wait", *SERVICES)
            self._whole = self._running()
        [master] = self.containers("locust-master")
        known = self.state_at(address_of(master))
        if not known or known["state"] not in ("ready", "stopped"):
            self.execute("locust-master", "locust-fleet", "stop-run")

    def state_at(self, address: str) -> Any:
        """How the run stands by the word of one master; None where nobody listens."""
        secret = (self.folder / "secrets" / "front_secret").read_text().strip()
        headers = {"X-Fleet-Front": secret}
        try:
            url = f"http://{address}:8089/fleet/run"
            return requests.get(url, headers=headers, timeout=1).json()
        except (requests.RequestException, json.JSONDecodeError):
            return None

    def _running(self) -> Counter[str]:
        """How many containers of each service run, and how well they are."""
        return Counter(health(self.project))

    def _at_target(self, path: str) -> str:
        [target] = self.containers("demo-target")
        return f"http://{address_of(target)}:8000{path}"

    def scale(self, workers: int) -> None:
        """Change the number of workers as an operator does; returns before they are ready."""
        self.compose("up", "--detach", "--no-recreate", "--scale", f"locust-worker={workers}")

    def wait_for_workers(self, session: requests.Session, count: int) -> None:
        wait_until(lambda: self.see(session, "workers") == count, f"{count} workers", 90)

    def wait_for_users(self, session: requests.Session, count: int, timeout_s: float = 30) -> None:
        wait_until(lambda: self.see(session, "users") == count, f"{count} users", timeout_s)

    def wait_for_requests(self, session: requests.Session, count: int) -> None:
        def made() -> bool:
            totals = self.see(session, "totals") or {"requests": 0}
            return bool(totals["requests"] >= count)

        wait_until(made, f"{count} requests", 60)

    def wait_until_recorded(self, run_id: str, count: int) -> None:
        wait_until(lambda: self.recorded(run_id) == count, f"{count} requests in Postgres", 60)

    def wait_for_state(self, run_id: str, state: str) -> None:
        query = f"SELECT state FROM runs WHERE id = '{run_id}'"
        wait_until(lambda: self.sql(query) == [state], f"run {run_id} {state} in Postgres", 60)

    def see(self, session: requests.Session, what: str) -> Any:
        """One thing of how run and fleet stand; None while that cannot be told."""
        return self.look(session).get(what)

    def look(self, session: requests.Session) -> dict[str, Any]:
        """How run and fleet stand; nothing of it while that cannot be told."""
        with suppress(requests.RequestException):
            return dict(session.get(f"{self.url}/api/v1/run", timeout=30).json())
        return {}


def said(answer: requests.Response) -> str:
    """Return what an answer says, to be shown where it is not the expected one."""
    return f"{answer.status_code} from {answer.url}: {answer.text[:1000]}"

"""A stack of several masters and workers, and what it looks like from outside and from inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from tests.support.containers import address_of, addresses_of, log_of, look_at
from tests.support.stack import DEMO, Stack
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.85"
MASTERS, WORKERS, USERS = 3, 4, 40
# Short enough to wait for it, and longer than any fault that leaves no leader.
GHOST_LIMIT_S = 20
# Some requests are always under way. A user says when it ends, so nobody can miss that.
SHOPPERS = """
from locust import HttpUser, constant, task

class Shopper(HttpUser):
    wait_time = constant(0.4)

    @task(9)
    def products(self):
        self.client.get("/products")

    @task(1)
    def slow(self):
        self.client.get("/slow?ms=500", name="/slow")

    def on_stop(self):
        print("a user stopped", flush=True)
"""


class ChaosStack(Stack):
    """What happens to it is in containers.py."""

    def __init__(self, folder: Path, project: str) -> None:
        super().__init__(folder, project, ADDRESS)
        self.locustfile("shoppers.py", SHOPPERS)
        # A worker that gets no CPU for seconds is away as well, but that is not what is tested.
        compose_file = folder / "docker-compose.prod.yml"
        compose_file.write_text(
            compose_file.read_text().replace("cpu_shares: 256", "cpu_shares: 2048")
        )
        self.set_env(
            LOCUSTFILE="shoppers.py",
            LOCUST_MASTERS=str(MASTERS),
            LOCUST_WORKERS=str(WORKERS),
            GHOST_LIMIT=str(GHOST_LIMIT_S),
            # Nothing here asks it, and it would take the CPU that the timing needs.
            MONITORING_ENABLED="false",
        )

    def whole(self) -> None:
        """Have all services again, as many masters and workers as there were, and no run."""
        self.size()
        wait_until(lambda: any(map(self.state_at, self.masters().values())), "a leader", 90)
        self.execute("locust-master", "locust-fleet", "stop-run")

    def size(self, masters: int = MASTERS) -> None:
        """Change the number of masters as an operator does; returns before they are ready."""
        scale = ("--scale", f"locust-worker={WORKERS}", "--scale", f"locust-master={masters}")
        self.compose("up", "--detach", "--no-recreate", *scale)

    def size_workers(self, workers: int = WORKERS) -> None:
        """Change their number alone, whatever is not healthy meanwhile."""
        scale = ("--scale", f"locust-worker={workers}", "locust-worker")
        self.compose("up", "--detach", "--no-recreate", "--no-deps", *scale)

    def logs(self) -> str:
        services = ("locust-master", "locust-worker", "console", "redis")
        return self.compose("logs", "--no-color", "--timestamps", "--tail", "100", *services)

    def load(self, session: requests.Session, **order: Any) -> str:
        """Start a run and wait for all its users; returns its id."""
        run_id = self.start(session, **{"users": USERS, "spawn_rate": USERS, "host": DEMO, **order})
        self.wait_for_users(session, USERS)
        return run_id

    def one(self, service: str) -> str:
        """Return the only container of a service."""
        [container] = self.containers(service)
        return container

    def name_of(self, worker: str) -> str:
        """Return what a worker calls itself."""
        answer = requests.get(f"http://{address_of(worker)}:8080/ready", timeout=5)
        return str(answer.json()["worker"])

    def kind_of(self, container: str) -> str:
        """Name a container, its start and, of masters, what it is: another one after a restart."""
        [known] = look_at(container)
        name, since = known["Name"], known["State"]["StartedAt"]
        is_master = known["Config"]["Labels"]["com.docker.compose.service"] == "locust-master"
        return f"{name} {self.role_of(container) if is_master else ''} since {since}"

    def role_of(self, master: str) -> str:
        """Return whether a master is a leader or a standby, by its own word."""
        try:
            answer = requests.get(f"http://{address_of(master)}:8080/ready", timeout=1)
            return str(answer.json()["role"])
        except (requests.RequestException, KeyError):
            return "silent"

    def leader(self) -> str:
        """Return the container of the master that leads."""
        [leader] = [master for master, at in self.masters().items() if self.state_at(at)]
        return leader

    def masters(self) -> dict[str, str]:
        """Return the running masters, and where the host reaches them."""
        return addresses_of(self.containers("locust-master"))

    def wait_for_leader(self, but: str = "", timeout_s: float = 30) -> None:
        """Wait for a master, another than one, that leads all workers with all users."""
        masters = self.masters()

        def leads() -> bool:
            nonlocal masters
            for master, address in masters.items():
                state = self.state_at(address) if master != but else None
                if state and not state["resuming"]:
                    return (state["workers"], state["users"]) == (WORKERS, USERS)
            # One that was started again may be elsewhere.
            masters = self.masters()
            return False

        wait_until(leads, f"a leader of {WORKERS} workers with {USERS} users", timeout_s)

    def ended_users(self) -> int:
        """How many users ever ended, by the words of the workers that are there."""
        workers = self.compose("ps", "--all", "--quiet", "locust-worker").split()
        return sum(log_of(worker).count("a user stopped") for worker in workers)

    def lost_at_most(self, run_id: str) -> dict[str, int]:
        """Requests that may be lost with each worker that was missed, by the run's own events."""
        rows = self.sql(
            "SELECT detail->>'worker', coalesce(detail->>'requests', '0') FROM run_events"
            f" WHERE run_id = '{run_id}' AND kind = 'worker lost'"
        )
        return {worker: int(count) for worker, _, count in (row.partition("|") for row in rows)}

    def failed(self, run_id: str) -> int:
        """Failed requests of a run that are in Postgres."""
        [total] = self.sql(
            f"SELECT coalesce(sum(failures), 0) FROM run_samples WHERE run_id = '{run_id}'"
        )
        return int(total)

    def end(self, session: requests.Session, run_id: str) -> tuple[int, int]:
        """Stop the run; returns the requests that were served, and those that are in Postgres."""
        self.stop(session, run_id)
        self.wait_for_state(run_id, "stopped")
        return self.served(), self.recorded(run_id)

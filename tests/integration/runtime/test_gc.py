"""A worker has put its code out of the sight of the collector before its first user."""

from __future__ import annotations

from pathlib import Path

from tests.bench.overhead import FLEET, ask, side
from tests.support.waiting import wait_until

LOCUSTFILE = """
import gc
from pathlib import Path
from locust import User, constant, task

class Looking(User):
    wait_time = constant(1)

    @task
    def look(self):
        counts = f"{gc.get_freeze_count()} {len(gc.get_objects())}"
        Path(__file__).with_name("seen").write_text(counts)
"""


def test_a_worker_is_settled_when_its_users_start(tmp_path: Path) -> None:
    locustfile = tmp_path / "looking.py"
    locustfile.write_text(LOCUSTFILE)
    seen = tmp_path / "seen"

    with side((*FLEET, "worker"), locustfile) as worker:
        ask(f"{worker.master}/swarm", {"user_count": 1, "spawn_rate": 1, "host": worker.target})
        wait_until(lambda: seen.exists() and seen.read_text() != "", "a user looking")

    frozen, others = map(int, seen.read_text().split())
    assert frozen > 10 * others

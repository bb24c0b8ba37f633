"""What the parts are told of a run."""

from locust.env import Environment

from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

from locust_fleet.master.lifecycle import MasterLifecycle
from locust_fleet.master.parts import Workers
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals


def test_a_run_does_not_miss_a_worker_that_vanished_before_it_began() -> None:
    environment, roster, other = Environment(), Roster(), cast(Any, MagicMock())
    locust = MagicMock(environment=environment)
    workers = Workers(roster, other, other, LossBound(3.0, 5.0), WorkerTotals())
    MasterLifecycle(
        locust, other, other, workers, other, other, other, other, other, Path("reports")
    ).attach()
    roster.update({"a", "b"})
    roster.update({"a"})

    environment.events.test_start.fire(environment=environment)

    assert (roster.connected, roster.missing, roster.expected) == (1, 0, 1)

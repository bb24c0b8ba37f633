"""What the parts are told of a run."""

from locust.env import Environment

from locust_fleet.master.attendance import Attendance
from locust_fleet.master.counts import Counts
from locust_fleet.master.listeners import measure
from locust_fleet.master.losses import Losses
from locust_fleet.master.tallies import Tallies
from locust_fleet.master.weights import Weights


def test_a_run_does_not_miss_a_worker_that_vanished_before_it_began() -> None:
    environment, attendance = Environment(), Attendance()
    measure(
        environment, Counts(10), attendance, Weights("WEIGHTED", 0), Losses(3.0, 5.0), Tallies()
    )
    attendance.look({"a", "b"})
    attendance.look({"a"})

    environment.events.test_start.fire(environment=environment)

    assert (attendance.connected, attendance.missing, attendance.expected) == (1, 0, 1)

"""What the parts are told of a run."""

from locust.env import Environment

from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.lifecycle import measure
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals


def test_a_run_does_not_miss_a_worker_that_vanished_before_it_began() -> None:
    environment, attendance = Environment(), Roster()
    measure(
        environment,
        EndpointCounters(10),
        attendance,
        Weights("WEIGHTED", 0),
        LossBound(3.0, 5.0),
        WorkerTotals(),
    )
    attendance.look({"a", "b"})
    attendance.look({"a"})

    environment.events.test_start.fire(environment=environment)

    assert (attendance.connected, attendance.missing, attendance.expected) == (1, 0, 1)

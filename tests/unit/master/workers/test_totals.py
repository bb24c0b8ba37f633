"""How much each worker requested in a run, and how much of it failed."""

from typing import Any

from locust_fleet.master.workers.totals import WorkerTotals


def report(requests: int, failures: int) -> dict[str, Any]:
    return {"stats_total": {"num_requests": requests, "num_failures": failures}}


def test_reports_of_a_worker_add_up() -> None:
    tallies = WorkerTotals()
    tallies.add("w1", report(10, 1))
    tallies.add("w1", report(5, 0))
    tallies.add("w2", report(7, 7))

    assert [tallies.of(worker) for worker in ("w1", "w2", "w3")] == [(15, 1), (7, 7), (0, 0)]


def test_a_run_begins_with_nothing() -> None:
    tallies = WorkerTotals()
    tallies.add("w1", report(10, 1))

    tallies.start_run()

    assert tallies.of("w1") == (0, 0)

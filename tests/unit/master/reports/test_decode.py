"""What counts requests from their intended start is an entry of the page, and counted once."""

from __future__ import annotations

from tests.unit.fleet import Master, Worker

from locust_fleet.protocol.histogram import OTHER, TWIN, TWINS
from locust_fleet.users.arrival.corrected import begin_iteration, count_from_intended


def request(worker: Worker, name: str, late_s: float = 0.1) -> None:
    """Make a request of 50 ms in an iteration that began late."""
    worker.stats.log_request("GET", name, 50, 10)
    begin_iteration(late_s)
    count_from_intended(worker.stats)(
        request_type="GET", name=name, response_time=50, response_length=10
    )


def test_the_page_shows_the_twin_and_the_total_is_of_requests() -> None:
    worker, master = Worker(), Master()
    request(worker, "/a")
    request(worker, "/b")

    master.take(worker.report())

    assert master.stats.entries["/a", "GET"].num_requests == 1
    assert master.stats.entries["/a" + TWIN, "GET"].max_response_time == 150
    assert (master.stats.total.num_requests, master.stats.total.max_response_time) == (2, 50)


def test_readers_of_a_report_after_locust_find_each_request_once() -> None:
    worker, master = Worker(), Master()
    request(worker, "/a")

    master.take(worker.report())

    [report] = master.seen
    assert [row["name"] for row in report["stats"]] == ["/a"]
    assert [(row["name"], row["max_response_time"]) for row in report[TWINS]] == [("/a", 150)]


def test_a_twin_beyond_the_bound_on_names_is_not_counted_as_a_request() -> None:
    worker, master = Worker(), Master(most_names=3)
    for name in ("/a", "/b", "/c"):
        request(worker, name)

    master.take(worker.report())

    [report] = master.seen
    assert sum(row["num_requests"] for row in report["stats"]) == 3
    assert master.stats.entries[OTHER, "GET"].num_requests <= 1


def test_requests_of_other_users_have_no_twin() -> None:
    worker, master = Worker(), Master()
    worker.stats.log_request("GET", "/a", 50, 10)
    master.take(worker.report())
    assert master.seen[0][TWINS] == []

"""Names and failures beyond their bound are counted together, on workers and on the master."""

from locust import stats as locust_stats

from typing import Any

import pytest
from tests.unit.fleet import Master, Worker

from locust_fleet.locust_patches import stats_names
from locust_fleet.locust_patches.stats_names import MOST_FAILURES, bound_names, bounded_key
from locust_fleet.protocol.histogram import OTHER, TWIN


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell three names apart."""
    monkeypatch.setattr(
        locust_stats.EntriesDict, "__missing__", locust_stats.EntriesDict.__missing__
    )
    monkeypatch.setattr(locust_stats.RequestStats, "log_error", locust_stats.RequestStats.log_error)
    bound_names(3)


def test_a_worker_counts_names_beyond_the_limit_per_method() -> None:
    worker = Worker()

    for number in range(10):
        worker.stats.log_request("GET", f"/{number}", 5, 1)
        worker.stats.log_request("POST", f"/{number}", 5, 1)

    counts = {key: entry.num_requests for key, entry in worker.stats.entries.items()}
    assert counts == {
        ("/0", "GET"): 1,
        ("/0", "POST"): 1,
        ("/1", "GET"): 1,
        (OTHER, "GET"): 8,
        (OTHER, "POST"): 9,
    }


def test_twins_do_not_count_against_the_limit_of_names() -> None:
    worker, master = Worker(), Master(3)
    for number in range(4):
        worker.stats.log_request("GET", f"/{number}", 5, 1)
        if number < 3:
            worker.stats.log_request("GET", f"/{number}{TWIN}", 9, 1)
    master.take(worker.report())

    kept = [f"/{number}{twin}" for number in range(3) for twin in ("", TWIN)]
    for stats in (worker.stats, master.stats):
        assert sorted(name for name, _ in stats.entries) == sorted([*kept, OTHER])


def test_the_master_limits_the_names_of_all_workers_together() -> None:
    master = Master(3)

    for worker_number in range(4):
        worker = Worker()
        for number in range(3):
            worker.stats.log_request("GET", f"/{worker_number}/{number}", 5, 1)
            worker.stats.log_error("GET", f"/{worker_number}/{number}", "no")
        master.take(worker.report())

    entries = master.stats.entries
    assert [name for name, _ in entries] == ["/0/0", "/0/1", "/0/2", OTHER]
    assert entries[OTHER, "GET"].num_requests == entries[OTHER, "GET"].num_failures == 9
    assert master.stats.total.num_requests == 12
    assert {error.name: error.occurrences for error in master.stats.errors.values()} == {
        "/0/0": 1,
        "/0/1": 1,
        "/0/2": 1,
        OTHER: 9,
    }
    recorded = [entry["name"] for data in master.seen for entry in data["stats"]]
    assert recorded.count(OTHER) == 9


def test_the_master_has_a_finding_until_the_next_run() -> None:
    master, worker = Master(3), Worker()
    assert not master.decoder.over_limit
    assert master.decoder.diagnostics() == []

    for number in range(4):
        worker.stats.log_request("GET", f"/{number}", 5, 1)
    master.take(worker.report())

    assert master.decoder.over_limit
    assert "MAX_NAMES" in master.decoder.diagnostics()[0]
    master.stats.clear_all()
    assert not master.decoder.over_limit


def test_methods_without_end_end_in_one_entry() -> None:
    known = {("/", "GET")} | {
        (OTHER, str(number)) for number in range(stats_names.MOST_METHODS_BEYOND)
    }

    assert bounded_key(known, ("/new", "NEW"), 1) == (OTHER, "")
    assert bounded_key(known, ("/new", "7"), 1) == (OTHER, "7")


def test_failures_with_ever_new_messages_end_in_one_per_name() -> None:
    master, workers = Master(3), [Worker(), Worker()]

    for worker_number, worker in enumerate(workers):
        for number in range(MOST_FAILURES + 200):
            worker.stats.log_request("GET", "/", 5, 1)
            worker.stats.log_error("GET", "/", f"no order {worker_number}-{number}")
        assert len(worker.stats.errors) == MOST_FAILURES + 1
        master.take(worker.report())

    errors = master.stats.errors.values()
    assert len(errors) == MOST_FAILURES + 1
    assert sum(error.occurrences for error in errors) == 2 * (MOST_FAILURES + 200)
    assert [error.occurrences for error in errors if error.error == OTHER] == [MOST_FAILURES + 400]
    recorded = {error["error"] for data in master.seen for error in data["errors"].values()}
    assert len(recorded) == MOST_FAILURES + 1


def test_a_known_failure_keeps_its_message_beyond_the_limit() -> None:
    worker = Worker()

    for number in range(MOST_FAILURES + 5):
        worker.stats.log_error("GET", "/", f"no order {number}")
    worker.stats.log_error("GET", "/", "no order 1")

    counts = {str(error.error): error.occurrences for error in worker.stats.errors.values()}
    assert (counts["no order 1"], counts[OTHER]) == (2, 5)


def test_a_message_as_long_as_a_page_is_cut() -> None:
    master, worker = Master(), Worker()

    worker.stats.log_error("GET", "/", "x" * 100_000)
    master.take(worker.report())

    (error,) = master.stats.errors.values()
    assert len(str(error.error)) < 2000


@pytest.mark.parametrize(
    ("owner", "name"),
    [(locust_stats.EntriesDict, "__missing__"), (locust_stats.RequestStats, "log_error")],
)
def test_a_locust_without_the_replaced_attributes_is_an_error(
    owner: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(owner, name)

    with pytest.raises(AttributeError, match=name):
        bound_names(3)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ("/cut \ud83d", "/cut ?"),
        (None, ""),
        (5, "5"),
        (b"x", "b'x'"),
        (("a", 1), "('a', 1)"),
        ("/whole \N{CRAB}", None),
    ],
)
def test_an_odd_name_or_message_does_not_end_the_reports(odd: Any, told: str | None) -> None:
    bound_names(100)
    worker, master = Worker(), Master(100)

    for _ in range(2):
        worker.stats.log_request("GET", "/", 5, 1)
        worker.stats.log_request(odd, odd, 5, 1)
        worker.stats.log_error(odd, odd, str(odd))
        master.take(worker.report())

    name = odd if told is None else told
    assert {key: entry.num_requests for key, entry in master.stats.entries.items()} == {
        ("/", "GET"): 2,
        (name, name): 2,
    }
    assert master.stats.entries[name, name].num_failures == 2
    assert [failure.occurrences for failure in master.stats.errors.values()] == [2]

"""The events of a run are told with the rows that they tell of, and once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locust_fleet.master.results import database
from locust_fleet.master.results.recorder import LEADER_CHANGED, Recorder
from locust_fleet.master.results.spool import Spool

Told = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def recorder(spool: Spool) -> Recorder:
    recorder = Recorder(spool, "v1")
    recorder.expect(started_by="olga", name="evening", run_time_s=60)
    recorder.start(
        locustfile="a.py",
        host="http://a",
        users=10,
        spawn_rate=2,
        run_time_s=60,
        now=datetime.now(UTC),
    )
    return recorder


@pytest.fixture
def told(spool: Spool, connection: psycopg.Connection) -> Told:
    """Ships everything; returns what was told, status and summary."""

    def told() -> list[tuple[str, str]]:
        for path in spool.pending():
            database.write(connection, spool.read(path), 1)
        return connection.execute(
            "SELECT content->>'status', content->>'summary' FROM outbox_messages ORDER BY seq"
        ).fetchall()

    return told


def report(requests: int, failures: int) -> Any:
    return {
        "stats": [
            {
                "method": "GET",
                "name": "/",
                "num_requests": requests,
                "num_failures": failures,
                "total_response_time": 10.0 * requests,
                "min_response_time": 10.0,
                "max_response_time": 20.0,
                "total_content_length": 5 * requests,
                "response_times": {10: requests - 1, 20: 1},
            }
        ],
        "errors": {},
    }


def close_sample(recorder: Recorder) -> None:
    recorder.close_sample(users=10, target_users=10, workers=["w1"])


def test_a_run_that_started_and_finished_is_told_with_its_numbers(
    recorder: Recorder, told: Told
) -> None:
    recorder.count("w1", report(40, 10))
    close_sample(recorder)
    recorder.stop()

    started, finished = told()

    assert recorder.run is not None
    name = f"{recorder.run.id} (evening)"
    assert started == ("started", f"Run {name} started: 10 users against http://a")
    assert finished == (
        "finished",
        f"Run {name} finished: 40 requests, 25 % failed, p95 10 ms",
    )


def test_a_run_that_somebody_stopped_is_told_with_who(recorder: Recorder, told: Told) -> None:
    recorder.stopped_by = "vera"
    recorder.stop()

    assert "was stopped early by vera: no requests" in told()[1][1]


def test_a_run_that_its_master_left_open_is_told_as_lost(
    recorder: Recorder, spool: Spool, told: Told
) -> None:
    Recorder(spool, "v1")

    assert [status for status, _ in told()] == ["started", "lost"]


def test_another_leader_is_told_each_time(recorder: Recorder, told: Told) -> None:
    recorder.event(LEADER_CHANGED, {"leader": "m2"})
    recorder.event(LEADER_CHANGED, {"leader": "m3"})
    told()

    assert recorder.run is not None
    goes_on = f"Run {recorder.run.id} (evening) goes on under another leader: master"
    assert [words for status, words in told() if status == "leader changed"] == [
        f"{goes_on} m2",
        f"{goes_on} m3",
    ]


def test_writing_a_record_twice_tells_it_once(recorder: Recorder, told: Told) -> None:
    recorder.stop()

    told()

    assert [status for status, _ in told()] == ["started", "finished"]


def test_results_are_kept_when_nobody_can_be_told(
    recorder: Recorder, told: Told, connection: psycopg.Connection
) -> None:
    connection.execute("ALTER TABLE outbox_messages RENAME TO elsewhere")
    recorder.stop()

    with pytest.raises(psycopg.errors.UndefinedTable):
        told()

    assert connection.execute("SELECT state FROM runs").fetchone() == ("finished",)


def test_results_are_kept_when_what_is_to_be_told_cannot_be_made(
    recorder: Recorder,
    told: Told,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise TypeError("a fault in the words")

    monkeypatch.setattr("locust_fleet.notify.run_messages.message_of", broken)
    recorder.stop()

    assert told() == []
    assert connection.execute("SELECT state FROM runs").fetchone() == ("finished",)

"""Samples hold exactly what the workers reported, whatever happens to the disk or the UI."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from locust_fleet.master.results.bounds import NAME_BYTES
from locust_fleet.master.results.recorder import UNSAVED_LIMIT, Recorder
from locust_fleet.master.results.run import utc_now
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.results.window import ENDPOINTS_LIMIT


def report(requests: int = 1, *, name: str = "/", times: dict[int, int] | None = None) -> Any:
    return {
        "stats": [
            {
                "method": "GET",
                "name": name,
                "num_requests": requests,
                "num_failures": 0,
                "total_response_time": 10.0 * requests,
                "min_response_time": 10.0,
                "max_response_time": 10.0,
                "total_content_length": 5 * requests,
                "response_times": {10: requests} if times is None else times,
            }
        ],
        "errors": {},
    }


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    waiting = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [record for record in waiting if record["kind"] == kind]


def started(folder: Path) -> Recorder:
    recorder = Recorder(Spool(folder), "v1")
    recorder.start(
        locustfile="a.py",
        host="http://a",
        users=1,
        spawn_rate=1,
        run_time_s=None,
        now=utc_now(),
    )
    return recorder


def close_sample(recorder: Recorder, *workers: str) -> None:
    recorder.close_sample(users=1, target_users=1, workers=workers)


def test_reports_of_all_workers_are_added_up(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    recorder.count("w1", report(2))
    recorder.count("w2", report(3))
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    assert sample["endpoints"][0]["requests"] == 5
    assert sample["endpoints"][0]["histogram"] == {"10.0": 5}


def test_a_sample_has_times_from_the_intended_start_and_arrivals(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    twins = report(2, times={510: 2})["stats"]

    for worker in ("w1", "w2"):
        arrived = {"Shopper": [5, 3], "Guest": [1, 0]}
        recorder.count(worker, {**report(2), "fleet_twins": twins, "fleet_arrived": arrived})
    close_sample(recorder)
    recorder.count("w1", report(1))
    close_sample(recorder)

    first, second = records(tmp_path, "sample")
    [endpoint] = first["endpoints"]
    assert (endpoint["requests"], endpoint["histogram"]) == (4, {"10.0": 4})
    assert endpoint["corrected"] == {"510.0": 4}
    assert first["arrivals"] == [
        {"user_class": "Shopper", "arrivals": 10, "dropped": 6},
        {"user_class": "Guest", "arrivals": 2, "dropped": 0},
    ]
    assert (second["endpoints"][0]["corrected"], second["arrivals"]) == ({}, [])


def test_another_recorder_continues_with_times_and_arrivals(tmp_path: Path) -> None:
    first = started(tmp_path / "first")
    twins = report(2, times={510: 2})["stats"]
    one = {**report(2), "fleet_twins": twins, "fleet_arrived": {"Shopper": [5, 3]}}
    first.count("w1", one)

    second = Recorder(Spool(tmp_path / "second"), "v1", json.loads(json.dumps(first.dump())))
    second.count("w1", one)
    close_sample(second)

    [sample] = records(tmp_path / "second", "sample")
    assert sample["endpoints"][0]["corrected"] == {"510.0": 4}
    assert sample["arrivals"] == [{"user_class": "Shopper", "arrivals": 10, "dropped": 6}]


def test_a_recorder_continues_from_a_dump_without_arrivals(
    tmp_path: Path,
) -> None:
    first = started(tmp_path / "first")
    first.count("w1", report(2))
    memory = dict(first.dump())
    del memory["arrivals"], memory["endpoints"][0][2]["corrected"]

    second = Recorder(Spool(tmp_path / "second"), "v1", memory)
    second.count("w1", report(2))
    close_sample(second)

    [sample] = records(tmp_path / "second", "sample")
    assert (sample["endpoints"][0]["requests"], sample["arrivals"]) == (4, [])


def test_a_sample_has_only_the_counts_since_the_one_before(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    recorder.count("w1", report(2))
    close_sample(recorder)
    recorder.count("w1", report(3))
    close_sample(recorder)

    requests = [sample["endpoints"][0]["requests"] for sample in records(tmp_path, "sample")]
    assert requests == [2, 3]


def test_a_request_without_a_response_time_changes_neither_minimum_nor_maximum(
    tmp_path: Path,
) -> None:
    recorder = started(tmp_path)

    recorder.count("w1", report(1, times={}))
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    assert sample["endpoints"][0]["min_ms"] is None


def test_a_run_keeps_who_requested_it(tmp_path: Path) -> None:
    recorder = Recorder(Spool(tmp_path), "v1")
    asked = recorder.expect(started_by="alice", name="nightly", run_time_s=60)

    run = recorder.start(
        locustfile="a.py", host="http://a", users=1, spawn_rate=1, run_time_s=None, now=utc_now()
    )

    assert (run.id, run.started_by, run.name) == (asked.run_id, "alice", "nightly")


@pytest.mark.parametrize(("by", "state"), [(None, "finished"), ("alice", "stopped")])
def test_a_run_is_finished_unless_somebody_stopped_it(
    tmp_path: Path, by: str | None, state: str
) -> None:
    recorder = started(tmp_path)

    recorder.stopped_by = by
    recorder.stop()

    [ended] = records(tmp_path, "run_ended")
    assert ended["state"] == state


def test_workers_that_come_and_go_are_events_of_the_run(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    close_sample(recorder, "w1", "w2")
    close_sample(recorder, "w2", "w3")

    events = [(event["event"], event["detail"]) for event in records(tmp_path, "event")]
    assert events == [("worker joined", {"worker": "w3"}), ("worker left", {"worker": "w1"})]


def test_a_report_outside_of_any_run_is_logged_and_not_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = started(tmp_path)
    recorder.stop()

    recorder.count("w1", report(7))

    assert "w1 reported 7 requests outside of any run" in caplog.text


def test_text_that_postgres_cannot_store_is_made_storable(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    recorder.count("w1", report(1, name="/a\x00b\ud800"))
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    assert sample["endpoints"][0]["name"] == "/a\ufffdb?"


def test_a_text_too_long_for_a_key_of_postgres_is_cut_and_stays_distinct(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    recorder.count("w1", report(1, name="/" + "ä" * 5000 + "1"))
    recorder.count("w1", report(1, name="/" + "ä" * 5000 + "2"))
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    names = {endpoint["name"] for endpoint in sample["endpoints"]}
    assert len(names) == 2
    assert all(len(name.encode()) <= NAME_BYTES for name in names)


def test_endpoints_beyond_the_limit_are_counted_together(tmp_path: Path) -> None:
    recorder = started(tmp_path)

    for number in range(ENDPOINTS_LIMIT + 5):
        recorder.count("w1", report(1, name=f"/{number}"))
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    assert len(sample["endpoints"]) == ENDPOINTS_LIMIT + 1
    assert sample["endpoints"][-1]["requests"] == 5


def test_a_response_time_that_is_no_number_does_not_spoil_the_sample(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    strange = report(1)
    strange["stats"][0]["total_response_time"] = float("nan")

    recorder.count("w1", strange)
    close_sample(recorder)

    [sample] = records(tmp_path, "sample")
    assert sample["endpoints"][0]["sum_ms"] == 0


def test_a_run_that_starts_over_another_closes_it(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    first = recorder.run

    recorder.start(
        locustfile="a.py", host="http://a", users=1, spawn_rate=1, run_time_s=None, now=utc_now()
    )

    assert first is not None
    assert [ended["run_id"] for ended in records(tmp_path, "run_ended")] == [first.id]


def test_nothing_after_a_run_is_an_event_of_it(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    recorder.stop()

    recorder.event("statistics reset in the UI", {})

    assert [event["event"] for event in records(tmp_path, "event")] == ["finished"]


def full(_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_records_that_a_full_disk_refuses_are_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    recorder = Recorder(spool, "v1")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "put", full)
        recorder.audit("alice", "", "start", "one")
    recorder.audit("alice", "", "start", "two")

    assert [entry["detail"]["reason"] for entry in records(tmp_path, "audit")] == ["one", "two"]


def test_memory_stays_bounded_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path)
    recorder = Recorder(spool, "v1")

    monkeypatch.setattr(spool, "put", full)
    for _ in range(UNSAVED_LIMIT + 1):
        recorder.audit("alice", "", "start", "one")

    assert "a result record is lost" in caplog.text


def test_after_the_longest_time_with_a_full_disk_everything_kept_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    recorder = Recorder(spool, "v1")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "put", full)
        for _ in range(UNSAVED_LIMIT + 1):
            recorder.audit("alice", "", "start", "one")
    recorder.flush()

    assert len(records(tmp_path, "audit")) == UNSAVED_LIMIT


def test_a_held_record_is_written_only_when_it_is_released(tmp_path: Path) -> None:
    recorder = Recorder(Spool(tmp_path), "v1", hold=True)
    assert not list(tmp_path.glob("*.json"))
    noted = recorder.noted
    recorder.audit("alice", "", "start", "refused")

    recorder.release(noted)

    assert len(records(tmp_path, "master_started")) == 1
    assert recorder.has_unreleased
    recorder.release(recorder.noted)
    assert len(records(tmp_path, "audit")) == 1
    assert not recorder.has_unreleased


def test_another_recorder_continues_where_one_was(tmp_path: Path) -> None:
    first = Recorder(Spool(tmp_path / "first"), "v1", hold=True)
    run = first.start(
        locustfile="a.py", host="h", users=1, spawn_rate=1, run_time_s=9, now=utc_now()
    )
    first.count("w1", report(2))
    close_sample(first, "w1")
    first.count("w1", report(3))

    second = Recorder(Spool(tmp_path / "second"), "v1", first.dump())
    second.count("w1", report(4))
    close_sample(second, "w1")

    assert second.active == run
    samples = records(tmp_path / "second", "sample")
    assert [sample["seq"] for sample in samples] == [1, 2]
    assert [sample["endpoints"][0]["requests"] for sample in samples] == [2, 7]
    [started] = records(tmp_path / "second", "master_started")
    assert started["resumes"] == run.id


def test_a_run_whose_end_only_the_spool_has_is_not_continued(tmp_path: Path) -> None:
    first = Recorder(Spool(tmp_path), "v1", hold=True)
    first.start(locustfile="a.py", host="h", users=1, spawn_rate=1, run_time_s=9, now=utc_now())
    kept = first.dump()
    first.stop()
    first.release_all()

    assert Recorder(Spool(tmp_path), "v1", kept).active is None


def test_a_new_run_time_counts_from_now(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    assert recorder.run is not None
    began = recorder.run.started_at

    recorder.replan(60, began + timedelta(seconds=10))

    assert recorder.run.ends_at == began + timedelta(seconds=70)

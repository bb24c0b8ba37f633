"""Records wait in order, whole, and outlive the process that put them there."""

from pathlib import Path

import pytest

from locust_fleet.master.results.spool import Spool


def test_records_come_back_in_the_order_they_were_put(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(20):
        spool.put({"n": number})

    assert [spool.read(path)["n"] for path in spool.pending()] == list(range(20))


def test_a_later_process_appends_even_when_its_clock_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Spool(tmp_path).put({"n": 0})
    monkeypatch.setattr("time.time_ns", lambda: 1)

    later = Spool(tmp_path)
    later.put({"n": 1})

    assert [later.read(path)["n"] for path in later.pending()] == [0, 1]


def test_a_record_that_was_half_written_does_not_count(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / "record.partial").write_text('{"n":')

    assert spool.pending() == []


def test_a_rejected_record_is_put_aside_and_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put({"n": 0})

    kept = spool.reject(spool.pending()[0])

    assert spool.pending() == []
    assert spool.read(kept) == {"n": 0}
    assert spool.rejected() == 1
    assert "spool/rejected" in spool.diagnostics()[0]


def test_without_a_rejected_record_there_is_no_finding(tmp_path: Path) -> None:
    spool = Spool(tmp_path)

    assert (spool.rejected(), spool.diagnostics()) == (0, [])


@pytest.mark.parametrize("name", ["notes.json", "9" * 30 + ".json", "-1.json", "²³.json"])
def test_a_strange_file_in_the_spool_does_not_keep_a_master_from_starting(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("{}")

    spool = Spool(tmp_path)
    spool.put({"n": 0})

    assert {spool.read(path).get("n") for path in spool.pending()} == {None, 0}


def test_a_note_that_is_not_text_does_not_keep_a_master_from_starting(tmp_path: Path) -> None:
    (tmp_path / "ended").write_bytes(b"\xff\x00")

    assert Spool(tmp_path).ended_run() is not None

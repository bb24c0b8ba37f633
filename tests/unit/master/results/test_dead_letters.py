"""What no master can use is kept for a human, in bounds, and shown until he has looked."""

from pathlib import Path

import pytest

from locust_fleet.master.results import dead_letters
from locust_fleet.master.results.dead_letters import FOLDER, DeadLetters


def kept(spool: Path) -> list[str]:
    return sorted(file.name.partition("-")[0] for file in (spool / FOLDER).glob("*.bin"))


def test_a_letter_is_kept_as_it_came_with_its_reason(tmp_path: Path) -> None:
    DeadLetters(tmp_path).put("report", b"\x00?", "of w1: no text")

    [letter] = (tmp_path / FOLDER).glob("*.bin")
    assert letter.read_bytes() == b"\x00?"
    assert letter.with_suffix(".txt").read_text().endswith("of w1: no text\n")


def test_the_same_letter_is_kept_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        DeadLetters(tmp_path).put("report", b"?", "why")

    assert (kept(tmp_path), len(caplog.records)) == (["report"], 1)


def test_many_of_one_kind_leave_room_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dead_letters, "MOST", 2)
    letters = DeadLetters(tmp_path)

    for number in range(3):
        letters.put("report", b"%d" % number, "why")
    letters.put("checkpoint", b"?", "why")

    assert kept(tmp_path) == ["checkpoint", "report", "report"]
    assert "a report of 1 bytes is not kept: why" in caplog.text


def test_a_letter_that_is_too_large_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dead_letters, "MOST_BYTES", 1)

    DeadLetters(tmp_path).put("checkpoint", b"??", "why")

    assert kept(tmp_path) == []
    assert "not kept: why" in caplog.text


def test_a_folder_that_is_not_writable_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("no folder")

    DeadLetters(tmp_path).put("checkpoint", b"?", "why")

    assert "a checkpoint is lost" in caplog.text


def test_letters_are_a_finding_until_they_are_removed(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.put("report", b"1", "why")
    letters.put("report", b"2", "why")

    [problem] = letters.diagnostics()
    for file in (tmp_path / FOLDER).iterdir():
        file.unlink()

    assert "2 report" in problem
    assert letters.diagnostics() == []

from typing import Any, NoReturn

import psycopg
import pytest

from locust_fleet.console.access import audit
from locust_fleet.console.access.audit import MOST_WAITING, AuditLog, Entry
from locust_fleet.errors import StoreUnavailable


def away() -> NoReturn:
    raise StoreUnavailable("away")


def note(log: AuditLog, actor: str = "ada", **detail: str) -> None:
    log.note(actor, "10.0.0.1", "stop the run", detail, allowed=True)


def connected(monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> list[Entry]:
    """Let writing fail with these errors, one after another, and then succeed."""
    written: list[Entry] = []
    waiting = list(failures)

    def write(_: Any, entries: list[Entry]) -> None:
        if waiting:
            raise waiting.pop(0)
        written.extend(entries)

    monkeypatch.setattr(audit, "write", write)
    return written


class Connection:
    def close(self) -> None:
        pass


def connect() -> Any:
    return Connection()


def test_entries_wait_while_postgres_is_away_and_are_written_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = connected(monkeypatch, psycopg.OperationalError("gone"))
    log = AuditLog(connect)
    note(log, "ada")
    note(log, "eve")

    log.flush()
    assert not written
    log.flush()
    log.flush()

    assert [entry.actor for entry in written] == ["ada", "eve"]


def test_noting_never_fails_and_never_fills_the_memory() -> None:
    log = AuditLog(away)

    for _ in range(MOST_WAITING + 7):
        note(log)
    log.flush()

    assert log.dropped == 7


def test_an_entry_that_postgres_never_takes_does_not_hold_up_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = connected(monkeypatch, psycopg.DataError("no"))
    log = AuditLog(connect)
    note(log)
    log.flush()

    note(log, "eve")
    log.flush()

    assert [entry.actor for entry in written] == ["eve"]
    assert log.dropped == 1


def test_what_strangers_send_is_stored_as_one_short_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = connected(monkeypatch)
    log = AuditLog(connect)

    with caplog.at_level("INFO"):
        note(log, "a\x00b\r\nc\ud800", path="x" * 9999)
    log.flush()

    assert written[0].actor == "a\ufffdb\ufffd\ufffdc?"
    assert len(written[0].detail["path"]) == 500
    assert "\n" not in caplog.records[0].getMessage()

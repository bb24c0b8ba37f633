"""Only what is in a checkpoint is acknowledged and written, and nothing waits for no checkpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import gevent
import pytest

from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.master.failover import checkpointer as module
from locust_fleet.master.failover.checkpoint_store import CheckpointStore
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.spool import Spool
from locust_fleet.protocol.messages import NUMBER, OLDEST, RUN


class Store:
    """A Redis that may be away, or another master's."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.saved: list[Any] = []

    def save(self, state: Any) -> None:
        if self.error:
            raise self.error
        self.saved.append(state)


class Master:
    def __init__(self, folder: Path) -> None:
        self.store = Store()
        self.acknowledged: dict[str, int] = {}
        self._folder = folder
        self.recorder = Recorder(Spool(folder), "v1", hold=True)
        self.sequence = ReportSequence()
        self.sequence.begin("r1")
        self.checkpointer = Checkpointer(
            cast(CheckpointStore, self.store),
            lambda: {"receipts": self.sequence.counted()},
            self.recorder,
            self.sequence,
            cast(Acknowledger, self),
        )

    def acknowledge(self, run: str, counted: dict[str, int]) -> None:
        self.acknowledged = counted

    def count(self, number: int) -> None:
        self.sequence.classify("w1", {RUN: "r1", NUMBER: number, OLDEST: 1})

    @property
    def written(self) -> int:
        return len(list(self._folder.glob("*.json")))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass between two checkpoints."""
    monkeypatch.setattr(module, "PAUSE_S", 60)


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.fixture
def saving(master: Master) -> Iterator[Master]:
    """A master whose keeper waits for changes."""
    greenlet = gevent.spawn(master.checkpointer.run_forever)
    gevent.sleep(0)
    yield master
    greenlet.kill()


def test_saving_a_checkpoint_acknowledges_reports_and_writes_records(master: Master) -> None:
    master.count(1)

    master.checkpointer.save()

    assert master.store.saved == [{"receipts": {"w1": 1}}]
    assert master.acknowledged == {"w1": 1}
    assert master.written == 1


def test_nothing_is_acknowledged_or_written_while_redis_is_away(master: Master) -> None:
    master.count(1)
    master.store.error = StoreUnavailable("away")

    master.checkpointer.save_now()

    assert master.acknowledged == {}
    assert master.written == 0


def test_everything_is_acknowledged_and_written_when_redis_is_back(master: Master) -> None:
    master.store.error = StoreUnavailable("away")
    master.count(1)
    master.checkpointer.save_now()
    master.count(2)
    master.store.error = None

    master.checkpointer.save_now()

    assert master.acknowledged == {"w1": 2}
    assert master.written == 1


@pytest.mark.usefixtures("patient")
def test_reports_are_saved_together_and_decisions_at_once(
    saving: Master,
) -> None:
    for note, checkpoints in (
        (saving.checkpointer.mark_dirty, 1),
        (saving.checkpointer.mark_dirty, 1),
        (saving.checkpointer.mark_urgent, 2),
    ):
        note()
        gevent.sleep(0)
        assert len(saving.store.saved) == checkpoints


def test_a_master_that_ends_without_redis_writes_its_results(master: Master) -> None:
    master.store.error = StoreUnavailable("away")

    master.checkpointer.save_last()

    assert master.written == 1


def test_a_master_that_finds_a_later_one_ends_and_writes_nothing(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(error: LeadershipLost) -> None:
        raise SystemExit(str(error))

    monkeypatch.setattr(module, "step_down", end)
    master.count(1)
    master.store.error = LeadershipLost("a later master leads")

    with pytest.raises(SystemExit, match="later master"):
        master.checkpointer.save()

    assert master.acknowledged == {}
    assert master.written == 0

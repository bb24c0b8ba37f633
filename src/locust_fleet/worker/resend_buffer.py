"""Keep each report of a run until a leader has it for good.

What a master that is killed had read, or its kernel had taken in, would be lost. So reports are
numbered within a run and kept until the leader acknowledges them; it asks for those that it
misses (master/reports/sequence.py) and counts each once.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import WorkerRunner

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent

from locust_fleet.protocol.messages import ACKNOWLEDGED, NUMBER, OLDEST, RESEND, RUN
from locust_fleet.protocol.report_codec import SHORT

# A worker's memory is not for reports: beyond this the oldest go, which a leader has in its own.
MOST_BYTES = 64 << 20
# Of a report besides its statistics, roughly.
REPORT_BYTES = 1000
# How long a worker that leaves waits until its reports are safe, and how often it offers them.
FLUSH_TIMEOUT_S = 10.0
RESEND_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NumberedReport:
    """A report, the run that it belongs to, its number in that run, and about how large it is."""

    run: str
    number: int
    data: dict[str, Any]
    size: int


class ResendBuffer:
    """The reports of this worker that no leader has acknowledged, oldest first."""

    def __init__(self, runner: WorkerRunner, run_id: Callable[[], str | None]) -> None:
        self._runner = runner
        self._run_id = run_id
        self._run: str | None = None
        self._number = 0
        self._reports: deque[NumberedReport] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._reports)

    @property
    def run(self) -> str | None:
        """The run of the oldest report that is kept; None without any."""
        return self._reports[0].run if self._reports else None

    def attach(self) -> None:
        """From now on, hear which reports the leader has, and which it wants."""
        self._runner.register_message(ACKNOWLEDGED, self._on_acknowledged)
        self._runner.register_message(RESEND, self._on_resend)

    def last(self) -> dict[str, Any]:
        """Return the run and number of the last report, for the word that users have stopped."""
        return {RUN: self._run, NUMBER: self._number}

    def unreserve(self) -> None:
        """Forget the last report, which cannot be sent; the next one gets its number."""
        self._size -= self._reports.pop().size
        self._number -= 1

    def flush(self) -> None:
        """Wait until a leader has every report, for a while; offer them again meanwhile."""
        now = time.monotonic()
        deadline, offer = now + FLUSH_TIMEOUT_S, now + RESEND_INTERVAL_S
        while self._reports and now < deadline:
            if now > offer:
                offer = now + RESEND_INTERVAL_S
                self.send_after(self._reports[0].run, 0)
            gevent.sleep(0.02)
            now = time.monotonic()
        if self._reports:
            logger.error("%d reports reached no leader and are lost", len(self._reports))

    def add(self, data: dict[str, Any]) -> None:
        """Number a report and keep it; whatever else changes it has done so."""
        run = self._run_id()
        # Without a run nothing is counted.
        if run is None:
            return
        if run != self._run:
            self._run, self._number = run, 0
        self._number += 1
        size = REPORT_BYTES + len(data.get(SHORT, b""))
        self._reports.append(NumberedReport(run, self._number, data, size))
        self._size += size
        while self._size > MOST_BYTES and len(self._reports) > 1:
            lost = self._drop()
            logger.warning("report %d of run %s is not kept any longer", lost.number, lost.run)
        data |= {RUN: run, NUMBER: self._number, OLDEST: self._oldest_of(run)}

    def _on_acknowledged(self, msg: Message, **_: Any) -> None:
        run, number = msg.data[RUN], msg.data[NUMBER]
        while self._reports and _is_covered(self._reports[0], run, number):
            self._drop()

    def _on_resend(self, msg: Message, **_: Any) -> None:
        self.send_after(msg.data[RUN], msg.data[NUMBER])

    def send_after(self, run: str, number: int) -> None:
        """Send a run's reports after a number once more, with the users that are there now."""
        for report in list(self._reports):
            if report.run == run and report.number > number:
                users = {
                    "user_classes_count": self._runner.user_classes_count,
                    "user_count": self._runner.user_count,
                }
                data = {**report.data, **users, OLDEST: self._oldest_of(run)}
                self._runner.client.send(Message("stats", data, self._runner.client_id))

    def _oldest_of(self, run: str) -> int:
        return min((report.number for report in self._reports if report.run == run), default=0)

    def _drop(self) -> NumberedReport:
        report = self._reports.popleft()
        self._size -= report.size
        return report


def _is_covered(report: NumberedReport, run: str, number: int) -> bool:
    """Whether a word about a run up to a number is about this report."""
    return report.run == run and report.number <= number

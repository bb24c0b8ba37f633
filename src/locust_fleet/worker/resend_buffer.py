"""Keep each report of a run until a leader acknowledges it.

A killed master loses what it has read, or its kernel has received, since its last checkpoint. So
this worker numbers its reports within a run. The leader asks for those that are missing
(master/reports/sequence.py), and counts each once.
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

# The limit of memory for reports; beyond it the oldest are dropped.
MOST_BYTES = 64 << 20
# The approximate size of a report without its statistics.
REPORT_BYTES = 1000
# How long a worker that leaves waits until its reports are safe, and how often it resends them.
FLUSH_TIMEOUT_S = 10.0
RESEND_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NumberedReport:
    """A report, its run, its number in that run, and its approximate size in bytes."""

    run: str
    number: int
    data: dict[str, Any]
    size: int


class ResendBuffer:
    """This worker's reports that no leader has acknowledged, oldest first."""

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
        """The run of the oldest report in the buffer; None if it is empty."""
        return self._reports[0].run if self._reports else None

    def attach(self) -> None:
        """Start to drop acknowledged reports, and to resend those that the leader asks for."""
        self._runner.register_message(ACKNOWLEDGED, self._on_acknowledged)
        self._runner.register_message(RESEND, self._on_resend)

    def last(self) -> dict[str, Any]:
        """Return run and number of the last report, which go with the message of a stop."""
        return {RUN: self._run, NUMBER: self._number}

    def unreserve(self) -> None:
        """Drop the last report, which cannot be sent; the next one gets its number."""
        self._size -= self._reports.pop().size
        self._number -= 1

    def flush(self) -> None:
        """Wait until a leader has every report, at most FLUSH_TIMEOUT_S; resend them meanwhile."""
        now = time.monotonic()
        deadline, offer = now + FLUSH_TIMEOUT_S, now + RESEND_INTERVAL_S
        while self._reports and now < deadline:
            if now > offer:
                offer = now + RESEND_INTERVAL_S
                self.send_after(self._reports[0].run, 0)
            gevent.sleep(0.02)
            now = time.monotonic()
        if self._reports:
            logger.error("%d reports are lost: no leader acknowledged them", len(self._reports))

    def add(self, data: dict[str, Any]) -> None:
        """Number a report and keep it; the last step that changes a report."""
        run = self._run_id()
        # The master counts nothing without a run.
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
            logger.warning(
                "the buffer is full; this worker drops report %d of run %s",
                *(lost.number, lost.run),
            )
        data |= {RUN: run, NUMBER: self._number, OLDEST: self._oldest_of(run)}

    def _on_acknowledged(self, msg: Message, **_: Any) -> None:
        run, number = msg.data[RUN], msg.data[NUMBER]
        while self._reports and _is_covered(self._reports[0], run, number):
            self._drop()

    def _on_resend(self, msg: Message, **_: Any) -> None:
        self.send_after(msg.data[RUN], msg.data[NUMBER])

    def send_after(self, run: str, number: int) -> None:
        """Resend a run's reports after a number, with the present numbers of users."""
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
    """Whether an acknowledgement of a run up to a number includes this report."""
    return report.run == run and report.number <= number

"""Count each report once and in order, and acknowledge to workers which ones are safe.

Locust 2.47.0 (``MasterRunner.handle_message``) counts every report that arrives. It also takes a
worker as stopped at once, although its last reports may have to be sent again.

The master does not ask again for a report that it cannot read, because the reports after it would
wait forever: it sets the report aside, and records an event of the run.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import MasterRunner

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from locust_fleet.master.reports.report_validation import read_report
from locust_fleet.master.reports.sequence import ReportSequence, ReportVerdict
from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.message_validation import Unreadable
from locust_fleet.protocol.messages import ACKNOWLEDGED, NUMBER, RESEND, RUN

# A worker answers with all its missing reports, so asking sooner would only double them.
ASK_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Acknowledger:
    """Counts reports in order, and tells workers which they may drop. A stage."""

    def __init__(
        self,
        runner: MasterRunner,
        sequence: ReportSequence,
        report_lost: Callable[[str, Mapping[str, Any], Unreadable], None] = lambda *_: None,
    ) -> None:
        """``report_lost`` is called with worker, report and error for an unreadable report."""
        self._runner = runner
        self._sequence = sequence
        self._report_lost = report_lost
        self._asked: dict[str, float] = {}
        # A worker's message that it has stopped, and its messages after that, while reports from
        # before are missing.
        self._held: dict[str, list[Message]] = {}
        self._acknowledged: dict[str, int] = {}

    def begin(self) -> None:
        """Forget the acknowledgements of the previous run."""
        self._acknowledged = {}

    def acknowledge(self, run: str | None, counted: dict[str, int]) -> None:
        """Tell workers that their reports are safe: ``counted`` is the last number by worker."""
        if run is None or run != self._sequence.run:
            return
        for worker, number in counted.items():
            if number > self._acknowledged.get(worker, 0):
                self._acknowledged[worker] = number
                self._send_acknowledgement(worker, run, number)

    def request_missing(self, worker: str) -> None:
        """Ask a worker to send its reports after the last one that was counted."""
        now = time.monotonic()
        run = self._sequence.run
        if run is not None and now - self._asked.get(worker, 0.0) >= ASK_EVERY_S:
            self._asked[worker] = now
            after = {RUN: run, NUMBER: self._sequence.last(worker)}
            self._runner.server.send_to_client(Message(RESEND, after, worker))

    def handle(self, message: Message, forward: Forward) -> None:
        """Forward each report once, and a worker's confirmation of a stop after its reports."""
        worker = message.node_id
        if message.type == "stats":
            self._handle_report(message, forward)
            self._release(worker, forward)
        elif message.type == "heartbeat":
            if worker in self._held:
                self.request_missing(worker)
            forward(message)
        elif message.type == "quit":
            self._held.pop(worker, None)
            forward(message)
        elif worker in self._held:
            self._held[worker].append(message)
        elif message.type == "client_stopped" and self._is_ahead_of_reports(message):
            self._held[worker] = [message]
            self.request_missing(worker)
        else:
            forward(message)

    def _handle_report(self, message: Message, forward: Forward) -> None:
        worker, report = message.node_id, message.data
        match self._sequence.classify(worker, report):
            case ReportVerdict.COUNT:
                try:
                    read_report(report)
                except Unreadable as error:
                    self._report_lost(worker, report, error)
                else:
                    forward(message)
            case ReportVerdict.KNOWN if report[NUMBER] <= self._acknowledged.get(worker, 0):
                self._send_acknowledgement(worker, report[RUN], report[NUMBER])
            case ReportVerdict.EARLY:
                self.request_missing(worker)
            case ReportVerdict.FOREIGN:
                logger.warning(
                    "worker %s sends report %d of a run that has ended; it does not count",
                    *(worker, report[NUMBER]),
                )
                self._send_acknowledgement(worker, report[RUN], report[NUMBER])

    def _release(self, worker: str, forward: Forward) -> None:
        held = self._held.get(worker)
        if held and not self._is_ahead_of_reports(held[0]):
            del self._held[worker]
            for message in held:
                forward(message)

    def _is_ahead_of_reports(self, stopped: Message) -> bool:
        """Whether a worker's message that it has stopped arrived before one of its reports."""
        last = stopped.data or {}
        of_this_run = RUN in last and last[RUN] == self._sequence.run
        return of_this_run and last[NUMBER] > self._sequence.last(stopped.node_id)

    def _send_acknowledgement(self, worker: str, run: str, number: int) -> None:
        self._runner.server.send_to_client(
            Message(ACKNOWLEDGED, {RUN: run, NUMBER: number}, worker)
        )

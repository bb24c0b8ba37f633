"""Take in each report once and in order, and say which ones a worker may forget.

Locust 2.47.0 (``MasterRunner.handle_message``) counts whatever arrives. It also believes at once
that a worker has stopped, though its last reports may be on their way a second time.

A report that cannot be read is not asked for again, since those after it would wait for ever: it is
set aside, and the run says so.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import MasterRunner

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from locust_fleet.master.reports.sequence import ReportSequence, ReportVerdict
from locust_fleet.master.reports.validate import read_report
from locust_fleet.protocol.messages import ACKNOWLEDGED, NUMBER, RESEND, RUN
from locust_fleet.protocol.stages import Forward
from locust_fleet.protocol.validation import Unreadable

# A worker sends everything that is wanted at once, so asking twice only doubles it.
ASK_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Acknowledger:
    """What the workers' messages go through before Locust sees them."""

    def __init__(
        self,
        runner: MasterRunner,
        sequence: ReportSequence,
        report_lost: Callable[[str, Mapping[str, Any], Unreadable], None] = lambda *_: None,
    ) -> None:
        """``lose`` hears of each report of the run that cannot be read: its worker, itself, why."""
        self._runner = runner
        self._sequence = sequence
        self._report_lost = report_lost
        self._asked: dict[str, float] = {}
        # Words of workers that they have stopped, and what they said after, until every report
        # from before is there.
        self._held: dict[str, list[Message]] = {}
        self._acknowledged: dict[str, int] = {}

    def begin(self) -> None:
        """Forget what was said of the run before."""
        self._acknowledged = {}

    def acknowledge(self, run: str | None, counted: dict[str, int]) -> None:
        """Tell workers that their reports up to these are safe."""
        if run is None or run != self._sequence.run:
            return
        for worker, number in counted.items():
            if number > self._acknowledged.get(worker, 0):
                self._acknowledged[worker] = number
                self._send_acknowledgement(worker, run, number)

    def request_missing(self, worker: str) -> None:
        """Ask a worker for what was not counted."""
        now = time.monotonic()
        run = self._sequence.run
        if run is not None and now - self._asked.get(worker, 0.0) >= ASK_EVERY_S:
            self._asked[worker] = now
            after = {RUN: run, NUMBER: self._sequence.last(worker)}
            self._runner.server.send_to_client(Message(RESEND, after, worker))

    def handle(self, message: Message, forward: Forward) -> None:
        """Forward each report once, and a worker's word that it has stopped after its reports."""
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
                logger.warning("report %d of %s is of a run that is over", report[NUMBER], worker)
                self._send_acknowledgement(worker, report[RUN], report[NUMBER])

    def _release(self, worker: str, forward: Forward) -> None:
        held = self._held.get(worker)
        if held and not self._is_ahead_of_reports(held[0]):
            del self._held[worker]
            for message in held:
                forward(message)

    def _is_ahead_of_reports(self, stopped: Message) -> bool:
        """Whether a worker's word that it has stopped came before one of its reports."""
        last = stopped.data or {}
        of_this_run = RUN in last and last[RUN] == self._sequence.run
        return of_this_run and last[NUMBER] > self._sequence.last(stopped.node_id)

    def _send_acknowledgement(self, worker: str, run: str, number: int) -> None:
        self._runner.server.send_to_client(
            Message(ACKNOWLEDGED, {RUN: run, NUMBER: number}, worker)
        )

"""Workers and a master that share only reports, as they travel: Locust's own parts and ours."""

from __future__ import annotations

from locust.event import Events
from locust.rpc import Message
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

from typing import Any

from locust_fleet.master.reports.decode import ReportDecoder, split_twins
from locust_fleet.master.reports.report_validation import read_report
from locust_fleet.protocol.report_codec import shorten


class Worker:
    """What of a worker counts requests."""

    def __init__(self, *, stock: bool = False) -> None:
        self.stats = RequestStats(use_response_times_cache=False)
        self._events = Events()
        setup_distributed_stats_event_listeners(self._events, self.stats)
        if not stock:
            self._events.report_to_master.add_listener(lambda data, **_: shorten(data))

    def report(self) -> bytes:
        """Return the next report, ready to be sent."""
        data: dict[str, Any] = {"user_count": 1, "user_classes_count": {"Shopper": 1}}
        self._events.report_to_master.fire(client_id="w1", data=data)
        return bytes(Message("stats", data, "w1").serialize())


class Master:
    """What of the master reads reports."""

    def __init__(self, most_names: int = 2000, *, keep_reports: bool = True) -> None:
        self.stats = RequestStats()
        self.seen: list[dict[str, Any]] = []
        events = Events()
        if keep_reports:
            events.worker_report.add_listener(lambda data, **_: self.seen.append(data))
        setup_distributed_stats_event_listeners(events, self.stats)
        self.decoder = ReportDecoder(self.stats, most_names)
        events.worker_report.add_listener(lambda client_id, data: split_twins(client_id, data))
        self._events = events

    def take(self, report: bytes) -> None:
        """Take in a report from the wire."""
        data = Message.unserialize(report).data
        read_report(data)
        self.add(data)

    def add(self, report: dict[str, Any]) -> None:
        """Add a report that was read."""
        self.decoder.decode(report)
        self._events.worker_report.fire(client_id="w1", data=report)

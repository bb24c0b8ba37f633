"""Many workers in one process, which speak Locust's messages and ours, and have no users.

Usage: python -m tests.bench.simulated HOST PORT WORKERS NAMES [--stock]

Each says its heartbeat once a second and reports 200 requests a second every three seconds, over
so many names. All reports of three seconds have the same counts, so that this process needs little.
"""

from __future__ import annotations

from locust import __version__
from locust.event import Events
from locust.rpc import Message
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

import argparse
import random
import time
from typing import Any

import gevent
import zmq.green as zmq

from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.protocol.epoch import stamp
from locust_fleet.protocol.message_validation import parse
from locust_fleet.protocol.messages import (
    ACKNOWLEDGED,
    CAPACITY,
    HERE,
    NUMBER,
    OLDEST,
    RUN,
    RUN_OPTION,
    WHO,
)
from locust_fleet.protocol.report_codec import shorten

REQUESTS_PER_S = 200
REPORT_S = 3
HEARTBEAT_S = 1


class Reports:
    """What all workers report of the last seconds, made once for all of them."""

    def __init__(self, names: int, *, stock: bool) -> None:
        self._names = names
        self.stock = stock
        self._chance = random.Random(1)
        self._made_at = 0.0
        self._data: dict[str, Any] = {}

    def latest(self) -> dict[str, Any]:
        """Return a report that is not older than an interval."""
        if time.monotonic() > self._made_at + REPORT_S:
            self._made_at, self._data = time.monotonic(), self._make()
        return dict(self._data)

    def _make(self) -> dict[str, Any]:
        stats, events = RequestStats(use_response_times_cache=False), Events()
        data: dict[str, Any] = {}
        setup_distributed_stats_event_listeners(events, stats)
        for number in range(REQUESTS_PER_S * REPORT_S):
            time_ms: Any = self._chance.lognormvariate(3, 1)
            stats.log_request("GET", f"/shop/products/{number % self._names}", time_ms, 4321)
        events.report_to_master.fire(client_id="", data=data)
        if not self.stock:
            shorten(data)
        return data


class Worker:
    """One of them."""

    def __init__(self, context: Any, address: str, name: str, reports: Reports) -> None:
        self._name, self._reports = name, reports
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, name.encode())
        self._socket.connect(address)
        self._state, self._epoch = "ready", 0
        self._users: dict[str, int] = {}
        self._run: str | None = None
        self._number = self._kept = 0

    def live(self, delay_s: float) -> None:
        """Take part until killed; reports begin after a delay, so that not all come at once."""
        self._send("client_ready", __version__)
        if not self._reports.stock:
            self._send(CAPACITY, {"weight": 1.0, "max_users": 0})
        gevent.spawn(self._beat)
        gevent.spawn(self._report, delay_s)
        while True:
            message, epoch = parse(self._socket.recv())
            self._epoch = max(self._epoch, epoch)
            self._obey(message)

    def _obey(self, message: Message) -> None:
        data: Any = message.data
        if message.type == "spawn":
            self._send("spawning", None)
            run = data["parsed_options"].get(RUN_OPTION, {}).get("run_id")
            if run != self._run:
                self._run, self._number, self._kept = run, 0, 0
            self._users, self._state = data["user_classes_count"], "running"
            users = {"user_classes_count": self._users, "user_count": sum(self._users.values())}
            self._send("spawning_complete", users)
        elif message.type == "stop":
            self._users, self._state = {}, "ready"
            self._send("client_stopped", {RUN: self._run, NUMBER: self._number})
            self._send("client_ready", __version__)
        elif message.type == ACKNOWLEDGED and data[RUN] == self._run:
            self._kept = data[NUMBER]
        elif message.type == WHO:
            here = {"state": self._state, "users": self._users, "user_classes_count": self._users}
            self._send(HERE, {RUN: self._run, **here})

    def _beat(self) -> None:
        while True:
            usage = {"current_cpu_usage": 50, "current_memory_usage": 100_000_000}
            self._send("heartbeat", {"state": self._state, **usage})
            gevent.sleep(HEARTBEAT_S)

    def _report(self, delay_s: float) -> None:
        gevent.sleep(delay_s)
        while True:
            if self._state == "running":
                self._number += 1
                users = {"user_classes_count": self._users, "user_count": sum(self._users.values())}
                numbered = {RUN: self._run, NUMBER: self._number, OLDEST: self._kept + 1}
                self._send("stats", self._reports.latest() | users | numbered)
            gevent.sleep(REPORT_S)

    def _send(self, kind: str, data: Any) -> None:
        message = Message(kind, data, self._name)
        if not self._reports.stock:
            message = stamp(message, self._epoch)
        self._socket.send(message.serialize())


def main(host: str, port: int, workers: int, names: int, *, stock: bool) -> None:
    """Live as so many workers."""
    if not stock:
        count_in_steps()
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4096)
    reports = Reports(names, stock=stock)
    address = f"tcp://{host}:{port}"
    all_of_them = [
        Worker(context, address, f"host{number % 50}_{number:04}", reports)
        for number in range(workers)
    ]
    lives = [
        gevent.spawn(worker.live, REPORT_S * number / workers)
        for number, worker in enumerate(all_of_them)
    ]
    gevent.joinall(lives, raise_error=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    for name in ("port", "workers", "names"):
        parser.add_argument(name, type=int)
    parser.add_argument("--stock", action="store_true", help="as bare Locust, for its own master")
    main(**vars(parser.parse_args()))

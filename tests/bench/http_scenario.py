"""The scenario of ``http_users``: BENCH_KIND and BENCH_TEST say who does what."""

from __future__ import annotations

from locust import FastHttpUser, HttpUser, User, events, task
from locust.env import Environment

import json
import os
import resource
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gevent import socket

from locust_fleet.users import FleetHttpUser

KIND, TEST = os.environ["BENCH_KIND"], os.environ["BENCH_TEST"]
FILE = Path(os.environ["BENCH_FILE"])
ORDER = {"product_id": 7, "quantity": 2, "note": "leave it at the door"}


class Lean(User):
    """The floor: what a request costs that is bytes and an event."""

    abstract = True

    def on_start(self) -> None:
        place = urlsplit(self.host or "")
        self.socket = socket.create_connection((place.hostname, place.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> None:
        sock, started, error = self.socket, time.perf_counter(), None
        sock.sendall(b"GET /json HTTP/1.1\r\nHost: bench\r\n\r\n")
        data = sock.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += sock.recv(65536)
        place = data.find(b"Content-Length: ")
        length = int(data[place + 16 : data.index(b"\r", place)])
        while len(data) < end + 4 + length:
            data += sock.recv(65536)
        if data[9:12] != b"200":
            error = RuntimeError(data[9:12])
        self.environment.events.request.fire(
            request_type="GET",
            name=path,
            response_time=(time.perf_counter() - started) * 1000,
            response_length=length,
            exception=error,
            context={},
            response=None,
            start_time=time.time(),
            url=path,
        )


BASES: dict[str, type[User]] = {
    "HttpUser": HttpUser,
    "FastHttpUser": FastHttpUser,
    "FleetHttpUser": FleetHttpUser,
    "lean": Lean,
}
BASE: Any = BASES[KIND]


class Shopper(BASE):  # type: ignore[misc]
    """One of those, with the same task."""

    def on_start(self) -> None:
        super().on_start()
        if KIND in ("HttpUser", "FleetHttpUser"):
            self.client.verify = False
        if TEST == "session":
            self.client.get("/login")

    @task
    def work(self) -> None:
        if KIND == "lean":
            self.get("/json")
        elif TEST == "get":
            self.client.get("/json")
        elif TEST != "session":
            with FILE.open("rb") as file:
                self.client.post("/upload", files={"file": file})
        else:
            with self.client.post("/order", json=ORDER, catch_response=True) as answer:
                if len(answer.json()) != 40:
                    answer.failure("another order")


class Cost:
    """CPU time and requests from when all users run until the test stops."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._cpu_s, self._requests = used_s(), 0

    def begin(self) -> None:
        self._cpu_s, self._requests = used_s(), self._environment.stats.total.num_requests

    def tell(self) -> None:
        total = self._environment.stats.total
        said = {
            "cpu_s": used_s() - self._cpu_s,
            "requests": total.num_requests - self._requests,
            "failures": total.num_failures,
            # Linux tells it in KiB.
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        }
        print(json.dumps(said), flush=True)


def used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@events.init.add_listener  # type: ignore[untyped-decorator]
def attach(environment: Environment, **_: Any) -> None:
    cost = Cost(environment)
    environment.events.spawning_complete.add_listener(lambda **_: cost.begin())
    environment.events.test_stopping.add_listener(lambda **_: cost.tell())

"""Random faults, drawn from a seed: the same seed draws the same ones in the same order.

Each comes once before any comes twice, unless its service still suffers another one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from tests.chaos.containers import crash, paused, silenced, stopped
from tests.chaos.stack import WORKERS, ChaosStack

EVERY_S = 15


@dataclass(frozen=True)
class Fault:
    """Something that happens for so many seconds, to one of several containers."""

    name: str
    # Each suffers one fault at a time.
    service: str
    lasts_s: float
    # What is drawn, 0 to below 1, says which container.
    begin: Callable[[float], AbstractContextManager[None]]


class Chaos:
    """Lets faults happen to a stack, and remembers which workers were killed."""

    def __init__(self, stack: ChaosStack, seed: int, *, kill_workers: bool) -> None:
        self.killed: list[str] = []
        self._stack = stack
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self._ahead: list[Fault] = []
        self._faults = [
            Fault("kill the leader", "master", 10, lambda _: crashed(stack.leader())),
            Fault("stop the leader", "master", 5, lambda _: stopped(stack.leader())),
            Fault("pause the leader", "master", 10, lambda _: paused(stack.leader())),
            Fault("cut the leader off", "master", 20, lambda _: silenced(stack.leader())),
            Fault("pause a worker", "worker", 20, lambda drawn: paused(self._worker(drawn))),
            Fault("cut a worker off", "worker", 20, lambda drawn: silenced(self._worker(drawn))),
            Fault("stop a worker", "worker", 5, lambda drawn: stopped(self._worker(drawn))),
            Fault("two workers more", "worker", 12, self._scale),
            Fault("kill Redis", "redis", 5, lambda _: crashed(stack.one("redis"))),
            Fault("stop Postgres", "postgres", 20, lambda _: stopped(stack.one("postgres"))),
            Fault("restart nginx", "nginx", 1, lambda _: stopped(stack.one("nginx"))),
            Fault("restart the console", "console", 1, lambda _: stopped(stack.one("console"))),
        ]
        if kill_workers:
            self._ahead = [Fault("kill a worker", "worker", 10, self._kill_worker)]
            self._faults += self._ahead

    def run(self, seconds: float) -> None:
        """Let a fault happen every so often; returns when the last one is over."""
        under_way: dict[str, Future[None]] = {}
        due = self._began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            while due < self._began + seconds:
                for service in [name for name, fault in under_way.items() if fault.done()]:
                    under_way.pop(service).result()
                fault = self._draw(set(under_way))
                under_way[fault.service] = pool.submit(self._happen, fault, self._chance.random())
                due += EVERY_S
                time.sleep(max(0.0, due - time.monotonic()))
        for late in under_way.values():
            late.result()

    def _draw(self, busy: set[str]) -> Fault:
        while True:
            for fault in self._ahead:
                if fault.service not in busy:
                    self._ahead.remove(fault)
                    return fault
            self._ahead += self._chance.sample(self._faults, len(self._faults))

    def _happen(self, fault: Fault, drawn: float) -> None:
        self._say(fault.name)
        with fault.begin(drawn):
            time.sleep(fault.lasts_s)
        self._say(f"over: {fault.name}")

    def _say(self, words: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {words}", flush=True)

    def _worker(self, drawn: float) -> str:
        workers = self._stack.containers("locust-worker")
        return workers[int(drawn * len(workers))]

    def _kill_worker(self, drawn: float) -> AbstractContextManager[None]:
        worker = self._worker(drawn)
        self.killed.append(self._stack.name_of(worker))
        return crashed(worker)

    @contextmanager
    def _scale(self, _: float) -> Iterator[None]:
        self._stack.size_workers(WORKERS + 2)
        try:
            yield
        finally:
            self._stack.size_workers()


def crashed(container: str) -> AbstractContextManager[None]:
    """Nothing ends it but the engine."""
    crash(container)
    return nullcontext()

"""The open model in one process, as with plain Locust, at a server that stalls for a second.

What is right is worked out as wrk2 does: arrivals are evenly spaced whatever the server does, each
is served in its turn, and its latency counts from when it was to begin.
"""

from __future__ import annotations

from locust import FastHttpUser, SequentialTaskSet, User, constant, task
from locust.env import Environment
from locust.exception import InterruptTaskSet
from locust.stats import StatsEntry

import heapq
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer
from tests.unit.users.arrival.hold_ups import HoldUps

from locust_fleet.protocol.histogram import TWIN, percentile
from locust_fleet.users import ArrivalRate
from locust_fleet.users.arrival.standalone import StandaloneArrivals

ADDRESS = "127.0.0.36"
RATE, SECONDS = 100, 3
STALL_FROM, STALL_TO, SERVICE_S = 0.5, 1.5, 0.02
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers 20 ms after a request, but for one second not at all."""

    def __init__(self) -> None:
        self.began: float | None = None
        self._server = StreamServer((ADDRESS, 0), self._serve)
        self._server.start()
        self.url = f"http://{ADDRESS}:{self._server.server_port}"

    def stop(self) -> None:
        self._server.stop(timeout=0)

    def _serve(self, connection: Any, _: Any) -> None:
        while connection.recv(65536):
            # The first arrival is half a gap after the start.
            self.began = self.began or time.monotonic() - 0.5 / RATE
            gevent.sleep(SERVICE_S)
            position = time.monotonic() - self.began
            if STALL_FROM <= position < STALL_TO:
                gevent.sleep(STALL_TO - position)
            connection.sendall(ANSWER)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


class Outcome:
    """What a test has counted."""

    def __init__(self, environment: Environment) -> None:
        stats = environment.stats
        self.requests = stats.total.num_requests
        self.dropped = sum(error.occurrences for error in stats.errors.values())
        self.raw = sorted_entry(stats.entries["/", "GET"])
        self.corrected = sorted_entry(stats.entries["/" + TWIN, "GET"])


def sorted_entry(entry: StatsEntry) -> dict[float, int]:
    return {float(key): count for key, count in entry.response_times.items()}


def run(
    user_class: type[User],
    users: int,
    host: str,
    on_error: Callable[..., None] = lambda **_: None,
) -> Environment:
    """Run a test until its arrivals are over."""
    environment = Environment(user_classes=[user_class], host=host)
    environment.stop_timeout = 10
    environment.events.user_error.add_listener(on_error)
    runner = environment.create_local_runner()
    StandaloneArrivals().follow(environment)
    runner.start(users, spawn_rate=users)
    deadline = time.monotonic() + 30
    while runner.state != "stopped":
        assert time.monotonic() < deadline, "the test did not end after its last stage"
        gevent.sleep(0.05)
    runner.quit()
    return environment


def stall(server: Server, users: int, wait_for_user_s: float) -> Outcome:
    class Shopper(FastHttpUser):
        arrivals = ArrivalRate([{"rate": RATE, "for": SECONDS}], wait_for_user_s=wait_for_user_s)

        @task
        def home(self) -> None:
            self.client.get("/")

        def on_stop(self) -> None:
            self.client.client.close()

    return Outcome(run(Shopper, users, server.url))


def arithmetic(users: int) -> tuple[list[float], list[float]]:
    """Return the latencies (ms) from the intended start and from the real one, if all wait."""
    free = [0.0] * users
    corrected, raw = [], []
    for arrival in range(RATE * SECONDS):
        intended = (arrival + 0.5) / RATE
        begins = max(intended, heapq.heappop(free))
        ends = begins + SERVICE_S
        if STALL_FROM <= ends < STALL_TO:
            ends = STALL_TO
        heapq.heappush(free, ends)
        corrected.append(1000 * (ends - intended))
        raw.append(1000 * (ends - begins))
    return sorted(corrected), sorted(raw)


def assert_alike(counted: dict[float, int], latencies: list[float], hold_ups: HoldUps) -> None:
    for fraction in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99):
        wanted = latencies[int(len(latencies) * fraction)]
        # Locust's own rounding, and two turns for each of the few sleeps of an answer.
        other_ms = 60 + 3000 * hold_ups.longest_s
        assert percentile(counted, fraction) == pytest.approx(wanted, rel=0.1, abs=other_ms), (
            fraction
        )


def test_with_enough_users_nothing_waits_and_both_series_are_those_of_arithmetic(
    server: Server, hold_ups: HoldUps
) -> None:
    outcome = stall(server, users=150, wait_for_user_s=0)
    corrected, _ = arithmetic(users=150)

    assert (outcome.requests, outcome.dropped) == (RATE * SECONDS, 0)
    assert_alike(outcome.raw, corrected, hold_ups)
    assert_alike(outcome.corrected, corrected, hold_ups)


def test_with_too_few_users_the_corrected_series_shows_what_the_other_omits(
    server: Server, hold_ups: HoldUps
) -> None:
    outcome = stall(server, users=10, wait_for_user_s=30)
    corrected, raw = arithmetic(users=10)

    assert (outcome.requests, outcome.dropped) == (RATE * SECONDS, 0)
    assert_alike(outcome.corrected, corrected, hold_ups)
    # Only those that were under way have seen the stall.
    assert_alike(outcome.raw, raw, hold_ups)
    omitted_ms, shown_ms = (percentile(each, 0.9) for each in (outcome.raw, outcome.corrected))
    assert omitted_ms is not None
    assert shown_ms is not None
    assert omitted_ms < 200 < 500 < shown_ms


def test_arrivals_without_a_free_user_are_dropped(server: Server, hold_ups: HoldUps) -> None:
    outcome = stall(server, users=10, wait_for_user_s=0)

    # Those that arrive in the stall, without the ten that are under way.
    other = 6 + 3 * RATE * hold_ups.longest_s
    assert outcome.dropped == pytest.approx(RATE * (STALL_TO - STALL_FROM) - 10 + 2, abs=other)
    assert outcome.requests + outcome.dropped == RATE * SECONDS


def test_an_iteration_is_a_task_and_a_nested_one_thinks_by_wait_time(hold_ups: HoldUps) -> None:
    times: dict[str, list[float]] = {"first": [], "second": []}

    class Visitor(User):
        arrivals = ArrivalRate([{"rate": 20, "for": 1}, {"rate": 0, "for": 1}])
        wait_time = constant(0.3)

        @task
        class Journey(SequentialTaskSet):
            @task
            def first(self) -> None:
                times["first"].append(time.monotonic())

            @task
            def second(self) -> None:
                times["second"].append(time.monotonic())
                raise InterruptTaskSet

    run(Visitor, 20, "")

    assert len(times["first"]) == len(times["second"]) == 20
    thought = [after - before for before, after in zip(*times.values(), strict=True)]
    assert all(0.29 < seconds < 0.4 + 3 * hold_ups.longest_s for seconds in thought)


def test_a_class_without_tasks_says_so_for_each_arrival_and_keeps_nobody_waiting() -> None:
    class Idle(User):
        arrivals = ArrivalRate([{"rate": 20, "for": 1}])

    problems: list[Exception] = []
    environment = run(Idle, 2, "", lambda exception, **_: problems.append(exception))

    assert len(problems) == 20
    assert not environment.stats.errors


def test_a_task_that_fails_ends_its_iteration_only() -> None:
    begun: list[float] = []

    class Clumsy(User):
        arrivals = ArrivalRate([{"rate": 50, "for": 1}])

        @task
        def stumble(self) -> None:
            begun.append(time.monotonic())
            raise ValueError("stumbled")

    run(Clumsy, 5, "")

    assert len(begun) == 50


def test_what_a_user_asks_as_it_stops_is_part_of_no_iteration() -> None:
    class Polite(User):
        arrivals = ArrivalRate([{"rate": 20, "for": 1}])

        def say(self, name: str) -> None:
            self.environment.events.request.fire(
                request_type="GET",
                name=name,
                response_time=1,
                response_length=0,
                exception=None,
                context={},
            )

        def on_stop(self) -> None:
            self.say("/goodbye")

        @task
        def greet(self) -> None:
            self.say("/hello")

    entries = run(Polite, 2, "").stats.entries

    assert ("/hello" + TWIN, "GET") in entries
    assert ("/goodbye", "GET") in entries
    assert ("/goodbye" + TWIN, "GET") not in entries


def test_a_run_that_ends_before_its_users_are_there_says_why_nothing_arrived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Shopper(User):
        arrivals = ArrivalRate(5)

        @task
        def home(self) -> None:
            pass

    environment = Environment(user_classes=[Shopper])
    runner = environment.create_local_runner()
    StandaloneArrivals().follow(environment)

    runner.start(5, spawn_rate=1)
    gevent.sleep(0.1)
    runner.quit()

    assert "no iteration has begun" in caplog.text

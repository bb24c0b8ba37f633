"""Records, counters and locks over several processes, whatever becomes of them and of Redis."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from locust_fleet.settings.stores import RedisSettings
from tests.support.engine import ADDRESS, docker
from tests.support.ports import free_port
from tests.support.process import Helper
from tests.support.redis import REDIS_COMMAND, REDIS_IMAGE, redis_options, wait_for_redis
from tests.support.waiting import wait_until

RUN = "20260101-000000-abcd"
EXPIRY_S = 2.0
# As in data/store.py, which cannot be imported here: Locust patches who imports it.
QUARANTINE_S = 20.0


class Worker(Helper):
    """A process of its own; asked one thing after the other."""

    def __init__(
        self, settings: RedisSettings, name: str, source: str, expiry_s: float = EXPIRY_S
    ) -> None:
        place = (str(settings.port), RUN, name, str(expiry_s), source)
        super().__init__("tests.integration.data.user", *place)
        assert self.hear() == "ready"

    def ask(self, *command: Any) -> Any:
        self.say(command)
        return self.hear(str(command))


@pytest.fixture
def client(redis_settings: RedisSettings) -> redis.Redis:
    return redis.Redis(host=ADDRESS, port=redis_settings.port, password="test")


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "accounts.jsonl"
    file.write_text("0\n1\n2\n")
    return str(file)


@pytest.fixture
def start(redis_settings: RedisSettings, source: str) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(name: str, where: str = source) -> Worker:
        started.append(Worker(redis_settings, name, where))
        return started[-1]

    start("master").ask("open", RUN)
    yield start
    for worker in started:
        worker.end()


def test_no_record_is_ever_in_two_places(start: Callable[..., Worker]) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    assert start("w").ask("history", seed) > 300


def test_eight_processes_load_a_source_once(start: Callable[..., Worker], tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("n\n" + "".join(f"{number}\n" for number in range(5000)))
    workers = [start(f"w{number}", str(file)) for number in range(8)]

    for worker in workers:
        for _ in range(50):
            worker.say(("lease", 20))
    records = [worker.hear()["n"] for worker in workers for _ in range(50)]

    assert len(set(records)) == 400


def test_a_source_may_be_a_list_in_redis(start: Callable[..., Worker], client: redis.Redis) -> None:
    client.rpush("my:accounts", '{"user": "anna"}', "ben")

    worker = start("w", "redis:my:accounts")

    assert [worker.ask("lease", 5), worker.ask("lease", 5)] == [{"user": "anna"}, "ben"]
    assert client.llen("my:accounts") == 2


def test_the_first_run_after_redis_has_started_gives_records_at_once(
    redis_settings: RedisSettings, client: redis.Redis, source: str
) -> None:
    # As a Redis that has just started, which knows no script.
    client.script_flush()
    worker = Worker(redis_settings, "w", source)
    try:
        worker.ask("open", RUN)
        assert worker.ask("lease", 5) in {0, 1, 2}
    finally:
        worker.end()


def test_the_records_of_a_killed_worker_are_given_to_others(start: Callable[..., Worker]) -> None:
    doomed, other = start("doomed"), start("other")
    for _ in range(3):
        doomed.ask("lease", 5)

    doomed.process.kill()
    began = time.monotonic()

    assert {other.ask("lease", 10) for _ in range(3)} == {0, 1, 2}
    assert time.monotonic() - began < 3 * EXPIRY_S


def test_a_worker_that_was_suspended_knows_that_its_record_is_elsewhere(
    start: Callable[..., Worker],
) -> None:
    sleeper, other = start("sleeper"), start("other")
    record = sleeper.ask("lease", 5)
    mine = [other.ask("lease", 5), other.ask("lease", 5)]
    sleeper.process.send_signal(signal.SIGSTOP)

    assert other.ask("lease", 10) == record
    sleeper.process.send_signal(signal.SIGCONT)

    assert sleeper.ask("read")["error"] == "LeaseLost"
    assert sleeper.ask("return")["error"] == "LeaseLost"
    # It lives on under a new identity, and finds nothing until something is given back.
    assert sleeper.ask("lease", 0.5)["error"] == "DataError"
    other.ask("return")
    assert sleeper.ask("lease", 5) in [*mine, record]


def test_a_worker_that_leaves_gives_back_at_once(start: Callable[..., Worker]) -> None:
    leaver, other = start("leaver"), start("other")
    for _ in range(3):
        leaver.ask("lease", 5)
    leaver.ask("leave")
    assert other.ask("lease", 0.5) in {0, 1, 2}


def test_each_worker_says_what_it_has_requested_and_that_it_is_there(
    start: Callable[..., Worker],
) -> None:
    one, other = start("one"), start("other")
    one.ask("requests", 7)
    wait_until(lambda: other.ask("all requests").get("one") == 7, "its requests", 3)
    assert other.ask("members") == ["master", "one", "other"]
    one.process.kill()
    wait_until(lambda: "one" not in other.ask("members"), "the end of its membership", 5)


def test_a_lock_is_free_when_its_worker_is_dead(start: Callable[..., Worker]) -> None:
    doomed, other = start("doomed"), start("other")
    assert doomed.ask("lock", 1)
    assert not other.ask("lock", 0)
    doomed.process.kill()
    assert other.ask("lock", 3 * EXPIRY_S)


@dataclass(frozen=True)
class OwnRedis:
    """A Redis of one test, which may end it."""

    container: str
    settings: RedisSettings

    def start_again(self) -> None:
        """End it as a machine does that is switched off in order, and start it."""
        where = self.settings
        redis.Redis(where.host, where.port, password=where.password).shutdown(nosave=True)
        docker("wait", self.container)
        docker("start", self.container)
        wait_for_redis(self.settings)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """Redis with a port that stays the same when it starts again."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    # pytest's own folders are closed to others, and Redis is one.
    tmp_path.chmod(0o755)
    port = free_port(ADDRESS)
    options = ("--publish", f"{ADDRESS}:{port}:6379", *redis_options(secrets))
    container = docker("run", "--detach", *options, REDIS_IMAGE, *REDIS_COMMAND)
    try:
        settings = RedisSettings(ADDRESS, port, "test")
        wait_for_redis(settings)
        yield OwnRedis(container, settings)
    finally:
        docker("rm", "--force", "--volumes", container)


def test_leases_outlive_a_redis_that_starts_again(own_redis: OwnRedis, source: str) -> None:
    where = own_redis.settings
    one, other = (Worker(where, name, source, expiry_s=10) for name in ("one", "other"))
    try:
        one.ask("open", RUN)
        records = {one.ask("lease", 5), other.ask("lease", 5)}
        assert one.ask("count", 5) == 5

        own_redis.start_again()

        assert {one.ask("read"), other.ask("read")} == records
        # Nothing is given away until whoever may have been forgotten has expired.
        assert other.ask("lease", 1)["error"] == "DataError"
        assert {other.ask("lease", 2 * QUARANTINE_S)} == {0, 1, 2} - records
        assert one.ask("count", 1) == 6
    finally:
        one.end()
        other.end()


def test_an_emptied_redis_gives_nothing_away_until_every_lease_has_ended(
    start: Callable[..., Worker], client: redis.Redis
) -> None:
    one, other = start("one"), start("other")
    one.ask("lease", 5)
    one.ask("count", 41)

    client.flushall()
    began = time.monotonic()

    assert other.ask("lease", 60) in {0, 1, 2}
    waited_s = time.monotonic() - began
    assert QUARANTINE_S - 1 < waited_s < QUARANTINE_S + 5
    assert one.ask("read")["error"] == "LeaseLost"
    # No number comes twice.
    assert other.ask("count", 1) == 42


def test_what_redis_lost_with_its_last_second_is_told_again(
    start: Callable[..., Worker], client: redis.Redis
) -> None:
    one, other = start("one"), start("other")
    one.ask("count", 3)
    one.ask("enter", "anna")
    assert one.ask("lock", 1)
    one.ask("count", 2)

    # As Redis is after it restarted: what came last is gone, and it knows no script.
    client.hset(f"fleet:data:{RUN}:counters", "orders", "3")
    client.hdel(f"fleet:data:{RUN}:group:buyers", "anna")
    client.hdel(f"fleet:data:{RUN}:locks", "cleanup")
    client.script_flush()

    # No number comes twice, and nobody has a lock that another may get.
    assert other.ask("count", 1) == 6
    assert other.ask("buyers") == ["anna"]
    assert "Redis has restarted" in one.ask("check lock")["text"]
    assert other.ask("lock", 5)


def test_an_identity_that_joins_again_after_its_end_has_lost_what_it_held(
    start: Callable[..., Worker],
) -> None:
    assert start("w").ask("rejoin") == []


def test_whatever_a_run_leaves_in_redis_expires(
    start: Callable[..., Worker], client: redis.Redis
) -> None:
    worker = start("w")
    worker.ask("lease", 5)
    worker.ask("count", 1)
    worker.ask("lock", 1)
    worker.ask("members")
    wait_until(lambda: bool(client.exists(f"fleet:data:{RUN}:requests")), "a renewal", 3)

    summary = worker.ask("close", RUN)

    assert summary["counters"] == {"orders": 1}
    assert summary["sources"]["accounts"]["leases"] == 1
    keys = list(client.scan_iter("fleet:*"))
    assert len(keys) > 8
    assert [key for key in keys if client.ttl(key) < 0] == []
    assert worker.ask("lease", 1)["text"].startswith("the run is over")

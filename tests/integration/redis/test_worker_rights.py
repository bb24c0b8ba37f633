"""What a worker may do in the stack's own Redis, and what it is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from locust_fleet.election.lease import LEASE_KEY, LeaderLease
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings
from tests.support.checkout import ROOT
from tests.support.engine import docker
from tests.support.redis import REDIS_IMAGE, as_worker

READ_BY_SCRIPT = "return redis.call('GET', KEYS[1])"


@pytest.fixture
def everything(redis_settings: RedisSettings) -> redis.Redis:
    return redis_client(redis_settings, 2)


@pytest.fixture
def worker(redis_settings: RedisSettings) -> redis.Redis:
    return redis_client(as_worker(redis_settings), 2)


def test_a_worker_reads_where_the_leader_is(
    redis_settings: RedisSettings, worker: redis.Redis
) -> None:
    LeaderLease(redis_settings, "a", lambda: "10.0.0.7:5557", priority=0, timeout_s=5).acquire(1)

    lease: Any = worker.get(LEASE_KEY)

    assert json.loads(lease)["address"] == "10.0.0.7:5557"


@pytest.mark.parametrize(
    "command",
    [
        ("SET", LEASE_KEY, "mine"),
        ("DEL", LEASE_KEY),
        ("PEXPIRE", LEASE_KEY, "1"),
        ("RENAME", LEASE_KEY, "fleet:data:x"),
        ("GETDEL", LEASE_KEY),
        ("HGET", "fleet:checkpoint", "data"),
        ("HGETALL", "fleet:checkpoint"),
        ("HSET", "fleet:checkpoint", "epoch", "1"),
        ("DEL", "fleet:checkpoint"),
        ("HGETALL", "fleet:standbys"),
        ("GET", "fleet:signin:abc"),
        ("DEL", "fleet:signin:abc"),
        ("LRANGE", "fleet:signin:abc", "0", "-1"),
        ("LRANGE", "fleet:", "0", "-1"),
        ("RPUSH", "my:accounts", "x"),
        ("DEL", "my:accounts"),
        ("GET", "my:accounts"),
        ("EVAL", READ_BY_SCRIPT, "1", "fleet:checkpoint"),
        ("EVAL", "return redis.call('GET', 'fleet:signin:abc')", "0"),
        ("EVAL", "return redis.call('SET', 'fleet:lease', 'mine')", "1", "fleet:data:x"),
        ("EVAL", "return redis.call('KEYS', '*')", "0"),
        ("CONFIG", "GET", "*"),
        ("CONFIG", "SET", "requirepass", ""),
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("RANDOMKEY",),
        ("ACL", "LIST"),
        ("ACL", "SETUSER", "worker", "+@all"),
        ("SCRIPT", "FLUSH"),
        ("FUNCTION", "FLUSH"),
        ("SHUTDOWN",),
        ("MONITOR",),
        ("CLIENT", "LIST"),
        ("INFO",),
        ("SELECT", "1"),
        ("MOVE", "fleet:data:x", "1"),
        ("PUBLISH", "x", "y"),
        ("SUBSCRIBE", "x"),
    ],
    ids=" ".join,
)
def test_a_worker_is_refused(worker: redis.Redis, command: tuple[str, ...]) -> None:
    with pytest.raises(redis.ResponseError, match=r"NOPERM|has no permissions|No permission|ACL"):
        worker.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "key",
    ["accounts", "my:accounts", "f", "flight", "fl", "fleet", "fleets:x", "flee:x", "Fleet:x"],
)
def test_a_worker_reads_lists_whose_names_are_not_ours(
    everything: redis.Redis, worker: redis.Redis, key: str
) -> None:
    everything.rpush(key, "anna")

    assert worker.lrange(key, 0, -1) == [b"anna"]


def test_the_line_for_a_redis_elsewhere_makes_the_same_user(
    redis_settings: RedisSettings, everything: redis.Redis, tmp_path: Path
) -> None:
    """The block of docs/operations.md, as it stands there."""
    text = (ROOT / "docs" / "operations.md").read_text()
    block = text.partition("<!-- the user of workers -->\n```sh\n")[2].partition("```")[0]
    block = block.replace("-h redis.example", f"-h {redis_settings.host} -p {redis_settings.port}")
    password = tmp_path / "redis_worker_password"
    password.write_text("of elsewhere")

    said = docker(
        *("run", "--rm", "--network", "host", "--env", "REDISCLI_AUTH=test", "--workdir", "/fleet"),
        *("--volume", f"{ROOT}/redis:/fleet/redis:ro"),
        *("--volume", f"{password}:/fleet/secrets/{password.name}:ro"),
        *("--entrypoint", "sh", REDIS_IMAGE, "-euc", block.replace("=worker", "=elsewhere")),
    )

    assert said == "OK"
    made, own = (rights(everything, name) for name in ("elsewhere", "worker"))
    assert made == own
    elsewhere = replace(as_worker(redis_settings), user="elsewhere", password="of elsewhere")
    assert redis_client(elsewhere, 2).ping()
    everything.acl_deluser("elsewhere")


def rights(client: redis.Redis, name: str) -> dict[str, Any]:
    user: Any = client.acl_getuser(name)
    return {what: said for what, said in user.items() if what != "passwords"}

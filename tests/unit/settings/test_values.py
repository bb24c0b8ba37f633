"""A process starts with settings that are right, or says which one is not."""

import socket
from pathlib import Path

import pytest

from locust_fleet.errors import SettingsError
from locust_fleet.settings.fleet import HeartbeatSettings, LogSettings
from locust_fleet.settings.master import DispatchSettings, thresholds
from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from locust_fleet.settings.values import secret
from locust_fleet.settings.worker import CapacitySettings, IdentitySettings, WorkerSettings


def test_defaults_need_nothing_but_secrets() -> None:
    settings = PostgresSettings.from_env({"POSTGRES_PASSWORD": "x"})

    assert (settings.host, settings.port) == ("postgres", 5432)


def test_an_empty_setting_means_its_default() -> None:
    settings = PostgresSettings.from_env({"POSTGRES_PASSWORD": "x", "POSTGRES_PORT": ""})

    assert settings.port == 5432


@pytest.mark.parametrize("value", ["0", "65536", "99999", "1_0", "five", "5432.0", "-1", "٣"])
def test_a_port_outside_its_bounds_is_named_with_the_bounds(value: str) -> None:
    with pytest.raises(SettingsError, match=f"POSTGRES_PORT is {value}; use 1 to 65535"):
        PostgresSettings.from_env({"POSTGRES_PASSWORD": "x", "POSTGRES_PORT": value})


def test_thresholds_are_in_the_units_of_their_alerts() -> None:
    env = {"ALERT_P95_MS": "1500", "ALERT_MEMORY_MB": "2", "ALERT_ERROR_RATE_PERCENT": "0.5"}

    assert thresholds(env) == {
        "HighErrorRate": 0.5,
        "HighResponseTime": 1.5,
        "LowThroughput": 50,
        "IterationsDropped": 1,
        "SystemResourceHigh": 80,
        "LocustHighMemoryUsage": 2e6,
    }


def test_a_threshold_that_is_no_number_is_named() -> None:
    with pytest.raises(SettingsError, match="ALERT_MIN_RPS is -1; use a number from 0 to"):
        thresholds({"ALERT_MIN_RPS": "-1"})


def test_a_node_is_named_by_its_host_unless_it_has_a_name() -> None:
    assert IdentitySettings.from_env({}).node_id == socket.gethostname()
    assert IdentitySettings.from_env({"NODE_ID": "rack 7"}).node_id == "rack 7"


def test_tags_of_a_node_are_told_apart_and_sorted() -> None:
    assert IdentitySettings.from_env({"NODE_TAGS": " lab,10g,,lab"}).tags == ("10g", "lab")


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pass word \n")

    assert secret({"P_FILE": str(file)}, "P") == "pass word "


def test_a_secret_given_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="P and P_FILE are both set"):
        secret({"P": "x", "P_FILE": str(tmp_path)}, "P")


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"P_FILE is .*missing, which cannot be read"):
        secret({"P_FILE": str(tmp_path / "missing")}, "P")


@pytest.mark.parametrize(
    ("name", "value"), [("HEARTBEAT_INTERVAL", "0"), ("HEARTBEAT_LIVENESS", "1")]
)
def test_a_heartbeat_that_cannot_work_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        HeartbeatSettings.from_env({name: value})


def test_users_are_divided_by_weight_and_without_limit_unless_it_is_said() -> None:
    assert DispatchSettings.from_env({}) == DispatchSettings("WEIGHTED", 0, 30)
    assert CapacitySettings.from_env({}) == CapacitySettings(0, 0)


def test_a_worker_may_have_a_weight_and_a_limit_of_its_own() -> None:
    env = {"WORKER_WEIGHT": "0.5", "MAX_USERS_PER_WORKER": "200"}
    assert CapacitySettings.from_env(env) == CapacitySettings(0.5, 200)


def test_an_unknown_way_of_dispatching_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="DISPATCH is BEST; use one of WEIGHTED, ROUND_ROBIN"):
        DispatchSettings.from_env({"DISPATCH": "BEST"})


def test_an_unknown_log_level_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="LOCUST_LOG_LEVEL is LOUD; use one of DEBUG, INFO"):
        LogSettings.from_env({"LOCUST_LOG_LEVEL": "LOUD"})


def test_without_a_list_load_may_go_to_the_demo_target_and_the_target_host_only() -> None:
    targets = WorkerSettings.from_env({"TARGET_HOST": "https://shop.example/base"}).targets

    assert [
        targets.allows_url(url)
        for url in ("http://demo-target:8000", "https://shop.example/x", "http://shop.example")
    ] == [True, True, False]


def test_a_list_replaces_the_default() -> None:
    targets = WorkerSettings.from_env({"ALLOWED_TARGETS": "a.example , b.example"}).targets

    assert not targets.allows_url("http://demo-target:8000")


def test_a_wrong_entry_of_the_list_names_the_setting() -> None:
    with pytest.raises(SettingsError, match="ALLOWED_TARGETS: 'http://a/b'"):
        WorkerSettings.from_env({"ALLOWED_TARGETS": "http://a/b"})


@pytest.mark.parametrize("value", ["0", "10001", "many"])
def test_a_bound_of_names_that_bounds_nothing_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"MAX_NAMES is .*; use 1 to 10000"):
        WorkerSettings.from_env({"MAX_NAMES": value})


@pytest.mark.parametrize(
    ("env", "user"),
    [
        ({}, "worker"),
        ({"REDIS_HOST": "redis", "REDIS_WORKER_USER": ""}, "worker"),
        ({"REDIS_WORKER_USER": "bees"}, "bees"),
        ({"REDIS_HOST": "redis.example", "REDIS_WORKER_USER": "bees"}, "bees"),
    ],
)
def test_a_worker_is_a_user_of_its_own_in_redis(env: dict[str, str], user: str) -> None:
    settings = RedisSettings.of_worker({"REDIS_WORKER_PASSWORD": "x"} | env)

    assert settings is not None
    assert (settings.user, settings.password) == (user, "x")


@pytest.mark.parametrize(
    "env",
    [
        {"REDIS_HOST": "redis.example", "REDIS_WORKER_PASSWORD": "x"},
        {"REDIS_HOST": "redis.example", "REDIS_WORKER_PASSWORD": "x", "REDIS_WORKER_USER": ""},
        # The password of masters is none of a worker's.
        {"REDIS_PASSWORD": "x"},
        {},
    ],
)
def test_a_worker_without_a_user_does_without_redis(env: dict[str, str]) -> None:
    assert RedisSettings.of_worker(env) is None

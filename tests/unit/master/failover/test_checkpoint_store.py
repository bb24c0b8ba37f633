"""A checkpoint says the same after it was stored, and is never too large."""

import random

from locust_fleet.master.failover.checkpoint_store import freeze, pack, unpack

STATE = {
    "load": {"users": 10, "shape_began": None},
    "recorder": {"endpoints": [["GET", "/", {"histogram": {10.5: 3, 200.0: 1}}]]},
    "statistics": {"total": {"response_times": {0.1: 1}}},
    "history": [{"time": "2026-01-01T00:00:00Z"}],
    "exceptions": [],
}


def test_a_stored_checkpoint_reads_back_the_same() -> None:
    assert unpack(pack(freeze(STATE), 1 << 20)) == STATE


def test_a_checkpoint_that_is_too_large_leaves_out_what_only_the_ui_shows() -> None:
    noise = [random.random() for _ in range(5000)]

    kept = unpack(pack(freeze({**STATE, "history": noise}), 10_000))

    assert kept == {**STATE, "history": None}


def test_a_checkpoint_never_leaves_out_what_results_need() -> None:
    noise = [random.random() for _ in range(5000)]

    kept = unpack(pack(freeze({**STATE, "recorder": noise}), 10_000))

    assert kept is not None
    assert kept["recorder"] == noise


def test_a_damaged_checkpoint_loads_as_none() -> None:
    assert unpack(pack(freeze(STATE), 1 << 20)[:-9]) is None
    assert unpack(b"") is None

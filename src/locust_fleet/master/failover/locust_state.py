"""Turn Locust's state of a run into plain data and back, without yielding to other greenlets."""

from __future__ import annotations

from locust import argument_parser
from locust.env import Environment
from locust.runners import MasterRunner
from locust.stats import RequestStats, StatsEntry, StatsError

import time
from collections.abc import Mapping, Sequence
from typing import Any

EXCEPTIONS_KEPT = 100


def dump_target_load(environment: Environment, runner: MasterRunner) -> dict[str, Any]:
    """Return the target load, the state of the runner, and the workers of the run."""
    clients = runner.clients
    shape = environment.shape_class
    shapes = environment.available_shape_classes or {}
    return {
        "state": runner.state,
        "users": runner.target_user_count,
        "spawn_rate": runner.spawn_rate,
        "host": environment.host,
        "stop_timeout": environment.stop_timeout,
        "options": dict(vars(environment.parsed_options)),
        "user_classes": [user.__name__ for user in environment.user_classes],
        "workers": [node.id for node in clients.ready + clients.spawning + clients.running],
        "missing": [node.id for node in clients.missing],
        # Scenarios divide work between workers by these.
        "worker_indexes": dict(runner.worker_indexes),
        # None without a shape, "" for one that the locustfile made itself.
        "shape": next((name for name, one in shapes.items() if one is shape), shape and ""),
        # In seconds since 1970, because the shape's own clock starts at zero in each process.
        "shape_began": time.time() - shape.get_run_time() if shape else None,
    }


def with_former_workers(former: Mapping[str, Any], load: Mapping[str, Any]) -> dict[str, Any]:
    """Return the load with the previous leader's workers added, while they are being taken over.

    So the next leader knows all of them.
    """
    workers = set(former["workers"]) | set(load["workers"])
    missing = set(former.get("missing", ())) | set(load["missing"])
    kept = {name: former[name] for name in ("state", "shape_began")}
    return {**load, **kept, "workers": sorted(workers), "missing": sorted(missing - workers)}


def dump_statistics(stats: RequestStats) -> dict[str, Any]:
    """Return the statistics of requests and failures that the UI shows."""
    return {
        "total": stats.total.serialize(),
        "entries": [entry.serialize() for entry in stats.entries.values()],
        "errors": stats.serialize_errors(),
    }


def restore_statistics(stats: RequestStats, saved: Mapping[str, Any]) -> None:
    """Replace the statistics by those that ``dump_statistics`` returned."""
    stats.clear_all()
    for row in saved["entries"]:
        _fill(stats.entries[row["name"], row["method"]], row)
    _fill(stats.total, saved["total"])
    stats.errors = {key: StatsError.unserialize(error) for key, error in saved["errors"].items()}


def dump_exceptions(runner: MasterRunner) -> list[dict[str, Any]]:
    """Return the first EXCEPTIONS_KEPT exceptions of users."""
    rows = list(runner.exceptions.values())[:EXCEPTIONS_KEPT]
    return [{**row, "nodes": sorted(row["nodes"])} for row in rows]


def restore_exceptions(runner: MasterRunner, saved: Sequence[Mapping[str, Any]]) -> None:
    """Replace the exceptions by those that ``dump_exceptions`` returned."""
    # Locust's key for an exception, which differs in each process.
    rows: list[Any] = [{**row, "nodes": set(row["nodes"])} for row in saved]
    runner.exceptions = {hash(row["traceback"]): row for row in rows}


def restore_target_load(
    environment: Environment, runner: MasterRunner, saved: Mapping[str, Any]
) -> None:
    """Set the same target load as before, without dispatching users."""
    environment.host = saved["host"]
    environment.stop_timeout = saved["stop_timeout"]
    picked = [user for user in environment.user_classes if user.__name__ in saved["user_classes"]]
    environment.user_classes = picked or environment.user_classes
    runner.target_user_count = saved["users"]
    runner.spawn_rate = saved["spawn_rate"]
    # The previous version had neither of these.
    runner.worker_indexes = dict(saved.get("worker_indexes", {}))
    runner.worker_index_max = max(runner.worker_indexes.values(), default=-1) + 1
    name = saved.get("shape", "")
    if name is None:
        environment.shape_class = None
    elif shape := (environment.available_shape_classes or {}).get(name):
        shape.runner = runner
        environment.shape_class = shape
    own = argument_parser.default_args_dict()
    vars(environment.parsed_options).update(
        {name: value for name, value in saved["options"].items() if name not in own}
    )


def _fill(entry: StatsEntry, row: Any) -> None:
    entry.start_time = row["start_time"]
    entry.extend(StatsEntry.unserialize(row, entry.stats))

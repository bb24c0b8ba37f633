"""Close a sample of the run every few seconds, on time."""

from __future__ import annotations

from locust.runners import MasterRunner

import time

import gevent

from locust_fleet.locust_patches.stats_memory import trim_stats
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.results.recorder import SAMPLE_INTERVAL_S, Recorder
from locust_fleet.runtime.safe_listener import safe_listener


def close_samples_forever(
    runner: MasterRunner, recorder: Recorder, diagnostics: Diagnostics
) -> None:
    """Close a sample every SAMPLE_INTERVAL_S, however long closing one takes; never returns."""
    due = time.monotonic()
    while True:
        due = max(due + SAMPLE_INTERVAL_S, time.monotonic())
        gevent.sleep(due - time.monotonic())
        safe_listener(close_sample)(runner, recorder)
        safe_listener(recorder.flush)()
        safe_listener(diagnostics.log_changes)()
        safe_listener(trim_stats)(runner.stats)


def close_sample(runner: MasterRunner, recorder: Recorder) -> None:
    """Close the sample of the present run, with the users and workers that it has now."""
    clients = runner.clients
    recorder.close_sample(
        users=runner.user_count,
        target_users=runner.target_user_count,
        workers=[client.id for client in clients.ready + clients.spawning + clients.running],
    )

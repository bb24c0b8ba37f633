"""Cut a run into samples, on time."""

from __future__ import annotations

from locust.runners import MasterRunner

import time

import gevent

from locust_fleet.locust_patches.stats_memory import forget_the_past
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.results.recorder import SAMPLE_INTERVAL_S, Recorder
from locust_fleet.runtime.safe_listener import safe_listener


def cut_forever(runner: MasterRunner, recorder: Recorder, problems: Diagnostics) -> None:
    """Cut a sample every interval, on time however long the cut itself takes."""
    due = time.monotonic()
    while True:
        due = max(due + SAMPLE_INTERVAL_S, time.monotonic())
        gevent.sleep(due - time.monotonic())
        safe_listener(cut)(runner, recorder)
        safe_listener(recorder.flush)()
        safe_listener(problems.log_changes)()
        safe_listener(forget_the_past)(runner.stats)


def cut(runner: MasterRunner, recorder: Recorder) -> None:
    """Cut what was recorded since the sample before."""
    clients = runner.clients
    recorder.cut(
        users=runner.user_count,
        target_users=runner.target_user_count,
        workers=[client.id for client in clients.ready + clients.spawning + clients.running],
    )

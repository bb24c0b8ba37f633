"""Let no load begin that may not: ask the guard whoever starts, and hear where workers refuse.

The UI was asked already (web.py); autostart and shapes were not.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING, MasterRunner

import logging
from typing import Any

from gevent import GreenletExit

from locust_fleet.locust_patches.patch import replace
from locust_fleet.master.admission import rules
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import Run
from locust_fleet.master.web import hosts_of_users
from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.protocol.messages import RUN_ENDS, TARGET_REFUSED
from locust_fleet.runtime.safe_listener import safe_listener

logger = logging.getLogger(__name__)


def guard_start(
    environment: Environment,
    runner: MasterRunner,
    recorder: Recorder,
    keeper: Checkpointer,
    targets: Allowlist,
) -> None:
    """From now on, no start goes past the guard, and what workers refuse is noted."""
    start = runner.start

    def guarded_start(user_count: float, spawn_rate: float, *args: Any, **kwargs: Any) -> None:
        if recorder.active and runner.state == STATE_STOPPING:
            logger.warning("not started: the run before is still stopping")
            return
        refusal = rules.refuse_numbers(user_count, spawn_rate) or rules.refuse_hosts(
            hosts_of_users(environment), targets
        )
        if refusal:
            recorder.audit("autostart", "", "start a run", refusal.message)
        else:
            if recorder.active:
                tell_end(environment, recorder.active)
                # Another number of users; written as soon as Locust's start first waits.
                keeper.touch_at_once()
            try:
                # A shape may work with fractions, which nobody can run.
                start(round(user_count), spawn_rate, *args, **kwargs)
            except GreenletExit:
                # Stop came while the run began. Locust would see nothing to stop yet.
                if recorder.active and runner.state not in (STATE_RUNNING, STATE_SPAWNING):
                    runner.update_state(STATE_SPAWNING)
                raise

    def target_refused(msg: Any, **_: Any) -> None:
        reason = targets.refusal(msg.data["target"])
        recorder.audit(msg.node_id, "", f"connect to {msg.data['target']}", reason)
        recorder.event("target refused", {"worker": msg.node_id, "target": msg.data["target"]})

    replace(runner, "start", guarded_start)
    runner.register_message(TARGET_REFUSED, safe_listener(target_refused))


def tell_end(environment: Environment, run: Run) -> None:
    """Let the workers know, with the next message to spawn users, when the run is due to end."""
    ends_at = run.ends_at.timestamp() if run.ends_at else None
    setattr(environment.parsed_options, RUN_ENDS, ends_at)

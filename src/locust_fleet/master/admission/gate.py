"""Check every start of a run against the rules, and record targets that workers refuse.

web.py has checked a person's start before; autostart and shapes are checked only here.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING, MasterRunner

import logging
from collections.abc import Callable
from typing import Any

from gevent import GreenletExit

from locust_fleet.master.admission import start_rules
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import Run
from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.protocol.messages import RUN_ENDS, TARGET_REFUSED
from locust_fleet.runtime.safe_listener import safe_listener

logger = logging.getLogger(__name__)


class StartGate:
    """The gate that each start passes."""

    def __init__(
        self,
        environment: Environment,
        runner: MasterRunner,
        recorder: Recorder,
        allowlist: Allowlist,
        note_change: Callable[[], None],
    ) -> None:
        """``note_change`` is called when a run's number of users is about to change."""
        self._environment = environment
        self._runner = runner
        self._recorder = recorder
        self._allowlist = allowlist
        self._note_change = note_change

    def attach(self) -> None:
        """Start to record the targets that workers refuse."""
        self._runner.register_message(TARGET_REFUSED, safe_listener(self._note_refused_target))

    def start(
        self,
        locust_start: Callable[..., None],
        user_count: float,
        spawn_rate: float,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Start a run, or change its users, with Locust's own start, if the rules allow it."""
        runner, recorder = self._runner, self._recorder
        if recorder.active and runner.state == STATE_STOPPING:
            logger.warning("the master does not start a run while another one is stopping")
            return
        refusal = start_rules.refuse_numbers(user_count, spawn_rate) or start_rules.refuse_hosts(
            hosts_of_users(self._environment), self._allowlist
        )
        if refusal:
            recorder.audit("autostart", "", "start a run", refusal.message)
            return
        if recorder.active:
            set_run_end(self._environment, recorder.active)
            # It is saved as soon as Locust's start yields.
            self._note_change()
        try:
            # A shape may compute with fractions of users.
            locust_start(round(user_count), spawn_rate, *args, **kwargs)
        except GreenletExit:
            # A stop came while the run began; without this state Locust sees nothing to stop.
            if recorder.active and runner.state not in (STATE_RUNNING, STATE_SPAWNING):
                runner.update_state(STATE_SPAWNING)
            raise

    def _note_refused_target(self, msg: Any, **_: Any) -> None:
        target = msg.data["target"]
        self._recorder.audit(
            msg.node_id, "", f"connect to {target}", self._allowlist.refusal(target)
        )
        self._recorder.event("target refused", {"worker": msg.node_id, "target": target})


def set_run_end(environment: Environment, run: Run) -> None:
    """Add the end of the run to the options that Locust sends with each spawn message."""
    ends_at = run.ends_at.timestamp() if run.ends_at else None
    setattr(environment.parsed_options, RUN_ENDS, ends_at)


def hosts_of_users(environment: Environment, host: str | None = None) -> list[str | None]:
    """Return the hosts that users would have: the one given, the run's, or their classes' own."""
    common = environment.host if host is None else host
    return [common] if common else [user.host for user in environment.user_classes]

"""Locust's master runner with the parts of the fleet.

Locust 2.47.0 (``MasterRunner``) has no hook in these places; contract.py says why each override
exists.
"""

from __future__ import annotations

from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.dispatch.rebalancer import NO_WORKER_BEATS, Rebalancer
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.decode import ReportDecoder
from locust_fleet.master.stop_sequence import StopSequence
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.message_stages import Forward, Stage, chain
from locust_fleet.runtime.supervision import vital

# Seconds that reports may still take to arrive when a ramp-up ends.
REPORT_WAIT_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MasterRunnerParts:
    """The parts that the runner calls."""

    drops: DropCounter
    rebalancer: Rebalancer
    registry: WorkerRegistry
    acknowledger: Acknowledger
    stop_sequence: StopSequence
    decoder: ReportDecoder
    gate: StartGate
    resume: Resume

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of a worker's message before Locust handles it, first to last."""
        return (
            self.drops,  # counts a message whose handling fails, so that it ends nothing
            self.rebalancer,  # makes a worker that returns stop its users first
            self.registry,  # takes it for a sign of life; asks an unknown worker what it runs
            self.acknowledger,  # forwards each report once and in order
            self.stop_sequence,  # notes that a worker's users have stopped
            self.decoder,  # renames what is beyond the limit of names to "(other)"
        )


class FleetMasterRunner(MasterRunner):
    """Is Locust's own runner, deaf to workers, until it gets the parts of the fleet."""

    def __init__(
        self,
        environment: Environment,
        master_bind_host: str,
        master_bind_port: int,
        *,
        ends_in_order: Callable[[], bool],
    ) -> None:
        self._ends_in_order = ends_in_order
        self._parts: MasterRunnerParts | None = None
        self._receive: Forward = self._handle_as_locust
        self._listens = Event()
        super().__init__(environment, master_bind_host, master_bind_port)

    def attach_parts(self, parts: MasterRunnerParts) -> None:
        """Call these parts from now on."""
        self._parts = parts
        self._receive = chain(parts.stages, self._handle_as_locust)

    def listen(self) -> None:
        """Start to read workers' messages."""
        self._listens.set()

    def client_listener(self) -> None:  # type: ignore[override]
        """Read workers' messages, once ``listen`` was called; Locust reads them at once."""
        self._listens.wait()
        vital("client_listener", super().client_listener, self._ends_in_order)()

    def heartbeat_worker(self) -> None:  # type: ignore[override]
        """Check which workers are missing; the process ends with this loop."""
        vital("heartbeat_worker", super().heartbeat_worker, self._ends_in_order)()

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Handle a message of a worker; ``client_id`` is the worker that the message names."""
        self._receive(msg)

    def start(self, user_count: int, spawn_rate: float, *args: Any, **kwargs: Any) -> None:
        """Start a run, or change its users, if admission allows it."""
        if self._parts is None:
            super().start(user_count, spawn_rate, *args, **kwargs)
            return
        self._parts.resume.wait()
        self._parts.gate.start(super().start, user_count, spawn_rate, *args, **kwargs)

    def stop(self, send_stop_to_client: bool = True) -> None:
        """Stop the run; ignore Locust's own loops, which stop it as soon as it has no worker."""
        if self._parts is None:
            super().stop(send_stop_to_client)
            return
        self._parts.resume.wait()
        if getattr(gevent.getcurrent(), "_run", None) in (
            self.heartbeat_worker,
            self.client_listener,
        ):
            logger.warning("the run has no worker; it waits %d heartbeats for one", NO_WORKER_BEATS)
            return
        self._parts.stop_sequence.stop(super().stop, send_stop_to_client)

    def update_state(self, new_state: str) -> None:
        """Change the state, unless that would undo a stop or close a run that still has users."""
        if self._parts is None or self._parts.stop_sequence.allows(new_state):
            super().update_state(new_state)

    def rebalancing_enabled(self) -> bool:
        """Return False: Locust would move users in its reading loop, and read nothing meanwhile."""
        return False

    def _wait_for_workers_report_after_ramp_up(self) -> float:  # type: ignore[override]
        """Return the seconds that a ramp-up waits for reports at its end."""
        return REPORT_WAIT_S

    def _handle_as_locust(self, message: Message) -> None:
        super().handle_message(message.node_id, message)

"""Locust's runner of a master, with the parts of the fleet in it.

Locust 2.47.0 (``MasterRunner``) offers no hook in these places; each override says what for.
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
from locust_fleet.protocol.stages import Forward, Stage, chain
from locust_fleet.runtime.loops import vital

# Enough for reports that are on their way when a ramp-up is over.
REPORT_WAIT_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MasterRunnerParts:
    """What the runner asks."""

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
        """What a worker's message passes before Locust has it, first to last."""
        return (
            self.drops,  # a message that cannot be carried out ends nothing
            self.rebalancer,  # the users of a worker that returns stop first
            self.registry,  # it is a sign of life; a worker that is not known is asked
            self.acknowledger,  # each report counts once, and in order
            self.stop_sequence,  # a worker says that its users have stopped
            self.decoder,  # names of requests beyond the bound become "(other)"
        )


class FleetMasterRunner(MasterRunner):
    """Is Locust's own until it is given the parts of the fleet; it hears no worker before."""

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
        """Ask these parts from now on."""
        self._parts = parts
        self._receive = chain(parts.stages, self._handle_as_locust)

    def listen(self) -> None:
        """Hear the workers from now on."""
        self._listens.set()

    def client_listener(self) -> None:  # type: ignore[override]
        """Hear the workers; not before all parts are there, as Locust does."""
        self._listens.wait()
        vital("client_listener", super().client_listener, self._ends_in_order)()

    def heartbeat_worker(self) -> None:  # type: ignore[override]
        """Look who is missing; when Locust's loop ends, it only says so, and goes on without."""
        vital("heartbeat_worker", super().heartbeat_worker, self._ends_in_order)()

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Carry out what a worker says; ``client_id`` is the worker that the message names."""
        self._receive(msg)

    def start(self, user_count: int, spawn_rate: float, *args: Any, **kwargs: Any) -> None:
        """Start a run, or change its users, where admission has no objection."""
        if self._parts is None:
            super().start(user_count, spawn_rate, *args, **kwargs)
            return
        self._parts.resume.wait()
        self._parts.gate.start(super().start, user_count, spawn_rate, *args, **kwargs)

    def stop(self, send_stop_to_client: bool = True) -> None:
        """Stop the run; Locust's own loops ask for it as soon as no worker is there."""
        if self._parts is None:
            super().stop(send_stop_to_client)
            return
        self._parts.resume.wait()
        if getattr(gevent.getcurrent(), "_run", None) in (
            self.heartbeat_worker,
            self.client_listener,
        ):
            logger.warning(
                "no worker is there; the run waits %d heartbeats for one", NO_WORKER_BEATS
            )
            return
        self._parts.stop_sequence.stop(super().stop, send_stop_to_client)

    def update_state(self, new_state: str) -> None:
        """Change the state, unless that would undo a stop or close a run that goes on."""
        if self._parts is None or self._parts.stop_sequence.allows(new_state):
            super().update_state(new_state)

    def rebalancing_enabled(self) -> bool:
        """Say no: Locust would move users where it reads messages, and read none meanwhile."""
        return False

    def _wait_for_workers_report_after_ramp_up(self) -> float:  # type: ignore[override]
        """Return in seconds how long a ramp-up waits for reports of workers that come or go."""
        return REPORT_WAIT_S

    def _handle_as_locust(self, message: Message) -> None:
        super().handle_message(message.node_id, message)

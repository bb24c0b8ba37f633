"""Locust's worker runner with the parts of the fleet.

Locust 2.47.0 (``WorkerRunner``) has no hook in these places; contract.py says why each override
exists.
"""

from __future__ import annotations

from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import WorkerRunner

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from locust_fleet.data.remote_store import RemoteStore
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.message_stages import Forward, Stage, chain
from locust_fleet.runtime.supervision import vital
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.leader_connection import LeaderConnection
from locust_fleet.worker.resend_buffer import ResendBuffer

# Seconds for a last report to leave this host.
LAST_REPORT_S = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerRunnerParts:
    """The parts that the runner calls; without a remote store, shared data is in Redis."""

    drops: DropCounter
    drain: Drain
    resend_buffer: ResendBuffer
    remote_store: RemoteStore | None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of a leader's message before Locust handles it, first to last."""
        first = (self.remote_store,) if self.remote_store else ()
        return (
            *first,  # takes answers about shared data, which must not wait for other messages
            self.drops,  # counts a message whose handling fails, so that it ends nothing
            self.drain,  # stops with a report, and delays what affects users meanwhile
        )


class FleetWorkerRunner(WorkerRunner):
    """Is Locust's own runner, except for its loops, until it gets the parts of the fleet."""

    def __init__(
        self,
        environment: Environment,
        master_host: str,
        master_port: int,
        *,
        drops: DropCounter,
        ends_in_order: Callable[[], bool],
    ) -> None:
        self._ends_in_order = ends_in_order
        self._parts: WorkerRunnerParts | None = None
        # The first message arrives before ``init``.
        self._receive: Forward = chain((drops,), super().handle_message)
        super().__init__(environment, master_host, master_port)

    @property
    def connection(self) -> LeaderConnection:
        """The connection to the leader, which Locust takes for its own."""
        assert isinstance(self.client, LeaderConnection), "bootstrap.py replaces Locust's Client"
        return self.client

    def attach_parts(self, parts: WorkerRunnerParts) -> None:
        """Call these parts from now on."""
        self._parts = parts
        self._receive = chain(parts.stages, super().handle_message)

    def worker(self) -> None:  # type: ignore[override]
        """Read the leader's messages; the process ends with this loop."""
        self._vital("worker", super().worker)

    def heartbeat(self) -> None:  # type: ignore[override]
        """Send heartbeats to the leader; the process ends with this loop."""
        self._vital("heartbeat", super().heartbeat)

    def stats_reporter(self) -> None:  # type: ignore[override]
        """Send reports to the leader; the process ends with this loop."""
        self._vital("stats_reporter", super().stats_reporter)

    def heartbeat_timeout_checker(self) -> None:  # type: ignore[override]
        """Do nothing: a worker without a master stops its users, but not itself (orphan.py)."""

    def handle_message(self, msg: Message) -> None:
        """Handle a message of the leader."""
        self._receive(msg)

    def reset_connection(self) -> None:
        """Reconnect, to the present leader."""
        self.connection.renew()

    def report_now(self) -> None:
        """Send a report at once, in addition to those of the loop."""
        self._send_stats()

    def last_report(self, _: BaseException | None = None) -> None:
        """Send the counts since the last report, because this process is about to end."""
        self._send_stats()
        # A thread of ZeroMQ sends it.
        time.sleep(LAST_REPORT_S)

    def _send_stats(self) -> None:
        """Send a report; drop one that cannot be sent.

        Locust's loop would end with it: the users would go on, and no request would count any more.
        """
        resend_buffer = self._parts.resend_buffer if self._parts else None
        before = len(resend_buffer) if resend_buffer is not None else 0
        try:
            super()._send_stats()
        except RPCError:
            raise
        except Exception:  # a scenario may put anything into it; logged below
            if resend_buffer is not None and len(resend_buffer) > before:
                resend_buffer.unreserve()
            logger.exception("this worker cannot send a report; its counts are lost")

    def _vital(self, name: str, loop: Callable[[], object]) -> None:
        vital(name, loop, self._ends_in_order, self.last_report)()

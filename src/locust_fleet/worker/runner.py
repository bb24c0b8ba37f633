"""Locust's runner of a worker, with the parts of the fleet in it.

Locust 2.47.0 (``WorkerRunner``) offers no hook in these places; each override says what for.
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
from locust_fleet.protocol.stages import Forward, Stage, chain
from locust_fleet.runtime.loops import vital
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.leader_connection import LeaderConnection
from locust_fleet.worker.resend_buffer import ResendBuffer

# How long a last report has to leave this host.
LAST_REPORT_S = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerRunnerParts:
    """What the runner asks; without a remote store, shared data is in Redis."""

    drops: DropCounter
    drain: Drain
    resend_buffer: ResendBuffer
    remote_store: RemoteStore | None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What a leader's message passes before Locust has it, first to last."""
        first = (self.remote_store,) if self.remote_store else ()
        return (
            *first,  # an answer about shared data does not wait for other messages
            self.drops,  # a message that cannot be carried out ends nothing
            self.drain,  # a stop reports first, and nothing starts users meanwhile
        )


class FleetWorkerRunner(WorkerRunner):
    """Is Locust's own, but for its loops, until it is given the parts of the fleet."""

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
        # From the first message on, which comes before ``init``.
        self._receive: Forward = chain((drops,), super().handle_message)
        super().__init__(environment, master_host, master_port)

    @property
    def connection(self) -> LeaderConnection:
        """What Locust takes for its connection to a master."""
        assert isinstance(self.client, LeaderConnection), "bootstrap.py has replaced Locust's"
        return self.client

    def attach_parts(self, parts: WorkerRunnerParts) -> None:
        """Ask these parts from now on."""
        self._parts = parts
        self._receive = chain(parts.stages, super().handle_message)

    def worker(self) -> None:  # type: ignore[override]
        """Hear the leader; without this loop the process is of no use, and ends."""
        self._vital("worker", super().worker)

    def heartbeat(self) -> None:  # type: ignore[override]
        """Tell the leader that this worker is there; the same."""
        self._vital("heartbeat", super().heartbeat)

    def stats_reporter(self) -> None:  # type: ignore[override]
        """Report what was counted; the same."""
        self._vital("stats_reporter", super().stats_reporter)

    def heartbeat_timeout_checker(self) -> None:  # type: ignore[override]
        """Do nothing: a worker without a master ends its load, but not itself (orphan.py)."""

    def handle_message(self, msg: Message) -> None:
        """Carry out what the leader says."""
        self._receive(msg)

    def reset_connection(self) -> None:
        """Connect anew, to whoever leads."""
        self.connection.renew()

    def report_now(self) -> None:
        """Send a report besides those of the loop."""
        self._send_stats()

    def last_report(self, _: BaseException | None = None) -> None:
        """Send what was counted, for this process ends at once."""
        self._send_stats()
        # A thread of its own sends it.
        time.sleep(LAST_REPORT_S)

    def _send_stats(self) -> None:
        """Send a report; Locust's loop would end with one that cannot be sent.

        The users would go on, and nothing of what they do would be counted any more.
        """
        resend_buffer = self._parts.resend_buffer if self._parts else None
        before = len(resend_buffer) if resend_buffer is not None else 0
        try:
            super()._send_stats()
        except RPCError:
            raise
        except Exception:  # whatever a scenario put into it; logged below
            if resend_buffer is not None and len(resend_buffer) > before:
                resend_buffer.unreserve()
            logger.exception("a report could not be sent; what it counted is lost")

    def _vital(self, name: str, loop: Callable[[], object]) -> None:
        vital(name, loop, self._ends_in_order, self.last_report)()

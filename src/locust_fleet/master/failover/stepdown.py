"""Hand the run over to another master: the users go on, and no count is lost.

Locust 2.47.0 (``MasterRunner.quit``) makes its workers quit when it ends.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import MasterRunner

import logging
import os

from locust_fleet.election.leadership import Leadership
from locust_fleet.errors import StoreUnavailable
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.protocol.messages import FAREWELL

# Milliseconds for the last messages to be sent.
FAREWELL_TIMEOUT_MS = 200

logger = logging.getLogger(__name__)


class StepDown:
    """Ends this master without ending the run."""

    def __init__(
        self,
        runner: MasterRunner,
        recorder: Recorder,
        checkpointer: Checkpointer,
        leadership: Leadership,
    ) -> None:
        self._runner = runner
        self._recorder = recorder
        self._checkpointer = checkpointer
        self._leadership = leadership

    def hand_over(self) -> None:
        """End this process if another master can take over; return if none can."""
        try:
            if not self._has_successor():
                return
            self._checkpointer.save()
            # Reports that arrive from here on are not acknowledged, so workers keep them.
            self._leadership.release()
        except StoreUnavailable as error:
            logger.warning("no other master can take over, so the run ends here: %s", error)
            return
        logger.info("this master hands over to the next leader, and ends")
        self._say_farewell()
        logging.shutdown()
        os._exit(0)

    def _say_farewell(self) -> None:
        """Make workers look for the next leader at once, before they miss heartbeats."""
        server = self._runner.server
        for worker in self._runner.clients:
            server.send_to_client(Message(FAREWELL, None, worker))
        server.socket.context.destroy(linger=FAREWELL_TIMEOUT_MS)

    def _has_successor(self) -> bool:
        """Whether another master, or this one after a restart, can lead next.

        A run with workers can wait for a restart of this master. If the workers are gone and no
        standby is alive, the whole stack ends, and the run with it. Without a lease no other can
        lead.
        """
        if not self._leadership.has_lease:
            return False
        if self._recorder.active is not None:
            return self._runner.worker_count > 0 or self._leadership.has_living_standby()
        return self._leadership.has_standby()

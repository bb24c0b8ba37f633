"""Leave a run to the next master: nobody is told to stop, and nothing is lost.

Locust 2.47.0 (``MasterRunner.quit``) takes its workers along when it ends.
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

# How long what was said may take to be on its way.
FAREWELL_MS = 200

logger = logging.getLogger(__name__)


class StepDown:
    """The end of this master that is none of the run."""

    def __init__(
        self, runner: MasterRunner, recorder: Recorder, keeper: Checkpointer, reign: Leadership
    ) -> None:
        self._runner = runner
        self._recorder = recorder
        self._keeper = keeper
        self._reign = reign

    def leave(self) -> None:
        """End this process if another one can go on; returns where the run has to end with it."""
        try:
            if not self._has_heirs():
                return
            self._keeper.save()
            # What comes in from here on is not acknowledged, so workers keep it.
            self._reign.release()
        except StoreUnavailable as error:
            logger.warning("nobody can take over: %s", error)
            return
        logger.info("leaves the lead to the next master")
        self._say_farewell()
        logging.shutdown()
        os._exit(0)

    def _say_farewell(self) -> None:
        """Let workers look for the next one at once, instead of missing this one's heartbeats."""
        server = self._runner.server
        for worker in self._runner.clients:
            server.send_to_client(Message(FAREWELL, None, worker))
        server.socket.context.destroy(linger=FAREWELL_MS)

    def _has_heirs(self) -> bool:
        """Whether there is anything to leave, and somebody to leave it to.

        Without a standby that is this master itself, when it starts again; but with all workers
        gone as well, the whole stack ends, and the run with it. Without a lease nobody knows.
        """
        if not self._reign.has_lease:
            return False
        if self._recorder.active is not None:
            return self._runner.worker_count > 0 or self._reign.has_living_standby()
        return self._reign.has_standby()

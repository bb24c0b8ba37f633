"""Count dropped messages by cause, and log at most one line per cause and minute."""

from __future__ import annotations

from locust.rpc import Message

import logging
import time
from collections.abc import Callable, Mapping

from locust_fleet.policy.limits import shown
from locust_fleet.protocol.stages import Forward
from locust_fleet.protocol.validation import Cause
from locust_fleet.runtime.exposition import family

# A sender of such messages may send thousands.
LINE_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class DropCounter:
    """How many messages were dropped since this process started, by cause."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = dict.fromkeys(Cause, 0)
        self._silent_until: dict[Cause, float] = {}

    @property
    def counts(self) -> Mapping[Cause, int]:
        """Dropped messages by cause."""
        return self._counts

    def note(self, cause: Cause, what: str, error: BaseException | None = None) -> None:
        """Count a dropped message; ``what`` says whose it is and what is wrong with it.

        Logs at most one line per cause and minute, with the traceback of ``error`` if given.
        """
        self._counts[cause] += 1
        now = self._clock()
        if now >= self._silent_until.get(cause, now):
            self._silent_until[cause] = now + LINE_EVERY_S
            logger.error(
                "a message is dropped (%s; %d so far): %s",
                *(cause.value, self._counts[cause], what),
                exc_info=error,
            )

    def handle(self, message: Message, forward: Forward) -> None:
        """Count a message whose handling fails, so that it ends no loop. A stage."""
        try:
            forward(message)
        except Exception as error:  # the next message must be handled; logged by note
            what = f"{shown(message.type)} of {shown(message.node_id)}: {error!r}"
            self.note(Cause.FAILED, what, error)

    def render(self, name: str) -> str:
        """Return the text of the metric with this name."""
        return family(
            name,
            "counter",
            "Messages that were dropped, because they are unreadable or their handling failed.",
            [({"cause": cause.value}, count) for cause, count in self._counts.items()],
        )

"""Count the messages that are dropped, by cause, and log a line per cause and minute."""

from __future__ import annotations

from locust.rpc import Message

import logging
import time
from collections.abc import Callable, Mapping

from locust_fleet.policy.limits import shown
from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.message_validation import Cause
from locust_fleet.runtime.exposition import family

# One sender may send thousands of them.
LINE_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class DropCounter:
    """Counts dropped messages since the start of this process, by cause."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = dict.fromkeys(Cause, 0)
        self._silent_until: dict[Cause, float] = {}

    @property
    def counts(self) -> Mapping[Cause, int]:
        """Return how many messages were dropped, by cause."""
        return self._counts

    def note(self, cause: Cause, what: str, error: BaseException | None = None) -> None:
        """Count a message; ``what`` says whose it was and what is wrong with it.

        Logs one line for each cause and minute, with the traceback of ``error`` if there is one.
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
        """Let a message that cannot be carried out end nothing: it is counted. A stage."""
        try:
            forward(message)
        except Exception as error:  # whatever it is, the next message is handled; logged by note
            what = f"{shown(message.type)} of {shown(message.node_id)}: {error!r}"
            self.note(Cause.FAILED, what, error)

    def render(self, name: str) -> str:
        """Return the text of the metric."""
        return family(
            name,
            "counter",
            "Messages that were dropped, because they cannot be read or handling them failed.",
            [({"cause": cause.value}, count) for cause, count in self._counts.items()],
        )

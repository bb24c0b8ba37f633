"""Carry the outbox to the channels: a thread per channel, so that none waits for another."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence

import psycopg

from locust_fleet.errors import StoreUnavailable
from locust_fleet.notify import outbox
from locust_fleet.notify.backoff import Answer, Result, decide
from locust_fleet.notify.channels.channel import Channel, attempt
from locust_fleet.notify.outbox import Delivery
from locust_fleet.runtime.loops import vital
from locust_fleet.runtime.postgres import Connect, Connection

# Between two looks at an outbox in which nothing is due.
IDLE_S = 0.5
AWAY_S = 1.0
REMOVAL_INTERVAL_S = 3600.0
# A notifier whose host vanished must not keep its channels locked: longer than any try.
LOCK_LIMIT = "90s"
# A loop that has not turned for this long hangs: longer than any try, and than connecting.
HANGING_S = 120.0

logger = logging.getLogger(__name__)


class Loop:
    """Calls its ``turn`` again and again on a connection that it replaces when it breaks."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._away = False
        self._turned_at = time.monotonic()

    @property
    def turns(self) -> bool:
        """Tell whether the loop is alive; one that waits for Postgres is."""
        return time.monotonic() - self._turned_at < HANGING_S

    @property
    def away(self) -> bool:
        """Tell whether Postgres was away when it was needed last."""
        return self._away

    def run(self, closing: threading.Event) -> None:
        """Turn until ``closing`` is set; never raises."""
        pause_s = 0.0
        while not closing.wait(pause_s):
            self._turned_at = time.monotonic()
            try:
                pause_s = self.turn(self._connected())
                self._back()
            except (StoreUnavailable, psycopg.OperationalError) as error:
                self._lost(error)
                pause_s = AWAY_S
            except Exception:  # the next turn tries again; whatever it was stands in the log
                logger.exception("a turn of the notifier failed; trying again")
                self.close()
                pause_s = AWAY_S
        self.close()

    def turn(self, connection: Connection) -> float:
        """Do what is due; returns the seconds until the next turn."""
        raise NotImplementedError

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, false)",
                (LOCK_LIMIT,),
            )
        return self._connection

    def _back(self) -> None:
        if self._away:
            self._away = False
            logger.info("Postgres is back")

    def _lost(self, error: Exception) -> None:
        self.close()
        if not self._away:
            self._away = True
            logger.warning("notifications wait: %s", error)

    def close(self) -> None:
        """End the connection; the next turn makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Sorter(Loop):
    """Makes the deliveries of new messages, and removes old ones."""

    def __init__(self, connect: Connect, names: Sequence[str]) -> None:
        super().__init__(connect)
        self._names = names
        self._next_removal = 0.0

    def turn(self, connection: Connection) -> float:
        """Address what is new."""
        addressed = outbox.address(connection, self._names)
        if time.monotonic() >= self._next_removal:
            outbox.remove_settled(connection)
            self._next_removal = time.monotonic() + REMOVAL_INTERVAL_S
        return 0 if addressed else IDLE_S


class Courier(Loop):
    """Tries the deliveries of one channel, one at a time."""

    def __init__(self, connect: Connect, channel: Channel) -> None:
        super().__init__(connect)
        self._channel = channel
        # Taken by the vendor, and Postgres went away before that was written down.
        self._taken: dict[uuid.UUID, Answer] = {}

    def turn(self, connection: Connection) -> float:
        """Try one delivery. Its locks end with the transaction, so also with this process."""
        with connection.transaction():
            delivery = outbox.claim(connection, self._channel.name)
            if delivery is None:
                return IDLE_S
            answer = self._send(delivery)
            then = decide(answer, delivery.standing, self._channel.spacing_s)
            outbox.settle(connection, delivery, answer, then)
        self._taken.pop(delivery.message.id, None)
        return min(then.channel_pause_s, IDLE_S)

    def _send(self, delivery: Delivery) -> Answer:
        message = delivery.message
        if message.id in self._taken:
            return self._taken[message.id]
        answer = attempt(self._channel, message)
        if answer.result is Result.DELIVERED:
            self._taken[message.id] = answer
            logger.info("%s took %s (%s)", self._channel.name, message.id, message.alert_name)
        else:
            logger.warning(
                "%s did not take %s (%s) at try %d: %s",
                self._channel.name,
                message.id,
                message.alert_name,
                delivery.standing.attempts + 1,
                outbox.storable(answer.text),
            )
        return answer


class Notifier:
    """All loops of one process."""

    def __init__(self, connect: Connect, channels: Sequence[Channel]) -> None:
        names = [channel.name for channel in channels]
        self._closing = threading.Event()
        self._loops: list[Loop] = [
            Sorter(connect, names),
            *(Courier(connect, channel) for channel in channels),
        ]
        self._threads = [
            threading.Thread(
                target=vital(name, loop.run, self._closing.is_set),
                args=(self._closing,),
                name=name,
                daemon=True,
            )
            for loop, name in zip(self._loops, ["sorter", *names], strict=True)
        ]

    @property
    def turns(self) -> bool:
        """Tell whether every loop is alive."""
        return all(loop.turns for loop in self._loops)

    @property
    def away(self) -> bool:
        """Tell whether Postgres is away."""
        return any(loop.away for loop in self._loops)

    def start(self) -> None:
        """Start the loops."""
        for thread in self._threads:
            thread.start()

    def end(self, patience_s: float) -> None:
        """Let the tries under way finish, and leave."""
        self._closing.set()
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

"""Deliver the outbox: a thread for each channel, so that no channel waits for another."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence

import psycopg

from locust_fleet.errors import StoreUnavailable
from locust_fleet.notify import outbox
from locust_fleet.notify.backoff import decide
from locust_fleet.notify.channels.channel import Channel, attempt
from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.outbox import Delivery
from locust_fleet.runtime.postgres import Connect, Connection
from locust_fleet.runtime.supervision import vital

# Between two looks at an outbox in which nothing is due.
IDLE_PAUSE_S = 0.5
FAILURE_PAUSE_S = 1.0
REMOVAL_INTERVAL_S = 3600.0
# Postgres frees the locks of a notifier whose host is gone after this time: longer than any try.
TRANSACTION_TIMEOUT = "90s"
# A loop without a turn for this long hangs: longer than any try, and than connecting.
TURN_TIMEOUT_S = 120.0

logger = logging.getLogger(__name__)


class OutboxLoop:
    """Calls ``turn`` again and again with a connection that it replaces when it breaks."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._postgres_away = False
        self._turned_at = time.monotonic()

    @property
    def alive(self) -> bool:
        """Tell whether the loop runs; one that waits for Postgres does."""
        return time.monotonic() - self._turned_at < TURN_TIMEOUT_S

    @property
    def postgres_away(self) -> bool:
        """Tell whether Postgres did not answer in the last turn."""
        return self._postgres_away

    def run(self, closing: threading.Event) -> None:
        """Take turns until ``closing`` is set; never raises."""
        pause_s = 0.0
        while not closing.wait(pause_s):
            self._turned_at = time.monotonic()
            try:
                pause_s = self.turn(self._connected())
                self._note_back()
            except (StoreUnavailable, psycopg.OperationalError) as error:
                self._note_away(error)
                pause_s = FAILURE_PAUSE_S
            except Exception:  # whatever it is, the next turn tries again; logged below
                logger.exception("a turn of the notifier failed; trying again")
                self.close()
                pause_s = FAILURE_PAUSE_S
        self.close()

    def turn(self, connection: Connection) -> float:
        """Do what is due; returns the seconds until the next turn."""
        raise NotImplementedError

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, false)",
                (TRANSACTION_TIMEOUT,),
            )
        return self._connection

    def _note_back(self) -> None:
        if self._postgres_away:
            self._postgres_away = False
            logger.info("Postgres is back")

    def _note_away(self, error: Exception) -> None:
        self.close()
        if not self._postgres_away:
            self._postgres_away = True
            logger.warning("notifications wait for Postgres: %s", error)

    def close(self) -> None:
        """Close the connection; the next turn opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FanOut(OutboxLoop):
    """Creates a delivery per channel of each new message, and removes old messages."""

    def __init__(self, connect: Connect, names: Sequence[str]) -> None:
        super().__init__(connect)
        self._names = names
        self._next_removal = 0.0

    def turn(self, connection: Connection) -> float:
        """Create the deliveries of new messages."""
        created = outbox.create_deliveries(connection, self._names)
        if time.monotonic() >= self._next_removal:
            outbox.remove_finished(connection)
            self._next_removal = time.monotonic() + REMOVAL_INTERVAL_S
        return 0 if created else IDLE_PAUSE_S


class ChannelSender(OutboxLoop):
    """Tries the deliveries of one channel, one at a time."""

    def __init__(self, connect: Connect, channel: Channel) -> None:
        super().__init__(connect)
        self._channel = channel
        # Messages that the vendor accepted, but Postgres went away before that was recorded.
        self._accepted: dict[uuid.UUID, Answer] = {}

    def turn(self, connection: Connection) -> float:
        """Try one delivery. Its locks end with the transaction, and so with this process."""
        with connection.transaction():
            delivery = outbox.claim(connection, self._channel.name)
            if delivery is None:
                return IDLE_PAUSE_S
            answer = self._send(delivery)
            outcome = decide(answer, delivery.tries, self._channel.spacing_s)
            outbox.record(connection, delivery, answer, outcome)
        self._accepted.pop(delivery.message.id, None)
        return min(outcome.channel_pause_s, IDLE_PAUSE_S)

    def _send(self, delivery: Delivery) -> Answer:
        message = delivery.message
        if message.id in self._accepted:
            return self._accepted[message.id]
        answer = attempt(self._channel, message)
        if answer.result is Result.DELIVERED:
            self._accepted[message.id] = answer
            logger.info("%s accepted %s (%s)", self._channel.name, message.id, message.alert_name)
        else:
            logger.warning(
                "%s did not accept %s (%s) at try %d: %s",
                self._channel.name,
                message.id,
                message.alert_name,
                delivery.tries.attempts + 1,
                outbox.storable(answer.text),
            )
        return answer


class Notifier:
    """All loops of one process."""

    def __init__(self, connect: Connect, channels: Sequence[Channel]) -> None:
        names = [channel.name for channel in channels]
        self._closing = threading.Event()
        self._loops: list[OutboxLoop] = [
            FanOut(connect, names),
            *(ChannelSender(connect, channel) for channel in channels),
        ]
        self._threads = [
            threading.Thread(
                target=vital(name, loop.run, self._closing.is_set),
                args=(self._closing,),
                name=name,
                daemon=True,
            )
            for loop, name in zip(self._loops, ["fan-out", *names], strict=True)
        ]

    @property
    def alive(self) -> bool:
        """Tell whether every loop runs."""
        return all(loop.alive for loop in self._loops)

    @property
    def postgres_away(self) -> bool:
        """Tell whether Postgres does not answer."""
        return any(loop.postgres_away for loop in self._loops)

    def start(self) -> None:
        """Start the loops."""
        for thread in self._threads:
            thread.start()

    def end(self, timeout_s: float) -> None:
        """Start no further try, and wait at most ``timeout_s`` for those under way."""
        self._closing.set()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

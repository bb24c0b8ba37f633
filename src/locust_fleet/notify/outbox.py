"""The outbox in Postgres: messages, and how far each channel is with them.

A process that has something to tell stores a message in the transaction of its own work. The
notifier, which alone knows the channels, creates a delivery per channel and tries them one by one.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from locust_fleet.notify.backoff import Outcome, Tries
from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.message import Message
from locust_fleet.runtime.postgres import Connection

# How long delivered and discarded messages are kept, for questions about them.
KEEP = timedelta(days=30)
LONGEST_ANSWER = 500


@dataclass(frozen=True)
class Delivery:
    """A message that is due at a channel, locked until the end of the transaction."""

    message: Message
    channel: str
    tries: Tries


def store(connection: Connection, message: Message) -> bool:
    """Store a message; returns False when a message with its id is stored already."""
    stored = connection.execute(
        "INSERT INTO outbox_messages (id, thread, content) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (message.id, message.thread, Jsonb(message.to_json())),
    )
    return stored.rowcount == 1


def store_unless_seen(
    connection: Connection, message: Message, key: str, within: timedelta
) -> bool:
    """Store a message unless one with the same key was seen ``within`` this time.

    Returns whether it was stored. Of two calls at once with one key, one waits for the other.
    """
    with connection.transaction():
        fresh = connection.execute(
            "INSERT INTO outbox_seen AS seen (key, at) VALUES (%(key)s, now())"
            " ON CONFLICT (key) DO UPDATE SET at = now() WHERE seen.at < now() - %(within)s"
            " RETURNING key",
            {"key": key, "within": within},
        ).fetchone()
        return fresh is not None and store(connection, message)


def create_deliveries(connection: Connection, channels: Sequence[str]) -> int:
    """Create a delivery per channel for each new message; returns how many messages were new.

    Without channels a message gets no delivery, then or later.
    """
    with connection.transaction():
        connection.cursor().executemany(
            "INSERT INTO outbox_channels (channel) VALUES (%s) ON CONFLICT DO NOTHING",
            [(channel,) for channel in channels],
        )
        return connection.execute(
            "WITH fresh AS ("
            "  SELECT id FROM outbox_messages WHERE addressed_at IS NULL"
            "  ORDER BY seq LIMIT 1000 FOR UPDATE SKIP LOCKED"
            "), addressed AS ("
            "  UPDATE outbox_messages SET addressed_at = now() FROM fresh"
            "  WHERE outbox_messages.id = fresh.id"
            "  RETURNING outbox_messages.id, outbox_messages.seq, outbox_messages.thread"
            "), made AS ("
            "  INSERT INTO outbox_deliveries (message_id, channel, seq, thread)"
            "  SELECT id, channel, seq, thread FROM addressed, unnest(%s::text[]) AS channel"
            ") SELECT id FROM addressed",
            (list(channels),),
        ).rowcount


def claim(connection: Connection, channel: str) -> Delivery | None:
    """Lock a channel and its next delivery until the end of the transaction; None: nothing is due.

    Nothing is due during a pause of the channel, while another notifier uses it, or while an
    earlier message of the same thread waits.
    """
    found = connection.execute(
        "SELECT failures_in_row FROM outbox_channels"
        " WHERE channel = %s AND not_before <= clock_timestamp() FOR UPDATE SKIP LOCKED",
        (channel,),
    ).fetchone()
    if found is None:
        return None
    (failures_in_row,) = found
    row = connection.execute(
        "SELECT due.message_id, due.thread, message.content, due.attempts, due.refusals"
        " FROM outbox_deliveries AS due JOIN outbox_messages AS message"
        "   ON message.id = due.message_id"
        " WHERE due.channel = %(channel)s AND due.state = 'pending'"
        "   AND due.next_try_at <= clock_timestamp()"
        "   AND NOT EXISTS (SELECT 1 FROM outbox_deliveries AS earlier"
        "     WHERE earlier.channel = %(channel)s AND earlier.state = 'pending'"
        "       AND earlier.thread = due.thread AND earlier.seq < due.seq)"
        " ORDER BY due.seq LIMIT 1 FOR UPDATE OF due SKIP LOCKED",
        {"channel": channel},
    ).fetchone()
    if row is None:
        return None
    message_id, thread, content, attempts, refusals = row
    return Delivery(
        Message.from_json(message_id, thread, content),
        channel,
        Tries(attempts, refusals, failures_in_row),
    )


def record(connection: Connection, delivery: Delivery, answer: Answer, outcome: Outcome) -> None:
    """Record the result of a try, in the transaction of its ``claim``."""
    connection.execute(
        "UPDATE outbox_deliveries SET state = %(state)s, attempts = attempts + 1,"
        "   refusals = refusals + %(refused)s, last_answer = %(answer)s,"
        "   last_try_at = clock_timestamp(),"
        "   next_try_at = clock_timestamp() + make_interval(secs => %(pause)s)"
        " WHERE message_id = %(id)s AND channel = %(channel)s",
        {
            "id": delivery.message.id,
            "channel": delivery.channel,
            "state": outcome.state,
            "refused": int(answer.result is Result.REFUSED),
            "answer": storable(answer.text),
            "pause": outcome.message_pause_s,
        },
    )
    connection.execute(
        "UPDATE outbox_channels SET"
        "   not_before = clock_timestamp() + make_interval(secs => %(pause)s),"
        "   failures_in_row = CASE WHEN %(later)s THEN failures_in_row + 1 ELSE 0 END,"
        "   delivered = delivered + %(delivered)s, failures = failures + %(failed)s"
        " WHERE channel = %(channel)s",
        {
            "channel": delivery.channel,
            "pause": outcome.channel_pause_s,
            "later": answer.result is Result.LATER,
            "delivered": int(answer.result is Result.DELIVERED),
            "failed": int(answer.result is not Result.DELIVERED),
        },
    )
    if outcome.recovered:
        connection.execute(
            "UPDATE outbox_deliveries SET next_try_at = clock_timestamp()"
            " WHERE channel = %s AND state = 'pending'",
            (delivery.channel,),
        )


def remove_finished(connection: Connection, keep: timedelta = KEEP) -> int:
    """Delete messages older than ``keep`` without an open delivery; returns how many."""
    connection.execute("DELETE FROM outbox_seen WHERE at < now() - %s::interval", (keep,))
    return connection.execute(
        "DELETE FROM outbox_messages AS message WHERE stored_at < now() - %s::interval"
        " AND addressed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox_deliveries"
        "   WHERE message_id = message.id AND state IN ('pending', 'failed'))",
        (keep,),
    ).rowcount


@dataclass(frozen=True)
class OutboxCounts:
    """The deliveries of a channel; ``oldest_pending_s`` is an age in seconds, 0 for none.

    The age includes failed deliveries, which wait for somebody who retries or discards them.
    """

    channel: str
    pending: int
    oldest_pending_s: float
    failed: int
    delivered: int
    failures: int


# The name under which messages count that have no deliveries yet.
NO_CHANNEL = ""


def read_counts(connection: Connection) -> list[OutboxCounts]:
    """Return the counts of all channels, also of former ones, and of NO_CHANNEL."""
    with connection.cursor(row_factory=class_row(OutboxCounts)) as cursor:
        return cursor.execute(
            "SELECT channel, coalesce(waiting.pending, 0) AS pending,"
            "   coalesce(waiting.oldest_s, 0)::double precision AS oldest_pending_s,"
            "   (SELECT count(*) FROM outbox_deliveries WHERE state = 'failed'"
            "     AND channel = outbox_channels.channel) AS failed, delivered, failures"
            " FROM outbox_channels LEFT JOIN ("
            "   SELECT channel, count(*) FILTER (WHERE state = 'pending') AS pending,"
            "     extract(epoch FROM now() - min(stored_at)) AS oldest_s"
            "   FROM outbox_deliveries JOIN outbox_messages ON id = message_id"
            "   WHERE state IN ('pending', 'failed') GROUP BY channel"
            " ) AS waiting USING (channel)"
            " UNION ALL SELECT %s, count(*),"
            "   coalesce(extract(epoch FROM now() - min(stored_at)), 0)::double precision, 0, 0, 0"
            " FROM outbox_messages WHERE addressed_at IS NULL ORDER BY channel",
            (NO_CHANNEL,),
        ).fetchall()


@dataclass(frozen=True)
class OpenDelivery:
    """A delivery that waits or has failed, for the admin's page."""

    message_id: uuid.UUID
    channel: str
    state: str
    alert_name: str
    summary: str
    stored_at: datetime
    attempts: int
    next_try_at: datetime
    last_answer: str


def read_open(connection: Connection, limit: int) -> list[OpenDelivery]:
    """Return deliveries that have failed, then those that wait; the oldest first."""
    with connection.cursor(row_factory=class_row(OpenDelivery)) as cursor:
        return cursor.execute(
            "SELECT message_id, channel, state, content->>'alert_name' AS alert_name,"
            "   content->>'summary' AS summary, stored_at, attempts, next_try_at, last_answer"
            " FROM outbox_deliveries JOIN outbox_messages ON id = message_id"
            " WHERE state IN ('pending', 'failed')"
            " ORDER BY state, outbox_deliveries.seq, channel LIMIT %s",
            (limit,),
        ).fetchall()


def retry(connection: Connection, message_id: uuid.UUID, channel: str) -> bool:
    """Make a delivery due now and forget its refusals; False if it is done or being tried."""
    change = "state = 'pending', refusals = 0, next_try_at = now()"
    return _change(connection, message_id, channel, change)


def discard(connection: Connection, message_id: uuid.UUID, channel: str) -> bool:
    """Give up a delivery; False if it is done or being tried."""
    return _change(connection, message_id, channel, "state = 'discarded'")


def _change(
    connection: Connection, message_id: uuid.UUID, channel: str, change: LiteralString
) -> bool:
    """Change an open delivery, unless a notifier is trying it."""
    delivery = (message_id, channel)
    with connection.transaction():
        row = connection.execute(
            "SELECT 1 FROM outbox_deliveries WHERE message_id = %s AND channel = %s"
            " AND state IN ('pending', 'failed') FOR UPDATE SKIP LOCKED",
            delivery,
        ).fetchone()
        if row is None:
            return False
        connection.execute(
            f"UPDATE outbox_deliveries SET {change} WHERE message_id = %s AND channel = %s",
            delivery,
        )
    return True


def storable(text: str) -> str:
    """Return the words of a vendor as one line that Postgres can store."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    marked = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in clean)
    return " ".join(marked.split())[:LONGEST_ANSWER]

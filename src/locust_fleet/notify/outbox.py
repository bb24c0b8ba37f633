"""Store messages, and keep how far each channel is with them. All in Postgres, in plain SQL.

Whoever has something to tell stores it in a transaction of its own work; the notifier, which
alone knows the channels, makes one delivery per channel of it and tries them one by one.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from locust_fleet.notify.backoff import Answer, Next, Result, Standing
from locust_fleet.notify.message import Message
from locust_fleet.runtime.postgres import Connection

# What is settled is kept so long, for whoever asks what was told.
KEEP = timedelta(days=30)
LONGEST_ANSWER = 500


@dataclass(frozen=True)
class Delivery:
    """A message that is due at a channel, locked until the end of the transaction."""

    message: Message
    channel: str
    standing: Standing


def store(connection: Connection, message: Message) -> bool:
    """Store a message; False when one of its id is there already."""
    stored = connection.execute(
        "INSERT INTO outbox_messages (id, thread, content) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (message.id, message.thread, Jsonb(message.to_json())),
    )
    return stored.rowcount == 1


def store_unless_seen(
    connection: Connection, message: Message, key: str, within: timedelta
) -> bool:
    """Store a message unless one of the same key was stored a moment ago; tells whether it was.

    Of two that come at once, one waits here for the other.
    """
    with connection.transaction():
        fresh = connection.execute(
            "INSERT INTO outbox_seen AS seen (key, at) VALUES (%(key)s, now())"
            " ON CONFLICT (key) DO UPDATE SET at = now() WHERE seen.at < now() - %(within)s"
            " RETURNING key",
            {"key": key, "within": within},
        ).fetchone()
        return fresh is not None and store(connection, message)


def address(connection: Connection, channels: Sequence[str]) -> int:
    """Make a delivery per channel of each message that has none yet; returns of how many.

    Without channels nobody is told, then or later.
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
    """Lock a channel and its next delivery until the end of the transaction; None: nothing to do.

    Nothing is due while the channel rests, while another notifier tries it, or while an earlier
    message of the same thread waits.
    """
    standing = connection.execute(
        "SELECT failures_in_row FROM outbox_channels"
        " WHERE channel = %s AND not_before <= clock_timestamp() FOR UPDATE SKIP LOCKED",
        (channel,),
    ).fetchone()
    if standing is None:
        return None
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
        Standing(attempts, refusals, standing[0]),
    )


def settle(connection: Connection, delivery: Delivery, answer: Answer, then: Next) -> None:
    """Write down what a try brought, in the transaction of its claim."""
    connection.execute(
        "UPDATE outbox_deliveries SET state = %(state)s, attempts = attempts + 1,"
        "   refusals = refusals + %(refused)s, last_answer = %(answer)s,"
        "   last_try_at = clock_timestamp(),"
        "   next_try_at = clock_timestamp() + make_interval(secs => %(pause)s)"
        " WHERE message_id = %(id)s AND channel = %(channel)s",
        {
            "id": delivery.message.id,
            "channel": delivery.channel,
            "state": then.state,
            "refused": int(answer.result is Result.REFUSED),
            "answer": storable(answer.text),
            "pause": then.message_pause_s,
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
            "pause": then.channel_pause_s,
            "later": answer.result is Result.LATER,
            "delivered": int(answer.result is Result.DELIVERED),
            "failed": int(answer.result is not Result.DELIVERED),
        },
    )
    if then.recovered:
        connection.execute(
            "UPDATE outbox_deliveries SET next_try_at = clock_timestamp()"
            " WHERE channel = %s AND state = 'pending'",
            (delivery.channel,),
        )


def remove_settled(connection: Connection, keep: timedelta = KEEP) -> int:
    """Delete old messages of which nothing is left to do; returns how many."""
    connection.execute("DELETE FROM outbox_seen WHERE at < now() - %s::interval", (keep,))
    return connection.execute(
        "DELETE FROM outbox_messages AS message WHERE stored_at < now() - %s::interval"
        " AND addressed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox_deliveries"
        "   WHERE message_id = message.id AND state IN ('pending', 'failed'))",
        (keep,),
    ).rowcount


@dataclass(frozen=True)
class OutboxCounts:
    """How a channel is doing; ``oldest_pending_s`` is an age in seconds, 0 when nothing waits.

    What failed waits, too, for somebody who retries or discards it.
    """

    channel: str
    pending: int
    oldest_pending_s: float
    failed: int
    delivered: int
    failures: int


# What no notifier has seen yet waits too: under the name of no channel.
NO_CHANNEL = ""


def read_counts(connection: Connection) -> list[OutboxCounts]:
    """Return the counts of all channels that there were."""
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
class Unsettled:
    """A delivery that waits or was refused, for the admin's page."""

    message_id: uuid.UUID
    channel: str
    state: str
    alert_name: str
    summary: str
    stored_at: datetime
    attempts: int
    next_try_at: datetime
    last_answer: str


def read_unsettled(connection: Connection, limit: int) -> list[Unsettled]:
    """Return what waits or was refused: the refused first, then the oldest first."""
    with connection.cursor(row_factory=class_row(Unsettled)) as cursor:
        return cursor.execute(
            "SELECT message_id, channel, state, content->>'alert_name' AS alert_name,"
            "   content->>'summary' AS summary, stored_at, attempts, next_try_at, last_answer"
            " FROM outbox_deliveries JOIN outbox_messages ON id = message_id"
            " WHERE state IN ('pending', 'failed')"
            " ORDER BY state, outbox_deliveries.seq, channel LIMIT %s",
            (limit,),
        ).fetchall()


def retry(connection: Connection, message_id: uuid.UUID, channel: str) -> bool:
    """Make a delivery due now, its refusals forgotten; False when there is none to retry."""
    change = "state = 'pending', refusals = 0, next_try_at = now()"
    return _change(connection, message_id, channel, change)


def discard(connection: Connection, message_id: uuid.UUID, channel: str) -> bool:
    """Give a delivery up; False when there is none, or when it is being tried just now."""
    return _change(connection, message_id, channel, "state = 'discarded'")


def _change(
    connection: Connection, message_id: uuid.UUID, channel: str, change: LiteralString
) -> bool:
    """Change a delivery that is not settled, unless somebody tries it just now."""
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
    """Return a vendor's words as one line that Postgres takes."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    marked = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in clean)
    return " ".join(marked.split())[:LONGEST_ANSWER]

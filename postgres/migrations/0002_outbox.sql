-- Notifications: what is to be said, and how far each channel is with it. Times are UTC.

CREATE TABLE outbox_messages (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    stored_at timestamptz NOT NULL DEFAULT now(),
    -- What belongs together, as an alert and its end: a channel gets it in order.
    thread text NOT NULL,
    content jsonb NOT NULL,
    -- When the notifier, which alone knows the channels, made the deliveries.
    addressed_at timestamptz
);
CREATE INDEX outbox_messages_waiting ON outbox_messages (seq) WHERE addressed_at IS NULL;
CREATE INDEX outbox_messages_stored_at ON outbox_messages (stored_at);

CREATE TABLE outbox_deliveries (
    message_id uuid NOT NULL REFERENCES outbox_messages ON DELETE CASCADE,
    channel text NOT NULL,
    -- Of the message, so that the next one is found in an index.
    seq bigint NOT NULL,
    thread text NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'failed', 'discarded')),
    attempts integer NOT NULL DEFAULT 0,
    refusals integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    last_try_at timestamptz,
    last_answer text NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, channel)
);
CREATE INDEX outbox_deliveries_pending ON outbox_deliveries (channel, seq) WHERE state = 'pending';
CREATE INDEX outbox_deliveries_thread ON outbox_deliveries (channel, thread, seq)
    WHERE state = 'pending';
CREATE INDEX outbox_deliveries_failed ON outbox_deliveries (channel, seq) WHERE state = 'failed';

-- Locked while its channel is being tried, so there is one try at a time over all notifiers.
CREATE TABLE outbox_channels (
    channel text PRIMARY KEY,
    not_before timestamptz NOT NULL DEFAULT now(),
    failures_in_row integer NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0
);

-- What was stored a moment ago, so that Alertmanager's second try of it is known as one.
CREATE TABLE outbox_seen (
    key text PRIMARY KEY,
    at timestamptz NOT NULL
);
CREATE INDEX outbox_seen_at ON outbox_seen (at);

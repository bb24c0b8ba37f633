-- Accounts, audit and results. Response times are milliseconds, times are UTC.

CREATE TABLE accounts (
    name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9._@-]{1,64}$'),
    password_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    -- Sessions signed before this moment count no more: set by sign-out everywhere and by a new password.
    sessions_valid_from timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- The writer makes the id, so that writing an entry twice changes nothing.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    allowed boolean NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at DESC);

CREATE TABLE runs (
    id text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    started_by text NOT NULL,
    locustfile text NOT NULL,
    host text NOT NULL,
    users integer NOT NULL,
    spawn_rate double precision NOT NULL,
    run_time_s double precision,
    started_at timestamptz NOT NULL,
    planned_end_at timestamptz,
    ended_at timestamptz,
    image_version text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'stopped', 'lost')),
    verdict text
);
CREATE INDEX runs_started_at ON runs (started_at DESC);

-- One row per endpoint and interval, counted within the interval. The histogram maps a bucket's key to
-- its count; locust_fleet.protocol.histogram says what a key means.
CREATE TABLE run_samples (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    seq integer NOT NULL,
    method text NOT NULL,
    name text NOT NULL,
    at timestamptz NOT NULL,
    requests bigint NOT NULL,
    failures bigint NOT NULL,
    sum_ms double precision NOT NULL,
    min_ms double precision,
    max_ms double precision,
    response_bytes bigint NOT NULL,
    histogram jsonb NOT NULL,
    PRIMARY KEY (run_id, seq, method, name)
);

-- One row per interval: the state of the fleet when the samples were cut.
CREATE TABLE run_progress (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    seq integer NOT NULL,
    at timestamptz NOT NULL,
    users integer NOT NULL,
    target_users integer NOT NULL,
    workers integer NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE run_totals (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    method text NOT NULL,
    name text NOT NULL,
    requests bigint NOT NULL,
    failures bigint NOT NULL,
    sum_ms double precision NOT NULL,
    min_ms double precision,
    max_ms double precision,
    response_bytes bigint NOT NULL,
    histogram jsonb NOT NULL,
    PRIMARY KEY (run_id, method, name)
);

CREATE TABLE run_failures (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    method text NOT NULL,
    name text NOT NULL,
    error text NOT NULL,
    occurrences bigint NOT NULL,
    PRIMARY KEY (run_id, method, name, error)
);

CREATE TABLE run_events (
    id uuid PRIMARY KEY,
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX run_events_run ON run_events (run_id, at);

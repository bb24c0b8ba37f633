-- The open model: response times from when a request was intended to begin, and iterations that no
-- user was free for.

-- As histogram, of the same requests; NULL where they have no intended start.
ALTER TABLE run_samples ADD COLUMN corrected jsonb;
ALTER TABLE run_totals ADD COLUMN corrected jsonb;

-- One row per class of users with arrivals and interval; of all arrivals, so many were dropped.
CREATE TABLE run_arrivals (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    seq integer NOT NULL,
    user_class text NOT NULL,
    arrivals bigint NOT NULL,
    dropped bigint NOT NULL,
    PRIMARY KEY (run_id, seq, user_class)
);

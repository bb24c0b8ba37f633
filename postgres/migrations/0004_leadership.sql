-- Who may write results: the leader of the highest epoch, which is remembered here should Redis lose it.

CREATE TABLE leadership (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL
);
INSERT INTO leadership (epoch) VALUES (0);

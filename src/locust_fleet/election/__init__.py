"""Who leads: one master at a time, by a lease in Redis and an epoch that never goes down."""

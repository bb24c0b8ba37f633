"""The fleet's parts of a worker: the leader connection, resent reports, the allow-list, metrics."""

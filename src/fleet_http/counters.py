"""What all clients of this process do together, for whoever watches it (``worker/metrics.py``)."""

from __future__ import annotations


class Counters:
    """Numbers that the clients keep."""

    __slots__ = ("in_flight", "retries")

    def __init__(self) -> None:
        # Requests that wait for their answer.
        self.in_flight = 0
        # Requests sent again because the server had closed the connection it kept open.
        self.retries = 0


# One for the process, like Prometheus' own registry: users are made by Locust, which passes
# nothing of ours to them.
COUNTERS = Counters()

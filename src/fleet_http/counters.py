"""What all clients of a process count together, for a host program that watches it."""

from __future__ import annotations


class Counters:
    """Numbers that the clients keep up to date."""

    __slots__ = ("in_flight", "retries")

    def __init__(self) -> None:
        # Requests that wait for their response.
        self.in_flight = 0
        # Requests sent again because the server had closed the idle connection they were sent on.
        self.retries = 0

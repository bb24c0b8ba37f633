"""What tests by the clock need to know about the machine they run on."""

from __future__ import annotations

import time

import gevent

EVERY_S = 0.01


class HoldUps:
    """How long this process had no turn, which nobody in it can make up for."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    def run(self) -> None:
        while True:
            before = time.monotonic()
            gevent.sleep(EVERY_S)
            self.longest_s = max(self.longest_s, time.monotonic() - before - EVERY_S)

"""Wait for conditions."""

import os
import time
from collections.abc import Callable

START_TIMEOUT_S = 60.0
# Seconds that a machine with other work may add to what is promised; 0 holds it to the promise.
BUSY_S = float(os.environ.get("BUSY_S", "5"))


def wait_until(
    ready: Callable[[], bool],
    what: str | Callable[[], str],
    timeout_s: float = START_TIMEOUT_S,
    every_s: float = 0.05,
) -> None:
    """Return once the condition holds; fail with its name when it does not hold in time.

    A name that is a function is called then, to tell what was there instead.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            name = what if isinstance(what, str) else what()
            raise AssertionError(f"{name} did not happen within {timeout_s:g} s")
        time.sleep(every_s)

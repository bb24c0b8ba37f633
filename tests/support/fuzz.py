"""How many examples hypothesis makes up: few with every change, many in the acceptance layer."""

import os

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def examples(count: int) -> int:
    """Return how many examples a test tries whose short run has so many."""
    return count * FACTOR

"""Close the connections of users that have ended.

Locust 2.47.0 (``HttpUser``, ``FastHttpUser``) leaves that to the collector of garbage, which hardly
ever looks at what is old: connections that the target has closed long ago stay open here.
"""

from __future__ import annotations

from locust.env import Environment

import gc
from typing import Any


def close_after_run(environment: Environment) -> None:
    """From now on, look for them at the end of each run, when a worker has nothing else to do."""

    def test_stop(**_: Any) -> None:
        gc.collect()

    environment.events.test_stop.add_listener(test_stop)

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from tests.unit.users.arrival.hold_ups import HoldUps


@pytest.fixture
def hold_ups() -> Iterator[HoldUps]:
    """Watch for other work on this machine while a test runs."""
    watched = HoldUps()
    greenlet = gevent.spawn(watched.run)
    yield watched
    greenlet.kill()

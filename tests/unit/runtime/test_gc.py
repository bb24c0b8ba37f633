"""The collector leaves alone what was there at the start, and finds what comes later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from locust_fleet.runtime.gc import settle


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_present_objects_are_no_longer_visited() -> None:
    # Not what tests before this one have left.
    gc.collect()
    before = len(gc.get_objects())

    settle()

    assert gc.get_freeze_count() > 0.9 * before
    assert len(gc.get_objects()) < 0.1 * before


def test_garbage_from_before_is_collected_first() -> None:
    gone = weakref.ref(Ring())

    settle()

    assert gone() is None


def test_later_garbage_is_found() -> None:
    settle()
    gone = weakref.ref(Ring())

    gc.collect()

    assert gone() is None

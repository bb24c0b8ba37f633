"""Listeners of Locust's events whose errors harm nothing: Locust would end with exit code 2."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


def safe_listener(listener: Callable[..., None]) -> Callable[..., None]:
    """Return a listener that logs its errors and never raises."""

    @functools.wraps(listener)
    def safe(*args: Any, **kwargs: Any) -> None:
        try:
            listener(*args, **kwargs)
        except Exception:  # a listener must not end a run; logged below
            logger.exception("%s failed; what comes after it still runs", listener.__name__)

    return safe

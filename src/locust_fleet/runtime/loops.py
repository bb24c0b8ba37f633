"""Know when a loop ends: without a vital one this process is of no use, and ends too.

A process whose message loop has ended still answers /health and keeps its lease, so nobody acts.
One that has ended is started again by the engine, and another master takes over meanwhile.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import NoReturn

import gevent
from gevent import GreenletExit

# The exit code of a process that cannot do its work any more.
BROKEN = 5
# How long an orderly end of the process takes to say so after it has ended this process's loops.
GRACE_S = 10.0

Farewell = Callable[[BaseException | None], object]

logger = logging.getLogger(__name__)


def vital(
    name: str,
    loop: Callable[..., object],
    ends_in_order: Callable[[], bool] = lambda: False,
    farewell: Farewell = lambda _: None,
) -> Callable[..., None]:
    """Return a loop with whose end this process ends, unless it ends in order anyway.

    ``farewell`` is called before, with what the loop raised: it saves what still can be saved.
    """

    @functools.wraps(loop)
    def run(*args: object, **kwargs: object) -> None:
        try:
            loop(*args, **kwargs)
        except GreenletExit:
            # Whoever ends this process ends its loops first, and says so in a moment.
            gevent.spawn_later(GRACE_S, _end_unless, name, ends_in_order, farewell)
            raise
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever it is, this process is of no use; logged there
            _end(name, farewell, error)
        _end_unless(name, ends_in_order, farewell)

    return run


def persistent(name: str, loop: Callable[..., object]) -> Callable[..., None]:
    """Return a loop that begins anew after it has failed: nothing depends on it."""

    @functools.wraps(loop)
    def run(*args: object, **kwargs: object) -> None:
        while True:
            try:
                loop(*args, **kwargs)
            except Exception:  # what only shows something ends nothing; logged below
                logger.exception("the loop '%s' failed; it begins anew", name)
                gevent.sleep(GRACE_S)
            else:
                return

    return run


def _end_unless(name: str, ends_in_order: Callable[[], bool], farewell: Farewell) -> None:
    if not ends_in_order():
        _end(name, farewell, None)


def _end(name: str, farewell: Farewell, error: BaseException | None) -> NoReturn:
    logger.critical(
        "the loop '%s' has ended, without which this process is of no use; it ends too",
        name,
        exc_info=error,
    )
    try:
        farewell(error)
    except BaseException:  # this process ends all the same; logged below
        logger.exception("the last words of this process failed")
    finally:
        logging.shutdown()
        os._exit(BROKEN)

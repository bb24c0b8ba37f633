"""End the process when a loop that it cannot work without ends; restart a loop that it can.

A process whose message loop has ended would still answer /health and renew its lease, so nobody
would act. When the process ends, Docker starts it again, and another master takes over meanwhile.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import NoReturn

import gevent
from gevent import GreenletExit

# The exit code of a process that can no longer do its work.
BROKEN = 5
# How long an orderly end of the process may take to show, after it has killed the loops.
ORDERLY_END_TIMEOUT_S = 10.0
RESTART_PAUSE_S = 10.0

Farewell = Callable[[BaseException | None], object]

logger = logging.getLogger(__name__)


def vital(
    name: str,
    loop: Callable[..., object],
    ends_in_order: Callable[[], bool] = lambda: False,
    farewell: Farewell = lambda _: None,
) -> Callable[..., None]:
    """Return a loop whose end also ends this process, unless the process is ending in order.

    ``ends_in_order`` tells whether it is. ``farewell`` is called before an end out of order, with
    the error of the loop or None, to save what still can be saved.
    """

    @functools.wraps(loop)
    def run(*args: object, **kwargs: object) -> None:
        try:
            loop(*args, **kwargs)
        except GreenletExit:
            # An orderly end kills the loops first; ends_in_order tells so a moment later.
            gevent.spawn_later(ORDERLY_END_TIMEOUT_S, _end_unless, name, ends_in_order, farewell)
            raise
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever it is, the loop has ended; logged by _end
            _end(name, farewell, error)
        _end_unless(name, ends_in_order, farewell)

    return run


def persistent(name: str, loop: Callable[..., object]) -> Callable[..., None]:
    """Return a loop that is restarted after each failure, because nothing else depends on it."""

    @functools.wraps(loop)
    def run(*args: object, **kwargs: object) -> None:
        while True:
            try:
                loop(*args, **kwargs)
            except Exception:  # a loop that only shows something ends nothing; logged below
                logger.exception("the loop '%s' failed; it is restarted", name)
                gevent.sleep(RESTART_PAUSE_S)
            else:
                return

    return run


def _end_unless(name: str, ends_in_order: Callable[[], bool], farewell: Farewell) -> None:
    if not ends_in_order():
        _end(name, farewell, None)


def _end(name: str, farewell: Farewell, error: BaseException | None) -> NoReturn:
    logger.critical(
        "the loop '%s' has ended; this process cannot work without it, and ends",
        name,
        exc_info=error,
    )
    try:
        farewell(error)
    except BaseException:  # the process must end in any case; logged below
        logger.exception("saving data before the end of this process failed")
    finally:
        logging.shutdown()
        os._exit(BROKEN)

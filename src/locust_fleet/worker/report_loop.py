"""Keep a worker's reports coming.

Locust 2.47.0 (``WorkerRunner.stats_reporter``) ends its greenlet on whatever is no RPCError, such
as a value that cannot be sent: the users go on, and nothing of what they do is counted any more.
"""

from __future__ import annotations

from locust.exception import RPCError
from locust.runners import WorkerRunner

import logging

from locust_fleet.locust_patches.patch import replace
from locust_fleet.worker.resend_buffer import ResendBuffer

logger = logging.getLogger(__name__)


def keep_reporting(runner: WorkerRunner, kept: ResendBuffer) -> None:
    """From now on, a report that cannot be sent is logged, and the next one is sent as ever."""
    send = runner._send_stats

    def send_stats() -> None:
        before = len(kept)
        try:
            send()
        except RPCError:
            raise
        except Exception:  # whatever a scenario put into it; logged below
            if len(kept) > before:
                kept.take_back()
            logger.exception("a report could not be sent; what it counted is lost")

    replace(runner, "_send_stats", send_stats)

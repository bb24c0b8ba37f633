"""Settings of the Python interpreter, as far as a measurement showed that they help.

`python -m tests.bench.pauses` repeats the measurement of ``settle``. The values of gunicorn are in
``conf/gunicorn*.py``, those of the kernel in ``conf/sysctl.conf``, each with its reason.

These were measured too, and did not help:

* Other thresholds of the collector, up to switching it off: CPU per request of ``FastHttpUser`` and
  ``HttpUser``, and per report on a master with 300 names, stays within the noise. ``FastHttpUser``
  leaves nothing to collect, and collections take 2 % of the CPU of that master.
* The resolver c-ares: 12 instead of 43 us for a name of /etc/hosts, once for each new connection;
  but it does not use all sources that the system's resolver uses. DNS_TTL saves the whole lookup.
* The event loop libuv: 50 instead of 18 us for a message on a socket and its answer. libev is the
  default.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Exempt all present objects, most of them imported code, from garbage collection.

    Call it once everything is imported. Otherwise a full collection visits all of them, 78,000 on a
    worker, and users count the pause as response time. With 100 ``HttpUser`` on Python 3.11, the
    longest pause in five seconds falls from 60 to 2 ms and the collector's share of the CPU from 11
    to 5 %; on a master the longest pause falls from 48 to 0.4 ms.
    """
    gc.collect()
    gc.freeze()

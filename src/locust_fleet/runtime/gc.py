"""How our processes use the interpreter: what a measurement showed to help, and no more.

`python -m tests.bench.pauses` repeats the one below. Gunicorn's values are in
``conf/gunicorn*.py``, the kernel's in ``conf/sysctl.conf``, each with its reason.

What was measured and brought nothing is not here:

* Other thresholds of the collector, up to switching it off: CPU per request of ``FastHttpUser`` and
  ``HttpUser``, and per report on a master with 300 names, stays within the noise. ``FastHttpUser``
  leaves nothing to collect, and the collections on that master are 2 % of its work.
* The resolver c-ares: 12 instead of 43 us for a name of /etc/hosts, once for each new connection;
  but it does not ask all that the system's own does. DNS_TTL saves the lookup as a whole.
* The loop libuv: 50 instead of 18 us for a message on a socket and its answer. libev is the
  default.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Take what exists now, most of it imported code, out of the sight of the collector.

    A full collection goes through all of it, 78,000 objects on a worker, and everybody waits: users
    count the pause as response time. With 100 ``HttpUser`` on Python 3.11 the longest was 60 ms in
    each five seconds, and is 2 ms; the collector took 11 % of the CPU, and takes 5 %. On a master
    the longest was 48 ms, and is 0.4 ms. To be called once everything is imported.
    """
    gc.collect()
    gc.freeze()

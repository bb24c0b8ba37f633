"""Times that several processes wait for the same thing, each inside the wait of the one before."""

from __future__ import annotations

# How long the master takes to stop a run, in seconds: users finish within stop-timeout (60 s in
# conf/production.conf), and Locust waits up to a minute more for its workers. nginx waits a little
# longer for the console (nginx/nginx.conf).
STOP_TIMEOUT_S = 130.0
# A client of nginx waits longest, so that it gets an answer from whichever part gave up.
CLIENT_STOP_TIMEOUT_S = STOP_TIMEOUT_S + 20

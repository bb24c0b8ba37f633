"""Settings of the gunicorn that serves the console."""

import os
import tempfile
from typing import Any

from gunicorn.glogging import Logger

from locust_fleet import logs
from locust_fleet.settings.fleet import LogSettings

# Only nginx and Alertmanager reach the container, over its internal networks.
bind = "0.0.0.0:8000"

# One worker answers two thousand questions of the front a second; four leave enough of the
# container's memory for password hashes. They share nothing: sessions are in the cookie, counters
# in Redis.
workers = min(len(os.sched_getaffinity(0)), 4)

# A stop waits a minute for users to finish, and a page may wait for Postgres; neither may delay the
# questions that nginx asks about every request.
worker_class = "gevent"

# Per process. The console answers a question of the front in less than a millisecond, so this many
# wait only when something is badly wrong.
worker_connections = 1000

# Each process first patches itself for gevent and then loads the application. If it were loaded
# before the fork, psycopg would wait in a blocking way, and one slow query would stop the process.
preload_app = False

# Gunicorn replaces a process whose loop has not turned for this long, however long its requests
# take.
timeout = 30

# Requests may finish within the container's grace period; a stop of a run that takes longer goes on
# at the master.
graceful_timeout = 20

# Longer than the 60 s that nginx keeps an idle connection: so nginx closes it, and never sends a
# question into a connection that is just being closed.
keepalive = 75

# nginx lets in this much, and its question carries the longest address in a header.
limit_request_line = 8190
limit_request_field_size = 16384

# The heartbeat file of the timeout must not be on a disk: the root is read-only anyway.
worker_tmp_dir = "/dev/shm"

# The processes share their counters for /metrics here; each reads this when it imports
# prometheus_client.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))

# nginx logs every request with its user; a second line here would cost more than the response.
accesslog = None
errorlog = "-"
loglevel = "info"

# Gunicorn's remote control would want to write below a home directory that does not exist.
control_socket_disable = True


class OurLines(Logger):
    """Gunicorn's own lines in the format of ours."""

    def setup(self, cfg: Any) -> None:
        """Replace the handlers that gunicorn has just set up."""
        super().setup(cfg)
        logs.configure(LogSettings.from_env(os.environ), "console")


logger_class = OurLines


def post_worker_init(worker: Any) -> None:
    """Start the background work here, because greenlets do not survive the fork before this."""
    from locust_fleet.console import app

    worker.end_background = app.start(worker.wsgi)


def worker_exit(server: Any, worker: Any) -> None:
    """Write the entries that the audit log still holds."""
    if hasattr(worker, "end_background"):
        worker.end_background()

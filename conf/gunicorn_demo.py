"""Settings of the gunicorn that serves the demo target."""

import os
from typing import Any

from gunicorn.glogging import Logger

from locust_fleet import logs
from locust_fleet.settings.fleet import LogSettings

# Only the fleet network reaches the container.
bind = "0.0.0.0:8000"

# One process: its counts are then the counts. A second one would need shared memory to be exact.
workers = 1

# /slow holds a request for up to a minute, so a connection must cost a greenlet, not a thread.
worker_class = "gevent"

# More than the users of any test this stack is sized for: a demo target that turns connections
# away would look like a fault of the generator.
worker_connections = 20_000

# All users may connect in the same second; the kernel caps it at net.core.somaxconn. Of 3000 at
# once, while the process was busy for 0.5 s, a fifth waited 1.4 s with gunicorn's own 2048; with
# this nobody did.
backlog = 4096

# Users think for 1-3 s. A server that closes idle connections sooner than they come back races
# them: the request is sent, never answered, and counts that should be equal are not.
keepalive = 75

# On stop, what is being answered may be finished, within the grace period of 15 s in Compose.
graceful_timeout = 8

# A worker is alive as long as its loop turns, however slow single requests are.
timeout = 60

# The heartbeat file of that check must not be on a disk: the root is read-only anyway.
worker_tmp_dir = "/dev/shm"

# A line per request would cost more than the request.
accesslog = None
errorlog = "-"
loglevel = "warning"

# Gunicorn's remote control would want to write below a home directory that does not exist.
control_socket_disable = True


class OurLines(Logger):
    """Gunicorn's own lines in the format of ours."""

    def setup(self, cfg: Any) -> None:
        """Replace the handlers that gunicorn has just set up."""
        super().setup(cfg)
        logs.configure(LogSettings.from_env(os.environ), "demo")


logger_class = OurLines

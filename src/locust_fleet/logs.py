"""Log to stdout and, when asked, to a file that is rotated.

Locust's ``--logfile`` replaces its console handler, so container logs would go empty; the
file is added beside it instead.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from locust_fleet.settings import LogSettings

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"
FILE_SIZE_BYTES = 100 * 1024 * 1024
FILES = 5
# Each container writes files of its own; those of containers that are gone are kept so long.
KEEP_DAYS = 14


def formatter() -> logging.Formatter:
    """Return the line format of every process of ours: UTC, level, logger, message."""
    lines = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    lines.converter = time.gmtime
    return lines


def configure(settings: LogSettings, process: str) -> None:
    """Send this process's log to stdout and its file; for processes that Locust does not set up."""
    stream = logging.StreamHandler(sys.stdout)
    stream.setFormatter(formatter())
    logging.basicConfig(level=settings.level, handlers=[stream], force=True)
    _add_file(settings, process, [logging.getLogger()])


def adopt_locust(settings: LogSettings, process: str) -> None:
    """Give the handlers that Locust has set up our format and stdout, and add the file."""
    loggers = [logging.getLogger(), logging.getLogger("locust")]
    for logger in loggers:
        for handler in logger.handlers:
            handler.setFormatter(formatter())
            if type(handler) is logging.StreamHandler:
                handler.setStream(sys.stdout)
    _add_file(settings, process, loggers)


def _add_file(settings: LogSettings, process: str, loggers: list[logging.Logger]) -> None:
    """A folder that cannot be written costs a warning, not the process."""
    if settings.folder is None:
        return
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        _remove_old(settings.folder)
        handler = RotatingFileHandler(
            settings.folder / f"{process}-{socket.gethostname()}.log",
            maxBytes=FILE_SIZE_BYTES,
            backupCount=FILES - 1,
            encoding="utf-8",
        )
    except OSError as error:
        logging.getLogger(__name__).warning("no log file in %s: %s", settings.folder, error)
        return
    handler.setFormatter(formatter())
    for logger in loggers:
        logger.addHandler(handler)


def _remove_old(folder: Path) -> None:
    for file in folder.glob("*.log*"):
        if file.stat().st_mtime < time.time() - KEEP_DAYS * 86400:
            file.unlink(missing_ok=True)

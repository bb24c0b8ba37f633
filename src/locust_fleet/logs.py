"""Log to stdout and, if LOG_FILE is true, to a rotated file as well; as JSON or as text.

Locust's ``--logfile`` replaces its console handler, which would leave ``docker logs`` empty. So the
file is an additional handler.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from locust_fleet.locust_patches.patch import replace
from locust_fleet.settings.fleet import LogSettings

TEXT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"
FILE_SIZE_BYTES = 100 * 1024 * 1024
MOST_FILES = 5
# How long the files of a process are kept after its last line.
KEEP_DAYS = 14
# The loggers that Locust and gunicorn give handlers of their own.
LOCUST_LOGGERS = ("", "locust", "locust.stats_logger")
GUNICORN_LOGGERS = ("gunicorn.error", "gunicorn.access")

# Returns the fields that each line gets, such as {"run_id": "…", "worker": "…"}; called for each.
LogContext = Callable[[], Mapping[str, str]]


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object.

    Its keys are timestamp (UTC), level, logger, message, module, function, line, exception if there
    is one, and those of the context, such as ``run_id`` and ``user_id``.
    """

    def __init__(self, context: LogContext) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "module": record.module,
            "function": record.funcName,
            "line": record.lineno,
            **self._context(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        text = json.dumps(line, ensure_ascii=False)
        # Half a surrogate pair cannot be encoded; escaped it is still valid JSON.
        return text.encode("utf-8", "backslashreplace").decode()


def no_context() -> Mapping[str, str]:
    """Return no fields."""
    return {}


def text_lines() -> logging.Formatter:
    """Return the format that people read: time (UTC), level, logger, message."""
    lines = logging.Formatter(TEXT, datefmt="%Y-%m-%dT%H:%M:%S")
    lines.converter = time.gmtime
    return lines


def configure(settings: LogSettings, process: str, context: LogContext = no_context) -> None:
    """Set up the log of a process that does not run Locust; ``process`` begins the file's name."""
    lines = _lines(settings, context)
    stream = logging.StreamHandler(sys.stdout)
    stream.setFormatter(lines)
    logging.basicConfig(level=settings.level, handlers=[stream], force=True)
    for name in GUNICORN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    _add_file(settings, process, lines, [logging.getLogger()])
    _log_the_uncaught()


def adopt_locust(settings: LogSettings, process: str, context: LogContext) -> None:
    """Change the handlers that Locust 2.47.0 has set up to our format and stdout; add the file.

    The page of logs in Locust's UI shows text, whatever the format.
    """
    lines = _lines(settings, context)
    for name in LOCUST_LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setFormatter(lines)
                handler.setStream(sys.stdout)
            else:
                handler.setFormatter(text_lines())
    _add_file(settings, process, lines, [logging.getLogger(name) for name in LOCUST_LOGGERS])
    _log_the_uncaught()


def _lines(settings: LogSettings, context: LogContext) -> logging.Formatter:
    return JsonLines(context) if settings.format == "JSON" else text_lines()


def _add_file(
    settings: LogSettings, process: str, lines: logging.Formatter, loggers: list[logging.Logger]
) -> None:
    """Add the file; a folder that cannot be written is a warning, and the process runs on."""
    if settings.folder is None:
        return
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        _remove_old(settings.folder)
        handler = RotatingFileHandler(
            settings.folder / f"{process}-{socket.gethostname()}-{os.getpid()}.log",
            maxBytes=FILE_SIZE_BYTES,
            backupCount=MOST_FILES - 1,
            encoding="utf-8",
        )
    except OSError as error:
        logging.getLogger(__name__).warning("no log file in %s: %s", settings.folder, error)
        return
    handler.setFormatter(lines)
    for logger in loggers:
        logger.addHandler(handler)


def _remove_old(folder: Path) -> None:
    for file in folder.glob("*.log*"):
        if file.stat().st_mtime < time.time() - KEEP_DAYS * 86400:
            file.unlink(missing_ok=True)


def _log_the_uncaught() -> None:
    """Log warnings, and errors that end a process, thread or greenlet, instead of printing them."""
    logger = logging.getLogger("uncaught")

    def of_process(kind: Any, error: Any, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            logger.critical("the process ends", exc_info=(kind, error, trace))

    def of_thread(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value or args.exc_type()
        name = args.thread.name if args.thread else "a thread"
        logger.error("%s ends", name, exc_info=(args.exc_type, error, args.exc_traceback))

    def of_greenlet(context: object, kind: Any, error: Any, trace: Any) -> None:
        logger.error("%s ends", context, exc_info=(kind, error, trace))

    logging.captureWarnings(True)
    sys.excepthook = of_process
    threading.excepthook = of_thread
    if gevent := sys.modules.get("gevent"):
        # gevent 25 offers no other hook than this method of each thread's hub.
        replace(gevent.get_hub(), "print_exception", of_greenlet)

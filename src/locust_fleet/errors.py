"""Every error this package raises on purpose.

FleetError
├── SettingsError      the process cannot start: fix the named setting and restart
├── BadInput           what was sent cannot be: change the field that is named, and send it again
├── StoreUnavailable   Redis or Postgres did not answer: retry
├── LeadershipLost     another master took over: end at once, and touch nothing
├── MigrationError     the schema could not be brought up to date: nothing was changed
├── Unreadable         a message between master and workers is dropped (messages.py); says why
├── ShapeError         arrivals of an open model make no sense: change the shape that is named
├── MetricError        a scenario's metric cannot be made (metrics.py): change the locustfile
└── DataError          a scenario's shared data cannot be had: the message says why
    └── LeaseLost      what was lent may be in other hands by now: do not use it any more
"""


class FleetError(Exception):
    """The root: whatever this package raises on purpose."""


class SettingsError(FleetError):
    """A setting is missing or wrong; the message names it and says what would be right."""


class BadInput(FleetError, ValueError):
    """What somebody sent cannot be; the message names the field and says what would be right."""


class StoreUnavailable(FleetError):
    """Redis or Postgres did not answer in time; the message names which one and where."""


class LeadershipLost(FleetError):
    """A later master leads; this one must not command, count or write any more."""

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        # Of the later one, 0 if not known.
        self.epoch = epoch


class MigrationError(FleetError):
    """A migration failed and was rolled back; the message names its file and the reason."""


class ShapeError(FleetError, ValueError):
    """Arrivals cannot be as they are asked for; the message names the stage and the remedy."""


class DataError(FleetError):
    """Shared data cannot be had as it is asked for; the message names it and the remedy."""


class LeaseLost(DataError):
    """This worker was silent for too long, and what it held may be in other hands by now."""

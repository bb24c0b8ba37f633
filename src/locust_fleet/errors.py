"""Every error this package raises on purpose.

FleetError
├── SettingsError      the process cannot start: fix the named setting and restart
├── BadInput           a field of a request is wrong: change the named field and send it again
├── StoreUnavailable   Redis or Postgres did not answer: retry
├── LeadershipLost     another master leads: end at once, and change nothing
├── MigrationError     the schema could not be brought up to date: nothing was changed
├── Unreadable         a message is dropped (protocol/message_validation.py)
├── ShapeError         the arrivals of an open model are wrong: change the named stage
├── MetricError        a scenario's metric cannot be made (metrics.py): change the locustfile
└── DataError          a scenario cannot get shared data: the message says why
    └── LeaseLost      another worker may have what was lent: stop using it
"""


class FleetError(Exception):
    """The root of the tree."""


class SettingsError(FleetError):
    """A setting is missing or wrong; the message names it and says what would be right."""


class BadInput(FleetError, ValueError):
    """A field of a request is wrong; the message names it and says what would be right."""


class StoreUnavailable(FleetError):
    """Redis or Postgres did not answer in time; the message names which one and where."""


class LeadershipLost(FleetError):
    """A later master leads; this one must no longer send commands, count or write."""

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        # The epoch of the later master, 0 if unknown.
        self.epoch = epoch


class MigrationError(FleetError):
    """A migration failed and was rolled back; the message names the file and the reason."""


class ShapeError(FleetError, ValueError):
    """Arrivals cannot be scheduled as asked; the message names the stage and the remedy."""


class DataError(FleetError):
    """A scenario cannot get shared data as asked; the message names it and the remedy."""


class LeaseLost(DataError):
    """This worker was silent for too long; another worker may have what it had borrowed."""

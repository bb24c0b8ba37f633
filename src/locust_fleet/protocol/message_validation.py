"""Check messages between master and workers. Pure.

Anybody who reaches port 5557 can send anything. A message that passes has a type, and all fields
that its readers need, of the types that they expect. Messages of a scenario may have any data.
"""

from __future__ import annotations

from locust.rpc import Message

from collections.abc import Callable, Mapping
from enum import StrEnum

from locust_fleet.errors import FleetError
from locust_fleet.policy.limits import MOST_USERS, shown
from locust_fleet.protocol.messages import (
    ACKNOWLEDGED,
    ARRIVALS,
    ASK_DATA,
    CAPACITY,
    DATA,
    HERE,
    NUMBER,
    OLDEST,
    RESEND,
    RUN,
    TARGET_REFUSED,
)

# The largest signed 64-bit number; Redis and Postgres store epochs in this type.
LARGEST = 2**63 - 1
# The weight of a worker is its number of cores, or WORKER_WEIGHT.
HIGHEST_WEIGHT = 1_000_000
STATES = ("ready", "spawning", "running", "cleanup", "stopping", "stopped", "missing")


class Cause(StrEnum):
    """Why a message is dropped; a label of a metric."""

    FRAMES = "frames"  # the ZeroMQ frames are not those of a message
    BYTES = "bytes"  # msgpack cannot read it
    SHAPE = "shape"  # it does not have a type, data and a sender
    SENDER = "sender"  # it names another worker than the one that sent it
    CONTENT = "content"  # a field is missing or of another type
    FAILED = "failed"  # it is correct, but handling it failed


class Unreadable(FleetError, ValueError):
    """A message cannot be used; the error says why."""

    def __init__(self, cause: Cause, why: str) -> None:
        super().__init__(why)
        self.cause = cause


# Returns what is wrong with a value, as the end of a sentence; "" when nothing is.
Check = Callable[[object], str]


def parse(packed: bytes, highest_epoch: int = LARGEST) -> tuple[Message, int]:
    """Return a message with its sender as text, and its epoch (0 for none).

    Raises Unreadable, also for an epoch above ``highest_epoch``.
    """
    try:
        parsed = Message.unserialize(packed)
    except TypeError as error:
        raise Unreadable(Cause.SHAPE, f"it is not a message: {error}") from error
    except Exception as error:  # whatever msgpack and Locust's decoder make of any bytes
        raise Unreadable(Cause.BYTES, f"it cannot be unpacked: {error!r}") from error
    node, epoch = parsed.node_id, 0
    if isinstance(node, list):
        if len(node) != 2 or wrong_whole(node[1], highest_epoch):
            raise Unreadable(Cause.SHAPE, f"its sender and epoch are {shown(node)}")
        node, epoch = node
    if not isinstance(parsed.type, str) or not isinstance(node, str | None):
        raise Unreadable(
            Cause.SHAPE, f"its type is {shown(parsed.type)} and its sender {shown(node)}"
        )
    parsed.node_id = node
    return parsed, epoch


def judge(message: Message, checks: Mapping[str, Check]) -> None:
    """Raise Unreadable if the data of a message of a known type is not what its readers expect."""
    check = checks.get(message.type)
    if check is not None and (wrong := check(message.data)):
        raise Unreadable(Cause.CONTENT, f"its data{wrong}")


# --- checks ---


def wrong_whole(value: object, most: int = LARGEST) -> str:
    """Check a whole number from 0 on."""
    right = type(value) is int and 0 <= value <= most
    return "" if right else f" is {shown(value)}, not a whole number from 0 to {most}"


def wrong_number(value: object) -> str:
    """Check a finite number."""
    right = type(value) in (int, float) and -LARGEST <= value <= LARGEST  # type: ignore[operator]
    return "" if right else f" is {shown(value)}, not a number"


def wrong_seconds(value: object) -> str:
    """Check a number of seconds, which may be infinite."""
    right = type(value) in (int, float) and value >= 0  # type: ignore[operator]
    return "" if right else f" is {shown(value)}, not a number from 0"


def wrong_weight(value: object) -> str:
    """Check a weight, which is above 0: shares are divided by weights."""
    right = type(value) in (int, float) and 0 < value <= HIGHEST_WEIGHT  # type: ignore[operator]
    return "" if right else f" is {shown(value)}, not a number above 0 up to {HIGHEST_WEIGHT}"


def wrong_text(value: object) -> str:
    """Check text."""
    return "" if isinstance(value, str) else f" is {shown(value)}, not text"


def anything(_: object) -> str:
    """Check nothing."""
    return ""


def one_of(*known: object) -> Check:
    """Return a check for one of some values."""
    names = ", ".join(map(str, known))
    return lambda value: (
        ""
        if isinstance(value, str | int) and value in known
        else f" is {shown(value)}, not {names}"
    )


def maybe(check: Check) -> Check:
    """Return a check that also lets None pass."""
    return lambda value: "" if value is None else check(value)


def each(check: Check) -> Check:
    """Return a check of all elements of a list."""

    def wrong(value: object) -> str:
        if not isinstance(value, list | tuple):
            return f" is {shown(value)}, not a list"
        return next(
            (f"[{place}]{bad}" for place, one in enumerate(value) if (bad := check(one))), ""
        )

    return wrong


def row(*checks: Check) -> Check:
    """Return a check of a list with one check for each of its elements."""

    def wrong(value: object) -> str:
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            return f" is {shown(value)}, not a list of {len(checks)}"
        return next(
            (f"[{place}]{bad}" for place, one in enumerate(value) if (bad := checks[place](one))),
            "",
        )

    return wrong


def mapping(check: Check) -> Check:
    """Return a check of a mapping from text."""

    def wrong(value: object) -> str:
        if not isinstance(value, dict):
            return f" is {shown(value)}, not a mapping"
        for key, one in value.items():
            if not isinstance(key, str):
                return f" has the key {shown(key)}, which is not text"
            if bad := check(one):
                return f"[{shown(key)}]{bad}"
        return ""

    return wrong


def fields(needed: Mapping[str, Check], possible: Mapping[str, Check] | None = None) -> Check:
    """Return a check of a mapping that has some fields, and may have others."""

    def wrong(value: object) -> str:
        if not isinstance(value, dict):
            return f" is {shown(value)}, not a mapping"
        for name, check in needed.items():
            if name not in value:
                return f" has no {name}"
            if bad := check(value[name]):
                return f".{name}{bad}"
        for name, check in (possible or {}).items():
            if name in value and (bad := check(value[name])):
                return f".{name}{bad}"
        return ""

    return wrong


def all_or_none(*names: str) -> Check:
    """Return a check that a mapping has all of some fields, or none of them."""
    return lambda value: (
        ""
        if isinstance(value, dict) and len(set(names) & set(value)) in (0, len(names))
        else f" has not all of {', '.join(names)}"
    )


def both(*checks: Check) -> Check:
    """Return a check that makes several checks in turn."""
    return lambda value: next((bad for check in checks if (bad := check(value))), "")


# --- the messages ---


def wrong_users(value: object) -> str:
    """Check a number of users."""
    return wrong_whole(value, MOST_USERS)


users = mapping(wrong_users)
capacity = fields({"weight": wrong_weight, "max_users": wrong_users})
data_question = fields({"number": wrong_whole, "step": wrong_text, "with": each(anything)})
arrivals_question = fields(
    {
        RUN: maybe(wrong_text),
        "asked": maybe(wrong_number),
        "position": maybe(wrong_number),
        "doubted": maybe(wrong_number),
    }
)
arrivals_answer = fields(
    {
        RUN: maybe(wrong_text),
        "asked": maybe(wrong_number),
        "position": wrong_number,
        "ramps": mapping(each(row(wrong_seconds, wrong_number, wrong_number))),
        "parts": mapping(row(wrong_number, wrong_whole, wrong_whole, wrong_whole)),
    }
)
arrivals_doubt = fields({RUN: maybe(wrong_text), "doubted": wrong_number})
# Only the fields that identify a report. master/reports/report_validation.py checks the others
# when the report is counted: one that was dropped here would be requested again and again.
numbered_report = both(
    fields({}, {RUN: wrong_text, NUMBER: wrong_whole, OLDEST: wrong_whole}),
    all_or_none(RUN, NUMBER, OLDEST),
)

# Messages of workers to the master; other types belong to scenarios.
TO_MASTER: Mapping[str, Check] = {
    "client_ready": lambda data: "" if data in (None, -1) else wrong_text(data),
    "locustfile": fields({"version": maybe(wrong_text)}),
    "client_stopped": maybe(
        both(fields({}, {RUN: maybe(wrong_text), NUMBER: wrong_whole}), all_or_none(RUN, NUMBER))
    ),
    "heartbeat": fields(
        {"state": one_of(*STATES), "current_cpu_usage": wrong_number},
        {"current_memory_usage": wrong_number},
    ),
    "stats": numbered_report,
    "spawning_complete": fields({"user_classes_count": users}),
    "logs": fields({"worker_id": wrong_text, "logs": each(wrong_text)}),
    "exception": fields({"msg": wrong_text, "traceback": wrong_text}),
    HERE: fields(
        {
            RUN: maybe(wrong_text),
            "state": one_of(*STATES),
            "users": users,
            "user_classes_count": users,
        }
    ),
    CAPACITY: capacity,
    ARRIVALS: arrivals_question,
    ASK_DATA: data_question,
    TARGET_REFUSED: fields({"target": wrong_text}),
}

numbered = fields({RUN: wrong_text, NUMBER: wrong_whole})

# Messages of the master to workers; other types belong to scenarios.
TO_WORKER: Mapping[str, Check] = {
    "ack": maybe(fields({}, {"index": wrong_whole})),
    "spawn": fields(
        {
            "timestamp": wrong_number,
            "user_classes_count": users,
            "host": maybe(wrong_text),
            "stop_timeout": maybe(wrong_number),
            "parsed_options": mapping(anything),
        }
    ),
    "update_user_class": fields({"user_class_name": wrong_text}),
    "spawning_complete": fields({"user_count": wrong_users}),
    ACKNOWLEDGED: numbered,
    RESEND: numbered,
    ARRIVALS: lambda data: (
        arrivals_doubt if isinstance(data, dict) and "doubted" in data else arrivals_answer
    )(data),
    DATA: fields({"number": wrong_whole, "error": wrong_text, "is": anything}),
}

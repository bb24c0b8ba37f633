"""Any bytes are a message that its readers can use, or are refused with what is wrong with them."""

from locust.rpc import Message

import contextlib
import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.protocol.message_validation import (
    TO_MASTER,
    TO_WORKER,
    Cause,
    Unreadable,
    judge,
    parse,
)
from locust_fleet.protocol.messages import ACKNOWLEDGED, ARRIVALS, HERE, NUMBER, OLDEST, RUN

HELLO = bytes.fromhex("93a568656c6c6f")
EPOCH = 1_700_000_000_000
# Each with something wrong: the cause that is counted.
NO_MESSAGES = [
    (b"", Cause.BYTES),
    (HELLO, Cause.BYTES),
    (b"\xff" * 100, Cause.BYTES),
    (b"\x91" * 5000, Cause.BYTES),
    (msgpack.packb({"__datetime__": True}), Cause.BYTES),
    (msgpack.packb(5), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None]), Cause.SHAPE),
    (msgpack.packb(["a", "b", "c", "d"]), Cause.SHAPE),
    (msgpack.packb([5, None, "w1"]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, 5]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1"]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1", "1"]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1", True]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1", -1]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1", 2**63]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, [["w1"], 1]]), Cause.SHAPE),
    (msgpack.packb(["heartbeat", None, ["w1", EPOCH + 1]]), Cause.SHAPE),
]
BEAT = {"state": "running", "current_cpu_usage": 1.5, "current_memory_usage": 10}
JOB = {
    "timestamp": 1.5,
    "user_classes_count": {"Shopper": 2},
    "host": None,
    "stop_timeout": 0.0,
    "parsed_options": {},
}
PRESENT: dict[str, object] = {RUN: None, "state": "ready", "users": {}, "user_classes_count": {}}
REPORT = {"user_count": 2, "user_classes_count": {"Shopper": 2}}
# A type, data that is right, and a field of it: without it, or with another type, it is wrong.
FIELDS = [
    (TO_MASTER, "heartbeat", BEAT, "state"),
    (TO_MASTER, "heartbeat", BEAT, "current_cpu_usage"),
    (TO_MASTER, "spawning_complete", REPORT, "user_classes_count"),
    (TO_MASTER, "exception", {"msg": "m", "traceback": "t"}, "traceback"),
    (TO_MASTER, "logs", {"worker_id": "w1", "logs": ["line"]}, "logs"),
    (TO_MASTER, "data", {"number": 1, "step": "join", "with": [1]}, "number"),
    (TO_MASTER, "capacity", {"weight": 1.0, "max_users": 0}, "weight"),
    (
        TO_MASTER,
        HERE,
        PRESENT,
        "users",
    ),
    (TO_WORKER, "spawn", JOB, "timestamp"),
    (TO_WORKER, "spawn", JOB, "user_classes_count"),
    (TO_WORKER, "spawn", JOB, "parsed_options"),
    (TO_WORKER, "update_user_class", {"user_class_name": "Shopper"}, "user_class_name"),
    (TO_WORKER, "spawning_complete", {"user_count": 3}, "user_count"),
    (TO_WORKER, ACKNOWLEDGED, {RUN: "r", NUMBER: 1}, NUMBER),
    (TO_WORKER, "data_answer", {"number": 1, "error": "", "is": None}, "number"),
    (TO_WORKER, ARRIVALS, {RUN: "r", "doubted": 1.0}, "doubted"),
]
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


def refused(packed: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as refusal:
        parse(packed, EPOCH)
    return refusal.value


@pytest.mark.parametrize(("packed", "cause"), NO_MESSAGES, ids=lambda value: repr(value)[:30])
def test_what_is_no_message_is_refused_with_its_cause(packed: bytes, cause: Cause) -> None:
    assert refused(packed).cause is cause


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_are_refused(packed: bytes) -> None:
    try:
        message, epoch = parse(packed)
    except Unreadable:
        return
    assert isinstance(message.type, str)
    assert isinstance(message.node_id, str | None)
    assert epoch >= 0


@given(st.tuples(plain, plain, plain))
def test_any_triple_is_a_message_or_is_refused(triple: tuple[object, object, object]) -> None:
    try:
        packed = msgpack.packb(triple)
    except (OverflowError, ValueError):
        return
    with contextlib.suppress(Unreadable):
        message, _ = parse(packed)
        judge(message, TO_MASTER)
        judge(message, TO_WORKER)


@given(st.sampled_from(sorted({*TO_MASTER, *TO_WORKER})), plain)
def test_any_data_of_a_known_message_is_right_or_is_refused(kind: str, data: object) -> None:
    for checks in (TO_MASTER, TO_WORKER):
        with contextlib.suppress(Unreadable):
            judge(Message(kind, data, "w1"), checks)


@pytest.mark.parametrize(
    ("checks", "kind", "data", "field"),
    FIELDS,
    ids=[f"{kind} {field}" for _, kind, _, field in FIELDS],
)
def test_a_message_needs_its_fields_and_their_types(
    checks: Any, kind: str, data: dict[str, Any], field: str
) -> None:
    judge(Message(kind, data, "w1"), checks)

    for wrong in ({**data, field: b"?"}, {key: data[key] for key in data if key != field}):
        if kind == ARRIVALS and field not in wrong:
            continue
        with pytest.raises(Unreadable, match=field):
            judge(Message(kind, wrong, "w1"), checks)


@pytest.mark.parametrize("weight", [0, -1, 1e300, float("nan"), True])
def test_a_weight_by_which_nothing_can_be_divided_is_refused(weight: float) -> None:
    with pytest.raises(Unreadable, match="weight"):
        judge(Message("capacity", {"weight": weight, "max_users": 0}, "w1"), TO_MASTER)


@pytest.mark.parametrize(("seconds", "right"), [(math.inf, True), (math.nan, False)])
def test_a_rate_may_hold_for_ever(seconds: float, right: bool) -> None:
    ramps = {"Shopper": [[seconds, 5, 5]]}
    parts = {"Shopper": [0.0, 0, 1, 2]}
    told = {RUN: "r", "asked": None, "position": 1.0, "parts": parts, "ramps": ramps}

    with contextlib.nullcontext() if right else pytest.raises(Unreadable, match="ramps"):
        judge(Message(ARRIVALS, told, "w1"), TO_WORKER)


def test_a_scenarios_own_message_may_hold_anything() -> None:
    judge(Message("my message", object(), "w1"), TO_MASTER)


def test_a_number_of_a_report_comes_with_its_run_and_the_oldest() -> None:
    whole = {**REPORT, RUN: "r", NUMBER: 1, OLDEST: 1}

    judge(Message("stats", whole, "w1"), TO_MASTER)

    with pytest.raises(Unreadable, match=OLDEST):
        judge(Message("stats", {**REPORT, RUN: "r", NUMBER: 1}, "w1"), TO_MASTER)

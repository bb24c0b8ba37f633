"""How many iterations begin per second over time: parse a shape into ramps. Pure.

A shape is the same data in YAML and in Python: a rate, or a list of consecutive stages.
"""

from __future__ import annotations

from locust.util.timespan import parse_timespan

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from locust_fleet.errors import ShapeError

FORMS = (
    "{rate, for}, {rate, over}, {steps, each}, {spikes, base, every, for, times} or"
    " {soak, over, for}"
)


@dataclass(frozen=True)
class Ramp:
    """A time in which the rate (per second) changes linearly from one value to another."""

    seconds: float
    begin: float
    end: float


Ramps = tuple[Ramp, ...]


def ramps_of(shape: object) -> Ramps:
    """Return the ramps of a rate or of stages; raises ShapeError, which says what is wrong."""
    if not isinstance(shape, list | tuple):
        rate = _rate(shape, "a rate")
        if not rate:
            raise ShapeError("a rate of 0 gives no arrivals; use a number above 0")
        return (_constant(rate, math.inf),)
    ramps: list[Ramp] = []
    for place, stage in enumerate(shape, 1):
        ramps += _stage(stage, f"stage {place}", ramps[-1].end if ramps else 0.0)
    if not any(ramp.begin or ramp.end for ramp in ramps):
        raise ShapeError(f"no stage has a rate above 0; use {FORMS}")
    return tuple(ramps)


def plain(ramps: Ramps) -> list[tuple[float, float, float]]:
    """Return ramps as plain data for a message; ``Ramp(*each)`` makes the ramps again."""
    return [(ramp.seconds, ramp.begin, ramp.end) for ramp in ramps]


def _stage(stage: object, where: str, before: float) -> Iterator[Ramp]:
    """Yield the ramps of a stage that follows the rate ``before``."""
    if not isinstance(stage, Mapping):
        raise ShapeError(f"{where} is {stage!r}; use {FORMS}")
    form = STAGES.get(frozenset(stage))
    if form is None:
        raise ShapeError(f"{where} has {', '.join(map(str, stage))}; use {FORMS}")
    return form(stage, where, before)


def _holding(stage: Mapping[str, Any], where: str, _: float) -> Iterator[Ramp]:
    yield _constant(_rate(stage["rate"], where), _seconds(stage["for"], where))


def _ramping(stage: Mapping[str, Any], where: str, before: float) -> Iterator[Ramp]:
    yield Ramp(_seconds(stage["over"], where), before, _rate(stage["rate"], where))


def _stepping(stage: Mapping[str, Any], where: str, _: float) -> Iterator[Ramp]:
    steps, each = stage["steps"], _seconds(stage["each"], where)
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        raise ShapeError(f"the steps of {where} are {steps!r}; use a list of rates")
    for step in steps:
        yield _constant(_rate(step, where), each)


def _spiking(stage: Mapping[str, Any], where: str, _: float) -> Iterator[Ramp]:
    peak, base = _rate(stage["spikes"], where), _rate(stage["base"], where)
    every, lasts = _seconds(stage["every"], where), _seconds(stage["for"], where)
    times = stage["times"]
    if not isinstance(times, int) or times < 1:
        raise ShapeError(f"{where} is to spike {times!r} times; use a whole number")
    if lasts >= every:
        raise ShapeError(f"the spikes of {where} last {lasts:g} s of {every:g} s; use less")
    for _ in range(times):
        yield _constant(base, every - lasts)
        yield _constant(peak, lasts)


def _soaking(stage: Mapping[str, Any], where: str, before: float) -> Iterator[Ramp]:
    rate = _rate(stage["soak"], where)
    yield Ramp(_seconds(stage["over"], where), before, rate)
    yield _constant(rate, _seconds(stage["for"], where))


Stage = Callable[[Mapping[str, Any], str, float], Iterator[Ramp]]
STAGES: dict[frozenset[str], Stage] = {
    frozenset({"rate", "for"}): _holding,
    frozenset({"rate", "over"}): _ramping,
    frozenset({"steps", "each"}): _stepping,
    frozenset({"spikes", "base", "every", "for", "times"}): _spiking,
    frozenset({"soak", "over", "for"}): _soaking,
}


def _constant(rate: float, seconds: float) -> Ramp:
    return Ramp(seconds, rate, rate)


def _rate(value: object, where: str) -> float:
    if is_number(value) and 0 <= value < math.inf:
        return float(value)
    raise ShapeError(f"{where} is {value!r} per second; use a number from 0 up")


def _seconds(value: object, where: str) -> float:
    try:
        seconds = parse_timespan(value) if isinstance(value, str) else value
    except ValueError:
        seconds = None
    if is_number(seconds) and 0 < seconds < math.inf:
        return float(seconds)
    raise ShapeError(f"{where} lasts {value!r}; use seconds, or a text such as 90s, 30m or 1h30m")


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

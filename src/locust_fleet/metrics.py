"""A scenario's own metrics: ``from locust_fleet import metrics``.

The master and every worker import the locustfile, so all of them make its metrics. The workers,
where the users run, expose them to Prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from locust_fleet.errors import FleetError

REGISTRY = CollectorRegistry()
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Prefixes of this package, of prometheus_client and of Prometheus itself.
RESERVED = ("locust_", "fleet_", "process_", "python_", "scrape_")
RESERVED_LABELS = ("le", "quantile", "job", "instance")

# Otherwise each series has another one with the time at which it was made, which nobody needs.
disable_created_metrics()

Metric = Counter | Gauge | Histogram
Kind = TypeVar("Kind", Counter, Gauge, Histogram)


class MetricError(FleetError, ValueError):
    """A metric cannot be made as asked; the message says what to change in the locustfile."""


@dataclass(frozen=True)
class _Wanted:
    kind: str
    about: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


_made: dict[str, tuple[_Wanted, Metric]] = {}


def counter(name: str, about: str, labels: Sequence[str] = ()) -> Counter:
    """Return a counter, which only grows; Prometheus adds ``_total`` to its name.

    ``about`` is a sentence for people, ``labels`` are the names of labels. The same metric may be
    asked for again. Raises MetricError for a wrong or used name, and for wrong labels.
    """
    name = name.removesuffix("_total") if isinstance(name, str) else name
    _check(name, about, labels)
    wanted = _Wanted("counter", about, tuple(labels))
    return _known(name, wanted, Counter) or _make(
        name, wanted, lambda: Counter(name, about, labels, registry=REGISTRY)
    )


def gauge(name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
    """Return a gauge, which goes up and down; arguments and errors are those of ``counter``."""
    _check(name, about, labels)
    wanted = _Wanted("gauge", about, tuple(labels))
    return _known(name, wanted, Gauge) or _make(
        name, wanted, lambda: Gauge(name, about, labels, registry=REGISTRY)
    )


def histogram(
    name: str,
    about: str,
    labels: Sequence[str] = (),
    buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
) -> Histogram:
    """Return a histogram, which counts what it observes in buckets, given by their upper bounds.

    The bounds must rise. Other arguments and errors are those of ``counter``.
    """
    _check(name, about, labels)
    _check_buckets(name, buckets)
    wanted = _Wanted("histogram", about, tuple(labels), tuple(buckets))
    return _known(name, wanted, Histogram) or _make(
        name, wanted, lambda: Histogram(name, about, labels, registry=REGISTRY, buckets=buckets)
    )


def _known(name: str, wanted: _Wanted, kind: type[Kind]) -> Kind | None:
    """Return the metric if it was made before, with the same arguments; None if not."""
    if name not in _made:
        return None
    before, metric = _made[name]
    if before != wanted or not isinstance(metric, kind):
        raise MetricError(
            f"there are two metrics {name}, {_described(before)} and {_described(wanted)};"
            " rename one of them"
        )
    return metric


def _make(name: str, wanted: _Wanted, make: Callable[[], Kind]) -> Kind:
    try:
        metric = make()
    except ValueError as error:
        # Such as a gauge "logins_total" beside a counter "logins".
        raise MetricError(
            f"the metric {name} conflicts with another one: {error}; rename it"
        ) from error
    _made[name] = wanted, metric
    return metric


def _check(name: object, about: object, labels: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise MetricError(f"{name!r} is not a name of a metric; use letters, digits and _")
    if name.startswith(RESERVED):
        raise MetricError(f"the metric {name} has a reserved prefix; use another first word")
    if not isinstance(about, str) or not about.strip():
        raise MetricError(
            f"the metric {name} has no description; give a sentence as the second argument"
        )
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise MetricError(f"the labels of {name} are {labels!r}; use a list of names")
    for label in labels:
        if not isinstance(label, str) or not NAME.fullmatch(label) or label.startswith("__"):
            raise MetricError(
                f"the label {label!r} of {name} is not a name; use letters, digits, _"
            )
        if label in RESERVED_LABELS:
            raise MetricError(f"the label {label} of {name} is reserved; use another name")
    if len(set(labels)) < len(labels):
        raise MetricError(f"the labels of {name} are {labels!r}; name each of them once")


def _check_buckets(name: str, buckets: object) -> None:
    rising = (
        isinstance(buckets, Sequence)
        and bool(buckets)
        and all(isinstance(bound, (int, float)) for bound in buckets)
        and list(buckets) == sorted(set(buckets))
    )
    if not rising:
        raise MetricError(f"the buckets of {name} are {buckets!r}; use numbers in rising order")


def _described(wanted: _Wanted) -> str:
    labels = f" with labels {', '.join(wanted.labels)}" if wanted.labels else ""
    return f"a {wanted.kind}{labels} ('{wanted.about}')"

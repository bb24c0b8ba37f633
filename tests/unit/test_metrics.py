"""A scenario makes its metrics in one line, and hears at once what is wrong with one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from locust_fleet import metrics
from locust_fleet.metrics import MetricError, counter, gauge, histogram


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metrics, "REGISTRY", CollectorRegistry())
    monkeypatch.setattr(metrics, "_made", {})
    return iter(())


def shown() -> str:
    return generate_latest(metrics.REGISTRY).decode()


def test_a_counter_is_shown_by_its_labels() -> None:
    counter("logins", "People who signed in.", ["user_type"]).labels("guest").inc()

    assert shown().splitlines()[2:] == ['logins_total{user_type="guest"} 1.0']


def test_a_gauge_and_a_histogram_are_shown() -> None:
    gauge("basket_items", "What lies in baskets.").set(3)
    histogram("basket_value", "What a basket costs.", buckets=[10, 100]).observe(50)

    assert "basket_items 3.0" in shown()
    assert 'basket_value_bucket{le="100.0"} 1.0' in shown()


def test_the_same_metric_made_by_two_modules_is_one() -> None:
    assert counter("logins", "People.") is counter("logins_total", "People.")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gauge("logins", "People."), "two metrics logins, a counter .* and a gauge"),
        (lambda: counter("logins", "People.", ["kind"]), "a counter with labels kind"),
        (lambda: counter("logins", "Others."), "two metrics logins"),
        (lambda: gauge("logins_total", "People."), "logins_total conflicts with another one"),
        (lambda: counter("log-ins", "People."), "'log-ins' is not a name"),
        (lambda: counter(5, "People."), "5 is not a name"),  # type: ignore[arg-type]
        (lambda: counter("locust_logins", "People."), "locust_logins has a reserved prefix"),
        (lambda: counter("a", ""), "a has no description"),
        (lambda: counter("a", ["x"]), "a has no description"),  # type: ignore[arg-type]
        (lambda: counter("a", "A.", "kind"), "the labels of a are 'kind'; use a list"),
        (lambda: counter("a", "A.", ["le"]), "the label le of a is reserved"),
        (lambda: counter("a", "A.", ["a b"]), "the label 'a b' of a is not a name"),
        (lambda: counter("a", "A.", ["b", "b"]), "name each of them once"),
        (lambda: histogram("a", "A.", buckets=[2, 1]), "use numbers in rising order"),
        (lambda: histogram("a", "A.", buckets=[]), "use numbers in rising order"),
    ],
)
def test_a_wrong_metric_is_named_with_the_reason(make: Callable[[], Any], words: str) -> None:
    counter("logins", "People.")

    with pytest.raises(MetricError, match=words):
        make()

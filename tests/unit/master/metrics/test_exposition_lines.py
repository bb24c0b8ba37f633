"""A scrape shows what Locust shows, in seconds."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from locust_fleet.master.metrics.counters import Endpoint
from locust_fleet.master.metrics.exposition_lines import (
    FRACTIONS,
    SortedHistogram,
    Template,
    percentiles,
)
from locust_fleet.protocol.histogram import percentile


@given(
    st.dictionaries(st.floats(0, 1e6), st.integers(1, 1000), min_size=1),
)
def test_percentiles_are_those_of_every_other_page(histogram: dict[float, int]) -> None:
    expected = [percentile(histogram, float(fraction)) for fraction in FRACTIONS]

    assert percentiles(histogram, sorted(histogram)) == [
        time / 1000 for time in expected if time is not None
    ]


def test_a_name_with_percent_signs_stays_what_it_is() -> None:
    endpoint = Endpoint("GET", "/a%20b%d", ("/a%20b%d", "GET"), successes=3)

    text = Template("GET", endpoint.name).duration(endpoint)

    assert {
        sample.labels["name"]
        for metric in text_string_to_metric_families(text)
        for sample in metric.samples
    } == {"/a%20b%d"}


def test_times_stay_sorted_when_a_histogram_grows_or_is_replaced() -> None:
    order, histogram = SortedHistogram(), {30.0: 1, 10.0: 1}

    order.update(histogram)
    assert order.times == [10, 30]
    histogram |= {40.0: 1, 20.0: 1}
    order.update(histogram)
    assert order.times == [10, 20, 30, 40]
    order.update({7.0: 1})
    assert order.times == [7]


def test_an_empty_histogram_has_no_percentiles() -> None:
    template = Template("", "/")

    template.refresh({10.0: 1}, 1)
    template.refresh({}, 0)

    assert template.run + template.recent({}) == ""


def test_percentiles_of_a_run_are_stale_only_when_it_has_new_requests() -> None:
    template, histogram = Template("", "/"), {10.0: 1}
    template.refresh(histogram, 1)

    assert not template.is_stale(histogram, 1)
    assert template.is_stale(histogram, 2)
    assert template.is_stale({10.0: 1}, 1)

"""Percentiles and merged histograms are those of the requests themselves."""

from locust.stats import calculate_response_time_percentile

from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.stats import merge, percentile

histograms = st.dictionaries(st.integers(0, 100_000), st.integers(1, 50), min_size=1)


@given(histograms, st.floats(0, 1))
def test_a_percentile_is_the_one_that_locust_shows(
    histogram: dict[int, int], fraction: float
) -> None:
    requests = sum(histogram.values())

    assert percentile(histogram, fraction) == calculate_response_time_percentile(
        histogram, requests, fraction
    )


@given(histograms, st.floats(0, 1))
def test_keys_that_went_through_json_count_the_same(
    histogram: dict[int, int], fraction: float
) -> None:
    texts = {str(key): count for key, count in histogram.items()}

    assert percentile(texts, fraction) == percentile(histogram, fraction)


@given(st.lists(histograms, max_size=4))
def test_merging_loses_no_request(parts: list[dict[int, int]]) -> None:
    merged = merge(parts)

    assert sum(merged.values()) == sum(sum(part.values()) for part in parts)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None

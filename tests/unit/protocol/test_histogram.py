"""Steps, percentiles and merged histograms are true to the requests themselves."""

from locust.stats import calculate_response_time_percentile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locust_fleet.protocol.histogram import (
    LARGEST_ERROR,
    merge,
    percentile,
    response_time_of,
    step_of,
)

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


@given(st.floats(0.001, 1e9))
@example(0.001)
@example(1.024)
@example(59_999)
def test_the_time_of_a_step_is_near_to_every_response_time_in_it(response_time: float) -> None:
    shown = response_time_of(step_of(response_time))

    assert shown == pytest.approx(response_time, rel=LARGEST_ERROR)
    assert step_of(shown) == step_of(response_time)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_longer_response_time_is_never_in_a_lower_step(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))

    assert step_of(shorter) <= step_of(longer)
    assert response_time_of(step_of(shorter)) <= response_time_of(step_of(longer))


@pytest.mark.parametrize("response_time", [0, 0.0, -3.0, 0.0009])
def test_what_is_below_a_microsecond_is_shown_as_nothing(response_time: float) -> None:
    assert response_time_of(step_of(response_time)) == 0.0


def test_there_are_128_steps_to_twice_the_response_time() -> None:
    times = [1.024 * (1 + number / 100_000) for number in range(100_000)]

    assert len({step_of(time) for time in times}) == 128


def test_whole_milliseconds_are_counted_like_any_others() -> None:
    assert step_of(147) == step_of(147.0)

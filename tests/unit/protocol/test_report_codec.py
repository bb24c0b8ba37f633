"""An encoded report has all that Locust's own has, in less than twice the bytes."""

from locust import stats as locust_stats
from locust.rpc import Message
from locust.stats import RequestStats

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.reports import compare

from locust_fleet.protocol.epoch import stamp
from locust_fleet.protocol.histogram import response_time_of, step_of
from locust_fleet.protocol.message_validation import parse
from locust_fleet.protocol.report_codec import restore, shorten

requests = st.tuples(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/", "/cart", "é"]),
    st.none() | st.floats(0, 1e300),
    st.booleans(),
)


def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust_stats, "bucket_response_time", step_of)


@given(st.lists(requests, max_size=40))
def test_a_decoded_report_is_the_encoded_one(
    counted: list[tuple[str, str, float | None, bool]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        in_steps(patch)
        worker = RequestStats(use_response_times_cache=False)
        for method, name, response_time, failed in counted:
            worker.log_request(method, name, response_time, 7)  # type: ignore[arg-type]
            if failed:
                worker.log_error(method, name, "no")
        total = worker.total.get_stripped_report()
        whole = {"stats": worker.serialize_stats(), "stats_total": total, "users": 3}
    short = dict(whole)

    shorten(short)
    restore(short)

    for entry in [*whole["stats"], total]:  # type: ignore[misc]
        steps = entry["response_times"].items()
        entry["response_times"] = {response_time_of(step): count for step, count in steps}
    assert short == whole


@pytest.mark.parametrize("names", [1, 100, 1000])
@pytest.mark.parametrize("requests", [300, 12_000, 30_000])
@pytest.mark.parametrize("usual_ms", [0.5, 5, 100])
def test_a_report_has_less_than_twice_the_bytes_of_locusts_own(
    names: int, requests: int, usual_ms: float
) -> None:
    sizes = compare(names, requests, usual_ms)

    assert sizes.ours < 2 * sizes.stock


def test_a_message_carries_its_epoch_and_is_otherwise_the_same() -> None:
    sent = stamp(Message("spawn", {"users": 3}, "worker-1"), 1_700_000_000_000)

    received, epoch = parse(sent.serialize())

    assert sent.node_id == "worker-1"
    assert epoch == 1_700_000_000_000
    assert (received.type, received.data, received.node_id) == ("spawn", {"users": 3}, "worker-1")


def test_a_message_without_an_epoch_has_epoch_0() -> None:
    received, epoch = parse(Message("ack", None, "worker-1").serialize())

    assert epoch == 0
    assert received.node_id == "worker-1"

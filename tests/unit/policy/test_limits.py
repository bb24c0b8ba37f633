"""What a run may ask for has one meaning, or a sentence that says what is wrong."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.errors import BadInput
from locust_fleet.policy import limits
from locust_fleet.policy.limits import number_in
from locust_fleet.runtime.json_body import read_json


@pytest.mark.parametrize(
    ("text", "users"), [("1", 1), ("5", 5), (" 5 ", 5), ("0005", 5), ("10000000", 10_000_000)]
)
def test_a_number_of_users_is_read_from_plain_digits(text: str, users: int) -> None:
    assert limits.users("user_count", number_in(text)) == users


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "-0", "-1", "+5", "+3000000000", " 3000000000", "10000001", "9" * 5000),
        *(
            "1_000",
            "1,000",
            "5.0",
            "1e3",
            "0x10",
            "nan",
            "inf",
            "five",
            "\u0665",
            "\u096b",
            "\uff15",
            "5\n",
        ),
        *("5\x00", "5 5", "\t5", "\u00a05"),
    ],
)
def test_what_is_no_plain_number_of_users_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match=r"^user_count is .*; use a whole number from 1 to 10000000"):
        limits.users("user_count", number_in(text))


@pytest.mark.parametrize("value", [None, True, 2.5, 5.0, math.nan, "5", [], {}, 2**64, -1])
def test_json_that_is_no_number_of_users_is_refused(value: object) -> None:
    with pytest.raises(BadInput):
        limits.users("users", value)


@pytest.mark.parametrize(
    ("text", "rate"), [("1", 1.0), ("0.5", 0.5), (" 2 ", 2.0), ("1e-3", 0.001), ("5.", 5.0)]
)
def test_a_spawn_rate_may_be_a_fraction(text: str, rate: float) -> None:
    assert limits.spawn_rate("spawn_rate", number_in(text)) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", "nan", "inf", "-inf", "1e999", "1e-9", "0.00001", "1_0", ".", "x"]
)
def test_a_spawn_rate_at_which_no_user_starts_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^spawn_rate is "):
        limits.spawn_rate("spawn_rate", number_in(text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("90s", 90), ("30m", 1800), ("1h", 3600), ("1h30m5s", 5405), ("366h", 1317600)],
)
def test_a_run_time_is_written_as_locust_writes_it(text: str, seconds: int) -> None:
    assert limits.run_time_s("run_time", text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0s", "-1", "1m1h", "1h30", "1.5h", "1d", "soon", "\u0669s", " 60", "60 s", "h"),
        *("9999999999s", "9000h", "9" * 5000, None, 60, 1.5, True),
    ],
)
def test_a_run_time_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(BadInput, match=r"^run_time is "):
        limits.run_time_s("run_time", text)


@given(st.text() | st.from_regex(r"[+-]?[0-9_]{0,12}(\.[0-9]*)?(e[0-9]{1,4})?", fullmatch=True))
def test_whatever_a_form_holds_is_a_number_in_range_or_refused(text: str) -> None:
    for read, least, most in (
        (limits.users, 1, limits.MOST_USERS),
        (limits.spawn_rate, limits.SLOWEST, limits.FASTEST),
    ):
        with suppress(BadInput):
            assert least <= read("field", number_in(text)) <= most


@given(st.integers(1, limits.MOST_USERS), st.floats(limits.SLOWEST, limits.FASTEST))
def test_what_was_read_reads_the_same_once_it_is_written(users: int, rate: float) -> None:
    assert limits.users("users", number_in(str(users))) == users
    assert limits.spawn_rate("rate", number_in(str(rate))) == rate


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"weight": \xe9}', "not JSON"),
        (b'{"weight": NaN}', "NaN is not JSON"),
        (b'{"weight": -Infinity}', "-Infinity is not JSON"),
        (b'{"weight": 1, "weight": 2}', "'weight' is given twice"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b'{"weight": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_body_that_has_no_one_meaning_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read_json(body)


@given(st.binary())
def test_whatever_a_body_holds_it_is_read_or_refused(body: bytes) -> None:
    with suppress(BadInput):
        read_json(body)

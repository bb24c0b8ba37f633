"""What Locust's start form asks for has one meaning, or is refused with the name of the field."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.errors import BadInput
from locust_fleet.master.admission.class_form import UserClass
from locust_fleet.master.admission.start_form import Choices, StartForm, read_form
from locust_fleet.policy import limits

PLAIN = Choices(
    classes={"Buyer": UserClass(), "Looker": UserClass(weight=0)},
    running=["Buyer"],
    arguments={
        "rounds": 3,
        "ratio": 0.5,
        "loud": True,
        "secret": None,
        "word": "a",
        "ids": [1, 2],
        "names": ["a"],
    },
    options=("num_users", "stop_timeout", "master_bind_port", "fleet_run", "host", "spawn_rate"),
)
PICKER = replace(PLAIN, picker=True, running=["Buyer", "Looker"], shapes=["Wave"])


def read(choices: Choices = PLAIN, **fields: Any) -> StartForm:
    form = {"user_count": "5", "spawn_rate": "2", **fields}
    return read_form(
        {
            name: value if isinstance(value, list) else [value]
            for name, value in form.items()
            if value is not None
        },
        choices,
    )


def test_locust_is_handed_what_was_read() -> None:
    form = read(user_count=" 0010 ", spawn_rate="1e1", run_time="1h30m", host="http://shop")

    assert dict(form.fields()) == {
        "user_count": "10",
        "spawn_rate": "10.0",
        "run_time": "5400",
        "host": "http://shop",
    }


def test_an_empty_run_time_is_none_as_in_locusts_page() -> None:
    assert read(run_time="").run_time_s is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("user_count", value) for value in (None, "", "0", "+3000000000", "1_000", "1e3")),
        *(("spawn_rate", value) for value in (None, "", "0", "-1", "nan", "inf", "x")),
        *(("run_time", value) for value in ("0", "1m1h", "soon", "9999h")),
        *(("host", value) for value in ("http://shop\x00", "x" * 2001)),
        *(("profile", value) for value in ("a\nb", "x" * 201)),
        *(("rounds", value) for value in (["1", "1"], "", "x", "1.5", "9" * 30, "9" * 20_000)),
        *(("ratio", value) for value in ("", "x")),
        *(("loud", value) for value in ("", "True", "yes", "1")),
        *(("ids", value) for value in ("", "1,x", "1,", "9" * 30)),
        *(
            (name, ["1", "1"])
            for name in ("user_count", "spawn_rate", "run_time", "host", "rounds")
        ),
        *((name, "1") for name in ("num_users", "stop_timeout", "master_bind_port", "fleet_run")),
        ("user_classes", "Buyer"),
        ("secret", "x" * 10_001),
    ],
)
def test_a_field_that_is_wrong_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=f"^{field} "):
        read(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rounds", "5"), ("rounds", "-5"), ("ratio", "0.25"), ("loud", "false"), ("secret", "s")),
        *(("ids", "3,4"), ("ids", ["3", "4"]), ("names", "x,y"), ("word", "")),
    ],
)
def test_an_argument_of_the_locustfile_keeps_its_type(field: str, value: Any) -> None:
    values = value if isinstance(value, list) else [value]

    assert [(field, each) for each in values] == list(read(**{field: value}).others)


def test_unknown_fields_are_left_out_as_in_locust() -> None:
    assert read(nothing="1").others == ()


def test_a_change_of_a_run_may_take_all_users_away() -> None:
    assert read(replace(PLAIN, in_a_run=True), user_count="0").users == 0


def test_a_shape_decides_on_users_and_rate_by_itself() -> None:
    form = read(replace(PLAIN, shaped=True), user_count="0", spawn_rate="0")

    assert (form.users, form.spawn_rate, form.shaped) == (0, None, True)


def test_picked_classes_and_shape_reach_locust() -> None:
    form = read(PICKER, user_classes=["Buyer", "Looker"], shape_class="Wave")

    assert form.shaped
    assert form.others == (
        ("user_classes", "Buyer"),
        ("user_classes", "Looker"),
        ("shape_class", "Wave"),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("user_classes", "Nope"), ("user_classes", ["Buyer", "Nope"]), ("shape_class", "Nope")],
)
def test_a_choice_that_does_not_exist_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=rf"^{field} .*'Nope'; use .*: "):
        read(PICKER, **{field: value})


@pytest.mark.parametrize(
    ("choices", "fields"),
    [(PICKER, {"user_classes": "Looker"}), (replace(PLAIN, running=["Looker"]), {})],
)
def test_a_run_without_users_is_refused(choices: Choices, fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"^no class of Looker has a weight"):
        read(choices, **fields)


NAMES = st.sampled_from(["user_count", "spawn_rate", "run_time", "host", *PLAIN.arguments])


@given(st.dictionaries(NAMES | st.text(max_size=5), st.lists(st.text(), max_size=3)))
def test_any_form_is_a_possible_run_or_is_refused(
    fields: dict[str, list[str]],
) -> None:
    try:
        form = read_form({"user_count": ["5"], "spawn_rate": ["2"], **fields}, PLAIN)
    except BadInput:
        return
    assert form.users is not None
    assert 1 <= form.users <= limits.MOST_USERS
    again: dict[str, list[str]] = {}
    for name, value in form.fields():
        again.setdefault(name, []).append(value)
    assert read_form(again, PLAIN) == form

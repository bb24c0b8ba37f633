"""What is set for a class of users can be done by master and workers, or is refused by name."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.errors import BadInput
from locust_fleet.master.admission.class_form import (
    MOST_WEIGHT,
    SETTINGS,
    UserClass,
    any_users,
    read_setting,
)

KNOWN = {
    "Buyer": UserClass(weight=3, tasks=("look", "buy", "buy")),
    "Looker": UserClass(weight=0, fixed_count=0, host="http://shop", tasks=("look",)),
    "Idler": UserClass(weight=0.5),
}


def read(**settings: Any) -> dict[str, Any]:
    return read_setting({"user_class_name": "Buyer", **settings}, KNOWN, ["Buyer", "Looker"])


def test_all_that_locusts_page_sends_of_a_class_may_be_set() -> None:
    sent = {"host": "", "weight": 2, "fixed_count": 0, "tasks": ["buy"]}

    assert read(**sent) == {"user_class_name": "Buyer", **sent, "host": None}


@pytest.mark.parametrize("body", [None, [], ["x"], "x", 1, True, [["user_class_name", "Buyer"]]])
def test_a_body_that_is_not_an_object_is_refused(body: object) -> None:
    with pytest.raises(BadInput, match="Send a JSON object with user_class_name"):
        read_setting(body, KNOWN, KNOWN)


@pytest.mark.parametrize(
    "name", [None, "Nope", "buyer", "", 1, ["Buyer"], {}, "__class__", "\ud800"]
)
def test_an_unknown_class_is_refused(name: object) -> None:
    with pytest.raises(BadInput, match=r"^user_class_name is .*; use one of: Buyer, Looker"):
        read_setting({"user_class_name": name, "weight": 1}, KNOWN, KNOWN)


@pytest.mark.parametrize("name", ["proxy_host", "client", "__class__", "json", "wait_time", ""])
def test_nothing_but_known_settings_of_a_class_can_be_set(name: str) -> None:
    with pytest.raises(BadInput, match=f"^'{name}' cannot be set; there is: user_class_name, host"):
        read(**{name: "x"})


@pytest.mark.parametrize("key", ["weight", "fixed_count"])
@pytest.mark.parametrize(
    "value",
    ["abc", "3", "", 2.5, 3.5, -1, True, False, None, [], {}, 10**9, 2**64, 1e308, float("nan")],
)
def test_weight_and_fixed_count_are_whole_numbers_in_range(key: str, value: object) -> None:
    with pytest.raises(BadInput, match=rf"^{key} is .*; use a whole number from 0 to \d+$"):
        read(**{key: value})


def test_a_fraction_that_the_locustfile_gave_may_stay() -> None:
    setting = {"user_class_name": "Idler", "weight": 0.5}

    assert read_setting(setting, KNOWN, KNOWN) == setting


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ("buy", "tasks is 'buy'"),
        (None, "tasks is None"),
        ({"buy": 1}, "tasks is {"),
        ([], "tasks is empty"),
        (["sell"], "tasks has 'sell'"),
        (["buy", 1], "tasks has 1"),
        ([["buy"]], "tasks has"),
    ],
)
def test_tasks_are_a_list_of_those_that_the_class_has(tasks: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=rf"^{sentence}.*: look, buy$"):
        read(tasks=tasks)


@pytest.mark.parametrize(
    "host", [1, [], "http://shop/\x00", "http://shop\nx", "\ud800", "x" * 2001]
)
def test_a_host_is_a_text_of_one_line(host: object) -> None:
    with pytest.raises(BadInput, match=r"^host is "):
        read(host=host)


def test_the_last_class_with_users_keeps_some() -> None:
    with pytest.raises(BadInput, match="leaves no class with users"):
        read(weight=0)


def test_a_class_may_lose_its_users_while_another_one_has_some() -> None:
    setting = {"user_class_name": "Buyer", "weight": 0, "fixed_count": 2}

    assert read_setting(setting, KNOWN, KNOWN) == setting
    assert read_setting({"user_class_name": "Buyer", "weight": 0}, KNOWN, KNOWN)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("Buyer"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["user_class_name", *SETTINGS]) | st.text(max_size=3), JSON, max_size=4
    )
    | JSON,
    st.sampled_from([*KNOWN, "Nope"]),
)
def test_any_body_is_a_possible_setting_or_is_refused(body: object, name: str) -> None:
    if isinstance(body, dict):
        body = {**body, "user_class_name": name}
    try:
        setting = read_setting(body, KNOWN, KNOWN)
    except BadInput:
        return
    present = KNOWN[setting["user_class_name"]]
    assert 0 <= setting.get("weight", 0) <= MOST_WEIGHT
    assert type(setting.get("fixed_count", 0)) is int
    assert set(setting.get("tasks", [])) <= set(present.tasks)
    numbers = {key: setting[key] for key in ("weight", "fixed_count") if key in setting}
    assert any_users({**KNOWN, name: replace(present, **numbers)}, KNOWN)

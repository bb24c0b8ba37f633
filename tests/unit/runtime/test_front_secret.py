"""Only what nginx passes on has the secret."""

import pytest

from locust_fleet.runtime.front_secret import matches_secret


@pytest.mark.parametrize(
    ("given", "matches"),
    [("front", True), ("", False), ("fron", False), ("front ", False), ("früh", False)],
)
def test_only_the_secret_itself_matches(given: str, matches: bool) -> None:
    assert matches_secret(given, "front") is matches

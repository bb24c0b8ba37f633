"""A page's own inline scripts may run under its policy, and no others."""

import base64
import hashlib

from locust_fleet.runtime.csp import policy_for


def source(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_each_inline_script_is_allowed_by_its_hash() -> None:
    policy = policy_for("<script>one()</script><script type=module>\ntwo()</script>")

    assert source("one()") in policy
    assert source("\ntwo()") in policy


def test_line_ends_are_hashed_as_a_browser_does() -> None:
    assert source("a\nb") in policy_for("<script>a\r\nb</script>")


def test_a_script_from_a_file_has_no_hash_of_its_own() -> None:
    assert "sha256" not in policy_for('<script src="./assets/a.js"></script>')


def test_nothing_is_loaded_or_sent_elsewhere() -> None:
    policy = policy_for("")

    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy

import pytest

from locust_fleet.console.access.passwords import (
    Passwords,
    generate_password,
    hash_password,
    problem,
    verify_password,
)

PASSWORD = "correct horse battery"


def test_a_password_is_kept_as_an_argon2id_hash_with_its_own_salt() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)

    assert first.startswith("$argon2id$")
    assert first != second


@pytest.mark.parametrize(
    ("password", "right"), [(PASSWORD, True), (PASSWORD + " ", False), ("", False), ("\x00", False)]
)
def test_only_the_right_password_is_right(password: str, right: bool) -> None:
    assert verify_password(hash_password(PASSWORD), password) is right


def test_a_stored_text_that_is_not_a_hash_matches_no_password() -> None:
    assert not verify_password("not a hash", "not a hash")


def test_hashing_in_a_thread_gives_the_same_answers() -> None:
    passwords = Passwords()
    stored = passwords.hash(PASSWORD)

    assert [passwords.verify(stored, PASSWORD), passwords.verify(stored, "x")] == [True, False]


def test_an_unknown_account_is_checked_as_long_and_never_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords()
    checked: list[str] = []

    def note(stored: str, password: str) -> bool:
        checked.append(stored)
        return True

    monkeypatch.setattr("locust_fleet.console.access.passwords.verify_password", note)

    assert not passwords.verify(None, PASSWORD)
    assert checked[0].startswith("$argon2id$")


def test_generated_passwords_differ_and_may_be_used() -> None:
    first, second = generate_password(), generate_password()

    assert first != second
    assert problem(first, "ada") is None


@pytest.mark.parametrize(
    ("password", "name", "good"),
    [
        ("short", "ada", False),
        ("x" * 201, "ada", False),
        ("my-Adalovelace-1", "adaLovelace", False),
        ("x" * 10, "ada", True),
        ("adamantine-wall", "ada", True),
    ],
)
def test_a_new_password_is_long_and_not_the_name(password: str, name: str, good: bool) -> None:
    assert (problem(password, name) is None) is good

"""The allow-list lets load go where it may and nowhere else."""

import pytest

from locust_fleet.policy.allowlist import Allowlist, without_credentials


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("shop.example", "http://shop.example/cart"),
        ("shop.example", "https://SHOP.example:8443/"),
        ("*.shop.example", "https://eu.shop.example"),
        ("shop.example:8080", "http://shop.example:8080/"),
        ("http://shop.example", "http://shop.example:80/"),
        ("https://shop.example", "https://shop.example."),
        ("10.0.0.*", "http://10.0.0.7"),
        ("http://[::1]:8080", "http://[::1]:8080/x"),
        ("*", "http://anything"),
    ],
)
def test_a_target_on_the_list_is_allowed(entry: str, url: str) -> None:
    assert Allowlist.parse([entry]).allows_url(url)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("shop.example", "http://evil.example"),
        ("shop.example", "http://shop.example.evil"),
        ("shop.example", "http://shop.example@evil.example/"),
        ("shop.example", "http://evil.example/shop.example"),
        ("shop.example", "http://evil.example#shop.example"),
        ("shop.example", "http://evil.example\\@shop.example/"),
        ("shop.example", "http://shop.example\n.evil"),
        ("shop.example:8080", "http://shop.example:8081"),
        ("http://shop.example", "http://shop.example:8080"),
        ("http://shop.example", "https://shop.example"),
        ("*.shop.example", "http://shop.example"),
        ("shop.example", "ftp://shop.example"),
        ("shop.example", "shop.example"),
        ("shop.example", "http://shop.example:port"),
        ("shop.example", ""),
    ],
)
def test_any_other_target_is_refused(entry: str, url: str) -> None:
    assert not Allowlist.parse([entry]).allows_url(url)


@pytest.mark.parametrize(
    "entry", ["", "http://", "http://shop/path", "ftp://shop", "shop:99999", "a b", "user@shop"]
)
def test_an_entry_that_is_no_target_is_an_error_that_names_it(entry: str) -> None:
    with pytest.raises(ValueError, match=r"target|port"):
        Allowlist.parse([entry])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@shop.example/a@b", "http://shop.example/a@b"),
        ("http://shop.example:80/", "http://shop.example:80/"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_a_refusal_names_the_target_the_list_and_the_remedy() -> None:
    sentence = Allowlist.parse(["a", "b"]).refusal("http://c")

    assert all(part in sentence for part in ("http://c", "(a, b)", "ALLOWED_TARGETS", ".env"))


@pytest.mark.parametrize(
    ("entry", "path", "allowed"),
    [
        ("unix:///run/Shop.sock", "/run/Shop.sock", True),
        ("unix:///run/shop/*", "/run/shop/a", True),
        ("unix:///run/shop.sock", "/run/other.sock", False),
        ("unix:///run/shop/*", "/run/shop/../docker.sock", False),
        ("*", "/run/docker.sock", False),
    ],
)
def test_a_unix_socket_is_allowed_by_its_path_alone(entry: str, path: str, allowed: bool) -> None:
    assert Allowlist.parse([entry]).allows_socket(path) is allowed


def test_a_unix_socket_allows_no_host() -> None:
    assert not Allowlist.parse(["unix:///run/shop.sock"]).allows_url("http://shop.sock/")

"""Read one variable of the environment; SettingsError names the variable and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from locust_fleet.errors import SettingsError

Environ = Mapping[str, str]
Value = TypeVar("Value")


def text(env: Environ, name: str, default: str | None = None) -> str:
    """Return the text of a setting, or its default when it is unset or empty."""
    value = env.get(name, "").strip() or default
    if value is None:
        raise SettingsError(f"{name} is not set; add it to .env")
    return value


def secret(env: Environ, name: str) -> str:
    """Return a secret from NAME, or from the file that NAME_FILE points to; both is an error."""
    value = optional_secret(env, name)
    if not value:
        raise SettingsError(f"{name} is not set; set {name}_FILE to a file that holds it")
    return value


def optional_secret(env: Environ, name: str) -> str:
    """Return a secret as ``secret`` does, "" when it is not set."""
    value, path = env.get(name, ""), env.get(f"{name}_FILE", "")
    if value and path:
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one of them")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except OSError as error:
            raise SettingsError(
                f"{name}_FILE is {path}, which cannot be read ({error.strerror});"
                " run scripts/deploy.sh production to create missing secrets"
            ) from None
    return value


def secret_url(env: Environ, name: str) -> str:
    """Return a URL that is a secret, "" when it is not set; messages do not contain it."""
    url = optional_secret(env, name).strip()
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if url and (not right or not url.isascii() or not url.isprintable() or " " in url):
        raise SettingsError(f"{name} is no address; use a URL such as https://chat.example/hook")
    return url


def origin(name: str, url: str) -> str:
    """Return scheme://host[:port] of a URL that stands in the setting ``name``."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{name} is '{url}'; use a URL such as http://shop.example:8080")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def whole(env: Environ, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Return a setting that is a whole number within the bounds, both included."""

    def parse(value: str) -> int:
        # int() would also accept "1_000" and digits of other scripts.
        if not re.fullmatch("-?[0-9]+", value) or not lowest <= int(value) <= highest:
            raise ValueError
        return int(value)

    return _parsed(env, name, str(default), parse, f"use {lowest} to {highest}")


def number(env: Environ, name: str, default: int, *, highest: int) -> float:
    """Return a setting that is a number from 0 to ``highest``, such as 5 or 0.5."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or float(value) > highest:
            raise ValueError
        return float(value)

    return _parsed(env, name, str(default), parse, f"use a number from 0 to {highest}")


def port(env: Environ, name: str, default: int) -> int:
    """Return a setting that is a TCP port, from 1 to 65535."""
    return whole(env, name, default, lowest=1, highest=65535)


def one_of(env: Environ, name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return a setting that is one of the choices, in upper case."""

    def parse(value: str) -> str:
        if value.upper() not in choices:
            raise ValueError
        return value.upper()

    return _parsed(env, name, default, parse, f"use one of {', '.join(choices)}")


def yes(env: Environ, name: str, default: str) -> bool:
    """Return a setting that is true or false."""
    return one_of(env, name, default, ("TRUE", "FALSE")) == "TRUE"


def _parsed(
    env: Environ, name: str, default: str, parse: Callable[[str], Value], remedy: str
) -> Value:
    value = env.get(name, "").strip() or default
    try:
        return parse(value)
    except ValueError:
        raise SettingsError(f"{name} is {value}; {remedy}") from None

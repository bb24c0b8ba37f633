"""Hash and check passwords with argon2id, in real threads.

A hash takes tens of milliseconds of a core; in a greenlet it would block every other request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.threadpool import ThreadPool

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

SHORTEST = 10
LONGEST = 200
# 19 MiB and two passes: the least that OWASP recommends for argon2id. With more, a few sign-ins at
# once would fill the memory of the container.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each thread holds one hash's memory; more than two would only slow each other down.
THREADS = 2


def hash_password(password: str) -> str:
    """Return the hash to store."""
    return HASHER.hash(password)


def verify_password(stored: str, password: str) -> bool:
    """Tell whether a password has this hash."""
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def generate_password() -> str:
    """Return a password of 118 random bits that can be read out and typed."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(6)) for _ in range(4))


def problem(password: str, name: str) -> str | None:
    """Return what is wrong with a new password as a sentence, None when it may be used."""
    if len(password) < SHORTEST:
        return f"Use a password of at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"Use a password of at most {LONGEST} characters."
    if len(name) > 3 and name.lower() in password.lower():
        return "Use a password that does not contain the name."
    return None


class Passwords:
    """Hashes and checks passwords without blocking the greenlets of this process."""

    def __init__(self) -> None:
        self._threads = ThreadPool(THREADS)
        # An unknown name is checked against this, so that it takes as long as a wrong password.
        self._nobody = hash_password(secrets.token_hex())

    def hash(self, password: str) -> str:
        """Return the hash to store."""
        return self._in_thread(hash_password, password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether a password has this hash; False, after the same time, for None."""
        matches = self._in_thread(verify_password, stored or self._nobody, password)
        return matches and stored is not None

    def _in_thread(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        result: Result = self._threads.apply(function, args, kwargs)
        return result

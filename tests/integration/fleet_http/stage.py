"""Play a scenario with a user of one kind, and tell what the user got and what was reported."""

from __future__ import annotations

from locust import FastHttpUser, HttpUser
from locust.env import Environment

import math
import re
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from locust_fleet.users import FleetHttpUser

# What a request waits for at most, in s; long for a busy machine, short for a test.
RESPONSE_TIMEOUT_S = 5.0


KINDS: dict[str, type[Any]] = {
    "HttpUser": HttpUser,
    "FastHttpUser": FastHttpUser,
    "FleetHttpUser": FleetHttpUser,
}


class Stage:
    """Users of one kind for one scenario, and what they reported."""

    def __init__(self, kind: str, places: dict[str, Any]) -> None:
        self.kind = kind
        self.places = places
        self.reported: list[dict[str, Any]] = []
        self._began = time.time()
        self._environment = Environment()
        # Its statistics listen from now on.
        self._runner = self._environment.create_local_runner()
        self._environment.events.request.add_listener(self._note)

    @cached_property
    def client(self) -> Any:
        """The client of a user whose host is the recording server."""
        return self.user().client

    def user(self, host: str | None = None, **attributes: Any) -> Any:
        """Return a new user, whose class has these attributes."""
        values = {
            "host": self.places["http"] if host is None else host,
            "connection_timeout": RESPONSE_TIMEOUT_S,
            "network_timeout": RESPONSE_TIMEOUT_S,
            **attributes,
        }
        return type("Tester", (KINDS[self.kind],), values)(self._environment)

    def statistics(self) -> dict[str, Any]:
        """Return what Locust counted."""
        return {
            f"{method} {name}": {
                "requests": entry.num_requests,
                "failures": entry.num_failures,
                "length": entry.total_content_length,
            }
            for (name, method), entry in self._environment.stats.entries.items()
        }

    def reasons(self) -> list[str]:
        """Return what Locust's page says of the failures."""
        return [error.to_name() for error in self._environment.stats.errors.values()]

    def close(self) -> None:
        self._runner.quit()

    def _note(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        response: object,
        context: dict[str, Any],
        exception: Exception | None,
        start_time: float,
        url: str,
        **more: object,
    ) -> None:
        self.reported.append(
            {
                "method": request_type,
                "name": name,
                "failed": exception is not None,
                "length": response_length,
                "context": context,
                "url": re.sub("_=\\d{13}", "_=TIME", url),
                "timed": math.isfinite(response_time) and response_time > 0,
                "dated": self._began <= start_time <= time.time(),
                "answered": response is not None,
                "more": sorted(more),
            }
        )


def play(stage: Stage, scenario: Callable[[Stage], Any]) -> dict[str, Any]:
    """Return the outcome of a scenario, as JSON can hold it."""
    try:
        raised: Exception | None = None
        got = plain(scenario(stage))
    except Exception as error:
        got, raised = None, error
    return {
        "got": got,
        "raised": raised is not None,
        "error": repr(raised),
        "reported": stage.reported,
        "counted": stage.statistics(),
        "reasons": stage.reasons(),
    }


def plain(value: Any) -> Any:
    """Return responses as what one can read from them, all else as JSON has it."""
    if hasattr(value, "status_code"):
        return described(value)
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("latin-1")
    return value if isinstance(value, str | int | float | None) else repr(value)


def described(response: Any) -> dict[str, Any]:
    return {
        "status": response.status_code,
        "ok": attempt(lambda: response.ok),
        "url": attempt(lambda: response.url),
        "headers": attempt(lambda: headers(response)),
        "content": attempt(lambda: plain(response.content)),
        "text": attempt(lambda: response.text),
        "json": attempt(response.json),
        "cookies": attempt(lambda: dict(response.cookies)),
        "history": attempt(lambda: [[one.status_code, one.url] for one in response.history]),
        "timed": attempt(lambda: response.elapsed.total_seconds() > 0),
        "reason": attempt(lambda: response.reason),
        "encoding": attempt(lambda: response.encoding),
        "bad": bad(response),
    }


def headers(response: Any) -> dict[str, str]:
    return {name.lower(): plain(value) for name, value in response.headers.items()}


def bad(response: Any) -> bool:
    """Tell whether raise_for_status raises."""
    try:
        response.raise_for_status()
    except Exception:
        return True
    return False


def attempt(look: Callable[[], Any]) -> Any:
    """Return what there is, or why there is nothing."""
    try:
        return look()
    except ValueError:
        return "ValueError"
    except Exception as error:
        return type(error).__name__

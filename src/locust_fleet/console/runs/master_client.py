"""Ask the master for the state of the run; start and stop runs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import gevent
from gevent import Timeout

from locust_fleet.console.access.identity_cache import Identity
from locust_fleet.console.runs.leader import Leader
from locust_fleet.errors import FleetError
from locust_fleet.policy.alert_thresholds import Thresholds
from locust_fleet.policy.timeouts import STOP_TIMEOUT_S

STATUS_TIMEOUT_S = 3.0
START_TIMEOUT_S = 15.0
# Until another master leads, at the default heartbeat; and how often the leader is compared.
TAKEOVER_TIMEOUT_S = 12.0
LEADER_CHECK_INTERVAL_S = 0.2

Answer = dict[str, Any]


class MasterUnavailable(FleetError):
    """The master did not answer, or not as it should: check that it runs, and retry."""


class StartRefused(FleetError):
    """The master refuses to start this run; ``code`` says why, for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class StartRequest:
    """A run that somebody wants to start; without a host, the master's default target is used."""

    users: int
    spawn_rate: float
    run_time: str | None = None
    host: str | None = None
    name: str = ""
    # Thresholds of alerts, in use until the run ends.
    alerts: Thresholds = field(default_factory=dict)

    def form(self) -> dict[str, str]:
        """Return the fields of Locust's own start form."""
        fields = {
            "user_count": str(self.users),
            "spawn_rate": str(self.spawn_rate),
            "run_time": self.run_time,
            "host": self.host,
        }
        return {key: value for key, value in fields.items() if value is not None}


class MasterClient:
    """The leader's web server, asked as nginx would."""

    def __init__(self, url: str, front_secret: str, leader: Leader) -> None:
        """``url`` is the common address of all masters; a known leader replaces its host."""
        self._url = urlsplit(url.rstrip("/"))
        self._leader = leader
        self._front_secret = front_secret
        # A proxy in the environment is for the internet, not for the stack's own network.
        self._opener = build_opener(ProxyHandler({}))

    def status(self) -> Answer:
        """Return the answer to GET /fleet/run; raises MasterUnavailable."""
        return self._ask("/fleet/run", timeout_s=STATUS_TIMEOUT_S)

    def start(self, request: StartRequest, by: Identity) -> str:
        """Start a run and return its id; raises StartRefused or MasterUnavailable."""
        # Without X-Fleet-New-Run, a second start by the same user would change the present run.
        headers = {
            "X-Fleet-Run-Name": quote(request.name),
            "X-Fleet-Run-Alerts": json.dumps(dict(request.alerts)),
            "X-Fleet-New-Run": "1",
        }
        answer = self._ask("/swarm", request.form(), by, headers, timeout_s=START_TIMEOUT_S)
        if not answer.get("success"):
            raise StartRefused(
                str(answer.get("code", "bad_input")), str(answer.get("message", "refused"))
            )
        return str(answer["run_id"])

    def find(self) -> Answer:
        """Return the status as ``status`` does, from the next leader if the present one ends."""
        return self._of_present_leader(self.status)

    def stop(self, by: Identity) -> None:
        """Stop the run; returns when its users have stopped. Raises MasterUnavailable."""
        self._of_present_leader(lambda: self._ask("/stop", {}, by, timeout_s=STOP_TIMEOUT_S))

    def _of_present_leader(self, ask: Callable[[], Answer]) -> Answer:
        """Ask what may be asked twice; as soon as another master leads, ask that one."""
        until = time.monotonic() + TAKEOVER_TIMEOUT_S
        while True:
            host = self._leader.host
            asking = gevent.spawn(_answer_or_error, ask)
            while not asking.ready() and self._leader.host in (host, None):
                asking.join(LEADER_CHECK_INTERVAL_S)
            asking.kill()
            answer = asking.get()
            if isinstance(answer, dict):
                return answer
            if isinstance(answer, MasterUnavailable) and time.monotonic() > until:
                raise answer
            gevent.sleep(LEADER_CHECK_INTERVAL_S)

    def _ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        by: Identity | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float,
    ) -> Answer:
        body = urlencode(form).encode() if form is not None else None
        request = Request(self._address() + path, body)
        request.add_header("X-Fleet-Front", self._front_secret)
        if by is not None:
            request.add_header("X-Fleet-User", by.name)
            request.add_header("X-Fleet-Role", by.role.value)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        late = MasterUnavailable("The load test master does not answer in time.")
        try:
            with (
                Timeout(timeout_s, late),
                self._opener.open(request, timeout=timeout_s) as answer,
            ):
                content = json.load(answer)
        except HTTPError as error:
            raise MasterUnavailable(
                f"The load test master answered {error.code} to {path}."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise MasterUnavailable("The load test master does not answer.") from error
        except ValueError as error:
            raise MasterUnavailable(f"The load test master did not send JSON: {error}") from error
        if not isinstance(content, dict):
            raise MasterUnavailable("The load test master did not send a JSON object.")
        return content

    def _address(self) -> str:
        if self._leader.host is None:
            return self._url.geturl()
        return self._url._replace(netloc=f"{self._leader.host}:{self._url.port or 80}").geturl()


def _answer_or_error(ask: Callable[[], Answer]) -> Answer | MasterUnavailable:
    try:
        return ask()
    except MasterUnavailable as error:
        return error


def active_run(status: Answer) -> Answer | None:
    """Return the active run in a status of the master, None when no run is active."""
    run = status.get("run")
    return run if run and run["state"] == "running" else None

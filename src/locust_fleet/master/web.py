"""Stand before Locust's web UI: let only the front in, ask the guard, tell how the run stands."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import STATE_INIT, STATE_STOPPING, MasterRunner
from locust.util.timespan import parse_timespan

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from flask import Flask, Response, g, jsonify, request

from locust_fleet.alerts import Thresholds, read_thresholds
from locust_fleet.csp import policy_for
from locust_fleet.master import guard
from locust_fleet.master.problems import Problems
from locust_fleet.master.recorder import Recorder
from locust_fleet.master.resume import Resume
from locust_fleet.master.run import utc_now
from locust_fleet.master.spool import Spool
from locust_fleet.settings.master import MasterSettings

# In a grey that can be read on Locust's light and dark background.
CONSOLE_LINK = (
    '<a href="/console/" style="position: fixed; left: 24px; bottom: 12px; z-index: 1;'
    ' font: 14px sans-serif; color: #767676">Runs, reports and accounts</a>'
)

Answer = Response | tuple[Response, int] | None


class Front:
    """The hooks on Locust's Flask application."""

    def __init__(
        self,
        environment: Environment,
        runner: MasterRunner,
        recorder: Recorder,
        settings: MasterSettings,
        problems: Problems,
        spool: Spool,
        resume: Resume,
        work_of: Callable[[str], Mapping[str, int]],
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._recorder = recorder
        self._targets = settings.targets
        self._secret = settings.front_secret
        self._problems = problems
        self._spool = spool
        self._resume = resume
        self._work_of = work_of
        # What TARGET_HOST says; the UI overwrites it in the environment with what a run asks for.
        self._default_host = environment.host

    def attach(self, app: Flask) -> None:
        """Put the hooks on; the application must not serve yet."""
        app.before_request(self._let_in)
        app.before_request(self._judge)
        app.after_request(self._name_run)
        app.after_request(_finish_page)
        app.add_url_rule("/fleet/run", view_func=self._run)

    def _let_in(self) -> Answer:
        given = request.headers.get("X-Fleet-Front", "")
        if hmac.compare_digest(given.encode(), self._secret.encode()):
            return None
        return jsonify({"error": "requests come through the front (nginx) only"}), 403

    def _judge(self) -> Answer:
        user = request.headers.get("X-Fleet-User", "unknown")
        match request.method, request.path:
            case "POST", "/swarm":
                return self._judge_start(user)
            case "POST", "/user":
                return self._judge_user_setting(user)
            case "POST", "/stop" if self._recorder.active:
                self._recorder.stopped_by = user
            case "POST", "/stats/reset":
                self._recorder.event("statistics reset in the UI", {"by": user})
        return None

    def _judge_start(self, user: str) -> Answer:
        host = request.form.get("host")
        if host is None and not self._recorder.active:
            self._environment.host = self._default_host
        refusal = (
            guard.refuse_start(
                user=user,
                host=host,
                hosts=hosts_of_users(self._environment, host),
                active=self._recorder.active,
                stopping=self._runner.state == STATE_STOPPING,
                only_new="X-Fleet-New-Run" in request.headers,
                workers=self._runner.worker_count,
                targets=self._targets,
            )
            or self._judge_numbers()
            or _judge_alerts()
        )
        if refusal:
            return self._refuse(user, f"start a run against {host}", refusal)
        if self._recorder.active:
            change = {key: request.form.get(key) for key in ("user_count", "spawn_rate")}
            self._recorder.event("users changed", {"by": user, **change})
            g.replan = True
            return None
        self._recorder.expect(
            started_by=user,
            name=unquote(request.headers.get("X-Fleet-Run-Name", ""))[:200],
            run_time_s=self._planned_run_time_s(),
            alerts=_alerts(),
        )
        return None

    def _planned_run_time_s(self) -> float | None:
        # A shape decides for itself how long it takes.
        if self._environment.shape_class:
            return None
        return _run_time_s(request.form.get("run_time"))

    def _judge_numbers(self) -> guard.Refusal | None:
        try:
            run_time_s = _run_time_s(request.form.get("run_time"))
        except (ValueError, OverflowError):
            return guard.Refusal(
                "bad_input",
                f"run time '{request.form['run_time']}' is not one; use 60, 90s, 30m or 1h30m",
            )
        users = request.form.get("user_count", "0")
        # What is no number is Locust's to refuse.
        return guard.refuse_numbers(
            users=int(users) if users.isascii() and users.isdigit() else 0, run_time_s=run_time_s
        )

    def _judge_user_setting(self, user: str) -> Answer:
        settings = request.get_json(force=True, silent=True)
        if not isinstance(settings, dict):
            return jsonify({"error": "send a JSON object"}), 400
        refusal = guard.refuse_user_setting(
            settings=settings, active=self._recorder.active, targets=self._targets
        )
        if refusal:
            return self._refuse(user, "change a user's host", refusal)
        self._recorder.event("user settings changed", {"by": user, "settings": settings})
        return None

    def _refuse(self, user: str, action: str, refusal: guard.Refusal) -> Answer:
        if refusal.code in ("target_refused", "run_active"):
            address = request.headers.get("X-Real-IP", "")
            self._recorder.audit(user, address, action, refusal.message)
        # Locust's UI shows the message of an answer with status 200 and nothing of any other.
        return jsonify({"success": False, "code": refusal.code, "message": refusal.message})

    def _name_run(self, response: Response) -> Response:
        """Add the run's id to the answer of a start, and a code to what Locust itself refuses."""
        if request.path != "/swarm" or not response.is_json:
            return response
        body: dict[str, Any] = response.get_json()
        if body.get("success"):
            body["run_id"] = self._recorder.expected_run_id
            if "replan" in g:
                # Locust has dropped the old run time by now.
                self._recorder.replan(self._planned_run_time_s(), utc_now())
        else:
            body.setdefault("code", "bad_input")
            self._recorder.expect_nothing()
        response.set_data(json.dumps(body))
        return response

    def _run(self) -> Response:
        return jsonify(self.status())

    def status(self) -> dict[str, Any]:
        """Return how the run and the fleet stand; the shape is in docs/architecture.md."""
        runner, total = self._runner, self._runner.stats.total
        return {
            "state": "ready" if runner.state == STATE_INIT else runner.state,
            "users": runner.user_count,
            "target_users": runner.target_user_count if self._recorder.active else 0,
            "workers": runner.worker_count,
            "resuming": not self._resume.done,
            "worker_list": [
                {
                    "id": client.id,
                    "state": client.state,
                    "users": client.user_count,
                    "cpu_percent": client.cpu_usage,
                    **self._work_of(client.id),
                }
                for client in runner.clients.values()
            ],
            "locustfile": str(self._environment.locustfile),
            "run": self._recorder.run.to_json() if self._recorder.run else None,
            "totals": {
                "requests": total.num_requests,
                "failures": total.num_failures,
                "requests_per_second": total.current_rps if self._recorder.active else 0.0,
                "p50_ms": _percentile(total, 0.5),
                "p95_ms": _percentile(total, 0.95),
            },
            "problems": self._problems.current(),
            "spool_files": len(self._spool.pending()),
        }


def hosts_of_users(environment: Environment, host: str | None = None) -> list[str | None]:
    """Return the hosts that users would have: the one given, the run's, or their classes' own."""
    common = environment.host if host is None else host
    return [common] if common else [user.host for user in environment.user_classes]


def _finish_page(response: Response) -> Response:
    """Lead from Locust's page to the console, and let its own scripts run and no others."""
    if response.mimetype == "text/html" and not response.direct_passthrough:
        html = response.get_data(as_text=True)
        if request.path == "/":
            html = html.replace("</body>", f"{CONSOLE_LINK}</body>")
            response.set_data(html)
        response.headers["Content-Security-Policy"] = policy_for(html)
    return response


def _judge_alerts() -> guard.Refusal | None:
    try:
        _alerts()
    except ValueError as error:
        return guard.Refusal("bad_input", str(error))
    return None


def _alerts() -> Thresholds:
    """Return the thresholds that a run brings; ValueError says what is wrong with them."""
    given = json.loads(request.headers.get("X-Fleet-Run-Alerts", "{}"))
    if not isinstance(given, dict):
        raise ValueError("The thresholds of alerts are not a JSON object.")
    return read_thresholds(given)


def _run_time_s(text: str | None) -> float | None:
    """Return a run time in seconds; ValueError when it is not one, None when none is given."""
    return float(parse_timespan(text)) if text else None


def _percentile(total: Any, fraction: float) -> float | None:
    return total.get_response_time_percentile(fraction) if total.response_times else None

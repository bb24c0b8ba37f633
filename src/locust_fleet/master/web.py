"""Hook into Locust's web UI: admit only the front, check requests, serve the state of the run."""

from __future__ import annotations

from locust import argument_parser
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_STOPPING, MasterRunner

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from flask import Flask, Response, g, jsonify, request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException

from locust_fleet.errors import BadInput
from locust_fleet.master.admission import start_rules
from locust_fleet.master.admission.class_form import CLASS
from locust_fleet.master.admission.gate import hosts_of_users
from locust_fleet.master.admission.start_form import Choices, StartForm, read_form
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import utc_now
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.workers.class_settings import (
    classes_of,
    read_class_setting,
    running_classes,
)
from locust_fleet.policy.alert_thresholds import Thresholds, read_thresholds
from locust_fleet.policy.limits import LONGEST_NAME
from locust_fleet.protocol.messages import RUN_ENDS, RUN_OPTION
from locust_fleet.runtime.csp import policy_for
from locust_fleet.runtime.front_secret import SECRET_HEADER, matches_secret
from locust_fleet.runtime.json_body import LARGEST_BODY, read_json
from locust_fleet.settings.master import MasterSettings

# In a grey that is readable on Locust's light and dark backgrounds.
CONSOLE_LINK = (
    '<a href="/console/" style="position: fixed; left: 24px; bottom: 12px; z-index: 1;'
    ' font: 14px sans-serif; color: #767676">Runs, reports and accounts</a>'
)

# The HTTP status of a refused setting of a class; Locust's page shows no message of it.
STATUS_OF_REFUSAL = {"bad_input": 422, "target_refused": 403, "run_active": 409}
# Errors of requests before their fields are read. Locust would answer with HTML pages.
SENTENCES = {
    400: "The request is not readable.",
    404: "Nothing is at this address.",
    405: "This address does not accept this method.",
    413: f"The form is too large; send at most {LARGEST_BODY} bytes.",
    415: "Send a form, or JSON to /user.",
}

Answer = Response | tuple[Response, int] | None


class MasterWeb:
    """The hooks on Locust's Flask application."""

    def __init__(
        self,
        environment: Environment,
        runner: MasterRunner,
        recorder: Recorder,
        settings: MasterSettings,
        diagnostics: Diagnostics,
        spool: Spool,
        resume: Resume,
        totals_of: Callable[[str], Mapping[str, int]],
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._recorder = recorder
        self._allowlist = settings.targets
        self._secret = settings.front_secret
        self._diagnostics = diagnostics
        self._spool = spool
        self._resume = resume
        self._totals_of = totals_of
        # From TARGET_HOST; the UI overwrites environment.host with the host that a run requests.
        self._default_host = environment.host

    def attach(self, app: Flask) -> None:
        """Add the hooks; the application must not serve yet."""
        app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
        for status in SENTENCES:
            app.register_error_handler(status, _error_answer)
        app.before_request(self._check_front_secret)
        app.before_request(self._check_request)
        app.after_request(self._add_run_id)
        app.after_request(_finish_page)
        app.add_url_rule("/fleet/run", view_func=self._run)

    def _check_front_secret(self) -> Answer:
        if matches_secret(request.headers.get(SECRET_HEADER, ""), self._secret):
            return None
        return jsonify({"error": "requests come through the front (nginx) only"}), 403

    def _check_request(self) -> Answer:
        user = request.headers.get("X-Fleet-User", "unknown")
        match request.method, request.path:
            case "POST", "/swarm":
                return self._check_start(user)
            case "POST", "/user":
                return self._set_for_class(user)
            case "POST", "/stop" if self._recorder.active:
                self._recorder.stopped_by = user
            case "POST", "/stats/reset":
                self._recorder.event("statistics reset in the UI", {"by": user})
        return None

    def _check_start(self, user: str) -> Answer:
        host = request.form.get("host")
        try:
            form = read_form(request.form.to_dict(flat=False), self._choices())
            alerts = _alerts()
        except BadInput as error:
            return self._refuse(user, "start a run", start_rules.Refusal("bad_input", str(error)))
        if host is None and not self._recorder.active:
            self._environment.host = self._default_host
        refusal = start_rules.refuse_start(
            user=user,
            host=host,
            hosts=hosts_of_users(self._environment, host),
            active=self._recorder.active,
            stopping=self._runner.state == STATE_STOPPING,
            only_new="X-Fleet-New-Run" in request.headers,
            workers=self._runner.worker_count,
            allowlist=self._allowlist,
        )
        if refusal:
            return self._refuse(user, f"start a run against {host}", refusal)
        # Locust reads only what was checked.
        request.form = ImmutableMultiDict(form.fields())
        run_time_s = _planned_run_time_s(form)
        if self._recorder.active:
            change = {"user_count": form.users, "spawn_rate": form.spawn_rate}
            self._recorder.event("users changed", {"by": user, **change})
            g.replan = run_time_s
            return None
        self._recorder.expect(
            started_by=user,
            name=unquote(request.headers.get("X-Fleet-Run-Name", ""))[:LONGEST_NAME],
            run_time_s=run_time_s,
            alerts=alerts,
        )
        return None

    def _choices(self) -> Choices:
        environment, web_ui = self._environment, self._environment.web_ui
        options = vars(environment.parsed_options) if environment.parsed_options else {}
        own = {*argument_parser.default_args_dict(), RUN_OPTION, RUN_ENDS}
        return Choices(
            classes=classes_of(environment),
            running=running_classes(environment),
            shapes=list(environment.available_shape_classes or {}),
            shaped=environment.shape_class is not None,
            picker=bool(web_ui and web_ui.userclass_picker_is_active),
            in_a_run=self._recorder.active is not None,
            arguments={name: value for name, value in options.items() if name not in own},
            options=own,
        )

    def _set_for_class(self, user: str) -> Answer:
        """Apply settings of a class in place of Locust, which would parse the body again."""
        try:
            settings = read_class_setting(self._environment, read_json(request.get_data()))
        except BadInput as error:
            refusal: start_rules.Refusal | None = start_rules.Refusal("bad_input", str(error))
        else:
            present = classes_of(self._environment)[settings[CLASS]].host
            refusal = start_rules.refuse_host_of_class(
                settings.get("host", present),
                present,
                self._recorder.active,
                self._allowlist,
            )
        if refusal:
            answer = self._refuse(user, "set something for a class of users", refusal)
            return answer, STATUS_OF_REFUSAL[refusal.code]
        self._environment.update_user_class(settings)
        self._recorder.event("user settings changed", {"by": user, "settings": settings})
        return jsonify({}), 201

    def _refuse(self, user: str, action: str, refusal: start_rules.Refusal) -> Response:
        if refusal.code in ("target_refused", "run_active"):
            address = request.headers.get("X-Real-IP", "")
            self._recorder.audit(user, address, action, refusal.message)
        # Locust's UI shows the message of an answer only if its status is 200.
        return jsonify({"success": False, "code": refusal.code, "message": refusal.message})

    def _add_run_id(self, response: Response) -> Response:
        """Add the run's id to the answer to a start, and a code if Locust itself refuses it."""
        if request.path != "/swarm":
            return response
        body = response.get_json(silent=True)
        if not isinstance(body, dict):
            self._recorder.forget_request()
            return response
        if body.get("success"):
            body["run_id"] = self._recorder.expected_run_id
            if "replan" in g:
                # Locust has dropped the old run time by now.
                self._recorder.replan(g.replan, utc_now())
        else:
            body.setdefault("code", "bad_input")
            self._recorder.forget_request()
        response.set_data(json.dumps(body))
        return response

    def _run(self) -> Response:
        return jsonify(self.status())

    def status(self) -> dict[str, Any]:
        """Return the state of the run and the fleet; docs/architecture.md has the fields."""
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
                    **self._totals_of(client.id),
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
            "problems": self._diagnostics.current(),
            "spool_files": len(self._spool.pending()),
        }


def _finish_page(response: Response) -> Response:
    """Add a link to the console, and a Content-Security-Policy for the page's own scripts."""
    if response.mimetype == "text/html" and not response.direct_passthrough:
        html = response.get_data(as_text=True)
        if request.path == "/":
            html = html.replace("</body>", f"{CONSOLE_LINK}</body>")
            response.set_data(html)
        response.headers["Content-Security-Policy"] = policy_for(html)
    return response


def _error_answer(error: HTTPException) -> tuple[Response, int]:
    """Answer an unreadable request with a sentence as JSON."""
    status = error.code or 500
    answer = jsonify({"error": SENTENCES[status], "code": "bad_input"})
    for name, value in error.get_headers():
        # Keeps others, such as Allow of a 405; these two describe the HTML page.
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer, status


def _alerts() -> Thresholds:
    """Return the alert thresholds in a start's header; raises BadInput."""
    given = read_json(request.headers.get("X-Fleet-Run-Alerts", "{}"))
    if not isinstance(given, dict):
        raise BadInput("The thresholds of alerts are not a JSON object.")
    return read_thresholds(given)


def _planned_run_time_s(form: StartForm) -> float | None:
    # A shape decides on its run time itself.
    return None if form.shaped or form.run_time_s is None else float(form.run_time_s)


def _percentile(total: Any, fraction: float) -> float | None:
    return total.get_response_time_percentile(fraction) if total.response_times else None

"""The API for pipelines and scripts. Errors are {"error": sentence, "code": word}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request

from locust_fleet.console.access.audit import read_last
from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services
from locust_fleet.console.runs.history import NoSuchRun
from locust_fleet.console.runs.master_client import StartRefused, StartRequest, active_run
from locust_fleet.console.runs.reader import RUN_ID
from locust_fleet.errors import BadInput
from locust_fleet.policy import limits
from locust_fleet.policy.alert_thresholds import Thresholds, read_thresholds

STATUS_OF_REFUSAL = {
    "bad_input": 422,
    "target_refused": 403,
    "run_active": 409,
    "no_workers": 503,
}
RUNS_AT_ONCE = 200
FIELDS = ("users", "spawn_rate", "run_time", "host", "name", "alerts")


routes = Blueprint("api", __name__)


@routes.get("/api/v1/run")
def present() -> Response:
    """Return the status of the master: the active or last run, users, workers, problems."""
    return jsonify(services().master.status())


@routes.get("/api/v1/workers")
def workers() -> Response:
    """Return the workers of the fleet."""
    status = services().master.status()
    return jsonify(count=status["workers"], workers=status["worker_list"])


@routes.get("/api/v1/runs")
def runs() -> Response:
    """Return past runs, the newest first; ?before=ID&limit=N pages through them."""
    before = request.args.get("before")
    limit = request.args.get("limit", "50")
    if before is not None and not RUN_ID.fullmatch(before):
        return common.error(422, "before is not the id of a run.", "bad_input")
    if not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= RUNS_AT_ONCE:
        return common.error(422, f"limit is not 1 to {RUNS_AT_ONCE}.", "bad_input")
    return jsonify(runs=services().history.page(int(limit), before))


@routes.get("/api/v1/runs/<run_id>")
def run(run_id: str) -> Response:
    """Return one run with its totals, failures and events; 404 for an unknown one."""
    try:
        return jsonify(services().history.run(run_id))
    except NoSuchRun as error:
        return common.error(404, str(error), "not_found")


@routes.post("/api/v1/runs")
def start() -> Response:
    """Start a run; 201 with its id, or the status in STATUS_OF_REFUSAL."""
    try:
        run_id = services().master.start(read_start(common.json_body()), common.me())
    except BadInput as error:
        return common.error(422, str(error), "bad_input")
    except StartRefused as refusal:
        status = STATUS_OF_REFUSAL.get(refusal.code, 422)
        return common.error(status, str(refusal), refusal.code)
    return make_response(jsonify(id=run_id), 201, {"Location": f"/api/v1/runs/{run_id}"})


@routes.post("/api/v1/runs/<run_id>/stop")
def stop(run_id: str) -> Response:
    """Stop the active run; 409 if another run or none is active."""
    active = active_run(services().master.find())
    if active is None or active["id"] != run_id:
        return common.error(409, f"The run {run_id} is not active.", "not_active")
    services().master.stop(common.me())
    # The stop button of a page is a form, so that it works without JavaScript.
    return common.go(f"/console/runs/{run_id}") if common.wants_page() else jsonify(id=run_id)


@routes.post("/stop")
def stop_from_locust() -> Response:
    """Answer the stop button of Locust's own page, which nginx sends here, as Locust would."""
    services().master.stop(common.me())
    return jsonify(success=True, message="Test stopped")


@routes.get("/api/v1/audit")
def audit() -> Response:
    """Return the last entries of the audit log."""
    services().audit.flush()
    with services().database.connection() as connection:
        return jsonify(entries=[entry.to_json() for entry in read_last(connection)])


def read_start(body: object) -> StartRequest:
    """Return the run that the body of POST /runs asks for; BadInput names the first wrong field."""
    if not isinstance(body, Mapping):
        raise BadInput("Send a JSON object with users and spawn_rate.")
    for name in body:
        if name not in FIELDS:
            raise BadInput(f"There is no field {limits.shown(name)}; use {', '.join(FIELDS)}.")
    run_time = body.get("run_time")
    return StartRequest(
        users=limits.users("users", body.get("users")),
        spawn_rate=limits.spawn_rate("spawn_rate", body.get("spawn_rate")),
        run_time=None if run_time is None else f"{limits.run_time_s('run_time', run_time)}s",
        host=_text(body, "host", limits.LONGEST_HOST) or None,
        name=_text(body, "name", limits.LONGEST_NAME),
        alerts=_alerts(body.get("alerts")),
    )


def _alerts(value: object) -> Thresholds:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadInput('alerts is not an object such as {"HighResponseTime": 15}.')
    return read_thresholds(value)


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    value = body.get(name)
    return "" if value is None else limits.line(name, value, longest)

"""The pages about runs."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, send_file

from locust_fleet.console.access.roles import Role
from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services
from locust_fleet.console.runs.history import NoSuchRun
from locust_fleet.console.runs.reader import RUN_ID
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.csp import policy_for

RUNS_PER_PAGE = 50

routes = Blueprint("pages", __name__, url_prefix="/console")


@routes.get("")
@routes.get("/")
def start() -> Response:
    """Redirect to the list of runs."""
    return common.go("/console/runs", 302)


@routes.get("/runs")
def runs() -> Response:
    """Show past runs; without Postgres, the active run alone."""
    before = request.args.get("before")
    last_id = before if before and RUN_ID.fullmatch(before) else None
    stored = True
    try:
        rows = services().history.page(RUNS_PER_PAGE, last_id)
    except StoreUnavailable:
        rows, stored = [], False
    page = render_template(
        "runs.html",
        rows=rows,
        stored=stored,
        status=services().history.status(),
        first=before is None,
        more=rows[-1]["id"] if len(rows) == RUNS_PER_PAGE else None,
    )
    return make_response(page, 200 if stored else 503)


@routes.get("/runs/<run_id>")
def run(run_id: str) -> Response:
    """Show one run."""
    try:
        found = services().history.run(run_id)
    except NoSuchRun as error:
        return common.error(404, str(error), "not_found")
    may_stop = common.me().role.covers(Role.OPERATOR)
    return make_response(render_template("run.html", run=found, may_stop=may_stop))


@routes.get("/reports/<run_id>/<name>")
def report(run_id: str, name: str) -> Response:
    """Send a file that a run left; an HTML report opens in the browser."""
    path = services().history.report(run_id, name)
    if path is None:
        return common.error(404, "This run has no such report.", "not_found")
    if path.suffix != ".html":
        return send_file(path, as_attachment=True, download_name=f"{run_id}-{name}")
    response = make_response(path.read_text(encoding="utf-8"))
    response.headers["Content-Security-Policy"] = policy_for(response.get_data(as_text=True))
    return response

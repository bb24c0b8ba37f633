"""The admin's page of notifications: what waits, what was refused, and what to do about it."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, make_response, render_template, request

from locust_fleet.console.routes import common
from locust_fleet.console.services import Services
from locust_fleet.notify import outbox

SHOWN = 200
ACTIONS = {"retry": outbox.retry, "discard": outbox.discard}
DONE = {"retry": "The message is tried again.", "discard": "The message is discarded."}
GONE = "There is no such message that waits, or it is being sent just now."


def blueprint(parts: Services) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("notifications", __name__, url_prefix="/console/admin/notifications")

    def page(status: int = 200, mistake: str = "") -> Response:
        with parts.database.connection() as connection:
            return make_response(
                render_template(
                    "notifications.html",
                    counts=[
                        count
                        for count in outbox.read_counts(connection)
                        if count.channel or count.pending
                    ],
                    unsettled=outbox.read_unsettled(connection, SHOWN),
                    shown=SHOWN,
                    mistake=mistake,
                    done=DONE.get(request.args.get("done", "")),
                ),
                status,
            )

    @routes.get("")
    def show() -> Response:
        return page()

    @routes.post("")
    def change() -> Response:
        action, channel = request.form.get("action", ""), request.form.get("channel", "")
        act = ACTIONS.get(action)
        if act is None:
            return page(422, "There is no such action on a message.")
        try:
            message_id = uuid.UUID(request.form.get("id", ""))
        except ValueError:
            return page(422, GONE)
        with parts.database.connection() as connection:
            changed = "\x00" not in channel and act(connection, message_id, channel)
        detail = {"message": str(message_id), "channel": channel}
        parts.audit.note(
            common.me().name, common.address(), f"{action} notification", detail, allowed=changed
        )
        if not changed:
            return page(422, GONE)
        return common.go(f"/console/admin/notifications?done={action}")

    return routes

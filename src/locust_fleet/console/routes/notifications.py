"""The admin's page of notifications that wait or were refused, with Retry and Discard."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, make_response, render_template, request

from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services
from locust_fleet.notify import outbox

DELIVERIES_SHOWN = 200
ACTIONS = {"retry": outbox.retry, "discard": outbox.discard}
DONE = {
    "retry": "The notifier tries the message again.",
    "discard": "The message is discarded.",
}
GONE = "This message is no longer waiting, or it is being sent at this moment."

routes = Blueprint("notifications", __name__, url_prefix="/console/admin/notifications")


@routes.get("")
def show() -> Response:
    """Show the channels, and the deliveries that wait or have failed."""
    return _page()


@routes.post("")
def change() -> Response:
    """Retry or discard a delivery; 422 if it is done or being sent."""
    action, channel = request.form.get("action", ""), request.form.get("channel", "")
    act = ACTIONS.get(action)
    if act is None:
        return _page(422, "A message has no such action.")
    try:
        message_id = uuid.UUID(request.form.get("id", ""))
    except ValueError:
        return _page(422, GONE)
    with services().database.connection() as connection:
        changed = "\x00" not in channel and act(connection, message_id, channel)
    services().audit.note(
        common.me().name,
        common.address(),
        f"{action} notification",
        {"message": str(message_id), "channel": channel},
        allowed=changed,
    )
    return common.go(f"/console/admin/notifications?done={action}") if changed else _page(422, GONE)


def _page(status: int = 200, mistake: str = "") -> Response:
    with services().database.connection() as connection:
        counts = outbox.read_counts(connection)
        deliveries = outbox.read_open(connection, DELIVERIES_SHOWN)
    page = render_template(
        "notifications.html",
        counts=[count for count in counts if count.channel or count.pending],
        deliveries=deliveries,
        shown=DELIVERIES_SHOWN,
        mistake=mistake,
        done=DONE.get(request.args.get("done", "")),
    )
    return make_response(page, status)

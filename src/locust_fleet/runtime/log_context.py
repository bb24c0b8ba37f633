"""Tell the log whose request is being answered."""

from __future__ import annotations

from collections.abc import Mapping

from flask import has_request_context, request


def log_context() -> Mapping[str, str]:
    """Return ``user_id`` and ``request_id`` of the present request, as nginx sent them, if any."""
    if not has_request_context():
        return {}
    fields = {
        "user_id": request.headers.get("X-Fleet-User", ""),
        "request_id": request.headers.get("X-Request-ID", ""),
    }
    return {name: value for name, value in fields.items() if value}

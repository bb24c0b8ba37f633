"""The console: sign-in and roles for the whole stack, its API, and the history of runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Flask:
    """Build the console from the environment, for gunicorn; raises SettingsError.

    Tests build theirs with ``locust_fleet.console.app.build``.
    """
    # Imported here, so that commands can import a part of the console without loading all of it.
    from locust_fleet import logs
    from locust_fleet.console import app
    from locust_fleet.runtime import log_context
    from locust_fleet.settings.console import ConsoleSettings

    settings = ConsoleSettings.from_env(os.environ)
    logs.configure(settings.logs, "console", log_context.log_context)
    return app.build(settings, app.Stores.of(settings))

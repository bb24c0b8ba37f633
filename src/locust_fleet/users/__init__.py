"""Users for scenarios: ``from locust_fleet.users import FleetHttpUser``."""

from __future__ import annotations

from locust_fleet.users.http.user import FleetHttpUser

__all__ = ["FleetHttpUser"]

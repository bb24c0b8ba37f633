"""Users for scenarios: ``from locust_fleet.users import ArrivalRate, FleetHttpUser``."""

from __future__ import annotations

from locust_fleet.users.arrival.rate import ArrivalRate
from locust_fleet.users.http import FleetHttpUser

__all__ = ["ArrivalRate", "FleetHttpUser"]

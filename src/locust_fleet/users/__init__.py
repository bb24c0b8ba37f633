"""Users for scenarios: ``from locust_fleet.users import ArrivalRate``."""

from locust_fleet.users.arrival.rate import ArrivalRate

__all__ = ["ArrivalRate"]

"""A small shop to aim at: the default target, so that nothing outside is ever hit by accident."""

from locust_fleet.demo.app import create_app

__all__ = ["create_app"]

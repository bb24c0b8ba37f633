"""A small shop, the default target: so no load goes outside the stack by accident."""

from locust_fleet.demo.app import create_app

__all__ = ["create_app"]

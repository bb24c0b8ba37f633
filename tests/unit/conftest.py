"""Locust patches the standard library when it is imported: before any test imports the rest."""

import locust

__all__ = ["locust"]

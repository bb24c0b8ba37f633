"""``locust-fleet plan``: how many workers and cores, how much memory and bandwidth a test needs.

``size`` takes plain numbers, for scripts and pipelines. Only ``measure`` imports Locust.
"""

from locust_fleet.sizing.size import Cost, Load, Machine, Size, size

__all__ = ["Cost", "Load", "Machine", "Size", "size"]

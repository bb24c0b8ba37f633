"""How many workers, cores, memory and bandwidth a test needs: ``locust-fleet plan``.

``size`` is a function of plain numbers, for scripts and pipelines; nothing here imports Locust but
``measure``.
"""

from locust_fleet.sizing.size import Cost, Load, Machine, Size, size

__all__ = ["Cost", "Load", "Machine", "Size", "size"]

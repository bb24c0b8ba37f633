"""The parts of a master that pass its run to the next one."""

from __future__ import annotations

from dataclasses import dataclass

from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.failover.stepdown import StepDown


@dataclass(frozen=True, slots=True)
class Failover:
    """How a run passes from one master to the next."""

    resume: Resume
    checkpointer: Checkpointer
    stepdown: StepDown

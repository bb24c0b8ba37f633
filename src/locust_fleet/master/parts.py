"""The parts of a master, by folder."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner
from locust.web import WebUI

from dataclasses import dataclass

from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.dispatch.arrival_planner import ArrivalPlanner
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.metrics.arrival_metrics import ArrivalMetrics
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.decode import ReportDecoder
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.stop_sequence import StopSequence
from locust_fleet.master.workers.class_settings import ClassSettings
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals


@dataclass(frozen=True, slots=True)
class Results:
    """The parts that store a run's results."""

    spool: Spool
    recorder: Recorder
    shipper: Shipper

    def run_id(self) -> str | None:
        """Return the id of the present run; None between runs."""
        return self.recorder.active.id if self.recorder.active else None


@dataclass(frozen=True, slots=True)
class Reports:
    """The parts that read workers' reports."""

    sequence: ReportSequence
    acknowledger: Acknowledger
    decoder: ReportDecoder


@dataclass(frozen=True, slots=True)
class Workers:
    """The parts that know the workers."""

    roster: Roster
    registry: WorkerRegistry
    class_settings: ClassSettings
    loss_bound: LossBound
    totals: WorkerTotals


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The parts that decide which worker runs what."""

    weights: Weights
    rebalancer: Rebalancer
    arrivals: ArrivalPlanner


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters for Prometheus, which add up reports as they arrive."""

    endpoints: EndpointCounters
    arrivals: ArrivalMetrics


@dataclass(frozen=True, slots=True)
class Control:
    """The parts that each start and each stop passes."""

    gate: StartGate
    stop_sequence: StopSequence


@dataclass(frozen=True, slots=True)
class Locust:
    """Locust's own objects in this process."""

    environment: Environment
    runner: MasterRunner
    web_ui: WebUI | None

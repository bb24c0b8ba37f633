"""The parts of a master, by room."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner
from locust.web import WebUI

from dataclasses import dataclass

from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.dispatch.arrivals import ArrivalPlanner
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.metrics.arrivals import ArrivalMetrics
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
    """What a run leaves behind."""

    spool: Spool
    recorder: Recorder
    shipper: Shipper

    def run_id(self) -> str | None:
        """Return the id of the run that is on."""
        return self.recorder.active.id if self.recorder.active else None


@dataclass(frozen=True, slots=True)
class Reports:
    """How reports of workers are taken in."""

    sequence: ReportSequence
    acknowledger: Acknowledger
    decoder: ReportDecoder


@dataclass(frozen=True, slots=True)
class Workers:
    """Who the workers are."""

    roster: Roster
    registry: WorkerRegistry
    class_settings: ClassSettings
    loss_bound: LossBound
    totals: WorkerTotals


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Which worker runs what."""

    weights: Weights
    rebalancer: Rebalancer
    arrivals: ArrivalPlanner


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted for Prometheus as reports come in."""

    endpoints: EndpointCounters
    arrivals: ArrivalMetrics


@dataclass(frozen=True, slots=True)
class Control:
    """What stands before a start and a stop."""

    gate: StartGate
    stop_sequence: StopSequence


@dataclass(frozen=True, slots=True)
class Locust:
    """What Locust has made of this process."""

    environment: Environment
    runner: MasterRunner
    web_ui: WebUI | None

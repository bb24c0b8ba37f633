"""The hooks of a run on a worker, in their order: start, report, stopping, stop, quitting."""

from __future__ import annotations

from locust.env import Environment

import gc
from collections.abc import Callable
from typing import Any

from locust_fleet.data.client import DataClient
from locust_fleet.protocol.messages import RUN_OPTION
from locust_fleet.protocol.report_codec import shorten
from locust_fleet.runtime.hooks import in_order
from locust_fleet.worker.allowlist_guard import AllowlistGuard
from locust_fleet.worker.arrivals import WorkerArrivals
from locust_fleet.worker.capacity import Capacity
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.resend_buffer import ResendBuffer
from locust_fleet.worker.runner import FleetWorkerRunner


class WorkerLifecycle:
    """Calls the parts of a worker when a run starts, reports, stops or ends with the process."""

    def __init__(
        self,
        environment: Environment,
        runner: FleetWorkerRunner,
        capacity: Capacity,
        arrivals: WorkerArrivals,
        resend_buffer: ResendBuffer,
        drain: Drain,
        guard: AllowlistGuard,
        data_client: DataClient,
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._capacity = capacity
        self._arrivals = arrivals
        self._resend_buffer = resend_buffer
        self._drain = drain
        self._guard = guard
        self._data_client = data_client

    def attach(self) -> None:
        """Start to call the hooks on events of this environment."""
        events = self._environment.events
        events.request.add_listener(self._data_client.count_request)
        events.report_to_master.add_listener(in_order(self.report_steps, "data"))
        events.test_start.add_listener(in_order(self.at_start))
        events.test_stopping.add_listener(in_order(self.at_stopping))
        events.test_stop.add_listener(in_order(self.at_stop))
        # Runs before Locust's own listener, which says goodbye to the leader.
        events.quitting.add_listener(in_order((self._drain.drain,)))

    @property
    def report_steps(self) -> tuple[Callable[[dict[str, Any]], None], ...]:
        """The steps that a report passes before it is sent."""
        return (
            shorten,
            self._capacity.report,
            self._arrivals.report,
            self._resend_buffer.add,
        )

    @property
    def at_start(self) -> tuple[Callable[[], None], ...]:
        """The hooks of users that are about to start."""
        return (
            self._arrivals.begin_run,
            self._guard.forget,
            self._data_client.begin,
        )

    @property
    def at_stopping(self) -> tuple[Callable[[], None], ...]:
        """The hooks of users that are about to stop."""
        return (self._arrivals.stop_run, self._data_client.stop_waiting)

    @property
    def at_stop(self) -> tuple[Callable[[], None], ...]:
        """The hooks of users that have all stopped."""
        return (
            self._arrivals.end_run,
            self._runner.report_now,
            self._collect_garbage,
            self._forget_run,
            # After the run is forgotten here, so that this worker does not join its data again.
            self._data_client.end,
        )

    def _collect_garbage(self) -> None:
        """Close the connections of users that have ended, while this worker is idle.

        Locust 2.47.0 (``HttpUser``, ``FastHttpUser``) leaves that to the garbage collector, which
        rarely collects its old generation.
        """
        gc.collect()

    def _forget_run(self) -> None:
        setattr(self._environment.parsed_options, RUN_OPTION, {})

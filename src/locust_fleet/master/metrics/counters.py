"""Count workers' reports by endpoint, for Prometheus.

Each report holds the counts since the one before, so these never go down: neither when somebody
resets the statistics in the UI, nor when a run starts and Locust clears its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from locust_fleet.master.results.bounds import METHOD_BYTES, NAME_BYTES, clean, finite
from locust_fleet.protocol.histogram import OTHER

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ERRORS_LIMIT = 100
ERROR_CHARACTERS = 200
# Recent reports are those of the last RECENT_S seconds, kept in slices of SLICE_S.
RECENT_S = 10.0
SLICE_S = 2.0
# Workers report every three seconds, so later than this not all of them have reported.
REPORTED_AFTER_S = 3
# More than the distinct response times that our steps have.
REMEMBERED_TIMES = 20_000


class _BucketOf(dict[float, int]):
    """A cache of the index of the bucket for each response time (milliseconds)."""

    def __missing__(self, time_ms: float) -> int:
        if len(self) >= REMEMBERED_TIMES:
            self.clear()
        place = self[time_ms] = bisect_left(BUCKETS_S, time_ms / 1000)
        return place


@dataclass(eq=False, slots=True)
class Endpoint:
    """The counts of a method and name since this process started; sums are milliseconds."""

    method: str
    name: str
    # Its key in Locust's own statistics.
    key_in_locust: tuple[str, str]
    successes: int = 0
    failures: int = 0
    sum_ms: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    errors: dict[str, int] = field(default_factory=dict)

    def cumulative(self) -> list[int]:
        """Return the buckets as Prometheus has them: each includes those below, the last all."""
        return list(accumulate(self.buckets))


@dataclass(slots=True)
class Recent:
    """The requests of a short time; the sum and the keys of the histogram are milliseconds."""

    requests: int = 0
    failures: int = 0
    sum_ms: float = 0.0
    times: dict[float, int] = field(default_factory=dict)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry of a worker's report."""
        self.requests += entry["num_requests"]
        self.failures += entry["num_failures"]
        self.sum_ms += finite(entry["total_response_time"])
        self._add_times(entry["response_times"])

    def merge(self, other: Recent) -> None:
        """Add the requests of another."""
        self.requests += other.requests
        self.failures += other.failures
        self.sum_ms += other.sum_ms
        self._add_times(other.times)

    def _add_times(self, times: Mapping[float, int]) -> None:
        if not self.times:
            self.times = dict(times)
            return
        mine = self.times
        for time_ms, count in times.items():
            mine[time_ms] = mine.get(time_ms, 0) + count


@dataclass(slots=True)
class _Slice:
    began: float
    total: Recent = field(default_factory=Recent)
    endpoints: dict[Endpoint, Recent] = field(default_factory=dict)


class EndpointCounters:
    """The counts of all reports since this process started, and of the last ten seconds."""

    def __init__(self, names_limit: int) -> None:
        # Room for the names of earlier runs and of one more run, and for "(other)".
        self._most_at_start, self._most = names_limit, 2 * names_limit + 1
        self._by_key: dict[tuple[str | None, str], Endpoint] = {}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._slices: deque[_Slice] = deque()
        self._rate = Rate()
        self._bucket_of = _BucketOf()
        self.over_limit = False

    def start_run(self) -> None:
        """Forget recent reports, and all names if earlier runs leave too little room for new ones.

        So no count goes down within a run. To Prometheus, a count that starts again between two
        runs looks like a restart of this process.
        """
        self._slices.clear()
        self._rate = Rate()
        if len(self._endpoints) > self._most_at_start:
            self.over_limit = False
            self._by_key.clear()
            self._endpoints.clear()

    def add(self, worker: str, report: Mapping[str, Any], now: float) -> None:
        """Add a worker's report; ``now`` is in monotonic seconds."""
        part = self._slice(now)
        for entry in report["stats"]:
            endpoint = self._endpoint(entry["method"], entry["name"])
            failures = entry["num_failures"]
            endpoint.failures += failures
            endpoint.successes += max(0, entry["num_requests"] - failures)
            endpoint.sum_ms += max(0.0, finite(entry["total_response_time"]))
            times: Mapping[float, int] = entry["response_times"]
            buckets, bucket_of = endpoint.buckets, self._bucket_of
            for time_ms, count in times.items():
                buckets[bucket_of[time_ms]] += count
            recent = part.endpoints.get(endpoint)
            if recent is None:
                recent = part.endpoints[endpoint] = Recent()
            recent.add(entry)
        for error in report["errors"].values():
            self._add_error(error)
        total = report["stats_total"]
        part.total.add(total)
        self._rate.add(worker, total["num_requests"], now)

    def endpoints(self) -> list[Endpoint]:
        """Return every endpoint that has been reported."""
        return list(self._endpoints.values())

    def recent(self, endpoint: Endpoint, now: float) -> Recent:
        """Return the requests of an endpoint that were reported in the last ten seconds."""
        merged = Recent()
        for part in self._present_slices(now):
            of_part = part.endpoints.get(endpoint)
            if of_part is not None:
                merged.merge(of_part)
        return merged

    def recent_total(self, now: float) -> Recent:
        """Return the requests of all endpoints that were reported in the last ten seconds."""
        merged = Recent()
        for part in self._present_slices(now):
            merged.merge(part.total)
        return merged

    def requests_per_second(self, now: float) -> float:
        """Return requests per second of all endpoints, over ten seconds that all have reported."""
        return self._rate.per_second(now)

    def _slice(self, now: float) -> _Slice:
        if not self._slices or now - self._slices[-1].began >= SLICE_S:
            self._slices.append(_Slice(now))
        while self._slices[0].began < now - RECENT_S - SLICE_S:
            self._slices.popleft()
        return self._slices[-1]

    def _present_slices(self, now: float) -> list[_Slice]:
        return [part for part in self._slices if part.began >= now - RECENT_S]

    def _endpoint(self, method: str | None, name: str) -> Endpoint:
        endpoint = self._by_key.get((method, name))
        if endpoint is not None:
            return endpoint
        key = clean(method or "", METHOD_BYTES), clean(name, NAME_BYTES)
        if key not in self._endpoints and len(self._endpoints) >= self._most:
            self.over_limit = True
            key = "", OTHER
            return self._endpoints.setdefault(key, Endpoint(*key, (OTHER, "")))
        endpoint = self._endpoints.setdefault(key, Endpoint(*key, (name, method or "")))
        self._by_key[method, name] = endpoint
        return endpoint

    def _add_error(self, error: Mapping[str, Any]) -> None:
        errors = self._endpoint(error["method"], error["name"]).errors
        text = clean(str(error["error"])[:ERROR_CHARACTERS], 4 * ERROR_CHARACTERS)
        if text not in errors and len(errors) >= ERRORS_LIMIT:
            text = OTHER
        errors[text] = errors.get(text, 0) + error["occurrences"]


class Rate:
    """Requests per second from reports that cover several seconds each.

    A report's requests are spread evenly over the time since the worker's previous report. If they
    counted when it arrives, the rate would swing by a quarter up and down.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._reported: dict[str, float] = {}
        self._forgot_at = 0

    def add(self, worker: str, requests: int, now: float) -> None:
        """Add the requests of a worker's report that arrived ``now`` (monotonic seconds)."""
        before = self._reported.get(worker, now - REPORTED_AFTER_S)
        self._reported[worker] = now
        # After a longer gap, the report counts as a burst of the last RECENT_S seconds.
        begin = min(max(before, now - RECENT_S), now - 0.001)
        for second in range(int(begin), int(now) + 1):
            share = (min(now, second + 1) - max(begin, second)) / (now - begin)
            self._seconds[second] = self._seconds.get(second, 0.0) + requests * share
        if int(now) > self._forgot_at:
            self._forgot_at = int(now)
            self._forget(now)

    def per_second(self, now: float) -> float:
        """Return requests per second over the last ten seconds that every worker has reported."""
        end = int(now) - REPORTED_AFTER_S
        begin = end - int(RECENT_S)
        return sum(self._seconds.get(second, 0.0) for second in range(begin, end)) / RECENT_S

    def _forget(self, now: float) -> None:
        oldest = int(now - 3 * RECENT_S)
        for second in [second for second in self._seconds if second < oldest]:
            del self._seconds[second]
        for worker in [worker for worker, at in self._reported.items() if at < oldest]:
            del self._reported[worker]

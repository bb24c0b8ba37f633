"""How this process reaches the shared data: which store, which run, which identity."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.lock import RLock

from locust_fleet.data.session import ClientSession
from locust_fleet.data.source import Source
from locust_fleet.data.store import Fenced, Quarantined, Restarted, Store
from locust_fleet.errors import DataError, FleetError, StoreUnavailable

QUARANTINE_POLL_S = 0.25
# After a failure to join, users get the same error for this time, without another attempt.
REJOIN_DELAY_S = 1.0
# How often a process looks for a run to take part in.
RUN_POLL_S = 0.5

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class DataClient:
    """The only access of this process to the store."""

    def __init__(
        self,
        store: Store,
        run: Callable[[], str | None],
        worker: Callable[[], str],
        expiry_s: float,
    ) -> None:
        """``run`` returns the id of the current run, ``worker`` the name of this worker or "".

        An identity that is not renewed for ``expiry_s`` seconds expires.
        """
        self.store = store
        self.requests_made = 0
        self._run = run
        self._worker = worker
        self._expiry_s = expiry_s
        self._session: ClientSession | None = None
        self._joining = RLock()
        # Until when (monotonic) nobody tries to join, and why.
        self._join_failed: tuple[float, str] | None = None
        # Values of counters and memberships that every new identity tells the store.
        self.counted: dict[str, int] = {}
        self.entered: set[tuple[str, str]] = set()

    def open(self, run: str) -> None:
        """Begin a run in the store; this process does not join the run meanwhile.

        A process that joins a run makes an unknown run begin in quarantine, because the store may
        have lost its data. A run that has just begun needs none.
        """
        with self._joining:
            self.store.open(run)

    def begin(self) -> None:
        """Forget the former run: another one begins."""
        self.requests_made, self._session = 0, None
        self.counted, self.entered = {}, set()

    def stop_waiting(self) -> None:
        """Stop the users that wait for a record: the run is about to end."""
        if self._session:
            self._session.stop_waiting()

    def end(self) -> None:
        """Give everything back: the run has ended."""
        session, self._session = self._session, None
        if session and not session.lost:
            try:
                session.leave()
            except FleetError as error:
                logger.warning("this worker's records stay lent until they expire: %s", error)

    def count_request(self, **_: Any) -> None:
        """Count a request of a user of this worker; a listener of Locust's ``request``."""
        self.requests_made += 1

    def session(self) -> ClientSession:
        """Return the identity in the current run; joins the run if it has no valid one.

        Raises DataError when there is no run, and StoreUnavailable.
        """
        run = self._run()
        if run is None:
            raise DataError("there is no run; use shared data in the tasks of users")
        session = self._session
        if session is None or not session.alive or session.identity.run != run:
            with self._joining:
                # Another user may have joined meanwhile.
                session = self._session
                if session is None or not session.alive or session.identity.run != run:
                    session = self._join_unless_failed(run)
        return session

    def ask(self, question: Callable[[ClientSession], Answer]) -> Answer:
        """Return the store's answer, from a new identity if the former one is lost."""
        while True:
            session = self.session()
            try:
                return question(session)
            except Fenced:
                session.lost = True
            except Restarted as error:
                session.reconcile(error.generation)
            except Quarantined:
                gevent.sleep(QUARANTINE_POLL_S)

    def run_id(self) -> str:
        """Return the id of the current run; DataError when there is none."""
        return self.session().identity.run

    def watch(self) -> None:
        """Take part in every run and renew the identity, forever."""
        reached = True
        while True:
            try:
                if self._run() is not None:
                    self.ask(ClientSession.renew)
                reached = True
            except DataError:
                # The run has just ended.
                pass
            except StoreUnavailable as error:
                if reached:
                    logger.warning("shared data: %s", error)
                reached = False
            except Exception:  # without renewals this worker would lose all that it holds
                logger.exception("shared data: the renewal failed; the worker tries again")
            gevent.sleep(self._pause_s())

    def _pause_s(self) -> float:
        return self._session.pause_s if self._session else RUN_POLL_S

    def _join_unless_failed(self, run: str) -> ClientSession:
        """Join; after a failure, other users get the same error without waiting for the store."""
        if self._join_failed and time.monotonic() < self._join_failed[0]:
            raise StoreUnavailable(self._join_failed[1])
        try:
            session = self._join(run)
        except StoreUnavailable as error:
            # Not the error itself: it holds what the user that asked has at hand.
            self._join_failed = time.monotonic() + REJOIN_DELAY_S, str(error)
            raise
        self._join_failed = None
        return session

    def _join(self, run: str) -> ClientSession:
        former = self._session
        session = ClientSession(
            self.store,
            run,
            self._worker(),
            self._expiry_s,
            lambda: self.requests_made,
            self.counted,
            self.entered,
        )
        if former is not None and former.identity.run == run:
            logger.warning("this worker renewed its identity too late and lost what it held")
            session.stopping = former.stopping
        self._session = session
        return session


class DataRegistry:
    """The client of this process, and the sources that its scenario has declared."""

    def __init__(self, make_standalone: Callable[[], DataClient]) -> None:
        """``make_standalone`` makes a client for a process that belongs to no fleet."""
        self.sources: dict[str, Source] = {}
        # Whether a master or worker of a fleet has set its client.
        self.in_fleet = False
        self._make_standalone = make_standalone
        self._client: DataClient | None = None

    @property
    def client(self) -> DataClient:
        """The client; in no fleet it shares data only within this process."""
        if self._client is None:
            self._client = self._make_standalone()
        return self._client

    def use(self, client: DataClient) -> None:
        """Set the client of this master or worker of a fleet."""
        self._client, self.in_fleet = client, True

    def declare(self, source: Source) -> None:
        """Add a source; declaring the same one again, as a module imported twice does, is fine.

        Raises DataError when another source has the same name.
        """
        before = self.sources.setdefault(source.name, source)
        if before != source:
            raise DataError(
                f"there are two sources {source.name}, {before.where} and {source.where};"
                " rename one of them"
            )

    def source(self, name: str) -> Source:
        """Return a declared source; raises DataError when no source has the name."""
        if name not in self.sources:
            known = ", ".join(sorted(self.sources)) or "none"
            raise DataError(
                f"there is no source {name}; declare it with data.source (there are: {known})"
            )
        return self.sources[name]

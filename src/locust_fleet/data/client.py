"""The place of this process in the shared data: which store, which run, which identity."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.lock import RLock

from locust_fleet.data.session import ClientSession
from locust_fleet.data.source import Source
from locust_fleet.data.store import Fenced, OnHold, Restarted, Store
from locust_fleet.errors import DataError, FleetError, StoreUnavailable

ASK_AGAIN_S = 0.25
AWAY_S = 1.0
# How often a process looks for a run to take part in.
LOOK_EVERY_S = 0.5

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class DataClient:
    """Every question to the store goes through here."""

    def __init__(
        self,
        store: Store,
        run: Callable[[], str | None],
        worker: Callable[[], str],
        expiry_s: float,
    ) -> None:
        """``run`` is the id of the run that goes on, ``worker`` the name of this one or ""."""
        self.store = store
        self.requests_made = 0
        self._run = run
        self._worker = worker
        self._expiry_s = expiry_s
        self._session: ClientSession | None = None
        self._one_at_a_time = RLock()
        # Until when nobody tries to join, and why.
        self._away: tuple[float, StoreUnavailable] | None = None
        # What must be known to a new identity, and to a store that has lost it.
        self.counted: dict[str, int] = {}
        self.entered: set[tuple[str, str]] = set()

    def open(self, run: str) -> None:
        """Begin a run in the store; nobody of this process joins it meanwhile.

        Who joins a store that has just started takes it for one that has lost its memory, and
        in a run that is there by then, nobody would be given anything for HOLD_S.
        """
        with self._one_at_a_time:
            self.store.open(run)

    def begin(self) -> None:
        """A run begins here."""
        self.requests_made, self._session = 0, None
        self.counted, self.entered = {}, set()

    def stop_waiting(self) -> None:
        """A run is about to end: nobody waits for a record any more."""
        if self._session:
            self._session.stop_waiting()

    def end(self) -> None:
        """A run has ended here: give everything back."""
        session, self._session = self._session, None
        if session and not session.lost:
            try:
                session.leave()
            except FleetError as error:
                logger.warning("what this worker held is free when its time is over: %s", error)

    def count_request(self, **_: Any) -> None:
        """Count a request of a user of this worker."""
        self.requests_made += 1

    def session(self) -> ClientSession:
        """Return the identity in the present run; joins it, which may raise StoreUnavailable."""
        run = self._run()
        if run is None:
            raise DataError("there is no run; use shared data in the tasks of users")
        session = self._session
        if session is None or not session.alive or session.holder.run != run:
            with self._one_at_a_time:
                # Somebody else may have been quicker.
                session = self._session
                if session is None or not session.alive or session.holder.run != run:
                    session = self._join_unless_in_vain(run)
        return session

    def ask(self, question: Callable[[ClientSession], Answer]) -> Answer:
        """Return the store's answer, from a new identity where the former is lost."""
        while True:
            session = self.session()
            try:
                return question(session)
            except Fenced:
                session.lost = True
            except Restarted as error:
                session.doubt(error.memory)
            except OnHold:
                gevent.sleep(ASK_AGAIN_S)

    def run_id(self) -> str:
        """Return the id of the run that goes on; DataError when there is none."""
        return self.session().holder.run

    def watch(self) -> None:
        """Take part in every run and stay alive in it, forever."""
        heard = True
        while True:
            try:
                if self._run() is not None:
                    self.ask(ClientSession.renew)
                heard = True
            except DataError:
                # The run ends just now.
                pass
            except StoreUnavailable as error:
                if heard:
                    logger.warning("shared data: %s", error)
                heard = False
            except Exception:  # without renewals this worker would lose all that it holds
                logger.exception("shared data: the renewal failed; it is tried again")
            gevent.sleep(self._pause_s())

    def _pause_s(self) -> float:
        return self._session.pause_s if self._session else LOOK_EVERY_S

    def _join_unless_in_vain(self, run: str) -> ClientSession:
        """Join; many users must not find out one after the other that the store is away."""
        if self._away and time.monotonic() < self._away[0]:
            raise self._away[1]
        try:
            session = self._join(run)
        except StoreUnavailable as error:
            self._away = time.monotonic() + AWAY_S, error
            raise
        self._away = None
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
        if former is not None and former.holder.run == run:
            logger.warning("this worker was silent for too long, and what it held is lost")
            session.stopping = former.stopping
        self._session = session
        return session


class DataClients:
    """The one desk of this process, and what its scenario has declared."""

    def __init__(self, alone: Callable[[], DataClient]) -> None:
        self.sources: dict[str, Source] = {}
        self._alone = alone
        self._desk: DataClient | None = None

    @property
    def desk(self) -> DataClient:
        """The desk; without a fleet it is of this process alone."""
        if self._desk is None:
            self._desk = self._alone()
        return self._desk

    @property
    def in_fleet(self) -> bool:
        """Whether somebody else has set up the desk."""
        return self._desk is not None

    def use(self, desk: DataClient) -> None:
        """Let this be the desk."""
        self._desk = desk

    def declare(self, source: Source) -> None:
        """Make a source known; the same words again, as by a module imported twice, are fine."""
        before = self.sources.setdefault(source.name, source)
        if before != source:
            raise DataError(
                f"there are two sources {source.name}, {before.where} and {source.where};"
                " rename one of them"
            )

    def source(self, name: str) -> Source:
        """Return a declared source."""
        if name not in self.sources:
            known = ", ".join(sorted(self.sources)) or "none"
            raise DataError(
                f"there is no source {name}; declare it with data.source (there are: {known})"
            )
        return self.sources[name]

"""The records of a source that this worker takes and gives back.

One greenlet asks the store for all users of the worker. While it waits for an answer, it collects
what the users give back and want for the next question. So a question carries as many records as
users wait for, and a worker never has a record that nobody uses.
"""

from __future__ import annotations

from locust.exception import StopUser

import itertools
import logging
import time
from collections import deque
from contextlib import suppress
from typing import Protocol, cast

import gevent
from gevent.event import AsyncResult, Event

from locust_fleet.data.source import Source
from locust_fleet.data.store import (
    ClientIdentity,
    Exchange,
    Fenced,
    Late,
    Quarantined,
    Restarted,
    Store,
)
from locust_fleet.errors import DataError, FleetError, StoreUnavailable

# Records in one question.
MAX_BATCH = 100
# Between two questions while no record is free, the store is unavailable or the source is loaded.
SHORT_PAUSE_S = 0.05
LONG_PAUSE_S = 0.25
# How long users wait for a store that is unavailable; then their tasks fail.
STORE_OUTAGE_TIMEOUT_S = 10.0
LOAD_EXPIRY_MS = 60_000

logger = logging.getLogger(__name__)


class PoolOwner(Protocol):
    """What a pool needs of the session that holds its records."""

    store: Store
    identity: ClientIdentity
    lost: bool
    stopping: bool

    @property
    def alive(self) -> bool:
        """Whether the identity has certainly not expired."""

    def reconcile(self, generation: str) -> None:
        """Join a store of a new generation again."""


class RecordPool:
    """The records of a source that an identity holds, and the users that wait for more."""

    def __init__(self, session: PoolOwner, source: Source) -> None:
        self._session = session
        self._source = source
        self._waiting: deque[AsyncResult[tuple[str, str]]] = deque()
        self._held: set[str] = set()
        # Ids to give back, and whether they are used up.
        self._back: dict[str, bool] = {}
        # Whether the store may have carried out a question whose answer was lost.
        self._uncertain = False
        # Of the questions: the store carries out none after a later one.
        self._numbers = itertools.count(1)
        self._unavailable_since: float | None = None
        self._pause_s = SHORT_PAUSE_S
        self._wake = Event()
        self._busy = False

    def take(self, timeout_s: float | None) -> tuple[str, str]:
        """Return id and text of a record that nobody else has, as soon as one is free.

        Raises Fenced when the identity is lost, StopUser when the user must not wait, and
        DataError after ``timeout_s`` seconds or when no record will ever be free.
        """
        result: AsyncResult[tuple[str, str]] = AsyncResult()
        self._waiting.append(result)
        self._go()
        try:
            result.wait(timeout_s)
        except BaseException:
            self._cancel(result)
            raise
        if not result.ready():
            self._cancel(result)
            raise DataError(
                f"no record of {self._source.name} was free for {timeout_s:g} s; add some,"
                " or start fewer users"
            )
        return cast(tuple[str, str], result.get())

    def give(self, key: str, used_up: bool) -> None:
        """Give a record back; the next question tells the store."""
        if key in self._held:
            self._held.remove(key)
            self._back[key] = used_up
            self._go()

    def reconcile(self) -> None:
        """Ask the store which records the identity holds, before the next exchange."""
        self._uncertain = True
        self._go()

    def _cancel(self, result: AsyncResult[tuple[str, str]]) -> None:
        """Forget a user that does not wait any more, and give back a record that it got."""
        with suppress(ValueError):
            self._waiting.remove(result)
        if result.successful():
            self.give(cast(tuple[str, str], result.value)[0], used_up=False)

    def _go(self) -> None:
        self._wake.set()
        if not self._busy:
            self._busy = True
            gevent.spawn(self._work)

    def _work(self) -> None:
        try:
            while self._waiting or self._back or self._uncertain:
                if not self._session.alive:
                    raise Fenced("the identity of this worker has expired")
                self._turn()
        except Exception as error:  # the users that wait must get it, or they wait forever
            if not isinstance(error, FleetError):
                logger.exception("lending records of %s failed unexpectedly", self._source.name)
            self._back.clear()
            self._uncertain = False
            self._fail(error)
        finally:
            self._busy = False

    def _turn(self) -> None:
        """Ask the store once, and handle its answer."""
        self._wake.clear()
        try:
            self._ask()
            self._unavailable_since = None
        except StoreUnavailable as error:
            self._uncertain = True
            self._wait_for_store(error)
        except Late:
            # The question came twice, and the answer to the first one was lost.
            self._uncertain = True
        except Quarantined:
            # The store has taken back what this worker gave, and lends nothing yet.
            self._pause(LONG_PAUSE_S)
        except Fenced:
            self._session.lost = True
            raise

    def _ask(self) -> None:
        try:
            if self._uncertain:
                self._ask_what_is_held()
            self._exchange()
        except Restarted as error:
            self._session.reconcile(error.generation)

    def _ask_what_is_held(self) -> None:
        """Find out whether the store has carried out a question whose answer was lost."""
        identity, store = self._session.identity, self._session.store
        known = set(store.held(identity, self._source.name, next(self._numbers)))
        if not self._held <= known:
            raise Fenced("the store has forgotten what this worker holds")
        self._back |= dict.fromkeys(known - self._held - set(self._back), False)
        self._uncertain = False

    def _exchange(self) -> None:
        back = dict(self._back)
        give = [key for key, used_up in back.items() if not used_up]
        use_up = [key for key, used_up in back.items() if used_up]
        want = min(len(self._waiting), MAX_BATCH)
        if not back and not want:
            return
        exchange = Exchange(give, use_up, want, self._source.when_empty, next(self._numbers))
        try:
            handout = self._session.store.exchange(
                self._session.identity, self._source.name, exchange
            )
        except Quarantined:
            self._forget(back)
            raise
        self._forget(back)
        for key, text in handout.records:
            self._held.add(key)
            if self._waiting:
                self._waiting.popleft().set((key, text))
            else:
                self.give(key, used_up=False)
        if handout.records:
            self._pause_s = SHORT_PAUSE_S
        if len(handout.records) < want and self._waiting:
            self._handle_shortage(handout.state)

    def _handle_shortage(self, state: str) -> None:
        """Load the source, wait or give up; ``state`` says why not all users got a record."""
        when_empty = self._source.when_empty
        if state == "unloaded":
            self._load()
        elif state == "used up" and when_empty == "wait":
            self._fail(
                DataError(
                    f"all records of {self._source.name} are used up; add some, or give it"
                    " when_empty='recycle' or 'stop'"
                )
            )
        elif self._session.stopping or when_empty == "stop":
            self._fail(StopUser(f"no record of {self._source.name} is free"))
        else:
            self._pause(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONG_PAUSE_S)

    def _forget(self, back: dict[str, bool]) -> None:
        for key in back:
            del self._back[key]

    def _load(self) -> None:
        """Load the source for all workers of the run, unless another worker is doing so."""
        store, identity, name = self._session.store, self._session.identity, self._source.name
        token = store.acquire(identity, f"load {name}", LOAD_EXPIRY_MS)
        if not token:
            self._pause(SHORT_PAUSE_S)
            return
        first = 0
        try:
            for texts in self._source.chunks(store.read_list):
                store.put(identity, name, token, first, texts)
                first += len(texts)
            if store.finish(identity, name, token):
                logger.info("loaded %d records of %s from %s", first, name, self._source.where)
        except DataError as error:
            logger.error("%s", error)
            self._fail(error)
        finally:
            with suppress(FleetError):
                store.release(identity.run, identity.name, f"load {name}", token)

    def _wait_for_store(self, error: StoreUnavailable) -> None:
        now = time.monotonic()
        if self._unavailable_since is None:
            self._unavailable_since = now
            logger.warning("users wait for records of %s: %s", self._source.name, error)
        if now - self._unavailable_since > STORE_OUTAGE_TIMEOUT_S or self._session.stopping:
            self._fail(error)
        self._pause(LONG_PAUSE_S)

    def _pause(self, seconds: float) -> None:
        """Wait until a user gives a record back, at most ``seconds``."""
        self._wake.wait(seconds)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for result in waiting:
            result.set_exception(error)

"""The records of a source that this worker takes and gives back.

One greenlet asks the store for all users of the worker: while a question is under way, what the
others give back and want comes together for the next one. So a question carries as many records
as there are users waiting, and a worker never has one that nobody uses.
"""

from __future__ import annotations

from locust.exception import StopUser

import itertools
import logging
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import gevent
from gevent.event import AsyncResult, Event

from locust_fleet.data.source import Source
from locust_fleet.data.store import Exchange, Fenced, Late, OnHold, Restarted
from locust_fleet.errors import DataError, FleetError, StoreUnavailable

if TYPE_CHECKING:
    from locust_fleet.data.session import ClientSession

# So many records are taken at once, at most.
BATCH = 100
# How often a store is asked again that has none, that is away, or whose source is being loaded.
ASK_AGAIN_S = 0.05
ASK_SELDOM_S = 0.25
# How long users wait for a store that is away; then their tasks fail, so that somebody sees it.
AWAY_S = 10.0
LOAD_EXPIRY_MS = 60_000

logger = logging.getLogger(__name__)


class RecordPool:
    """What an identity holds of a source, and who waits for more."""

    def __init__(self, session: ClientSession, source: Source) -> None:
        self._session = session
        self._source = source
        self._waiting: deque[AsyncResult[tuple[str, str]]] = deque()
        self._held: set[str] = set()
        # What is to be given back, and whether it is used up.
        self._back: dict[str, bool] = {}
        self._in_doubt = False
        # Of the questions: the store carries out none after a later one.
        self._numbers = itertools.count(1)
        self._away_since: float | None = None
        self._pause_s = ASK_AGAIN_S
        self._wake = Event()
        self._busy = False

    def take(self, timeout_s: float | None) -> tuple[str, str]:
        """Return id and text of a record that nobody else has, as soon as there is one.

        Raises Fenced when the identity is lost, StopUser when there is nothing to wait for, and
        DataError when the time is over or there will never be one.
        """
        result: AsyncResult[tuple[str, str]] = AsyncResult()
        self._waiting.append(result)
        self._go()
        try:
            result.wait(timeout_s)
        except BaseException:
            self._refuse(result)
            raise
        if not result.ready():
            self._refuse(result)
            raise DataError(
                f"no record of {self._source.name} was free for {timeout_s:g} s; add some,"
                " or start fewer users"
            )
        return cast(tuple[str, str], result.get())

    def give(self, key: str, used_up: bool) -> None:
        """Give a record back; the store learns of it with the next question."""
        if key in self._held:
            self._held.remove(key)
            self._back[key] = used_up
            self._go()

    def doubt(self) -> None:
        """Look what the store knows, before anything else."""
        self._in_doubt = True
        self._go()

    def _refuse(self, result: AsyncResult[tuple[str, str]]) -> None:
        """Take back the question of a user that does not wait any more."""
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
            while self._waiting or self._back or self._in_doubt:
                if not self._session.alive:
                    raise Fenced("the identity of this worker has expired")
                self._turn()
        except Exception as error:  # whoever waits must not do so for ever
            if not isinstance(error, FleetError):
                logger.exception("lending records of %s failed", self._source.name)
            self._back.clear()
            self._in_doubt = False
            self._fail(error)
        finally:
            self._busy = False

    def _turn(self) -> None:
        """Ask the store once, and do what follows from its answer."""
        self._wake.clear()
        try:
            self._ask()
            self._away_since = None
        except StoreUnavailable as error:
            self._in_doubt = True
            self._away(error)
        except Late:
            # It was asked twice on the way, and the first answer was lost.
            self._in_doubt = True
        except OnHold:
            # It has taken back first.
            self._pause(ASK_SELDOM_S)
        except Fenced:
            self._session.lost = True
            raise

    def _ask(self) -> None:
        try:
            if self._in_doubt:
                self._compare()
            self._exchange()
        except Restarted as error:
            self._session.doubt(error.memory)

    def _compare(self) -> None:
        """Find out what became of a question whose answer was lost."""
        holder, store = self._session.holder, self._session.store
        known = set(store.held(holder, self._source.name, next(self._numbers)))
        if not self._held <= known:
            raise Fenced("the store has forgotten what this worker holds")
        self._back |= dict.fromkeys(known - self._held - set(self._back), False)
        self._in_doubt = False

    def _exchange(self) -> None:
        back, when_empty = dict(self._back), self._source.when_empty
        give = [key for key, used_up in back.items() if not used_up]
        use_up = [key for key, used_up in back.items() if used_up]
        want = min(len(self._waiting), BATCH)
        if not back and not want:
            return
        order = Exchange(give, use_up, want, when_empty, next(self._numbers))
        try:
            handout = self._session.store.exchange(self._session.holder, self._source.name, order)
        except OnHold:
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
            self._pause_s = ASK_AGAIN_S
        if len(handout.records) == want or not self._waiting:
            return
        if handout.state == "unloaded":
            self._load()
        elif handout.state == "used up" and when_empty == "wait":
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
            self._pause_s = min(2 * self._pause_s, ASK_SELDOM_S)

    def _forget(self, back: dict[str, bool]) -> None:
        for key in back:
            del self._back[key]

    def _load(self) -> None:
        """Load the source unless somebody else does; whoever is first does it for the run."""
        store, holder, name = self._session.store, self._session.holder, self._source.name
        token = store.acquire(holder, f"load {name}", LOAD_EXPIRY_MS)
        if not token:
            self._pause(ASK_AGAIN_S)
            return
        first = 0
        try:
            for texts in self._source.chunks(store.read_list):
                store.put(holder, name, token, first, texts)
                first += len(texts)
            if store.finish(holder, name, token):
                logger.info("loaded %d records of %s from %s", first, name, self._source.where)
        except DataError as error:
            logger.error("%s", error)
            self._fail(error)
        finally:
            with suppress(FleetError):
                store.release(holder.run, holder.name, f"load {name}", token)

    def _away(self, error: StoreUnavailable) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            logger.warning("records of %s must wait: %s", self._source.name, error)
        if now - self._away_since > AWAY_S or self._session.stopping:
            self._fail(error)
        self._pause(ASK_SELDOM_S)

    def _pause(self, seconds: float) -> None:
        """Wait until something is given back here, or may have been elsewhere."""
        self._wake.wait(seconds)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for result in waiting:
            result.set_exception(error)

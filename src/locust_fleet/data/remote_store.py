"""Shared data for a worker that reaches nothing but the leader's port: the leader asks for it."""

from __future__ import annotations

from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevent.event import AsyncResult
from gevent.queue import Queue

from locust_fleet.data.store import (
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    OnHold,
    Restarted,
    Store,
)
from locust_fleet.errors import DataError, FleetError, StoreUnavailable
from locust_fleet.protocol.messages import ASK_DATA, DATA
from locust_fleet.protocol.stages import Forward
from locust_fleet.runtime.loops import vital

PATIENCE_S = 3.0
ERRORS = {error.__name__: error for error in (DataError, Fenced, Late, OnHold, StoreUnavailable)}

logger = logging.getLogger(__name__)


class RemoteStore:
    """A store that is asked through Locust's messages, each answered by the leader of then."""

    def __init__(self) -> None:
        self._runner: WorkerRunner | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, AsyncResult[Mapping[str, Any]]] = {}
        self._others: Queue[tuple[Message, Forward]] = Queue()

    def attach(self, runner: WorkerRunner) -> None:
        """From now on, questions go through this runner, of which this is the first stage."""
        self._runner = runner
        # Killed with the other loops of a worker that ends.
        runner.greenlet.spawn(vital("messages", self._forward_others, lambda: True))

    def handle(self, message: Message, forward: Forward) -> None:
        """Take an answer at once, and let other messages wait for each other.

        Locust 2.47.0 handles one message after the other, and a stop takes as long as users need,
        who may need an answer for it. So answers do not wait for other messages.
        """
        if message.type == DATA:
            self._hear(message)
        else:
            self._others.put((message, forward))

    def _forward_others(self) -> None:
        for message, forward in self._others:
            forward(message)

    def open(self, run: str) -> None:
        self._ask("open", run)

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        return str(self._ask("join", run, name, worker, expiry, counters))

    def renew(self, holder: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        self._ask("renew", holder, worker, expiry, requests)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        # A worker that is stopping its users does not hear an answer until it has.
        self._send(0, "leave", run, name, worker, requests)

    def close(self, run: str) -> Mapping[str, Any]:
        return dict(self._ask("close", run))

    def exchange(self, holder: ClientIdentity, source: str, order: Exchange) -> Handout:
        state, records = self._ask("exchange", holder, source, order)
        return Handout(state, [(key, text) for key, text in records])

    def held(self, holder: ClientIdentity, source: str, number: int) -> Sequence[str]:
        return list(self._ask("held", holder, source, number))

    def put(
        self, holder: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        self._ask("put", holder, source, token, first, texts)

    def finish(self, holder: ClientIdentity, source: str, token: int) -> bool:
        return bool(self._ask("finish", holder, source, token))

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        return list(self._ask("read_list", key, first, count))

    def count(self, holder: ClientIdentity, name: str, by: int) -> int:
        return int(self._ask("count", holder, name, by))

    def acquire(self, holder: ClientIdentity, lock: str, expiry: int) -> int:
        return int(self._ask("acquire", holder, lock, expiry))

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        return bool(self._ask("release", run, name, lock, token))

    def enter(self, holder: ClientIdentity, group: str, member: str) -> None:
        self._ask("enter", holder, group, member)

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        self._ask("withdraw", run, name, group, member)

    def members(self, run: str, group: str) -> Sequence[str]:
        return list(self._ask("members", run, group))

    def requests(self, run: str) -> Mapping[str, int]:
        return dict(self._ask("requests", run))

    def _ask(self, step: str, *arguments: Any) -> Any:
        number = next(self._numbers)
        answer = self._asked[number] = AsyncResult()
        try:
            self._send(number, step, *arguments)
            said = answer.wait(PATIENCE_S)
        finally:
            del self._asked[number]
        if said is None:
            raise StoreUnavailable("the leader does not answer; is there a master that leads?")
        if said["error"] == Restarted.__name__:
            raise Restarted(said["is"])
        if said["error"]:
            raise ERRORS.get(said["error"], StoreUnavailable)(said["is"])
        return said["is"]

    def _send(self, number: int, step: str, *arguments: Any) -> None:
        if self._runner is None:
            raise StoreUnavailable("this worker has not yet joined the fleet")
        question = {"number": number, "step": step, "with": arguments}
        try:
            self._runner.send_message(ASK_DATA, question)
        except RPCError as error:
            raise StoreUnavailable(f"the leader cannot be asked: {error}") from error

    def _hear(self, message: Message) -> None:
        if waiting := self._asked.get(message.data["number"]):
            waiting.set(message.data)


class RemoteStoreServer:
    """What a leader says to workers that have no other way to the store."""

    def __init__(self, runner: MasterRunner, store: Store) -> None:
        self._runner = runner
        # Whoever reaches the port of the leader may not do more than a worker does.
        self._steps: dict[str, Callable[..., Any]] = {
            "join": store.join,
            "leave": store.leave,
            "read_list": store.read_list,
            "release": store.release,
            "withdraw": store.withdraw,
            "members": store.members,
            "requests": store.requests,
        }
        self._steps_of_holders: dict[str, Callable[..., Any]] = {
            "renew": store.renew,
            "held": store.held,
            "put": store.put,
            "finish": store.finish,
            "count": store.count,
            "acquire": store.acquire,
            "enter": store.enter,
        }
        self._exchange = store.exchange

    def attach(self) -> None:
        """From now on, answer; each question in a greenlet of its own, for it may take long."""
        self._runner.register_message(ASK_DATA, self._answer, concurrent=True)

    def _answer(self, msg: Message, **_: Any) -> None:
        number = msg.data["number"]
        error, said = "", None
        try:
            said = self._step(msg.data["step"], msg.data["with"])
        except Restarted as restarted:
            error, said = Restarted.__name__, restarted.memory
        except FleetError as failure:
            error, said = type(failure).__name__, str(failure)
        except Exception:  # a question of another version must not go unanswered
            logger.exception("worker %s asked what cannot be answered", msg.node_id)
            error, said = DataError.__name__, "the leader does not understand; see its log"
        if number:
            answer = {"number": number, "error": error, "is": said}
            self._runner.send_message(DATA, answer, client_id=msg.node_id)

    def _step(self, step: str, arguments: Sequence[Any]) -> Any:
        if step in self._steps:
            return self._steps[step](*arguments)
        holder, *rest = arguments
        if step == "exchange":
            source, order = rest
            return self._exchange(ClientIdentity(*holder), source, Exchange(*order))
        return self._steps_of_holders[step](ClientIdentity(*holder), *rest)

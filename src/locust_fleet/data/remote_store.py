"""Shared data for a worker that reaches only the leader's port: the leader asks its own store."""

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
    Quarantined,
    Restarted,
    Store,
)
from locust_fleet.errors import DataError, FleetError, StoreUnavailable
from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.messages import ASK_DATA, DATA
from locust_fleet.runtime.supervision import vital

LEADER_ANSWER_TIMEOUT_S = 3.0
# The names of errors in messages.
ERRORS: dict[str, type[FleetError]] = {
    "DataError": DataError,
    "Fenced": Fenced,
    "Late": Late,
    "OnHold": Quarantined,
    "StoreUnavailable": StoreUnavailable,
}
RESTARTED = "Restarted"
ERROR_NAMES = {error: name for name, error in ERRORS.items()}

logger = logging.getLogger(__name__)


class RemoteStore:
    """A store whose questions the current leader answers, in Locust's messages."""

    def __init__(self) -> None:
        self._runner: WorkerRunner | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, AsyncResult[Mapping[str, Any]]] = {}
        self._others: Queue[tuple[Message, Forward]] = Queue()

    def attach(self, runner: WorkerRunner) -> None:
        """Send questions through this runner from now on, of which this is the first stage."""
        self._runner = runner
        # Killed with the runner's own loops when the worker ends.
        runner.greenlet.spawn(vital("messages", self._forward_others, lambda: True))

    def handle(self, message: Message, forward: Forward) -> None:
        """Take an answer at once, and queue other messages.

        Locust 2.47.0 handles one message after the other, and a stop takes until the users have
        ended, which may wait for an answer. So answers do not wait for other messages.
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

    def renew(self, identity: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        self._ask("renew", identity, worker, expiry, requests)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        # Nobody waits for the answer; the number 0 asks for none.
        self._send(0, "leave", run, name, worker, requests)

    def close(self, run: str) -> Mapping[str, Any]:
        return dict(self._ask("close", run))

    def exchange(self, identity: ClientIdentity, source: str, exchange: Exchange) -> Handout:
        state, records = self._ask("exchange", identity, source, exchange)
        return Handout(state, [(key, text) for key, text in records])

    def held(self, identity: ClientIdentity, source: str, number: int) -> Sequence[str]:
        return list(self._ask("held", identity, source, number))

    def put(
        self, identity: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        self._ask("put", identity, source, token, first, texts)

    def finish(self, identity: ClientIdentity, source: str, token: int) -> bool:
        return bool(self._ask("finish", identity, source, token))

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        return list(self._ask("read_list", key, first, count))

    def count(self, identity: ClientIdentity, name: str, by: int) -> int:
        return int(self._ask("count", identity, name, by))

    def acquire(self, identity: ClientIdentity, lock: str, expiry: int) -> int:
        return int(self._ask("acquire", identity, lock, expiry))

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        return bool(self._ask("release", run, name, lock, token))

    def enter(self, identity: ClientIdentity, group: str, member: str) -> None:
        self._ask("enter", identity, group, member)

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
            message = answer.wait(LEADER_ANSWER_TIMEOUT_S)
        finally:
            del self._asked[number]
        if message is None:
            raise StoreUnavailable("the leader does not answer; check that a master leads")
        if message["error"] == RESTARTED:
            raise Restarted(message["is"])
        if message["error"]:
            raise ERRORS.get(message["error"], StoreUnavailable)(message["is"])
        return message["is"]

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
    """A leader's answers to workers that do not reach its store."""

    def __init__(self, runner: MasterRunner, store: Store) -> None:
        self._runner = runner
        # No ``open`` and ``close``: clients of the leader's port may only do what workers do.
        self._steps: dict[str, Callable[..., Any]] = {
            "join": store.join,
            "leave": store.leave,
            "read_list": store.read_list,
            "release": store.release,
            "withdraw": store.withdraw,
            "members": store.members,
            "requests": store.requests,
        }
        self._identity_steps: dict[str, Callable[..., Any]] = {
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
        """Answer from now on, each question in a greenlet of its own, because it may take long."""
        self._runner.register_message(ASK_DATA, self._answer, concurrent=True)

    def _answer(self, msg: Message, **_: Any) -> None:
        number = msg.data["number"]
        error, value = "", None
        try:
            value = self._step(msg.data["step"], msg.data["with"])
        except Restarted as restarted:
            error, value = RESTARTED, restarted.generation
        except FleetError as failure:
            error, value = ERROR_NAMES.get(type(failure), type(failure).__name__), str(failure)
        except Exception:  # a question of another version must get an answer, too
            logger.exception("the question of worker %s about shared data failed", msg.node_id)
            error, value = "DataError", "the leader cannot answer the question; see its log"
        if number:
            answer = {"number": number, "error": error, "is": value}
            self._runner.send_message(DATA, answer, client_id=msg.node_id)

    def _step(self, step: str, arguments: Sequence[Any]) -> Any:
        if step in self._steps:
            return self._steps[step](*arguments)
        identity, *rest = arguments
        if step == "exchange":
            source, exchange = rest
            return self._exchange(ClientIdentity(*identity), source, Exchange(*exchange))
        return self._identity_steps[step](ClientIdentity(*identity), *rest)

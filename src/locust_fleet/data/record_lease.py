"""A record that is lent to one user until it is given back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from locust_fleet.data.client import DataClient
from locust_fleet.data.session import ClientSession
from locust_fleet.data.source import Source
from locust_fleet.data.store import Fenced
from locust_fleet.errors import DataError


class Lease(Mapping[str, Any]):
    """A record, read like a dictionary, within a ``with`` block.

    Reading it and leaving the block raise LeaseLost if another worker may have the record: this
    worker was suspended or disconnected for so long that its identity has expired.
    """

    def __init__(self, client: DataClient, source: Source, timeout_s: float | None) -> None:
        self._client = client
        self._source = source
        self._timeout_s = timeout_s
        self._session: ClientSession | None = None
        self._id = ""
        self._record: Any = None
        self._used_up = False

    @property
    def value(self) -> Any:
        """The record; a JSON line or an element of a list may be anything but a dictionary."""
        self.check()
        return self._record

    def check(self) -> None:
        """Raise LeaseLost if another worker may have the record."""
        if self._session is None:
            raise DataError(f"no record of {self._source.name} is lent; use it in its with block")
        self._session.check(f"the record of {self._source.name}")

    def use_up(self) -> None:
        """Lend this record no more in this run, unless the source is recycled."""
        self.check()
        self._used_up = True

    def __enter__(self) -> Lease:
        if self._session is not None:
            raise DataError(f"this lease of {self._source.name} is in use; make another one")
        while self._session is None:
            session = self._client.session()
            with suppress(Fenced):
                self._id, text = session.pool(self._source).take(self._timeout_s)
                self._record = json.loads(text)
                self._session, self._used_up = session, False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        session.pool(self._source).give(self._id, self._used_up)
        # An error of the block is the one to report.
        if error is None:
            session.check(f"the record of {self._source.name}")

    def __getitem__(self, key: str) -> Any:
        return self._fields()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())

    def __repr__(self) -> str:
        return f"<a record of {self._source.name}>"

    def _fields(self) -> dict[str, Any]:
        value = self.value
        if not isinstance(value, dict):
            raise DataError(f"a record of {self._source.name} has no fields; read its .value")
        return value

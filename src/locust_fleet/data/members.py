"""Who takes part: a group of names, over all workers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from locust_fleet.data.client import DataClient


class Members(Collection[str]):
    """The names that are in a group now; those of a worker that is dead are not."""

    def __init__(self, desk: DataClient, group: str) -> None:
        self._desk = desk
        self._group = group

    def join(self, member: str) -> None:
        """Be in the group until ``leave``, or until this worker is dead."""
        self._desk.entered.add((self._group, member))
        self._desk.ask(lambda session: session.store.enter(session.holder, self._group, member))

    def leave(self, member: str) -> None:
        """Be in the group no more; whom another worker has let in stays."""
        self._desk.entered.discard((self._group, member))
        holder = self._desk.session().holder
        self._desk.store.withdraw(holder.run, holder.name, self._group, member)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._desk.store.members(self._desk.run_id(), self._group)))

    def __len__(self) -> int:
        return len(self._desk.store.members(self._desk.run_id(), self._group))

    def __contains__(self, member: object) -> bool:
        return member in self._desk.store.members(self._desk.run_id(), self._group)

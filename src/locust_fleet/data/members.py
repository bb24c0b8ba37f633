"""A group of names over all workers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from locust_fleet.data.client import DataClient


class Members(Collection[str]):
    """The current members of a group; the members that a worker has entered end with it."""

    def __init__(self, client: DataClient, group: str) -> None:
        self._client = client
        self._group = group

    def join(self, member: str) -> None:
        """Enter a member, until ``leave`` or until this worker ends."""
        self._client.entered.add((self._group, member))
        self._client.ask(lambda session: session.store.enter(session.identity, self._group, member))

    def leave(self, member: str) -> None:
        """Remove a member; one that another worker has entered stays."""
        self._client.entered.discard((self._group, member))
        identity = self._client.session().identity
        self._client.store.withdraw(identity.run, identity.name, self._group, member)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._client.store.members(self._client.run_id(), self._group)))

    def __len__(self) -> int:
        return len(self._client.store.members(self._client.run_id(), self._group))

    def __contains__(self, member: object) -> bool:
        return member in self._client.store.members(self._client.run_id(), self._group)

"""The epoch that each message between master and workers says.

A master says its own, so that workers can refuse one whose time is over. A worker says the
highest that it has heard of, so that such a master learns of it. The epoch stands with the name
of the worker, in the last place of a message.
"""

from __future__ import annotations

from locust.rpc import Message


class Stamped(Message):
    """A message that says an epoch as well; here it is addressed as any other."""

    def __init__(self, message: Message, epoch: int) -> None:
        self.type, self.data, self.node_id = message.type, message.data, message.node_id
        self.epoch = epoch

    def serialize(self) -> bytes:
        plain = Message(self.type, self.data, [self.node_id, self.epoch])
        return bytes(plain.serialize())


def stamp(message: Message, epoch: int) -> Message:
    """Return a message that says an epoch when it is sent."""
    return Stamped(message, epoch)

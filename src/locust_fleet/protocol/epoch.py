"""Stamp an epoch on each message between master and workers.

A master sends its own epoch, so that workers can refuse a former leader. A worker sends the highest
that it has seen, so that a former leader learns of its successor. The epoch is in the last field of
a message, in a list with the worker's id.
"""

from __future__ import annotations

from locust.rpc import Message


class Stamped(Message):
    """A message with an epoch, which only its serialized form shows."""

    def __init__(self, message: Message, epoch: int) -> None:
        self.type, self.data, self.node_id = message.type, message.data, message.node_id
        self.epoch = epoch

    def serialize(self) -> bytes:
        plain = Message(self.type, self.data, [self.node_id, self.epoch])
        return bytes(plain.serialize())


def stamp(message: Message, epoch: int) -> Message:
    """Return a copy of a message that is sent with an epoch."""
    return Stamped(message, epoch)

"""The epoch in each message between master and workers.

A master sends its own epoch, so that workers can refuse a former leader. A worker sends the highest
epoch that it knows, so that a former leader learns of its successor. The epoch stands beside the
name of the worker, in the last field of a message.
"""

from __future__ import annotations

from locust.rpc import Message


class Stamped(Message):
    """A message that carries an epoch; inside this process it looks like any other message."""

    def __init__(self, message: Message, epoch: int) -> None:
        self.type, self.data, self.node_id = message.type, message.data, message.node_id
        self.epoch = epoch

    def serialize(self) -> bytes:
        plain = Message(self.type, self.data, [self.node_id, self.epoch])
        return bytes(plain.serialize())


def stamp(message: Message, epoch: int) -> Message:
    """Return the message with an epoch, which is sent with it."""
    return Stamped(message, epoch)

"""A notification, before a channel gives it its form. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

SEVERITIES = ("critical", "warning", "info")
# The namespace of ids that are made from keys: an event has the same id in every process.
NAMESPACE = uuid.UUID("6f0a2b1e-94b5-4a86-9a5d-0f0f6a1d7c33")


@dataclass(frozen=True)
class Message:
    """An event that people are told about; ``summary`` says it in one line.

    ``status`` is firing or resolved for alerts, and started, finished, stopped, lost or leader
    changed for runs. Messages of one ``thread`` reach a channel in the order they were stored in.
    """

    alert_name: str
    severity: str
    status: str
    summary: str
    at: datetime
    thread: str
    description: str = ""
    value: str = ""
    source: str = "locust-fleet"
    labels: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    runbook_url: str = ""
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def good(self) -> bool:
        """Tell whether this says that a problem is over."""
        return self.status == "resolved"

    def to_json(self) -> dict[str, Any]:
        """Return the message for the outbox; times in ISO 8601."""
        return {
            "alert_name": self.alert_name,
            "severity": self.severity,
            "status": self.status,
            "summary": self.summary,
            "at": self.at.astimezone(UTC).isoformat(),
            "description": self.description,
            "value": self.value,
            "source": self.source,
            "labels": dict(self.labels),
            "run_id": self.run_id,
            "runbook_url": self.runbook_url,
        }

    @classmethod
    def from_json(cls, message_id: uuid.UUID, thread: str, content: Mapping[str, Any]) -> Message:
        """Return a message from the outbox; fields of later versions are ignored."""
        names = {one.name for one in fields(cls)} - {"id", "thread"}
        values = {name: value for name, value in content.items() if name in names}
        values["at"] = datetime.fromisoformat(content["at"])
        return cls(id=message_id, thread=thread, **values)


def id_of(key: str) -> uuid.UUID:
    """Return the id for a key, the same each time."""
    return uuid.uuid5(NAMESPACE, key)

"""What each channel shows of a message: a title, a colour, fields, links. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from locust_fleet.notify.message import Message

# Labels that repeat the title or mean nothing to people.
HIDDEN_LABELS = ("alertname", "severity", "prometheus", "monitor")
LONGEST_TITLE = 200
LONGEST_TEXT = 1500
MOST_FIELDS = 8
LONGEST_FIELD = 200
COLOURS = {"critical": "red", "warning": "orange", "info": "blue"}


@dataclass(frozen=True)
class Card:
    """The parts of a message; ``colour`` is red, orange, blue, or green when a problem is over."""

    title: str
    colour: str
    text: str
    fields: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    footer: str


def card_of(message: Message, public_url: str) -> Card:
    """Return the parts of a message; ``public_url`` is the address of the stack, or empty."""
    colour = "green" if message.good else COLOURS.get(message.severity, "blue")
    return Card(
        title=cut(_title(message), LONGEST_TITLE),
        colour=colour,
        text=cut(message.description, LONGEST_TEXT),
        fields=tuple(_fields(message)),
        links=tuple(_links(message, public_url)),
        footer=f"{message.at:%Y-%m-%d %H:%M:%S} UTC · {message.source} · {str(message.id)[:8]}",
    )


def _title(message: Message) -> str:
    summary = " ".join(message.summary.split()) or message.alert_name
    if message.status == "resolved":
        return f"Resolved: {summary}"
    if message.status == "firing":
        return f"{message.severity.capitalize()}: {summary}"
    return summary


def _fields(message: Message) -> list[tuple[str, str]]:
    fields = [("alert", message.alert_name)] if message.status in ("firing", "resolved") else []
    if message.value:
        fields.append(("value", message.value))
    fields += [(name, value) for name, value in message.labels.items() if name not in HIDDEN_LABELS]
    if message.run_id and "run" not in dict(fields):
        fields.append(("run", message.run_id))
    if message.runbook_url and not _is_url(message.runbook_url):
        # The path of a page in the repository.
        fields = [*fields[: MOST_FIELDS - 1], ("runbook", message.runbook_url)]
    return [(cut(name, 40), cut(value, LONGEST_FIELD)) for name, value in fields[:MOST_FIELDS]]


def _links(message: Message, public_url: str) -> list[tuple[str, str]]:
    links = []
    if public_url and message.run_id:
        links.append(("Run", f"{public_url}/console/runs/{message.run_id}"))
    if _is_url(message.runbook_url):
        links.append(("Runbook", message.runbook_url))
    return links


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def cut(text: str, longest: int) -> str:
    """Return text of at most ``longest`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"

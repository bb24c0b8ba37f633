"""E-mail over SMTP, with STARTTLS unless it is switched off."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.channels.http import deadline
from locust_fleet.notify.channels.message_card import Card, card_of
from locust_fleet.notify.message import Message
from locust_fleet.settings.notifier import SmtpSettings

COLOURS = {"red": "#d32f2f", "orange": "#f57c00", "blue": "#1976d2", "green": "#2e7d32"}
SOCKET_TIMEOUT_S = 10.0
DELIVERY_TIMEOUT_S = 30.0

Reply = tuple[int, bytes]


class _Refused(Exception):
    """The mail server refused a command; holds its reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True)
class Email:
    """Sends mail through one SMTP server."""

    smtp: SmtpSettings
    public_url: str
    name: str = "email"
    spacing_s: float = 1.0

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once; never raises."""
        mail = render(
            message, card_of(message, self.public_url), self.smtp.sender, self.smtp.recipients
        )
        try:
            return judge(self._deliver(mail))
        except _Refused as refusal:
            return judge(refusal.reply)
        except smtplib.SMTPResponseException as error:
            return judge((error.smtp_code, _bytes(error.smtp_error)))
        except smtplib.SMTPNotSupportedError as error:
            return Answer(Result.REFUSED, f"{self.smtp.host}: {error}")
        except (OSError, smtplib.SMTPException) as error:
            return Answer(Result.LATER, f"{self.smtp.host}: {error}")

    def _deliver(self, mail: EmailMessage) -> Reply:
        context = ssl.create_default_context()
        if self.smtp.security == "TLS":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.smtp.host, self.smtp.port, timeout=SOCKET_TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(self.smtp.host, self.smtp.port, timeout=SOCKET_TIMEOUT_S)
        with server:
            assert server.sock is not None
            with deadline(server.sock, DELIVERY_TIMEOUT_S):
                if self.smtp.security == "STARTTLS":
                    server.starttls(context=context)
                if self.smtp.user:
                    server.login(self.smtp.user, self.smtp.password)
                return self._hand_over(server, mail)

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage) -> Reply:
        """Send to all accepted recipients: one that is always refused must not block the others."""
        server.ehlo_or_helo_if_needed()
        _accepted(server.mail(self.smtp.sender))
        replies = {recipient: server.rcpt(recipient) for recipient in self.smtp.recipients}
        refused = {who: reply for who, reply in replies.items() if reply[0] >= 400}
        if any(reply[0] < 500 for reply in refused.values()) or len(refused) == len(replies):
            raise _Refused(next(iter(sorted(refused.values()))))
        code, text = _accepted(server.data(mail.as_bytes(policy=SMTP)))
        for who, reply in refused.items():
            text += f"; not to {who}: {reply[0]} ".encode() + reply[1]
        return code, text


def judge(reply: Reply) -> Answer:
    """Return what a reply of the server means."""
    code, text = reply
    words = f"{code} {text.decode('utf-8', 'replace')}"
    if 200 <= code < 300:
        return Answer(Result.DELIVERED, words)
    return Answer(Result.REFUSED if code >= 500 else Result.LATER, words)


def render(message: Message, card: Card, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """Return the mail for a message, as text and as HTML."""
    mail = EmailMessage()
    mail["Subject"] = _header(card.title)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(message.at)
    # The same in each try, so that mail programs show the mail once.
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2].strip('>') or 'locust-fleet'}>"
    # Mail programs show the messages of an alert or a run as one conversation.
    mail["References"] = f"<{message.thread.encode().hex()[:60]}@locust-fleet>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(card))
    mail.add_alternative(_html(card), subtype="html")
    return mail


def _header(text: str) -> str:
    """Return text as one line; ``=?`` would begin an encoded word, which may hold line breaks."""
    return "".join(c if c.isprintable() else " " for c in text).replace("=?", "= ?")


def _text(card: Card) -> str:
    lines = [card.title, ""]
    lines += [card.text, ""] if card.text else []
    lines += [f"{name}: {value}" for name, value in card.fields]
    lines += ["", *(f"{name}: {url}" for name, url in card.links), "", card.footer]
    return "\n".join(lines) + "\n"


def _html(card: Card) -> str:
    rows = "".join(
        f'<tr><td style="padding:2px 12px 2px 0;color:#666">{escape(name)}</td>'
        f"<td>{escape(value)}</td></tr>"
        for name, value in card.fields
    )
    links = " · ".join(f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in card.links)
    return (
        f'<div style="border-left:4px solid {COLOURS[card.colour]};padding-left:12px;'
        'font-family:sans-serif">'
        f"<h3>{escape(card.title)}</h3><p>{escape(card.text)}</p>"
        f"<table>{rows}</table><p>{links}</p>"
        f'<p style="color:#666">{escape(card.footer)}</p></div>\n'
    )


def _accepted(reply: Reply) -> Reply:
    if reply[0] >= 400:
        raise _Refused(reply)
    return reply


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()

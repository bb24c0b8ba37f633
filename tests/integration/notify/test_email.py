"""E-mail goes to a real SMTP server, encrypted and signed in."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from locust_fleet.notify.channels.delivery_result import Result
from locust_fleet.notify.channels.email import Email
from locust_fleet.settings.notifier import SmtpSettings
from tests.integration.notify.conftest import ADDRESS, certificate, message
from tests.support.ports import free_port


@dataclass
class Inbox:
    """What the server took, and what it says to recipients and to data."""

    mails: list[Any] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    answer: str = "250 queued as 1"

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, options: Any) -> str:
        said = self.recipients.get(address, "250 OK")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.mails.append(envelope)
            self.encrypted.append(session.ssl is not None)
        return self.answer


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("mail"))


@contextmanager
def server(inbox: Inbox, files: tuple[Path, Path], **options: Any) -> Iterator[int]:
    """Run a mail server; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    controller = Controller(
        inbox,
        hostname=ADDRESS,
        port=free_port(ADDRESS),
        **({"tls_context": context} | options),
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def authenticate(_: Any, __: Any, ___: Any, ____: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"fleet", b"good"), handled=False)


@pytest.fixture
def channel(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Email:
    """A channel that trusts the tests' certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    smtp = SmtpSettings(
        host=ADDRESS,
        port=1,
        security="STARTTLS",
        user="fleet",
        password="good",
        sender="fleet@example.org",
        recipients=("a@example.org", "b@example.org"),
    )
    return Email(smtp, "https://load.example")


def through(channel: Email, **smtp: Any) -> Email:
    """Return a channel whose server differs."""
    return replace(channel, smtp=replace(channel.smtp, **smtp))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


SIGNED_IN = {"authenticator": authenticate, "auth_required": True, "require_starttls": True}


def test_a_mail_arrives_encrypted_with_the_servers_answer_kept(
    inbox: Inbox, files: tuple[Path, Path], channel: Email
) -> None:
    with server(inbox, files, **SIGNED_IN) as port:
        answer = through(channel, port=port).send(message(1))

    assert (answer.result, answer.text) == (Result.DELIVERED, "250 queued as 1")
    (envelope,) = inbox.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == "Critical: Alert 1 of the test."
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    assert inbox.encrypted == [True]


def test_a_wrong_password_is_a_refusal_in_the_servers_words(
    inbox: Inbox, files: tuple[Path, Path], channel: Email
) -> None:
    with server(inbox, files, **SIGNED_IN) as port:
        answer = through(channel, port=port, password="bad").send(message(1))

    assert (answer.result, answer.text[:3]) == (Result.REFUSED, "535")


def test_a_server_that_cannot_encrypt_gets_nothing(
    inbox: Inbox, files: tuple[Path, Path], channel: Email
) -> None:
    with server(inbox, files, tls_context=None) as port:
        answer = through(channel, port=port).send(message(1))

    assert (answer.result, inbox.mails) == (Result.REFUSED, [])


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    inbox: Inbox, files: tuple[Path, Path], channel: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with server(inbox, files, **SIGNED_IN) as port:
        answer = through(channel, port=port).send(message(1))

    assert (answer.result, inbox.mails) == (Result.LATER, [])
    assert "certificate verify failed" in answer.text


@pytest.mark.parametrize(
    ("said", "result"),
    [("451 try later", Result.LATER), ("554 spam", Result.REFUSED)],
)
def test_a_server_that_says_no_is_understood(
    said: str, result: Result, inbox: Inbox, files: tuple[Path, Path], channel: Email
) -> None:
    inbox.answer = said
    with server(inbox, files) as port:
        answer = through(channel, port=port, user="").send(message(1))

    assert (answer.result, answer.text) == (result, said)


def test_a_recipient_who_left_does_not_keep_the_others_from_being_told(
    inbox: Inbox, files: tuple[Path, Path], channel: Email
) -> None:
    inbox.recipients = {"a@example.org": "550 no such user"}
    with server(inbox, files) as port:
        answer = through(channel, port=port, user="").send(message(1))

    assert answer.result is Result.DELIVERED
    assert "not to a@example.org: 550 no such user" in answer.text
    assert [envelope.rcpt_tos for envelope in inbox.mails] == [["b@example.org"]]


def test_nobody_listening_is_tried_again(channel: Email) -> None:
    answer = through(channel, port=free_port(ADDRESS)).send(message(1))

    assert (answer.result, "refused" in answer.text) == (Result.LATER, True)

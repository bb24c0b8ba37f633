"""What each vendor is sent, and how its answer is read."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from email.policy import SMTP
from typing import Any
from uuid import UUID

import pytest

from locust_fleet.notify.channels import dingtalk, email, feishu, slack, webhook
from locust_fleet.notify.channels.delivery_result import Result
from locust_fleet.notify.channels.http import Reply, judge, retry_after_s
from locust_fleet.notify.channels.message_card import card_of
from locust_fleet.notify.message import Message
from locust_fleet.notify.outbox import storable

ALERT = Message(
    alert_name="HighErrorRate",
    severity="critical",
    status="firing",
    summary="Too many requests fail.",
    description="12.5 % of the requests failed <!channel> *now*.",
    value="12.5 %",
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    thread="abc",
    source="prometheus",
    labels={"alertname": "HighErrorRate", "cluster": "eu"},
    run_id="20260102-030405-abcd",
    runbook_url="https://docs.example/HighErrorRate",
    id=UUID(int=5),
)
RESOLVED = Message(**{**ALERT.__dict__, "status": "resolved"})
DIGEST = "17e36a190ee125a4782d21867ffdf5712238dc71b452ba98254537bfdb4f3a77"
PUBLIC = "https://load.example"
CARD = card_of(ALERT, PUBLIC)


def everything(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False)


PAYLOADS = {
    "slack": slack.payload(CARD),
    "dingtalk": dingtalk.payload(CARD),
    "feishu": feishu.payload(CARD),
    "webhook": webhook.payload(ALERT, PUBLIC),
}


@pytest.mark.parametrize("vendor", PAYLOADS)
@pytest.mark.parametrize(
    "part",
    [
        "Too many requests fail.",
        "12.5 %",
        "https://load.example/console/runs/20260102-030405-abcd",
        "https://docs.example/HighErrorRate",
    ],
)
def test_a_message_says_what_happened_the_value_and_where_to_look(vendor: str, part: str) -> None:
    text = everything(PAYLOADS[vendor])

    assert part in text.replace("\\\\", "").replace("\\", "")


def test_an_alert_is_red_and_its_end_green() -> None:
    assert (CARD.colour, card_of(RESOLVED, "").colour) == ("red", "green")


def test_the_text_of_an_alert_mentions_nobody() -> None:
    assert "<!channel>" not in everything(PAYLOADS["slack"])
    assert "lark_md" not in everything(PAYLOADS["feishu"])


def test_without_a_public_address_there_is_no_link_to_the_run() -> None:
    assert card_of(ALERT, "").links == (("Runbook", "https://docs.example/HighErrorRate"),)


def test_a_program_gets_the_fields_it_was_promised() -> None:
    promised = {"alert_name", "severity", "description", "timestamp", "source", "status", "labels"}

    assert promised <= set(webhook.payload(ALERT, PUBLIC))


def test_the_webhook_signs_time_and_body() -> None:
    headers = webhook.signature(b'{"a": 1}', "key", 1700000000)

    # printf '1700000000.{"a": 1}' | openssl dgst -sha256 -hmac key
    assert headers["X-Fleet-Signature"] == f"sha256={DIGEST}"


def test_dingtalk_is_signed_in_the_address() -> None:
    url = dingtalk.signed(
        "https://oapi.dingtalk.com/robot/send?access_token=t", "SECs", 17 * 10**11
    )

    assert url.endswith(
        "&timestamp=1700000000000&sign=QctQ8LsgUStgrOAjr2NlM5V69%2FqUDsUkrO%2B77Q7gCv8%3D"
    )


def test_feishu_is_signed_in_the_body() -> None:
    body = feishu.signed({"msg_type": "interactive"}, "s", 1700000000)

    assert (body["timestamp"], body["sign"]) == (
        "1700000000",
        "+z1fiKH1w9xoRwSUZju5W5ZBj/d5cwS4H+5mTClDOl4=",
    )


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.DELIVERED),
        (204, Result.DELIVERED),
        (302, Result.REFUSED),
        (400, Result.REFUSED),
        (404, Result.REFUSED),
        (408, Result.LATER),
        (429, Result.LATER),
        (500, Result.LATER),
        (503, Result.LATER),
    ],
)
def test_a_status_says_whether_to_try_again(status: int, result: Result) -> None:
    assert judge(Reply(status, {}, "")).result is result


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('{"errcode": 0, "errmsg": "ok"}', Result.DELIVERED),
        ('{"errcode": 310000, "errmsg": "sign not match"}', Result.REFUSED),
        ('{"errcode": 130101, "errmsg": "send too fast"}', Result.LATER),
        ('{"errcode": -1, "errmsg": "busy"}', Result.LATER),
        ("<html>sign in to the proxy</html>", Result.LATER),
    ],
)
def test_dingtalk_is_read_by_its_body(body: str, result: Result) -> None:
    assert dingtalk.read(Reply(200, {}, body)).result is result


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('{"code": 0, "msg": "success"}', Result.DELIVERED),
        ('{"StatusCode": 0, "StatusMessage": "success"}', Result.DELIVERED),
        ('{"code": 19021, "msg": "sign match fail"}', Result.REFUSED),
        ('{"code": 9499, "msg": "too many request"}', Result.LATER),
        ('{"code": 11232, "msg": "frequency limited"}', Result.LATER),
        ("[]", Result.LATER),
    ],
)
def test_feishu_is_read_by_its_body(body: str, result: Result) -> None:
    assert feishu.read(Reply(200, {}, body)).result is result


@pytest.mark.parametrize(
    ("code", "result"), [(250, Result.DELIVERED), (451, Result.LATER), (550, Result.REFUSED)]
)
def test_a_mail_server_is_read_by_its_code(code: int, result: Result) -> None:
    assert email.judge((code, b"words")).result is result


@pytest.mark.parametrize(
    "name", ["=?utf-8?q?a=0d=0aBcc:_all@example.org?=", "=?utf-8?b?Cg==?=", "a\x07\x7fb"]
)
def test_no_name_of_a_run_adds_a_line_to_the_head_of_a_mail(name: str) -> None:
    card = replace(CARD, title=f"Run {name} started")

    raw = email.render(ALERT, card, "fleet@example.org", ("a@x",)).as_bytes(policy=SMTP)

    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [line.partition(b":")[0] for line in head][:4] == [b"Subject", b"From", b"To", b"Date"]
    assert head[0].isascii()
    assert head[0].decode().isprintable()


def test_a_mail_has_one_id_in_all_tries() -> None:
    mails = [email.render(ALERT, CARD, "fleet@example.org", ("a@x",)) for _ in range(2)]

    assert mails[0]["Message-ID"] == mails[1]["Message-ID"] == f"<{UUID(int=5)}@example.org>"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 7 ", 7), ("", None), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


def test_an_answer_is_kept_as_one_line_that_postgres_takes() -> None:
    assert storable("a\x00b\n\n c\ud800" + "x" * 1000).startswith("a\ufffdb c?xxx")

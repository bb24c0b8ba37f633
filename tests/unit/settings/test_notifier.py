"""The channels that settings ask for, or the name of the setting that is wrong."""

from pathlib import Path

import pytest

from locust_fleet.errors import SettingsError
from locust_fleet.notify.channels.channel import build
from locust_fleet.settings.notifier import ChannelSettings

SLACK = "https://hooks.slack.com/services/T/B/x"
SMTP = {"SMTP_HOST": "mail", "SMTP_FROM": "fleet@example.org", "SMTP_TO": "a@x.org, b@x.org"}


def test_without_settings_nobody_is_told() -> None:
    assert build(ChannelSettings.from_env({})) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (SLACK, "slack"),
        ("https://oapi.dingtalk.com/robot/send?access_token=t", "dingtalk"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/x", "feishu"),
        ("https://open.larksuite.com/open-apis/bot/v2/hook/x", "feishu"),
        ("http://10.0.0.1:9000/hook", "webhook"),
        ("https://notslack.com/x", "webhook"),
    ],
)
def test_one_address_alone_is_enough(url: str, name: str) -> None:
    settings = ChannelSettings.from_env({"ALERT_WEBHOOK_URL": url})

    assert [channel.name for channel in build(settings)] == [name]


def test_every_address_is_a_channel() -> None:
    settings = ChannelSettings.from_env(
        {**SMTP, "SLACK_WEBHOOK_URL": SLACK, "WEBHOOK_URL": "http://a", "DINGTALK_SECRET": ""}
    )

    assert set(settings.names) == {"slack", "webhook", "email"}


def test_the_list_of_channels_leaves_out_others() -> None:
    env = {"SLACK_WEBHOOK_URL": SLACK, "WEBHOOK_URL": "http://a", "NOTIFY_CHANNELS": "Webhook"}

    assert ChannelSettings.from_env(env).names == ("webhook",)


def test_an_address_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(SLACK + "\n")

    assert ChannelSettings.from_env({"SLACK_WEBHOOK_URL_FILE": str(tmp_path / "url")}).urls == {
        "slack": SLACK
    }


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"NOTIFY_CHANNELS": "pager"}, "NOTIFY_CHANNELS has pager; use some of slack"),
        ({"NOTIFY_CHANNELS": "slack"}, "has slack, but SLACK_WEBHOOK_URL is not set"),
        ({"SLACK_WEBHOOK_URL": "hooks.slack.com/x"}, "SLACK_WEBHOOK_URL is no address"),
        ({"WEBHOOK_URL": "http://a:port/"}, "WEBHOOK_URL is no address"),
        ({"WEBHOOK_URL": "http://a/ b"}, "WEBHOOK_URL is no address"),
        (
            {"SLACK_WEBHOOK_URL": SLACK, "ALERT_WEBHOOK_URL": SLACK},
            "ALERT_WEBHOOK_URL and SLACK_WEBHOOK_URL are both set",
        ),
        ({"SMTP_HOST": "mail"}, "SMTP_FROM is not set"),
        ({**SMTP, "SMTP_TO": "jo"}, "SMTP_TO is jo"),
        ({**SMTP, "SMTP_SECURITY": "ssl"}, "SMTP_SECURITY is ssl"),
        ({**SMTP, "SMTP_PORT": "0"}, "SMTP_PORT is 0"),
        ({"PUBLIC_URL": "load.example"}, "PUBLIC_URL is 'load.example'"),
    ],
)
def test_a_malformed_setting_is_named(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        ChannelSettings.from_env(env)


def test_an_address_is_a_secret_and_not_printed() -> None:
    with pytest.raises(SettingsError) as error:
        ChannelSettings.from_env({"SLACK_WEBHOOK_URL": "hooks.slack.com/s3cret"})

    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, ""),
        ({"ALLOWED_HOSTS": "*"}, ""),
        ({"ALLOWED_HOSTS": "load.example"}, "https://load.example"),
        ({"ALLOWED_HOSTS": "a.x, b.x", "HTTPS_PORT": "8443"}, "https://a.x:8443"),
        ({"ALLOWED_HOSTS": "a.x", "PUBLIC_URL": "https://b.x/"}, "https://b.x"),
    ],
)
def test_links_lead_to_the_name_that_people_use(env: dict[str, str], url: str) -> None:
    assert ChannelSettings.from_env(env).public_url == url

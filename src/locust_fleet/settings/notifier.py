"""Settings of the notifier: which channels there are, and how to reach them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from locust_fleet.errors import SettingsError
from locust_fleet.settings.fleet import LogSettings
from locust_fleet.settings.stores import PostgresSettings
from locust_fleet.settings.values import (
    Environ,
    one_of,
    optional_secret,
    origin,
    port,
    secret_url,
    text,
)

# The channel for the host of ALERT_WEBHOOK_URL; any other host is the generic webhook.
VENDORS = {
    "slack.com": "slack",
    "slack-gov.com": "slack",
    "dingtalk.com": "dingtalk",
    "feishu.cn": "feishu",
    "larksuite.com": "feishu",
}
ADDRESS_SETTINGS = {
    "slack": "SLACK_WEBHOOK_URL",
    "dingtalk": "DINGTALK_WEBHOOK_URL",
    "feishu": "FEISHU_WEBHOOK_URL",
    "webhook": "WEBHOOK_URL",
    "email": "SMTP_HOST",
}


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server; ``security`` is STARTTLS, TLS (from the first byte on) or NONE."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Environ) -> SmtpSettings | None:
        """Return the settings, None without SMTP_HOST."""
        host = text(env, "SMTP_HOST", "")
        if not host:
            return None
        return cls(
            host=host,
            port=port(env, "SMTP_PORT", 587),
            security=one_of(env, "SMTP_SECURITY", "STARTTLS", ("STARTTLS", "TLS", "NONE")),
            user=text(env, "SMTP_USER", ""),
            password=optional_secret(env, "SMTP_PASSWORD"),
            sender=mail_addresses(env, "SMTP_FROM")[0],
            recipients=mail_addresses(env, "SMTP_TO"),
        )


@dataclass(frozen=True)
class ChannelSettings:
    """The names of the channels in use, and the addresses of all channels that have one."""

    names: tuple[str, ...]
    urls: Mapping[str, str]
    dingtalk_secret: str
    feishu_secret: str
    webhook_secret: str
    smtp: SmtpSettings | None
    public_url: str

    @classmethod
    def from_env(cls, env: Environ) -> ChannelSettings:
        urls = channel_urls(env)
        smtp = SmtpSettings.from_env(env)
        configured = [
            name for name in ADDRESS_SETTINGS if name in urls or (name == "email" and smtp)
        ]
        return cls(
            names=channel_names(env, configured),
            urls=urls,
            dingtalk_secret=optional_secret(env, "DINGTALK_SECRET"),
            feishu_secret=optional_secret(env, "FEISHU_SECRET"),
            webhook_secret=optional_secret(env, "WEBHOOK_SECRET"),
            smtp=smtp,
            public_url=public_url(env),
        )


@dataclass(frozen=True)
class NotifierSettings:
    """Settings of the notifier."""

    postgres: PostgresSettings
    logs: LogSettings
    channels: ChannelSettings
    health_port: int
    metrics_port: int

    @classmethod
    def from_env(cls, env: Environ) -> NotifierSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            logs=LogSettings.from_env(env),
            channels=ChannelSettings.from_env(env),
            health_port=port(env, "HEALTH_PORT", 8080),
            metrics_port=port(env, "METRICS_PORT", 9090),
        )


def channel_urls(env: Environ) -> dict[str, str]:
    """Return the address of each channel that has one; the host of ALERT_WEBHOOK_URL decides."""
    urls = {}
    for name, setting in ADDRESS_SETTINGS.items():
        if name != "email" and (url := secret_url(env, setting)):
            urls[name] = url
    if url := secret_url(env, "ALERT_WEBHOOK_URL"):
        host = urlsplit(url).hostname or ""
        vendors = [name for end, name in VENDORS.items() if f".{host}".endswith(f".{end}")]
        name = vendors[0] if vendors else "webhook"
        if name in urls:
            raise SettingsError(
                f"ALERT_WEBHOOK_URL and {ADDRESS_SETTINGS[name]} are both set; keep one of them"
            )
        urls[name] = url
    return urls


def channel_names(env: Environ, configured: list[str]) -> tuple[str, ...]:
    """Return NOTIFY_CHANNELS, or every channel that has an address when it is empty."""
    asked = [part.strip().lower() for part in env.get("NOTIFY_CHANNELS", "").split(",")]
    names = list(dict.fromkeys(name for name in asked if name))
    for name in names:
        if name not in ADDRESS_SETTINGS:
            raise SettingsError(
                f"NOTIFY_CHANNELS has {name}; use some of {', '.join(ADDRESS_SETTINGS)}"
            )
        if name not in configured:
            raise SettingsError(
                f"NOTIFY_CHANNELS has {name}, but {ADDRESS_SETTINGS[name]} is not set"
            )
    return tuple(names or configured)


def public_url(env: Environ) -> str:
    """Return where people reach the stack: PUBLIC_URL, or the first of ALLOWED_HOSTS, or ""."""
    given = text(env, "PUBLIC_URL", "").rstrip("/")
    if given:
        return origin("PUBLIC_URL", given)
    host = env.get("ALLOWED_HOSTS", "").partition(",")[0].strip()
    if not host or "*" in host:
        return ""
    https_port = port(env, "HTTPS_PORT", 443)
    return f"https://{host}" + ("" if https_port == 443 else f":{https_port}")


def mail_addresses(env: Environ, name: str) -> tuple[str, ...]:
    """Return the mail addresses of a setting, separated by commas; at least one."""
    found = tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())
    wrong = [part for part in found if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", part)]
    if wrong or not found:
        raise SettingsError(
            f"{name} is {wrong[0] if wrong else 'not set'}; use an address such as jo@example.org"
        )
    return found

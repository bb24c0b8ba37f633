"""The dashboard Stack: does the machine, or a service around the test, hold it back?"""

from __future__ import annotations

from grafana.parts import (
    RED,
    YELLOW,
    Chart,
    board,
    dial,
    fill,
    lines,
    number,
    promql,
    promql_rows,
    rows,
)
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.builders.prometheus import Dataquery

FULL = {80.0: YELLOW, 90.0: RED}
# Without file systems in memory and views of other file systems.
DISKS = '{fstype!~"tmpfs|ramfs|overlay|squashfs|rootfs"}'
# Without the databases of Postgres itself.
OURS = '{datname!~"template.*|postgres|"}'


def dashboard() -> Dashboard:
    stack = board(
        "fleet-stack",
        "Stack",
        "The machine and the services around Locust. What is measured here is not response times"
        " of the target.",
    )
    return fill(
        stack,
        {
            "Now": _now(),
            "Machine": _machine(),
            "Stores": _stores(),
            "Front": _front(),
            "Notifications": _notifications(),
        },
    )


def asked(expr: str, legend: str = "__auto") -> Dataquery:
    """Ask Prometheus for what it scrapes every 15 s."""
    return promql(expr, legend, every="15s")


def _now() -> list[Chart]:
    return [
        number(
            "Alerts",
            "Alerts that fire now.",
            "short",
            promql('count(ALERTS{alertstate="firing"}) or vector(0)'),
            steps={1: RED},
        ),
        number(
            "Targets down",
            "What Prometheus knows and cannot reach. A worker that is gone is no longer known.",
            "short",
            promql("count(up == 0) or vector(0)"),
            steps={1: RED},
        ),
        number(
            "Redis",
            "1 while Redis answers.",
            "short",
            asked("min(redis_up)"),
        ),
        number(
            "Postgres",
            "1 while Postgres answers.",
            "short",
            asked("min(pg_up)"),
        ),
        number(
            "Front",
            "1 while nginx answers.",
            "short",
            asked("min(nginx_up)"),
        ),
        number(
            "Oldest message",
            "How long the oldest notification waits.",
            "s",
            promql("max(fleet_notifications_oldest_pending_seconds) or vector(0)"),
            steps={60: YELLOW, 300: RED},
        ),
    ]


def _machine() -> list[Chart]:
    return [
        dial(
            "CPU",
            "Share of all cores in use.",
            "percent",
            asked(
                '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval])))',
                "CPU",
            ),
            steps=FULL,
        ),
        dial(
            "Memory",
            "Share of the memory that is not available to a new process.",
            "percent",
            asked(
                "100 * (1 - sum(node_memory_MemAvailable_bytes) / sum(node_memory_MemTotal_bytes))",
                "memory",
            ),
            steps=FULL,
        ),
        dial(
            "Fullest disk",
            "Share in use of the file system that has the least room, in per cent.",
            "percent",
            asked(
                f"100 * (1 - min(node_filesystem_avail_bytes{DISKS}"
                f" / node_filesystem_size_bytes{DISKS}))",
                "disk",
            ),
            steps=FULL,
        ),
        dial(
            "Load per core",
            "Processes that run or want to, over a minute, in per cent of the cores.",
            "percent",
            asked('100 * sum(node_load1) / count(node_cpu_seconds_total{mode="idle"})', "load"),
            steps={100.0: YELLOW, 200.0: RED},
        ),
        lines(
            "CPU by use",
            "Share of all cores.",
            "percent",
            asked(
                "100 * sum by (mode) (rate(node_cpu_seconds_total"
                '{mode!="idle"}[$__rate_interval]))'
                ' / scalar(count(node_cpu_seconds_total{mode="idle"}))',
                "{{mode}}",
            ),
            top=100,
        ),
        lines(
            "Disk traffic",
            "Bytes per second of all disks.",
            "Bps",
            asked("sum(rate(node_disk_read_bytes_total[$__rate_interval]))", "read"),
            asked("sum(rate(node_disk_written_bytes_total[$__rate_interval]))", "written"),
        ),
    ]


def _stores() -> list[Chart]:
    return [
        lines(
            "Redis: memory",
            "What Redis uses.",
            "bytes",
            asked("sum(redis_memory_used_bytes)", "used"),
        ),
        lines(
            "Redis: commands",
            "Commands per second.",
            "ops",
            asked("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands"),
        ),
        lines(
            "Redis: clients",
            "Connections to Redis.",
            "short",
            asked("sum(redis_connected_clients)", "clients"),
        ),
        lines(
            "Postgres: connections",
            "Connections to each database.",
            "short",
            asked(f"sum by (datname) (pg_stat_database_numbackends{OURS})", "{{datname}}"),
        ),
        lines(
            "Postgres: transactions",
            "Transactions per second, by how they ended.",
            "ops",
            asked(f"sum(rate(pg_stat_database_xact_commit{OURS}[$__rate_interval]))", "committed"),
            asked(
                f"sum(rate(pg_stat_database_xact_rollback{OURS}[$__rate_interval]))", "rolled back"
            ),
        ),
        lines(
            "Postgres: size",
            "Size of each database. RESULTS_RETENTION_DAYS bounds it.",
            "bytes",
            asked(f"sum by (datname) (pg_database_size_bytes{OURS})", "{{datname}}"),
        ),
    ]


def _front() -> list[Chart]:
    return [
        lines(
            "Requests to the front",
            "Requests per second that nginx took. The load itself does not pass here.",
            "reqps",
            asked("sum(rate(nginx_http_requests_total[$__rate_interval]))", "requests"),
        ),
        lines(
            "Connections to the front",
            "Open connections of browsers and scripts.",
            "short",
            asked("sum(nginx_connections_active)", "active"),
            asked("sum(nginx_connections_waiting)", "waiting"),
        ),
        lines(
            "Answers of the console",
            "Answers per second, by status.",
            "reqps",
            promql(
                "sum by (status) (rate(fleet_console_requests_total[$__rate_interval]))",
                "{{status}}",
            ),
        ),
        rows(
            "Targets",
            "What Prometheus scrapes; 1 is up.",
            promql_rows("up"),
            units={},
            width=12,
            hide=("Time", "__name__", "cluster", "environment"),
        ),
    ]


def _notifications() -> list[Chart]:
    none = 'or on () label_replace(vector(0), "channel", "none", "", "")'
    return [
        lines(
            "Messages waiting",
            "Notifications that a channel has not yet taken.",
            "short",
            promql(f"max by (channel) (fleet_notifications_pending) {none}", "{{channel}}"),
        ),
        lines(
            "Messages delivered",
            "Per minute, by channel.",
            "cpm",
            promql(
                "60 * sum by (channel) (rate(fleet_notifications_delivered_total"
                f"[$__rate_interval])) {none}",
                "{{channel}}",
            ),
        ),
        lines(
            "Failed attempts",
            "Attempts per minute that a channel did not take. Each is repeated later.",
            "cpm",
            promql(
                "60 * sum by (channel) (rate(fleet_notification_failures_total"
                f"[$__rate_interval])) {none}",
                "{{channel}}",
            ),
        ),
    ]

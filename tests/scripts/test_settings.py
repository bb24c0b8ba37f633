"""Each wrong setting is named, with what would be right and where it stands."""

import pytest

from tests.scripts.conftest import Checkout


def problems(checkout: Checkout) -> list[str]:
    return checkout.call("settings_problems", checkout.folder / ".env").splitlines()


def test_the_example_is_right(checkout: Checkout) -> None:
    file = checkout.folder / ".env.example"

    assert checkout.call("settings_problems", file) == ""


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("POSTGRES_PORT", "99999", "POSTGRES_PORT is 99999; use 1 to 65535"),
        ("HTTPS_PORT", "", "HTTPS_PORT is empty; use 1 to 65535"),
        ("HTTP_PORT", "080", "HTTP_PORT is 080; use 1 to 65535"),
        ("SESSION_HOURS", "1.5", "SESSION_HOURS is 1.5; use 1 to 720"),
        ("DISPATCH", "random", "DISPATCH is random; use weighted, round_robin or least_loaded"),
        ("WORKER_WEIGHT", "-1", "WORKER_WEIGHT is -1; use a number from 0 to 10000"),
        ("MAX_USERS_PER_WORKER", "x", "MAX_USERS_PER_WORKER is x; use 0 to 1000000"),
        ("REBALANCE_INTERVAL", "5", "REBALANCE_INTERVAL is 5; use 10 to 3600"),
        ("HEARTBEAT_LIVENESS", "1", "HEARTBEAT_LIVENESS is 1; use 2 to 1000"),
        (
            "WORKER_MEMORY_LIMIT",
            "2 gigs",
            "WORKER_MEMORY_LIMIT is 2 gigs; use a whole number and M or G, such as 2G",
        ),
        ("MASTER_MEMORY_LIMIT", "64M", "MASTER_MEMORY_LIMIT is 64M; use at least 256M"),
        ("WORKER_CPUS", "0", "WORKER_CPUS is 0; use a number of cores above 0, such as 2 or 0.5"),
        ("ALERT_P95_MS", "fast", "ALERT_P95_MS is fast; use a number from 0 to 3600000"),
        ("ALERT_DROPPED_PERCENT", "-1", "ALERT_DROPPED_PERCENT is -1; use a number from 0 to 100"),
        ("ALERT_CPU_PERCENT", "100.5", "ALERT_CPU_PERCENT is 100.5; use a number from 0 to 100"),
        ("LOCUST_ENV", "staging", "LOCUST_ENV is staging; use production"),
        ("MONITORING_ENABLED", "yes", "MONITORING_ENABLED is yes; use true or false"),
        ("METRICS_RETENTION_DAYS", "0", "METRICS_RETENTION_DAYS is 0; use 1 to 3650"),
        ("IMAGE_SOURCE", "hub", "IMAGE_SOURCE is hub; use auto, registry or packages"),
        ("LOCUST_LOG_LEVEL", "loud", "LOCUST_LOG_LEVEL is loud; use one of DEBUG, INFO, WARNING,"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is xml; use json or text"),
        ("LOG_FILE", "fleet.log", "LOG_FILE is fleet.log; use true or false"),
        ("COMPOSE_PROJECT_NAME", "My Fleet", "COMPOSE_PROJECT_NAME is My Fleet; use small letters"),
        ("TARGET_HOST", "shop.example", "TARGET_HOST is shop.example; use a URL such as"),
        ("LOCUSTFILE", "../x.py", "LOCUSTFILE is ../x.py; use the name of a file in locustfiles/"),
        ("BIND_ADDRESS", "here", "BIND_ADDRESS is here; use an IPv4 address of this host"),
        ("ALLOWED_HOSTS", "a:443", "ALLOWED_HOSTS is a:443; use host names without port"),
        ("POSTGRES_PROT", "5432", "POSTGRES_PROT is not a setting; .env.example lists them all"),
        ("TARGET_HOST", "'http://a'", "TARGET_HOST begins with a quote; write the value as it is"),
        ("TARGET_HOST", "http://a # b", "TARGET_HOST has a comment behind its value"),
        ("SCENARIO_KEY", "a$b", "SCENARIO_KEY holds a $, which Compose would expand"),
        ("LOCUST_WEB_AUTH", "admin", "LOCUST_WEB_AUTH is not user:password"),
        ("LOCUST_WEB_AUTH", "a:short", "LOCUST_WEB_AUTH has a password of 5 characters"),
        ("LOCUST_WEB_AUTH", "admin:admin-12345", "LOCUST_WEB_AUTH has a placeholder"),
        ("LOCUST_WEB_AUTH", "admin:theadmin here", "LOCUST_WEB_AUTH has a password that contains"),
        (
            "POSTGRES_PASSWORD",
            "change-me",
            "POSTGRES_PASSWORD is a placeholder; use your own password",
        ),
        ("REDIS_PASSWORD", "<your_password>", "REDIS_PASSWORD is a placeholder"),
        ("REDIS_WORKER_USER", "default", "REDIS_WORKER_USER is default; use small letters"),
        ("REDIS_WORKER_USER", "a b", "REDIS_WORKER_USER is a b; use small letters, digits and _"),
        ("NOTIFY_CHANNELS", "slack,pager", "NOTIFY_CHANNELS is slack,pager; use some of slack,"),
        (
            "SLACK_WEBHOOK_URL",
            "hooks.slack.com/x",
            "SLACK_WEBHOOK_URL is not an address; use a URL",
        ),
        ("SMTP_PORT", "0", "SMTP_PORT is 0; use 1 to 65535"),
        ("SMTP_SECURITY", "ssl", "SMTP_SECURITY is ssl; use starttls, tls or none"),
        ("SMTP_TO", "jo", "SMTP_TO is jo; use addresses such as jo@example.org"),
        ("SMTP_PASSWORD", "changeme", "SMTP_PASSWORD is a placeholder"),
        ("SSL_CERT_PATH", "/a.pem", "SSL_CERT_PATH is set and SSL_KEY_PATH is not; set both"),
        (
            "POSTGRES_HOST",
            "db.example",
            "POSTGRES_PASSWORD is empty; set the password of db.example",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right_and_its_line(
    checkout: Checkout, name: str, value: str, sentence: str
) -> None:
    checkout.configure(**{name: value})
    lines = (checkout.folder / ".env").read_text().splitlines()

    [problem] = problems(checkout)

    assert problem.startswith(sentence)
    assert problem.endswith(f"(.env line {lines.index(f'{name}={value}') + 1})")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCUST_WEB_AUTH", "admin:correct horse battery"),
        ("POSTGRES_PASSWORD", "a=b#c'd"),
        ("SCENARIO_NOTE", "it's \\ fine"),
        ("ALLOWED_HOSTS", "load.example.org, *.example.org"),
        ("WORKER_CPUS", "0.5"),
        ("ALERT_ERROR_RATE_PERCENT", "0.5"),
        ("ALERT_DROPPED_PERCENT", "2.5"),
        ("ALERT_CPU_PERCENT", "100"),
        ("ALERT_CPU_PERCENT", "99.9"),
        ("DEBIAN_MIRROR", "http://mirror.example/debian"),
        ("LOCUSTFILE", "team/checkout.py"),
        ("REDIS_WORKER_USER", "worker"),
        ("REDIS_WORKER_USER", ""),
    ],
)
def test_a_right_value_is_no_problem(checkout: Checkout, name: str, value: str) -> None:
    checkout.configure(**{name: value})

    assert problems(checkout) == []


def test_a_password_is_never_printed(checkout: Checkout) -> None:
    checkout.configure(LOCUST_WEB_AUTH="admin:tooShort", POSTGRES_PASSWORD="changeme-tooShort")

    assert "tooShort" not in "".join(problems(checkout))


def test_all_problems_are_named_at_once(checkout: Checkout) -> None:
    checkout.configure(HTTP_PORT="0", REDIS_PORT="0", MAX_WORKERS="many")

    assert len(problems(checkout)) == 3


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("HTTP_PORT=81", "HTTP_PORT is set twice; keep one of the lines"),
        ("HTTP_PORT = 81", "'HTTP_PORT = 81' is not a setting; write KEY=VALUE"),
        ("export A=1", "'export A' begins with export; write KEY=VALUE"),
        ("SCENARIO_A=1\r", ".env has Windows line ends; convert it with: sed -i 's/\\r$//' .env"),
    ],
)
def test_a_line_that_compose_would_read_otherwise_is_named(
    checkout: Checkout, line: str, sentence: str
) -> None:
    checkout.configure()
    with (checkout.folder / ".env").open("a", newline="") as file:
        file.write(f"{line}\n")

    assert any(problem.startswith(sentence) for problem in problems(checkout))


def test_two_ports_must_differ(checkout: Checkout) -> None:
    checkout.configure(HTTP_PORT="8443", HTTPS_PORT="8443")

    assert problems(checkout)[0].startswith("HTTP_PORT and HTTPS_PORT are both 8443; use two ports")

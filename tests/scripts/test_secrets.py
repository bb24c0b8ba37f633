"""Secrets are made once, kept for ever, and readable by nobody else on the host."""

from pathlib import Path

import pytest

from tests.scripts.conftest import PROJECT, Checkout

NAMES = (
    *("web_auth", "postgres_password", "redis_password", "redis_worker_password"),
    *("front_secret", "session_key"),
)


def secret(checkout: Checkout, name: str) -> Path:
    return checkout.folder / "secrets" / name


def make(checkout: Checkout) -> None:
    checkout.call("ensure_secrets", checkout.folder / ".env")


def test_what_is_missing_is_made_by_chance(configured: Checkout) -> None:
    make(configured)
    first = {name: secret(configured, name).read_text() for name in NAMES}
    for name in NAMES:
        secret(configured, name).unlink()

    make(configured)

    for name in NAMES:
        assert len(first[name]) >= 32
        assert secret(configured, name).read_text() != first[name]


def test_what_is_there_is_never_replaced(configured: Checkout) -> None:
    make(configured)
    before = configured.state()

    make(configured)

    assert configured.state() == before


def test_the_folder_protects_files_that_containers_can_read(configured: Checkout) -> None:
    make(configured)

    assert (configured.folder / "secrets").stat().st_mode & 0o777 == 0o700
    assert {secret(configured, name).stat().st_mode & 0o777 for name in NAMES} == {0o444}


def test_settings_become_secrets_at_the_first_deployment(checkout: Checkout) -> None:
    checkout.configure(
        POSTGRES_PASSWORD="of postgres",
        REDIS_PASSWORD="of redis",
        LOCUST_WEB_AUTH="me:my own words",
    )

    make(checkout)

    assert secret(checkout, "postgres_password").read_text() == "of postgres"
    assert secret(checkout, "redis_password").read_text() == "of redis"
    assert secret(checkout, "web_auth").read_text() == "me:my own words"


def test_a_later_change_of_the_setting_is_said_to_have_no_effect(checkout: Checkout) -> None:
    checkout.configure(POSTGRES_PASSWORD="of postgres")
    make(checkout)
    checkout.configure(POSTGRES_PASSWORD="another")

    make(checkout)

    assert secret(checkout, "postgres_password").read_text() == "of postgres"


def test_a_file_that_containers_have_mounted_keeps_its_inode(configured: Checkout) -> None:
    make(configured)
    file = secret(configured, "web_auth")
    before = file.stat().st_ino

    configured.call("put_secret", "web_auth", stdin="new")

    assert file.read_text() == "new"
    assert file.stat().st_ino == before
    assert file.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "secrets/redis_password is empty"),
        ("change_me", "secrets/redis_password holds a placeh"),
    ],
)
def test_a_secret_that_is_none_is_named(configured: Checkout, text: str, sentence: str) -> None:
    make(configured)
    configured.call("put_secret", "redis_password", stdin=text)

    assert configured.call("secrets_problems").startswith(sentence)


def test_a_lost_password_of_a_database_is_not_made_up(configured: Checkout) -> None:
    configured.fake("volumes", "fake_postgres-data")

    done = configured.deploy()

    assert done.returncode == 1
    assert "secrets/postgres_password is missing, but the volume fake_postgres-data" in done.stderr
    assert not (configured.folder / "secrets").exists()


@pytest.mark.parametrize(
    ("folder", "remedy"),
    [
        (None, "or delete the database: docker volume rm fake_postgres-data"),
        ("{root}", "or delete the database: scripts/stop.sh --delete-data --yes"),
        ("/srv/fleet", "or deploy from /srv/fleet: its containers use the database"),
    ],
)
def test_what_can_be_done_without_the_password_goes_by_whose_containers_have_the_volume(
    configured: Checkout, folder: str | None, remedy: str
) -> None:
    configured.fake("volumes", "fake_postgres-data")
    if folder:
        configured.fake("up")
        configured.fake("working_dir", folder.format(root=configured.folder))

    problem = configured.call("lost_password_problem", PROJECT)

    assert "with all runs and accounts; put the file back" in problem
    assert remedy in problem


def test_an_address_of_a_channel_is_replaced_when_env_names_another(checkout: Checkout) -> None:
    checkout.configure(SLACK_WEBHOOK_URL="https://hooks.slack.com/old")
    make(checkout)
    checkout.configure(SLACK_WEBHOOK_URL="https://hooks.slack.com/new")

    make(checkout)

    assert secret(checkout, "slack_webhook_url").read_text() == "https://hooks.slack.com/new"


def test_an_address_that_was_written_into_its_file_stays(configured: Checkout) -> None:
    make(configured)
    assert secret(configured, "webhook_url").read_text() == ""
    secret(configured, "webhook_url").chmod(0o644)
    secret(configured, "webhook_url").write_text("http://a/$b")

    make(configured)

    assert secret(configured, "webhook_url").read_text() == "http://a/$b"


def test_a_new_password_of_workers_starts_redis_and_workers_anew_and_nobody_else(
    deployed: Checkout,
) -> None:
    """As a deployment over a former release does, which had none."""
    labels = deployed.folder / ".deploy" / "mounted.yml"
    before = labels.read_text().splitlines()
    secret(deployed, "redis_worker_password").unlink()

    assert deployed.deploy().returncode == 0

    changed = set(labels.read_text().splitlines()) - set(before)
    assert {line.split(":")[0].strip() for line in changed} == {"redis", "locust-worker"}

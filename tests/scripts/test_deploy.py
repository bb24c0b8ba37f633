"""What deploy.sh does in which order, and what it leaves when something goes wrong."""

import fcntl
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import ADDRESS, Checkout
from tests.support.ports import free_port
from tests.support.process import interrupt, start_script
from tests.support.waiting import wait_until


def positions(calls: list[str], *words: str) -> list[int]:
    """Where the first call with each word is."""
    return [next(n for n, call in enumerate(calls) if word in call) for word in words]


def git(checkout: Checkout, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which environment; there is: production"),
        (("staging",), "there is no environment 'staging'; there is: production"),
        (("production", "--force"), "unknown argument '--force'"),
        (("production", "v1", "v2"), "unknown argument 'v2'"),
    ],
)
def test_wrong_arguments_end_with_2_before_anything(
    configured: Checkout, arguments: tuple[str, ...], words: str
) -> None:
    done = configured.run("deploy.sh", *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert configured.calls() == []


def test_help_is_the_header(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", "--help")

    assert done.returncode == 0
    assert "Usage: scripts/deploy.sh ENVIRONMENT [VERSION]" in done.stdout


@pytest.mark.parametrize(
    "settings",
    [
        {"POSTGRES_PORT": "99999"},
        {"WORKER_MEMORY_LIMIT": "2 gigs"},
        {"POSTGRES_PROT": "5432"},
        {"LOCUST_WEB_AUTH": "admin:changeme"},
        {"LOCUSTFILE": "missing.py"},
        {"SSL_CERT_PATH": "/nowhere.pem", "SSL_KEY_PATH": "/nowhere.key"},
    ],
)
def test_a_wrong_setting_ends_with_2_and_nothing_changed(
    checkout: Checkout, settings: dict[str, str]
) -> None:
    checkout.configure(**settings)
    before = checkout.state()

    done = checkout.deploy()

    assert done.returncode == 2
    assert next(iter(settings)) in done.stderr
    assert checkout.state() == before


def test_a_port_that_is_taken_ends_with_1_and_nothing_changed(checkout: Checkout) -> None:
    port = free_port(ADDRESS)
    checkout.configure(HTTPS_PORT=str(port))
    before = checkout.state()

    with socket.create_server((ADDRESS, port)):
        done = checkout.deploy()

    assert done.returncode == 1
    assert f"port {port} is taken by another program" in done.stderr
    assert checkout.state() == before


def test_a_setting_that_is_missing_has_its_default(configured: Checkout) -> None:
    file = configured.folder / ".env"
    kept = [line for line in file.read_text().splitlines() if "MASTER" not in line]
    file.write_text("\n".join(kept) + "\n")

    done = configured.deploy()

    assert done.returncode == 0, done.stderr


def test_a_look_changes_nothing(configured: Checkout) -> None:
    before = configured.state()

    done = configured.deploy("--check")

    assert done.returncode == 0, done.stderr
    assert configured.state() == before
    assert not [call for call in configured.calls() if " up " in call or "build" in call]


def test_a_first_deployment_makes_settings_and_secrets_and_starts_in_order(
    configured: Checkout,
) -> None:
    done = configured.deploy()

    assert done.returncode == 0, done.stderr
    calls = configured.calls()
    order = ("build ", "check-locustfile", "--wait postgres", "run --rm --no-deps -T migrate")
    found = positions(calls, *order, "--remove-orphans", "smoke-test --workers 3")
    assert found == sorted(found)
    assert configured.setting("COMPOSE_FILE") == (
        "docker-compose.prod.yml:docker-compose.monitoring.yml:.deploy/mounted.yml"
    )
    assert (configured.folder / "secrets" / "tls_cert.pem").exists()


def test_the_summary_says_where_the_stack_and_the_password_are(configured: Checkout) -> None:
    lines = configured.deploy().stdout.splitlines()

    assert lines[0].split() == ["URL", f"https://{ADDRESS}:{configured.setting('HTTPS_PORT')}/"]
    assert lines[1].split()[:2] == ["User", "admin"]
    assert "secrets/web_auth" in lines[2]
    password = (configured.folder / "secrets" / "web_auth").read_text().partition(":")[2]
    assert password not in "".join(lines)


def test_a_second_deployment_changes_no_file_and_migrates_nothing(deployed: Checkout) -> None:
    before = deployed.state()

    done = deployed.deploy()

    assert done.returncode == 0, done.stderr
    assert deployed.state() == before
    assert not [call for call in deployed.calls() if "-T migrate" in call]


def test_what_a_service_reads_at_start_decides_whether_it_is_recreated(deployed: Checkout) -> None:
    labels = deployed.folder / ".deploy" / "mounted.yml"
    before = labels.read_text().splitlines()
    (deployed.folder / "nginx" / "snippets" / "tls.conf").write_text("# changed\n")

    assert deployed.deploy().returncode == 0
    after = labels.read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split(":")[0].strip() for line in changed] == ["nginx"]


@pytest.mark.parametrize(
    ("engine", "compose", "quickly"),
    [("26.1.5", "2.26.1", True), ("24.0.9", "2.26.1", False), ("26.1.5", "2.20.3", False)],
)
def test_containers_are_looked_at_each_second_at_first_where_the_engine_can(
    configured: Checkout, engine: str, compose: str, quickly: bool
) -> None:
    configured.fake("engine", engine)
    configured.fake("compose", compose)

    assert configured.deploy().returncode == 0

    labels = (configured.folder / ".deploy" / "mounted.yml").read_text()
    looks = [line for line in labels.splitlines() if "healthcheck: {start_interval: 1s}" in line]
    services = [line for line in labels.splitlines() if "fleet.mounted" in line]
    assert len(looks) == (len(services) - 1 if quickly else 0)
    assert not [line for line in looks if "migrate" in line]


def test_as_many_workers_as_there_are_stay(deployed: Checkout) -> None:
    deployed.fake("workers", "8")

    assert deployed.deploy().returncode == 0
    assert deployed.setting("LOCUST_WORKERS") == "8"


def test_more_workers_than_allowed_are_cut_with_a_warning(deployed: Checkout) -> None:
    deployed.fake("workers", "30")

    done = deployed.deploy()

    assert "warning: there are 30 workers, but MAX_WORKERS is 20; going on with 20" in done.stderr
    assert deployed.setting("LOCUST_WORKERS") == "20"


def test_workers_are_not_counted_while_they_were_being_replaced(deployed: Checkout) -> None:
    (deployed.folder / ".deploy" / "in_progress").touch()
    deployed.fake("workers", "4")

    assert deployed.deploy().returncode == 0
    assert deployed.setting("LOCUST_WORKERS") == "3"


def test_external_stores_are_not_started(checkout: Checkout) -> None:
    checkout.configure(
        POSTGRES_HOST="db.example",
        POSTGRES_PASSWORD="of theirs",
        REDIS_HOST="cache.example",
        REDIS_PASSWORD="of theirs",
    )

    done = checkout.deploy()

    assert done.returncode == 0, done.stderr
    assert checkout.setting("COMPOSE_PROFILES") == "grafana"
    assert not [call for call in checkout.calls() if "--wait postgres" in call or "pg_dump" in call]


@pytest.mark.parametrize("service", ["demo-target", "redis", "postgres"])
def test_a_run_is_spared_what_it_stands_on(deployed: Checkout, service: str) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    deployed.fake("recreate", service)
    before = deployed.state()

    done = deployed.deploy()

    assert done.returncode == 3
    assert f"the run 20260101-000000-abcd is active, and {service} would be" in done.stderr
    assert deployed.state() == before
    assert not [call for call in deployed.calls() if " up " in call]


def test_what_a_run_does_not_stand_on_is_deployed_beside_it(deployed: Checkout) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    deployed.fake("recreate", "nginx")

    assert deployed.deploy().returncode == 0


def test_a_run_is_ended_in_order_when_that_is_wanted(deployed: Checkout) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    deployed.fake("recreate", "locust-master")

    done = deployed.deploy("--end-run")

    assert done.returncode == 0, done.stderr
    found = positions(deployed.calls(), "locust-fleet stop-run", "stop locust-worker", " up ")
    assert found == sorted(found)


@pytest.fixture
def begun(deployed: Checkout) -> Checkout:
    """Deployed, and when it is again, a run begins while the database is migrated."""
    deployed.fake("recreate", "migrate locust-master")
    deployed.fake("content", "2")
    deployed.fake("begins", "-T migrate")
    deployed.fake("then_run", "active 20260101-000000-abcd")
    return deployed


def test_a_run_that_begins_meanwhile_is_spared_and_the_former_files_are_back(
    begun: Checkout,
) -> None:
    before = begun.state()

    done = begun.deploy()

    assert done.returncode == 3
    assert "the run 20260101-000000-abcd began meanwhile and was not" in done.stderr
    assert "the former deployment runs again" in done.stderr
    assert not [call for call in begun.calls() if "stop locust-worker" in call]
    passing = (".deploy/built", ".deploy/failed", "backups")
    after = {name: text for name, text in begun.state().items() if not name.startswith(passing)}
    assert after == {name: before[name] for name in before if not name.startswith(passing)}


def test_while_no_master_says_any_more_that_there_is_no_run_nothing_is_replaced(
    begun: Checkout,
) -> None:
    begun.fake("then_run", "unknown")

    done = begun.deploy()

    assert done.returncode == 3
    assert "no master says any more whether a run is active" in done.stderr


def test_a_run_that_begins_meanwhile_is_ended_in_order_when_that_is_wanted(begun: Checkout) -> None:
    done = begun.deploy("--end-run")

    assert done.returncode == 0, done.stderr
    order = ("-T migrate", "locust-fleet stop-run", "stop locust-worker", "--remove-orphans")
    found = positions(begun.calls(), *order)
    assert found == sorted(found)


def test_nobody_begins_a_run_on_stores_that_are_being_replaced(deployed: Checkout) -> None:
    deployed.fake("recreate", "migrate locust-master redis")

    done = deployed.deploy()

    assert done.returncode == 0, done.stderr
    order = ("stop locust-worker", "up --detach --wait postgres redis", "--remove-orphans")
    found = positions(deployed.calls(), *order)
    assert found == sorted(found)


def test_changed_scenario_settings_count_as_a_change_of_the_workers(deployed: Checkout) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    with (deployed.folder / ".env").open("a") as file:
        file.write("SCENARIO_USER=alice\n")

    assert deployed.deploy().returncode == 3


def test_a_locustfile_that_does_not_import_changes_nothing(deployed: Checkout) -> None:
    deployed.fake("fails", "check-locustfile")
    before = deployed.state()

    done = deployed.deploy()

    assert done.returncode == 2
    assert "LOCUSTFILE is demo_shop.py, which cannot be used; nothing was changed" in done.stderr
    assert deployed.state() == before


@pytest.mark.parametrize("step", ["-T migrate", "--remove-orphans", "smoke-test"])
def test_a_deployment_that_fails_goes_back_to_the_former_files(
    deployed: Checkout, step: str
) -> None:
    before = deployed.state()
    deployed.fake("recreate", "migrate nginx")
    deployed.fake("content", "2")
    deployed.fake("fails", step)
    nginx = deployed.folder / "nginx" / "nginx.conf"
    inode = nginx.stat().st_ino
    nginx.write_text("broken")
    (deployed.folder / "postgres" / "migrations" / "9999_new.sql").write_text("SELECT wrong")

    done = deployed.deploy()

    assert done.returncode == 1
    assert "going back to the former one" in done.stderr
    kept = {name: text for name, text in deployed.state().items() if name in before}
    passing = {name for name in kept if name.startswith((".deploy/built", ".deploy/in_progress"))}
    assert {name for name in kept if kept[name] != before[name]} <= passing
    assert not (deployed.folder / "postgres" / "migrations" / "9999_new.sql").exists()
    assert (deployed.folder / ".deploy" / "failed" / "nginx" / "nginx.conf").read_text() == "broken"
    assert nginx.stat().st_ino == inode


def test_a_deployment_that_fails_goes_back_to_the_former_addresses(deployed: Checkout) -> None:
    secret = deployed.folder / "secrets" / "slack_webhook_url"
    inode = secret.stat().st_ino
    env = deployed.folder / ".env"
    env.write_text(
        env.read_text().replace("SLACK_WEBHOOK_URL=", "SLACK_WEBHOOK_URL=https://wrong.example/x")
    )
    deployed.fake("fails", "--remove-orphans")

    done = deployed.deploy()

    assert done.returncode == 1
    assert secret.read_text() == ""
    assert secret.stat().st_ino == inode


def test_a_failed_migration_recreates_nothing(deployed: Checkout) -> None:
    deployed.fake("recreate", "migrate locust-master")
    deployed.fake("fails", "-T migrate")

    deployed.deploy()

    calls = deployed.calls()
    [migrate] = positions(calls, "-T migrate")
    assert not [call for call in calls[:migrate] if "--remove-orphans" in call]


def test_a_dump_is_made_before_a_migration(deployed: Checkout) -> None:
    shutil.rmtree(deployed.folder / "backups")
    deployed.fake("recreate", "migrate")

    done = deployed.deploy()

    assert done.returncode == 0, done.stderr
    [dump] = (deployed.folder / "backups").iterdir()
    assert dump.name.startswith("before-")
    assert dump.stat().st_mode & 0o777 == 0o600
    found = positions(deployed.calls(), "pg_dump", "-T migrate")
    assert found == sorted(found)


def test_a_first_deployment_that_fails_can_be_repeated(configured: Checkout) -> None:
    configured.fake("fails", "smoke-test")
    assert configured.deploy().returncode == 1
    secrets = {k: v for k, v in configured.state().items() if k.startswith("secrets/")}
    configured.fake("fails")

    done = configured.deploy()

    assert done.returncode == 0, done.stderr
    assert {k: v for k, v in configured.state().items() if k.startswith("secrets/")} == secrets


def test_two_deployments_at_once_are_refused(configured: Checkout) -> None:
    state = configured.folder / ".deploy"
    state.mkdir()
    (state / "candidate.env").write_text("of the first")
    with (state / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = configured.deploy()

    assert done.returncode == 3
    assert "another deployment is under way" in done.stderr
    assert not (configured.folder / "secrets").exists()
    assert (state / "candidate.env").read_text() == "of the first"


@pytest.mark.parametrize("at", ["build ", "check-locustfile", "--wait postgres", "smoke-test"])
def test_an_interrupted_deployment_can_be_repeated(configured: Checkout, at: str) -> None:
    words = interrupt_at(configured, at, signal.SIGINT)

    assert "interrupted" in words or "could not be built" in words or "cannot be used" in words
    done = configured.deploy()
    assert done.returncode == 0, done.stderr
    assert not (configured.folder / ".deploy" / "candidate.env").exists()


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGPIPE])
def test_a_lost_connection_is_an_interruption_and_no_failure(
    deployed: Checkout, sign: signal.Signals
) -> None:
    words = interrupt_at(deployed, "smoke-test", sign)

    assert "interrupted; repeat the deployment to finish it" in words
    assert "going back" not in words


def interrupt_at(checkout: Checkout, at: str, sign: signal.Signals) -> str:
    """Deploy, and send a signal at a step; returns what was said."""
    reached = checkout.docker / "reached"
    checkout.program(
        "docker",
        f'case "$*" in *"{at}"*) if [ ! -e {reached} ]; then touch {reached}; exec sleep 60; fi;;'
        f" esac\n{(checkout.bin / 'docker').read_text().splitlines()[1]}",
    )
    script = checkout.folder / "scripts" / "deploy.sh"
    process = start_script(script, "production", env=checkout.env())
    wait_until(reached.exists, f"{at} reached")
    code, words = interrupt(process, sign)
    assert code != 0
    return words


def test_variables_of_the_shell_do_not_win_over_the_settings(configured: Checkout) -> None:
    done = configured.run(
        "deploy.sh", "production", "--check", HTTPS_PORT="99999", COMPOSE_FILE="elsewhere.yml"
    )

    assert done.returncode == 0, done.stderr


def test_a_version_is_deployed_with_its_own_files(configured: Checkout) -> None:
    git(configured, "init", "-q")
    (configured.folder / ".gitignore").write_text(".env\n.deploy/\nsecrets/\nbackups/\n")
    git(configured, "add", "-A")
    git(configured, "commit", "-qm", "one")
    git(configured, "tag", "v1")
    marker = configured.folder / "nginx" / "pages" / "marker.html"
    marker.write_text("two")
    git(configured, "add", "-A")
    git(configured, "commit", "-qm", "two")

    done = configured.deploy("v1")

    assert done.returncode == 0, done.stderr
    assert not marker.exists()
    assert configured.setting("VERSION") == "v1"


def test_a_version_that_does_not_work_gives_the_checkout_back(configured: Checkout) -> None:
    git(configured, "init", "-q", "--initial-branch=main")
    (configured.folder / ".gitignore").write_text(".env\n.deploy/\nsecrets/\nbackups/\n")
    git(configured, "add", "-A")
    git(configured, "commit", "-qm", "one")
    git(configured, "tag", "v1")
    git(configured, "commit", "-q", "--allow-empty", "-m", "two")
    assert configured.deploy().returncode == 0
    configured.fake("fails", "smoke-test")

    done = configured.deploy("v1")

    assert done.returncode == 1
    assert git(configured, "symbolic-ref", "--short", "HEAD") == "main"


def test_a_version_that_does_not_exist_is_named(configured: Checkout) -> None:
    git(configured, "init", "-q")

    done = configured.deploy("v9")

    assert done.returncode == 2
    assert "there is no tag or commit 'v9' here" in done.stderr


def test_changed_files_are_not_mixed_with_another_version(configured: Checkout) -> None:
    git(configured, "init", "-q")
    git(configured, "add", "-A")
    git(configured, "commit", "-qm", "one")
    git(configured, "tag", "v1")
    git(configured, "commit", "-q", "--allow-empty", "-m", "two")
    (configured.folder / "nginx" / "nginx.conf").write_text("mine")

    done = configured.deploy("v1")

    assert done.returncode == 2
    assert "files of this checkout were changed (nginx/nginx.conf)" in done.stderr
    assert Path(configured.folder / "nginx" / "nginx.conf").read_text() == "mine"


def test_a_build_leaves_images_that_differ_in_nothing_but_the_version(deployed: Checkout) -> None:
    before = deployed.setting("LOCUST_IMAGE")

    assert deployed.deploy().returncode == 0
    assert deployed.setting("LOCUST_IMAGE") == before


def test_a_changed_image_gets_a_name_of_its_own(deployed: Checkout) -> None:
    before = deployed.setting("LOCUST_IMAGE")
    deployed.fake("content", "2")

    assert deployed.deploy().returncode == 0
    assert deployed.setting("LOCUST_IMAGE") != before
    kept = (deployed.folder / ".deploy" / "previous" / "images").read_text()
    assert before in kept

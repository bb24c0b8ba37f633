"""Which engine will do, and what is said about one that will not."""

import socket

import pytest

from tests.scripts.conftest import Checkout

HOSTNAME = socket.gethostname()


@pytest.mark.parametrize(
    ("version", "wanted", "enough"),
    [
        ("26.1.5+dfsg1", "20.10", True),
        ("20.10.24", "20.10", True),
        ("v2.20.0", "2.20", True),
        ("2.26.1-4", "2.20", True),
        ("20.9", "20.10", False),
        ("2.5.0", "2.20", False),
        ("1.29.2-3", "2.20", False),
        ("(none)", "2.20", False),
    ],
)
def test_versions_are_compared_by_number(
    checkout: Checkout, version: str, wanted: str, enough: bool
) -> None:
    answer = checkout.call("eval", f"version_at_least '{version}' {wanted} && echo yes || echo no")

    assert (answer == "yes") is enough


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("engine", "19.03.15", "the Docker engine is 19.03.15; install 20.10 or newer"),
        ("compose", "2.5.0", "Docker Compose is 2.5.0; install 2.20 or newer"),
    ],
)
def test_a_version_that_is_too_old_is_named(
    configured: Checkout, file: str, text: str, sentence: str
) -> None:
    configured.fake(file, text)
    before = configured.state()

    done = configured.deploy()

    assert done.returncode == 1
    assert sentence in done.stderr
    assert configured.state() == before


@pytest.mark.parametrize(
    ("state", "install", "is_root", "sentence"),
    [
        ("missing", "no-install", "yes", "or leave out --no-install"),
        ("missing", "install", "no", "or run this as root, which installs it"),
        ("stopped", "install", "no", "start it, or run this as root, which starts it"),
        ("forbidden", "install", "no", "run this as root, or join the group docker"),
        ("no-compose", "install", "no", "or run this as root, which installs it"),
        ("no-context", "install", "yes", "or: docker context use default"),
        ("silent unix:///nowhere", "install", "yes", "or: docker context use default"),
        ("ok", "no-install", "no", ""),
        ("stopped", "no-install", "yes", ""),
    ],
)
def test_what_we_may_not_see_to_ourselves_is_said_with_a_remedy(
    checkout: Checkout, state: str, install: str, is_root: str, sentence: str
) -> None:
    problem = checkout.call("engine_problem", state, install, is_root)

    assert problem.endswith(sentence)
    assert bool(problem) is bool(sentence)


def test_no_engine_and_no_right_to_install_changes_nothing(configured: Checkout) -> None:
    configured.program("docker", "echo 'docker: command not found' >&2; exit 127")
    before = configured.state()

    done = configured.deploy("--no-install")

    assert done.returncode == 1
    assert "no Docker engine with Compose; install Docker Engine 20.10" in done.stderr
    assert configured.state() == before


def test_an_engine_that_may_not_be_used_is_told_from_one_that_is_stopped(
    checkout: Checkout,
) -> None:
    checkout.program(
        "docker",
        '[ "$1" = compose ] && echo 2.26.1 && exit; echo "permission denied" >&2; exit 1',
    )

    assert checkout.call("engine_state") == "forbidden"


@pytest.mark.parametrize(
    ("program", "state"),
    [
        ('case "$*" in --version) echo podman version 4.9.3;; *) echo 4.9.3;; esac', "podman"),
        (
            'case "$*" in version*) echo 26.1.5 Podman Engine;; compose*) echo 2.26.1;; esac',
            "podman",
        ),
        ('case "$*" in compose*) exit 1;; version*) echo 26.1.5 Engine;; esac', "no-compose"),
        ("echo 'context \"lab\": context not found' >&2; exit 1", "no-context"),
        (
            'case "$*" in context*) echo unix:///nowhere;; *) echo refused >&2; exit 1;; esac',
            "silent unix:///nowhere",
        ),
        ("echo Cannot connect >&2; exit 1", "missing"),
    ],
)
def test_what_answers_to_docker_is_told_apart(checkout: Checkout, program: str, state: str) -> None:
    checkout.program("docker", program)

    assert checkout.call("engine_state") == state


@pytest.mark.parametrize("address", ["ssh://me@far.example", "tcp://far.example:2375"])
def test_an_engine_elsewhere_is_refused_before_it_is_asked(
    configured: Checkout, address: str
) -> None:
    configured.fake("context", address)
    before = configured.state()

    done = configured.deploy()

    assert done.returncode == 1
    assert f"the Docker engine is at {address}, but containers read files of" in done.stderr
    assert "unset DOCKER_HOST and DOCKER_CONTEXT" in done.stderr
    assert configured.state() == before
    assert not [call for call in configured.calls() if call.startswith(("version", "info", "ps"))]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (("stop.sh", "--delete-data", "--yes"), 3),
        (("stop_run.sh", "--kill"), 3),
        (("run_test.sh", "--users", "5", "--spawn-rate", "1", "--run-time", "10s"), 4),
        (("rolling_update.sh",), 1),
    ],
)
def test_nothing_is_done_to_an_engine_elsewhere(
    deployed: Checkout, script: tuple[str, ...], code: int
) -> None:
    deployed.fake("context", "ssh://me@far.example")

    done = deployed.run(*script)

    assert done.returncode == code
    assert "the Docker engine is at ssh://me@far.example" in done.stderr
    asked = {" ".join(call.split()[:2]) for call in deployed.calls()}
    assert asked == {"compose version", "--version", "context inspect"}


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("name", [HOSTNAME, "far"])
def test_a_port_of_this_machine_may_lead_to_its_engine_or_to_another(
    checkout: Checkout, address: str, name: str
) -> None:
    checkout.fake("context", f"tcp://{address}:2375")
    checkout.fake("name", name)

    elsewhere = f"elsewhere tcp://{address}:2375"
    assert checkout.call("engine_state") == ("ok" if name == HOSTNAME else elsewhere)


def test_a_port_of_this_machine_may_be_silent(checkout: Checkout) -> None:
    checkout.fake("context", "tcp://127.0.0.1:2375")
    checkout.fake("fails", "info\nversion")

    assert checkout.call("engine_state") == "silent tcp://127.0.0.1:2375"


def test_compose_comes_from_docker_where_the_engine_does(checkout: Checkout) -> None:
    for name in ("apt-get", "dpkg-query"):
        checkout.program(name, f'echo "{name} $*" >>{checkout.docker}/asked')

    checkout.call("install_engine")

    asked = (checkout.docker / "asked").read_text().splitlines()
    assert [line for line in asked if line.startswith("apt-get")] == [
        "apt-get -qq update",
        "apt-get -qq install --yes --no-install-recommends docker-compose-plugin",
    ]

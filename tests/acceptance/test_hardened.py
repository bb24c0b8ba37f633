"""A machine as companies have them: umask 077, user ids of the engine, a proxy of the client."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.machine import CHECKOUT, Machine, new_machine
from tests.support.engine import docker

# Nobody listens there.
DEAD = "http://127.0.0.1:9"
KINDS = ("httpProxy", "httpsProxy", "ftpProxy", "allProxy")
RUN = "./scripts/run_test.sh --users 5 --spawn-rate 5 --run-time 10s"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With our images, in a clone that was made and is used under umask 077."""
    with new_machine() as machine:
        machine.clone(tmp_path_factory.mktemp("clone"))
        machine.run(f"chmod -R go-rwx {CHECKOUT}")
        machine.start_engine({"userns-remap": "default"})
        assert "name=userns" in machine.run("docker info --format '{{.SecurityOptions}}'")
        form = "{{.Repository}}:{{.Tag}}"
        machine.give(*docker("image", "ls", "--format", form, "locust-fleet/*:packages").split())
        yield machine


def hardened(machine: Machine, command: str) -> str:
    return machine.run(f"umask 077; {command}")


def test_containers_read_what_a_closed_clone_gives_them(machine: Machine) -> None:
    hardened(machine, "./scripts/deploy.sh production")
    hardened(machine, "cp locustfiles/demo_shop.py locustfiles/mine.py")

    said = hardened(machine, f"{RUN} --locustfile mine.py")

    assert "0 failures" in said


def test_a_proxy_of_the_client_is_in_nobodys_way(machine: Machine) -> None:
    """From a first deployment on; what it builds was built before, and would need the proxy."""
    config = json.dumps({"proxies": {"default": dict.fromkeys(KINDS, DEAD)}})
    hardened(machine, f"mkdir -p /root/.docker && echo '{config}' >/root/.docker/config.json")
    hardened(machine, "./scripts/stop.sh --delete-data --yes")

    hardened(machine, "./scripts/deploy.sh production")
    hardened(machine, f"{RUN} --locustfile demo_shop.py")
    hardened(machine, "echo '# changed' >>nginx/nginx.conf; ./scripts/deploy.sh production")
    said = hardened(machine, "echo '# changed' >>conf/production.conf; ./scripts/rolling_update.sh")

    assert "leaves" in said

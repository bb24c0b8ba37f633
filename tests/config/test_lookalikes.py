"""What stands in for official images holds no more than they do: nothing works only here."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.support.stackfiles import settings

pytestmark = pytest.mark.docker

WITH_BUSYBOX = {
    "ALERTMANAGER_IMAGE": {"alertmanager", "amtool"},
    "NODE_EXPORTER_IMAGE": {"node_exporter"},
    "POSTGRES_EXPORTER_IMAGE": {"postgres_exporter"},
    "PROMETHEUS_IMAGE": {"prometheus", "promtool"},
    "REDIS_EXPORTER_IMAGE": set(),
}
# The format of the file that each line of Redis writes. None reads a newer one, and a stack may
# change over to packages, or back to the former version.
RDB_OF_REDIS = {"8.0": 12, "8.2": 12, "8.4": 12, "8.6": 13, "8.8": 14}
SAVE = "cd /tmp; redis-server --port 0 --unixsocket s >/dev/null & for _ in $(seq 100); do"
SAVE += (
    " sleep 0.1; redis-cli -s /tmp/s save >/dev/null 2>&1 && break; done; head -c 9 /tmp/dump.rdb"
)
NOT_BUSYBOX = "for p in /bin/* /usr/bin/* /sbin/* /usr/sbin/*; do"
NOT_BUSYBOX += ' case $(readlink -f "$p") in */busybox) ;; *) echo "${p##*/}" ;; esac; done'


def image_of(variable: str) -> str:
    folder = variable.removesuffix("_IMAGE").lower().replace("_", "-")
    image = os.environ.get(variable, f"locust-fleet/{folder}:packages")
    if image == settings()[variable]:
        pytest.skip("the official image is what it is")
    return image


def run(image: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ("--rm", "--network", "none", "--entrypoint", program)
    return subprocess.run(
        ["docker", "run", *options, image, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variable", sorted(WITH_BUSYBOX))
def test_beside_its_own_programs_it_has_busybox_alone(variable: str) -> None:
    done = run(image_of(variable), "sh", "-c", NOT_BUSYBOX)

    found = {name for name in done.stdout.split() if name != "*"}
    assert (done.returncode, found) == (0, WITH_BUSYBOX[variable]), done.stderr


def test_exporter_of_nginx_has_no_shell() -> None:
    assert run(image_of("NGINX_EXPORTER_IMAGE"), "sh", "-c", "true").returncode == 127


def test_library_of_python_has_no_bytecode() -> None:
    find = "find /usr/lib/python3* /usr/local/lib -name '*.pyc'"

    done = run(image_of("PYTHON_IMAGE"), "sh", "-c", find)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_redis_writes_the_format_that_the_official_one_writes() -> None:
    official = settings()["REDIS_IMAGE"].partition(":")[2].rpartition(".")[0]

    done = run(image_of("REDIS_IMAGE"), "sh", "-c", SAVE)

    assert done.stdout == f"REDIS{RDB_OF_REDIS[official]:04}", done.stderr

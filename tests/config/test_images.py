"""Our images as they are built: what is in them, and what is not."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.checkout import ROOT
from tests.support.engine import docker

pytestmark = pytest.mark.docker

IMAGES = ["locust-fleet/locust:test", "locust-fleet/console:test"]
EACH_IMAGE = pytest.mark.parametrize("image", IMAGES)
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n(.+?)\n-----END", re.DOTALL)
MEGABYTE = 1024 * 1024

BUILD = """
set -Eeuo pipefail
source scripts/lib/common.sh
source scripts/lib/images.sh
source=$(ensure_third_party_images auto)
python=$(third_party_images "$source" | sed -n 's/^PYTHON_IMAGE=//p')
build_our_images v1.2.3 "$python" locust-fleet/locust:test locust-fleet/console:test
printf '%s\\n' "$python"
"""


@pytest.fixture(scope="module", autouse=True)
def python_image() -> str:
    """Build both images; returns the name of what they are built on."""
    done = subprocess.run(
        ["bash", "-c", BUILD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_container(image: str, code: str) -> str:
    return docker("run", "--rm", "--network", "none", image, "sh", "-c", code)


def layers(image: str, folder: Path) -> Iterator[bytes]:
    """Return the layers of an image as tar archives."""
    archive = folder / "image.tar"
    docker("save", "--output", str(archive), image)
    with tarfile.open(archive) as files:
        manifest = files.extractfile("manifest.json")
        assert manifest
        for name in json.load(manifest)[0]["Layers"]:
            layer = files.extractfile(name)
            assert layer
            content = layer.read()
            yield gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def names_in(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        return files.getnames()


def lines_of_private_certificates() -> list[bytes]:
    """Return one line of each certificate that this host trusts beyond the public ones."""
    bundles = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]
    trusted = next((path for path in bundles if path.exists()), None)
    if trusted is None:
        return []
    public = "".join(
        path.read_text(encoding="ascii")
        for path in Path("/usr/share/ca-certificates/mozilla").glob("*.crt")
    )
    return [
        body.splitlines()[5].encode()
        for body in CERTIFICATE.findall(trusted.read_text(encoding="utf-8"))
        if body.splitlines()[5] not in public
    ]


@EACH_IMAGE
def test_no_layer_holds_a_certificate_of_this_host(image: str, tmp_path: Path) -> None:
    private = lines_of_private_certificates()

    assert not [line for layer in layers(image, tmp_path) for line in private if line in layer]


@EACH_IMAGE
def test_no_layer_holds_a_build_secret(image: str, tmp_path: Path) -> None:
    names = [name for layer in layers(image, tmp_path) for name in names_in(layer)]

    assert not [name for name in names if name.startswith("run/secrets/")]


@EACH_IMAGE
def test_image_runs_as_uid_1000(image: str) -> None:
    assert in_container(image, "id -u; id -g").split() == ["1000", "1000"]


@EACH_IMAGE
def test_volumes_will_belong_to_who_writes_them(image: str) -> None:
    folders = "/var/lib/locust-fleet/reports /var/lib/locust-fleet/spool /var/log/locust-fleet"

    assert set(in_container(image, f"stat -c %u:%g {folders}").split()) == {"1000:1000"}


@EACH_IMAGE
def test_image_holds_no_compiler(image: str) -> None:
    assert in_container(image, "command -v cc gcc g++ clang make || true") == ""


@EACH_IMAGE
def test_image_says_what_it_was_built_from(image: str) -> None:
    config = json.loads(docker("image", "inspect", image))[0]["Config"]

    assert config["Labels"]["org.opencontainers.image.version"] == "v1.2.3"
    assert config["Labels"]["org.opencontainers.image.revision"]
    assert "FLEET_VERSION=v1.2.3" in config["Env"]


@EACH_IMAGE
def test_nothing_is_left_to_compile(image: str) -> None:
    code = """
cd /opt/venv/lib/python3*/site-packages/locust_fleet
for module in *.py; do ls __pycache__/"${module%.py}".cpython-*.pyc >/dev/null; done
"""
    in_container(image, f"set -e; {code}")


@EACH_IMAGE
def test_library_of_python_is_compiled_although_the_official_one_is_not(
    image: str, python_image: str
) -> None:
    code = """
import importlib.util, pathlib, sysconfig
modules = list(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))
there = [pathlib.Path(importlib.util.cache_from_source(module)).exists() for module in modules]
print(any(there), all(there))
"""

    assert in_container(python_image, f"python3 -B -c '{code}'") == "False False"
    assert in_container(image, f"python3 -c '{code}'") == "True True"


def test_console_image_holds_no_locust() -> None:
    found = in_container(IMAGES[1], "ls /opt/venv/bin /opt/venv/lib/python3*/site-packages")

    assert "locust" not in found.split()


def test_locust_image_holds_little_more_than_its_base(python_image: str) -> None:
    # The official slim base has about 120 MB, and both together must stay below 250 MB.
    base, image = (
        int(docker("image", "inspect", "--format", "{{.Size}}", name))
        for name in (python_image, IMAGES[0])
    )

    assert image - base < 110 * MEGABYTE


def test_locust_image_imports_what_scenarios_use() -> None:
    code = "import locust, locust.contrib.fasthttp, psycopg, redis, socketio, websocket"

    in_container(IMAGES[0], f"python -W error -c '{code}'")

"""The official images, which nothing here can pull: they exist, and have what the stack uses."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pytest
from tests.config.stackfiles import ROOT, settings


@dataclass(frozen=True)
class Seen:
    """Where a tag was seen: in a list of its makers, or pulled by somebody with this digest."""

    where: str
    looked_up: str


# A digest is that of the tag when somebody else pinned it in a public repository; tags are built
# again, so it need not be today's.
SEEN = {
    "nginx:1.30.5": Seen(
        "pinned as sha256:b972f831f200b19ef0767938224f9711e74cd783718738cd7405d5cabf75c442",
        "2026-11-29",
    ),
    "redis:8.6.7": Seen(
        "docker-library/official-images, library/redis: commit"
        " fe1a01e927da9ef295cc31077d8864d23375a03a of redis/docker-library-redis",
        "2026-11-29",
    ),
    "postgres:17.11": Seen(
        "docker-library/official-images, library/postgres of 2026-08-13; pinned as"
        " sha256:f4c66b820c6f974249089d3d16d86a3698eae11e8746eb6644b2271031e91232",
        "2026-11-29",
    ),
    "prom/prometheus:v2.53.5": Seen("pinned as sha256:7a34573f0b9c952286b3…", "2026-11-29"),
    "prom/alertmanager:v0.28.1": Seen(
        "pinned as sha256:27c475db5fb156cab31d5c18a4251ac7ed567746a2483ff264516437a39b15ba",
        "2026-11-29",
    ),
    "prom/node-exporter:v1.9.1": Seen("pinned as sha256:d00a542e409ee618a4ed…", "2026-11-29"),
    "oliver006/redis_exporter:v1.69.0-alpine": Seen(
        "oliver006/redis_exporter, release.yml at v1.69.0 pushes <tag>-alpine", "2026-11-29"
    ),
    "prometheuscommunity/postgres-exporter:v0.17.1": Seen(
        "prometheus-community/postgres_exporter, tag v0.17.1, whose release job pushes it",
        "2026-11-29",
    ),
    "nginx/nginx-prometheus-exporter:1.4.2": Seen(
        "pinned as sha256:6edfb73afd11f2d83ea4e8007f5068c…", "2026-11-29"
    ),
    "grafana/grafana:11.6.16": Seen(
        "pinned as sha256:d67af92050b8d93b393dc741864752a69c9da1ffa39c1bb9af49ad5d9e47d2c3",
        "2026-11-29",
    ),
    "python:3.13.16-slim-trixie": Seen(
        "pinned as sha256:6906dca82c0e83d5994bbf2e7fc33e6b63ce3e7f27c30eafd01dfabeb3c…",
        "2026-11-29",
    ),
}
# Pages of Prometheus 2 as its makers build it. Of these, Debian has only the first, which leads on.
PAGES_OF_PROMETHEUS = {"", "graph", "alerts", "targets", "rules", "config", "flags", "status"}
OFFICIAL = {
    name: image
    for name, image in settings().items()
    if name.endswith("_IMAGE") and not image.startswith("locust-fleet/")
}


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_tag_of_the_example_was_seen(name: str) -> None:
    assert OFFICIAL[name] in SEEN, "look the tag up, and add where it was seen"


def test_table_holds_no_tag_that_nobody_names() -> None:
    assert set(SEEN) == set(OFFICIAL.values())


def test_dockerfile_builds_on_the_python_of_the_example() -> None:
    dockerfile = (ROOT / "Dockerfile.production").read_text(encoding="utf-8")

    assert re.findall(r"(?m)^ARG PYTHON_IMAGE=(.+)$", dockerfile) == [OFFICIAL["PYTHON_IMAGE"]]


@pytest.mark.docker
def test_registry_that_answers_has_every_tag() -> None:
    missing = []
    for image in OFFICIAL.values():
        done = subprocess.run(
            ["timeout", "20", "docker", "manifest", "inspect", image],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            continue
        if not re.search("manifest unknown|no such manifest", done.stderr):
            pytest.skip("no registry answers here")
        missing.append(image)

    assert not missing


def test_links_to_prometheus_lead_to_its_pages() -> None:
    templates = (ROOT / "src/locust_fleet/console/templates").glob("*.html")
    links = {
        link
        for file in templates
        for link in re.findall(r'href="/prometheus/([^"?#]*)', file.read_text(encoding="utf-8"))
    }

    assert links
    assert links <= PAGES_OF_PROMETHEUS

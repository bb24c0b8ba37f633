"""The official images, which nothing here can pull: they exist, and have what the stack uses."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import date

import pytest
from tests.support.checkout import ROOT
from tests.support.stackfiles import settings


@dataclass(frozen=True)
class Seen:
    """A public file that names a tag: a list of its makers, or what somebody else pulls.

    The digest is the one that the tag had then; tags are built again, so it need not be today's.
    """

    repository: str
    path: str
    commit: str
    looked_up: str
    digest: str = ""


SEEN = {
    "nginx:1.30.5": Seen(
        "docker-library/repo-info",
        "repos/nginx/remote/1.30.5.md",
        "337eeee56c7e1c8c54564c0a0ac3d0e166ad84ec",
        "2026-11-29",
        "sha256:b972f831f200b19ef0767938224f9711e74cd783718738cd7405d5cabf75c442",
    ),
    "redis:8.4.7": Seen(
        "docker-library/repo-info",
        "repos/redis/remote/8.4.7.md",
        "0bdd94409df031423d112c6f22cab289fa8fc401",
        "2026-11-29",
        "sha256:53825d9378cd33ce47b35dc896aa2003ad84101fb3606e70c90d82f5cba08181",
    ),
    "postgres:17.11": Seen(
        "docker-library/repo-info",
        "repos/postgres/remote/17.11.md",
        "8c2b57bce198167760580fb6418be3f60641dfa9",
        "2026-11-29",
        "sha256:f86c774c7a51d0f05133f2ab70e4c384b589170458ab1df1ba83426d7cc30da7",
    ),
    "prom/prometheus:v2.53.5": Seen(
        "YingzuoLiu/openclaw-dataops-guardian",
        "scripts/run-kind-prometheus-recovery-proof.sh",
        "06af5d0599b2cfc631f317f9482656daeaebf840",
        "2026-11-29",
    ),
    "prom/alertmanager:v0.28.1": Seen(
        "NickTacke/brawltome",
        "infra/observability/compose.yml",
        "153bc6a0b1187e02cb537f0d27f3d8f3cff17e58",
        "2026-11-29",
        "sha256:27c475db5fb156cab31d5c18a4251ac7ed567746a2483ff264516437a39b15ba",
    ),
    "prom/node-exporter:v1.9.1": Seen(
        "NickTacke/brawltome",
        "infra/observability/compose.yml",
        "153bc6a0b1187e02cb537f0d27f3d8f3cff17e58",
        "2026-11-29",
        "sha256:d00a542e409ee618a4edc67da14dd48c5da66726bbd5537ab2af9c1dfc442c8a",
    ),
    # No list names it; its makers' job pushes vX-alpine for each release.
    "oliver006/redis_exporter:v1.69.0-alpine": Seen(
        "oliver006/redis_exporter",
        ".github/workflows/release.yml",
        "0229a2b78138c27fdf5940bfe92b4aca57fd6b4f",
        "2026-11-29",
    ),
    # From quay.io, where its makers' job pushes the same as to docker.io.
    "prometheuscommunity/postgres-exporter:v0.17.1": Seen(
        "rezarajan/platformctl",
        "internal/adapters/providers/postgres/metrics.go",
        "92ef7384f6736ab1a4c1d3aa1726e1822822171d",
        "2026-11-29",
        "sha256:38606faa38c54787525fb0ff2fd6b41b4cfb75d455c1df294927c5f611699b17",
    ),
    "nginx/nginx-prometheus-exporter:1.4.2": Seen(
        "YaphetS0903/CNShell",
        "services/team-relay/docker-compose.production.yml",
        "ea638bd5040feef5266f018c70c3e0dc0199d645",
        "2026-11-29",
        "sha256:6edfb73afd11f2d83ea4e8007f5068c3ffaa38078a6b0ad1339e5bd2f637aacd",
    ),
    "grafana/grafana:12.4.11": Seen(
        "NexaDuo/chat-services",
        "scripts/tests/test-grafana.sh",
        "1824dce5749fd2e788dc98207f73a78da099feae",
        "2026-11-29",
        "sha256:3ea272e5cab64a4a62240c682e2c62433b25614d956d44c299a10cb6994f6f2e",
    ),
    "python:3.13.16-slim-trixie": Seen(
        "FreeZe060/devsecops-tp1",
        "Dockerfile",
        "4da0b7814603283831d6245b4cb2f2917e0c9c3b",
        "2026-11-29",
        "sha256:bf44cdfcb76cd3b41e879bc058fc37ec5872002ccfde7fcb765e218cde0cd79c",
    ),
}
# The first Python that was built on a Debian; there is no such tag of an older one.
FIRST_ON = {"trixie": (3, 13, 6)}
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


@pytest.mark.parametrize("image", sorted(SEEN))
def test_where_a_tag_was_seen_can_be_looked_up_again(image: str) -> None:
    seen = SEEN[image]

    assert re.fullmatch(r"[\w.-]+/[\w.-]+", seen.repository)
    assert re.fullmatch(r"[\w./-]*\w", seen.path)
    assert re.fullmatch(r"[0-9a-f]{40}", seen.commit)
    assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", seen.digest)
    assert date.fromisoformat(seen.looked_up)


def test_python_was_built_on_the_debian_that_its_tag_names() -> None:
    tag = re.fullmatch(r"python:(\d+)\.(\d+)\.(\d+)-slim-(\w+)", OFFICIAL["PYTHON_IMAGE"])

    assert tag
    assert tuple(map(int, tag.groups()[:3])) >= FIRST_ON[tag[4]]


def test_table_holds_no_tag_that_nobody_names() -> None:
    assert set(SEEN) == set(OFFICIAL.values())


def test_dockerfile_builds_on_the_python_of_the_example() -> None:
    dockerfile = (ROOT / "Dockerfile.production").read_text(encoding="utf-8")

    assert re.findall(r"(?m)^ARG PYTHON_IMAGE=(.+)$", dockerfile) == [OFFICIAL["PYTHON_IMAGE"]]


@pytest.mark.docker
def test_registry_that_answers_has_every_tag() -> None:
    missing, unanswered = [], []
    for image in OFFICIAL.values():
        done = subprocess.run(
            ["timeout", "20", "docker", "manifest", "inspect", image],
            capture_output=True,
            text=True,
            check=False,
        )
        if re.search("manifest unknown|no such manifest", done.stderr):
            missing.append(image)
        elif done.returncode:
            # Where nobody answers, each of them would take its time.
            unanswered.append(image)
            break

    assert not missing
    if unanswered:
        pytest.skip(f"no registry answers here for {unanswered[0]}")


def test_links_to_prometheus_lead_to_its_pages() -> None:
    templates = (ROOT / "src/locust_fleet/console/templates").glob("*.html")
    links = {
        link
        for file in templates
        for link in re.findall(r'href="/prometheus/([^"?#]*)', file.read_text(encoding="utf-8"))
    }

    assert links
    assert links <= PAGES_OF_PROMETHEUS

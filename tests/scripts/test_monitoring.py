"""What watches the stack is deployed with it, unless it is switched off or cannot be had."""

from __future__ import annotations

import re
import time

from tests.scripts.conftest import Checkout


def test_without_monitoring_nothing_of_it_is_fetched_or_started(checkout: Checkout) -> None:
    checkout.configure(MONITORING_ENABLED="false")

    done = checkout.deploy()

    assert done.returncode == 0, done.stderr
    assert checkout.setting("COMPOSE_FILE") == "docker-compose.prod.yml:.deploy/mounted.yml"
    assert checkout.setting("COMPOSE_PROFILES") == "postgres,redis"
    assert "prometheus" not in (checkout.folder / ".deploy" / "mounted.yml").read_text()
    fetched = [call for call in checkout.calls() if call.startswith(("pull ", "build "))]
    assert not [call for call in fetched if re.search("prom/|exporter|grafana", call)]
    # So that its containers go, if there were some.
    assert [call for call in checkout.calls() if " up " in call and "--remove-orphans" in call]


def test_grafana_without_an_image_is_left_out_with_a_notice(checkout: Checkout) -> None:
    checkout.configure()
    checkout.fake("fails", "pull grafana/")

    done = checkout.deploy()

    assert done.returncode == 0, done.stderr
    assert "Grafana is left out: grafana/grafana:" in done.stderr
    assert checkout.setting("COMPOSE_PROFILES") == "postgres,redis"


def test_grafana_with_an_image_is_started(deployed: Checkout) -> None:
    assert deployed.setting("COMPOSE_PROFILES") == "postgres,redis,grafana"


def test_a_changed_rule_recreates_prometheus_alone(deployed: Checkout) -> None:
    before = deployed.call("mounted_labels", ".env").splitlines()

    rules = deployed.folder / "prometheus/rules/load.yml"
    rules.write_text(rules.read_text() + "# changed\n")

    after = deployed.call("mounted_labels", ".env").splitlines()
    [changed] = [line for line in after if line not in before]
    assert changed.startswith("  prometheus: ")


def test_prometheus_is_told_when_the_certificate_expires(deployed: Checkout) -> None:
    text = (deployed.folder / ".deploy/metrics/certificate.prom").read_text()

    found = re.search(r"(?m)^fleet_certificate_expires_timestamp_seconds (\d+)$", text)
    assert found
    # 825 days, as the self-signed one is made.
    assert 820 < (int(found[1]) - time.time()) / 86400 < 826

"""Pages lead to what watches the stack, where it is there and for whom it is."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from locust_fleet.settings.console import ConsoleSettings
from tests.integration.console.conftest import PAGE, parts_of, signed_in

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("prometheus", "grafana", "dashboards", "metrics"),
    [(True, True, True, True), (True, False, False, True), (False, True, False, False)],
)
def test_links_lead_only_to_what_is_deployed(
    build: Callable[..., Flask],
    settings: ConsoleSettings,
    people: None,
    prometheus: bool,
    grafana: bool,
    dashboards: bool,
    metrics: bool,
) -> None:
    console = build(replace(settings, prometheus=prometheus, grafana=grafana))
    parts_of(console).directory.refresh()

    runs = signed_in(console, "vera").ask("GET", "/console/runs", headers=PAGE).text
    admin = signed_in(console, "adam").ask("GET", "/console/admin", headers=PAGE).text

    assert ('href="/grafana/"' in runs) == dashboards
    assert ('href="/prometheus/' in admin) == metrics
    assert 'href="/prometheus/' not in runs

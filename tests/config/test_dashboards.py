"""The dashboards are what their code makes, and Grafana can show them."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import promql_parser
import pytest
import yaml
from grafana import build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from tests.support.checkout import ROOT
from tests.support.panels import FOLDER, Query, View, dashboards, panels, promql, queries, variables

GRAFANA = ROOT / "grafana"
TYPES = {"timeseries", "stat", "gauge", "table", "heatmap"}
BOARDS = {board["uid"]: board for board in dashboards()}
PANELS = [(board["title"], panel) for board in BOARDS.values() for panel in panels(board)]
QUERIES = [query for board in BOARDS.values() for query in queries(board)]


def each_panel(*, types: Container[str] = TYPES, asks: str = "") -> pytest.MarkDecorator:
    """Run a test for each panel of these types whose queries match a pattern."""
    chosen = {
        f"{title}-{panel['title']}": panel
        for title, panel in PANELS
        if panel["type"] in types and re.search(asks, asked(panel))
    }
    return pytest.mark.parametrize("panel", chosen.values(), ids=chosen.keys())


def each_query(source: str) -> pytest.MarkDecorator:
    """Run a test for each query to a data source."""
    chosen = [query for query in QUERIES if query.source == source]
    ids = [f"{query.dashboard}-{query.panel}-{number}" for number, query in enumerate(chosen)]
    return pytest.mark.parametrize("query", chosen, ids=ids)


def asked(panel: dict[str, Any]) -> str:
    return "\n".join(
        target.get("expr", "") + target.get("rawSql", "") for target in panel["targets"]
    )


each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
# Words that say over what a percentile is.
OVER = ("over the whole run", "over the last 10 s", "over each sample", "an estimate")


def data_sources() -> dict[str, Any]:
    text = (GRAFANA / "provisioning" / "datasources" / "fleet.yaml").read_text(encoding="utf-8")
    return {source["uid"]: source for source in yaml.safe_load(text)["datasources"]}


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(GRAFANA / "grafana.ini", encoding="utf-8")
    return parser


@pytest.mark.parametrize("name", build.DASHBOARDS)
def test_a_dashboard_is_what_its_code_makes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == build.text(name), (
        "grafana/dashboards is not what the code makes; run: python -m grafana.build"
    )


def test_there_is_no_dashboard_without_code() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(build.DASHBOARDS)


@each_board
def test_grafanas_types_read_a_dashboard_and_lose_nothing(board: dict[str, Any]) -> None:
    register_default_plugins()
    read = Dashboard.from_json(board)

    again = json.loads(json.dumps(read, cls=JSONEncoder))
    # What the SDK calls a target of an annotation is that of Grafana's own store.
    again["annotations"] = board["annotations"]
    assert again == board


@each_board
def test_panels_have_numbers_of_their_own(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]

    assert len(numbers) == len(set(numbers))


@each_board
def test_panels_stand_side_by_side_within_the_grid(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells


@each_board
def test_every_variable_that_is_used_is_defined(board: dict[str, Any]) -> None:
    defined = {variable["name"] for variable in board.get("templating", {}).get("list", [])}
    used = set().union(*(variables(query.text) for query in queries(board)))

    assert used == defined


def test_panels_are_of_current_types() -> None:
    assert {panel["type"] for _, panel in PANELS} == TYPES


@each_panel()
def test_a_panel_has_a_unit_and_tells_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith(".")


@each_panel(asks="percentile|quantile")
def test_a_panel_with_percentiles_tells_over_what_they_are(panel: dict[str, Any]) -> None:
    assert any(words in panel["description"].lower() for words in OVER), panel["description"]


@each_panel(asks="histogram_quantile")
def test_a_quantile_of_classic_buckets_is_called_an_estimate(panel: dict[str, Any]) -> None:
    assert "estimate" in panel["description"].lower()
    assert "estimated" in panel["title"]


@each_panel(types={"stat", "gauge"})
def test_numbers_and_dials_have_colours_from_a_base_on(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


def test_queries_ask_data_sources_that_are_provisioned() -> None:
    assert {query.source for query in QUERIES} == set(data_sources())


@each_query("prometheus")
def test_prometheus_understands_a_query(query: Query) -> None:
    now = datetime.now(UTC)
    names = ["/a/[id]", 'b "quoted"']
    view = View(now, now, {"run": "20261121-1"}, {"endpoint": names, "worker": names})

    promql_parser.parse(promql(query, view))


def test_panels_name_the_data_sources_with_their_types() -> None:
    types = {uid: source["type"] for uid, source in data_sources().items()}
    named = {
        (target["datasource"]["uid"], target["datasource"]["type"])
        for board in BOARDS.values()
        for panel in panels(board)
        for target in [panel, *panel["targets"]]
    }

    assert named == set(types.items())


def test_data_sources_take_address_and_password_from_outside() -> None:
    postgres = data_sources()["postgres"]

    assert postgres["url"] == "${POSTGRES_HOST}:${POSTGRES_PORT}"
    assert postgres["jsonData"]["database"] == "${POSTGRES_DB}"
    assert postgres["user"] == "fleet_reader"
    assert postgres["secureJsonData"] == {"password": "$__file{/run/secrets/reader_password}"}


def test_dashboards_are_read_from_where_they_are_mounted_and_cannot_be_changed_there() -> None:
    text = (GRAFANA / "provisioning" / "dashboards" / "fleet.yaml").read_text(encoding="utf-8")
    [provider] = yaml.safe_load(text)["providers"]

    assert provider["options"] == {"path": "/etc/grafana/dashboards"}
    assert not provider["allowUiUpdates"]


def test_only_who_the_front_signed_in_gets_in() -> None:
    grafana = settings()

    assert not grafana.getboolean("auth.anonymous", "enabled")
    assert not grafana.getboolean("auth.basic", "enabled")
    assert grafana.getboolean("auth", "disable_login_form")
    assert grafana.getboolean("auth.proxy", "enabled")
    assert grafana["auth.proxy"]["header_name"] == "X-Fleet-User"
    assert grafana["auth.proxy"]["headers"] == "Role:X-Grafana-Role"


def test_grafana_is_served_below_its_path() -> None:
    server = settings()["server"]

    assert server["root_url"].endswith("/grafana/")
    assert server["serve_from_sub_path"] == "true"


def test_the_home_page_is_a_dashboard_that_exists() -> None:
    home = settings()["dashboards"]["default_home_dashboard_path"]

    assert home.removeprefix("/etc/grafana/dashboards/") in {file.name for file in FOLDER.iterdir()}

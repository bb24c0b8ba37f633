"""What the dashboards are made of: data sources, queries, panels and variables.

Thin over Grafana's Foundation SDK, so that a dashboard reads as a list of questions: each panel
is a title, what it tells, and its queries.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    gauge,
    heatmap,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import prometheus as prometheus_query
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_shapes
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

# As grafana/provisioning/datasources/fleet.yaml names them.
PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="prometheus")
POSTGRES = model.DataSourceRef(type_val="grafana-postgresql-datasource", uid="postgres")
WIDTH = 24
ALL = model.VariableOption(selected=True, text="All", value="$__all")
GREEN, YELLOW, RED = "green", "#EAB839", "red"

Chart = timeseries.Panel | heatmap.Panel | stat.Panel | gauge.Panel | table.Panel
SomeChart = TypeVar(
    "SomeChart", timeseries.Panel, heatmap.Panel, stat.Panel, gauge.Panel, table.Panel
)


class SqlQuery(Dataquery):
    """A query to Postgres, which the SDK does not know."""

    def __init__(self, sql: str, format_val: str, ref_id: str = "A") -> None:
        self.sql = sql
        self.format = format_val
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


class Sql(Builder[Dataquery]):
    """Ask Postgres: rows for a table, or series with the columns time, metric and value."""

    def __init__(self, sql: str, *, series: bool = False) -> None:
        self._query = SqlQuery(textwrap.dedent(sql).strip(), "time_series" if series else "table")

    def ref_id(self, ref_id: str) -> Sql:
        self._query.ref_id = ref_id
        return self

    def build(self) -> SqlQuery:
        return self._query


def promql(expr: str, legend: str = "__auto", *, every: str = "") -> prometheus_query.Dataquery:
    """Ask Prometheus for series. ``every``: how often their job is scraped, if not the default."""
    query = _promql(expr).legend_format(legend).range()
    return query.interval(every) if every else query


def promql_now(expr: str, legend: str = "__auto") -> prometheus_query.Dataquery:
    """Ask Prometheus for the present values."""
    return _promql(expr).legend_format(legend).instant()


def promql_rows(expr: str) -> prometheus_query.Dataquery:
    """Ask Prometheus for the present values as rows of a table, one column for each label."""
    return _promql(expr).instant().format(PromQueryFormat.TABLE)


def promql_buckets(expr: str) -> prometheus_query.Dataquery:
    """Ask Prometheus for the buckets of a histogram over time."""
    return _promql(expr).legend_format("{{le}}").range().format(PromQueryFormat.HEATMAP)


def _promql(expr: str) -> prometheus_query.Dataquery:
    query = prometheus_query.Dataquery().expr(" ".join(expr.split()))
    return query.datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE)


Question = prometheus_query.Dataquery | Sql


def lines(
    title: str,
    tells: str,
    unit: str,
    *questions: Question,
    width: int = 12,
    top: float | None = None,
) -> timeseries.Panel:
    """Values over time. ``top``: where the axis ends at least."""
    legend = (
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["mean", "max", "lastNotNull"])
    )
    panel = _ask(timeseries.Panel(), questions).unit(unit).min(0).line_width(2).fill_opacity(10)
    panel = panel.legend(legend).show_points(shapes.VisibilityMode.AUTO)
    # Samples are 5 s apart; a longer gap is drawn as a gap.
    panel = panel.span_nulls(60_000).tooltip(
        common.VizTooltipOptions()
        .mode(shapes.TooltipDisplayMode.MULTI)
        .sort(shapes.SortOrder.DESCENDING)
    )
    if top is not None:
        panel = panel.axis_soft_max(top)
    return panel.title(title).description(tells).span(width).height(9)


def number(
    title: str,
    tells: str,
    unit: str,
    *questions: Question,
    steps: Mapping[float, str] | None = None,
) -> stat.Panel:
    """One present value, large, coloured by steps."""
    panel = _ask(stat.Panel(), questions).unit(unit).thresholds(thresholds(steps or {}))
    panel = panel.color_mode(shapes.BigValueColorMode.VALUE).reduce_options(_last())
    panel = panel.graph_mode(shapes.BigValueGraphMode.AREA)
    return panel.title(title).description(tells).span(4).height(4)


def dial(
    title: str, tells: str, unit: str, *questions: Question, steps: Mapping[float, str]
) -> gauge.Panel:
    """One present value between 0 and 100."""
    panel = _ask(gauge.Panel(), questions).unit(unit).min(0).max(100)
    panel = panel.thresholds(thresholds(steps)).reduce_options(_last())
    return panel.title(title).description(tells).span(6).height(6)


def rows(
    title: str,
    tells: str,
    question: Question,
    *,
    units: Mapping[str, str],
    width: int = WIDTH,
    height: int = 9,
    hide: Sequence[str] = (),
) -> table.Panel:
    """A table. ``units``: the unit of a column by its name; ``hide``: columns left out."""
    panel = _ask(table.Panel(), [question]).unit("short").filterable(True)
    for name, unit in units.items():
        panel = panel.override_by_name(name, [model.DynamicConfigValue("unit", unit)])
    for name in hide:
        panel = panel.override_by_name(name, [model.DynamicConfigValue("custom.hidden", True)])
    return panel.title(title).description(tells).span(width).height(height)


def buckets(title: str, tells: str, *questions: Question, width: int = 12) -> heatmap.Panel:
    """How response times (seconds) are spread, over time."""
    panel = _ask(heatmap.Panel(), questions).y_axis(heatmap.YAxisConfig().unit("s"))
    colours = heatmap.HeatmapColorOptions().mode(heatmap_shapes.HeatmapColorMode.SCHEME)
    panel = panel.color(
        colours.scheme("Spectral").steps(64).scale(heatmap_shapes.HeatmapColorScale.EXPONENTIAL)
    )
    # Prometheus has made the buckets; their bounds are the axis.
    panel = panel.scale_distribution(
        common.ScaleDistributionConfig().type(shapes.ScaleDistribution.LINEAR)
    )
    panel = panel.calculate(False).cell_values(heatmap.CellValues().unit("short")).unit("short")
    return panel.title(title).description(tells).span(width).height(9)


def thresholds(steps: Mapping[float, str]) -> dashboard.ThresholdsConfig:
    """Green, and another colour from each step on."""
    found = [model.Threshold(value, colour) for value, colour in sorted(steps.items())]
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(None, GREEN), *found])
    )


def dashed(panel: timeseries.Panel, *names: str) -> timeseries.Panel:
    """Draw these series as limits: dashed and red."""
    style = {"fill": "dash", "dash": [10, 10]}
    for name in names:
        panel = panel.override_by_name(
            name,
            [
                model.DynamicConfigValue("custom.lineStyle", style),
                model.DynamicConfigValue("custom.fillOpacity", 0),
                model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": RED}),
            ],
        )
    return panel


def from_prometheus(
    name: str, label: str, tells: str, query: str, *, several: bool
) -> dashboard.QueryVariable:
    """Return a variable with the values of a label; one of several begins with all of them."""
    asked: dict[str, object] = {"query": query, "refId": f"variable-{name}"}
    return _variable(name, label, tells, several).query(asked).datasource(PROMETHEUS)


def from_postgres(name: str, label: str, tells: str, sql: str) -> dashboard.QueryVariable:
    """Return a variable with the rows of a query (columns __value and __text), the first chosen."""
    asked = _variable(name, label, tells, False).query(textwrap.dedent(sql).strip())
    return asked.datasource(POSTGRES).sort(model.VariableSort.DISABLED)


def _variable(name: str, label: str, tells: str, several: bool) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).description(tells)
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    if several:
        # All stands for the list of values, which works in PromQL (joined) and in SQL (quoted).
        variable = variable.multi(True).include_all(True)
        return variable.current(ALL).sort(model.VariableSort.ALPHABETICAL_ASC)
    # Ids begin with the time, so the newest comes first.
    return variable.sort(model.VariableSort.ALPHABETICAL_DESC)


def note(name: str, colour: str, sql: str) -> dashboard.AnnotationQuery:
    """Return an annotation of Postgres: columns time, text and tags."""
    query = SqlQuery(textwrap.dedent(sql).strip(), "table", "Anno")
    # The SDK has types for Grafana's own store only, but Grafana accepts the query of any source.
    target = cast("Builder[model.AnnotationTarget]", _Built(query))
    annotation = dashboard.AnnotationQuery().name(name).datasource(POSTGRES)
    return annotation.enable(True).icon_color(colour).target(target)


class _Built(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def board(uid: str, title: str, tells: str) -> dashboard.Dashboard:
    """Return an empty dashboard that links to the others."""
    others = (
        dashboard.DashboardLink("Locust Fleet")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags(["locust-fleet"])
        .as_dropdown(False)
        .keep_time(False)
    )
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(tells)
        .tags(["locust-fleet"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .time("now-30m", "now")
        .refresh("10s")
        .link(others)
    )


def fill(made: dashboard.Dashboard, sections: Mapping[str, Sequence[Chart]]) -> dashboard.Dashboard:
    """Put titled rows of panels into a dashboard, in order, each panel with a number of its own."""
    numbers = iter(range(1, 1000))
    for title, panels in sections.items():
        made = made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made = made.with_panel(panel.id(next(numbers)))
    return made


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _ask(panel: SomeChart, questions: Sequence[Question]) -> SomeChart:
    for ref_id, question in zip("ABCDEFGH", questions, strict=False):
        panel = panel.with_target(question.ref_id(ref_id))
    built = questions[0].build()
    return panel.datasource(POSTGRES if isinstance(built, SqlQuery) else PROMETHEUS)

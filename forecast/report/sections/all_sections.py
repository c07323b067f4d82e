"""All charts and tables of a report by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.report.sections.by_when import reached_chart, reached_table
from forecast.report.sections.cascade import cascade_chart, cascade_table, stages_chart, stages_table
from forecast.report.sections.covered import covered_chart, covered_table
from forecast.report.sections.drivers import drivers_chart, drivers_table, support_chart, support_table
from forecast.report.sections.history import known_chart, known_table, states_table
from forecast.report.sections.matrix import matrix_tables
from forecast.report.sections.outcomes import (
    changes_table,
    conditionals_table,
    outcomes_table,
    rules_follow_table,
    rules_table,
    what_if_table,
)
from forecast.report.sections.rests_on import rests_on_table
from forecast.report.sections.sensitivity import learned_table, sensitivity_chart, sensitivity_table
from forecast.report.sections.sources import sources_table
from forecast.report.sections.track import track_chart, track_table
from forecast.report.sections.watch import watch_chart, watch_table, watched_channels_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from forecast.report.chart_marks import Chart
    from forecast.report.table_cells import Table


def all_charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """Draw what the report data allow, in the order of the page; what is missing there has no picture."""
    makers: tuple[Callable[[Mapping[str, Any]], Chart | None], ...] = (
        cascade_chart, known_chart, reached_chart, drivers_chart, support_chart, watch_chart, sensitivity_chart,
        covered_chart, track_chart, stages_chart,
    )  # fmt: skip
    return {chart.name: chart for maker in makers if (chart := maker(data)) is not None}


def all_tables(data: Mapping[str, Any]) -> dict[str, Table]:
    """Give the tables of a report by name; what the data lack, as in reports of older issues, has none."""
    makers: dict[str, Callable[[Mapping[str, Any]], Table]] = {
        "outcomes": outcomes_table, "rules": rules_table, "rules_follow": rules_follow_table,
        "changes": changes_table, "conditionals": conditionals_table,
        "cascade": cascade_table, "stages": stages_table,
        "known": known_table, "states": states_table, "reached": reached_table, "drivers": drivers_table,
        "support": support_table,
        "watch": watch_table, "watched_channels": watched_channels_table,
        "what_if": what_if_table, "sensitivity": sensitivity_table, "learned": learned_table,
        "rests_on": rests_on_table,
        "covered": covered_table,
        "sources": sources_table,
        "track": track_table,
    }  # fmt: skip
    needs = {
        "outcomes": "forecast",
        "rules_follow": "rules",
        "states": "path",
        "support": "drivers",
        "watched_channels": "watch",
    }
    made = {name: make(data) for name, make in makers.items() if data.get(needs.get(name, name))}
    if data.get("matrix"):
        made |= {f"matrix_{stage}": table for stage, table in matrix_tables(data["matrix"]).items()}
    return {name: table for name, table in made.items() if table.rows}

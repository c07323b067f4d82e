"""All charts and tables of a report by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from altair.utils.schemapi import debug_mode

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


CHARTS: tuple[tuple[str, Callable[[Mapping[str, Any]], Chart | None]], ...] = (  # with the part of the data they draw
    ("cascade", cascade_chart), ("known", known_chart), ("reached", reached_chart), ("drivers", drivers_chart),
    ("drivers", support_chart), ("watch", watch_chart), ("sensitivity", sensitivity_chart), ("covered", covered_chart),
    ("track", track_chart), ("stages", stages_chart),
)  # fmt: skip
TABLES: dict[str, tuple[str, Callable[[Mapping[str, Any]], Table]]] = {  # with the part of the data they need
    "outcomes": ("forecast", outcomes_table), "rules": ("rules", rules_table),
    "rules_follow": ("rules", rules_follow_table), "changes": ("changes", changes_table),
    "conditionals": ("conditionals", conditionals_table), "cascade": ("cascade", cascade_table),
    "stages": ("stages", stages_table), "known": ("known", known_table), "states": ("path", states_table),
    "reached": ("reached", reached_table), "drivers": ("drivers", drivers_table),
    "support": ("drivers", support_table), "watch": ("watch", watch_table),
    "watched_channels": ("watch", watched_channels_table), "what_if": ("what_if", what_if_table),
    "sensitivity": ("sensitivity", sensitivity_table), "learned": ("learned", learned_table),
    "rests_on": ("rests_on", rests_on_table), "covered": ("covered", covered_table),
    "sources": ("sources", sources_table), "track": ("track", track_table),
}  # fmt: skip


def all_charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """Draw what the report data allow, in the order of the page; what is missing there has no picture."""
    with debug_mode(arg=False):  # Altair holds no part against its schema, which would take half of the time
        return {chart.name: chart for _, maker in CHARTS if (chart := maker(data)) is not None}


def all_tables(data: Mapping[str, Any]) -> dict[str, Table]:
    """Give the tables of a report by name; what the data lack, as in reports of older issues, has none."""
    made = {name: make(data) for name, (part, make) in TABLES.items() if data.get(part)}
    if data.get("matrix"):
        made |= {f"matrix_{stage}": table for stage, table in matrix_tables(data["matrix"]).items()}
    return {name: table for name, table in made.items() if table.rows}

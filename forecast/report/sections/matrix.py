"""Diagnosticity matrix in a report and in the terminal: one table a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import multiple, on_day, spoken
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


def matrix_tables(part: Mapping[str, Any]) -> dict[str, Table]:
    """Tables of the stages by their names: stories and sightings to come against the states."""
    tables = {stage: _table(part, stage, states) for stage, states in part["stages"].items()}
    return {stage: table for stage, table in tables.items() if table.rows}


def _table(part: Mapping[str, Any], stage: str, states: list[str]) -> Table:
    rivals: list[str] = part["rivals"]
    until = on_day(part["until"])
    rows = [
        [
            row["what"] if row["kind"] == "story" else f"If seen by {until}: {row['what']}",
            *(_cell(row["factors"][state]["mean"]) for state in states),
            *(multiple(row["rivals"][name]) if name in row["rivals"] else "" for name in rivals),
            "; ".join(row["notes"]),
        ]
        for row in part["rows"] if row["stage"] == stage
    ]  # fmt: skip
    against = "; under a rival theory, than under this one, given all else that is known" if rivals else ""
    return Table(
        f"Hypotheses about {spoken(stage)}: how many times likelier a row is under a state than on average over these "
        f"states, each counted alike{against}",
        [
            "event or sighting to come",
            *(spoken(state) for state in states),
            *map(spoken, rivals),
            "what was made of it",
        ],
        rows,
    )


def _cell(factor: float) -> str:
    return multiple(factor) if factor else "ruled out"

"""The command that shows what a model learned from the history of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forecast import evidence
from forecast.base import prose
from forecast.base.errors import InputError, nearest
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_model
from forecast.cli.printing import print_json, print_lines
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.evidence.spell_timelines import Timeline

app = typer.Typer()


@app.command()
def history(
    unit: Annotated[str | None, typer.Option("--unit", help="Only this unit.")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the spells of other countries and wars that the model has learned from, by unit.

    Example: `forecast history --unit azerbaijan`
    """
    _, of = open_model(project, model)
    told = evidence.read_spells(of.spec)
    rows = evidence.timelines(told)
    known = sorted({row.unit for row in rows})
    if unit is not None and unit not in known:
        msg = f"the history has no unit {unit!r}; {nearest(unit, known)}"
        raise InputError(msg)
    rows = [row for row in rows if unit in (None, row.unit)]
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    if not rows:
        print(f"model {of.spec.name!r} has no history: no stage names units, or no history.csv lies beside its rows")
        return
    for stage in dict.fromkeys(row.stage for row in rows):
        _print_stage([row for row in rows if row.stage == stage])
    print_lines(["", *evidence.summary(told)])


def _print_stage(rows: Sequence[Timeline]) -> None:
    """Print the spells of a stage, and how many they are and how long."""
    cells = [
        [
            row.unit, " or ".join(map(prose.spoken, row.states)), row.begins, str(row.to or "still so"),
            f"{row.years:.1f}", row.under, row.grade, row.note,
        ]
        for row in rows
    ]  # fmt: skip
    units = len({row.unit for row in rows})
    years = f"{sum(row.years for row in rows):.1f}"
    total = [prose.count(units, "unit"), prose.count(len(rows), "spell"), "", "", years, "", "", ""]
    heads = ["unit", "state", "from", "to", "years", "of which", "grade", "note"]
    print_table(heads, cells, prose.spoken(rows[0].stage), total)

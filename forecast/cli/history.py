"""The command that shows what a model learned from the history of others."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast import evidence
from forecast.base import prose
from forecast.base.errors import InputError, nearest
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_model
from forecast.cli.printing import print_json, print_lines, print_table

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
        print_table(
            ("Unit", "State", "From", "To", "Years", "Of which", "Grade", "Note"),
            [
                (
                    row.unit, " or ".join(map(prose.spoken, row.states)), row.begins, str(row.to or "still so"),
                    f"{row.years:.1f}", row.under, row.grade, row.note,
                )
                for row in rows
                if row.stage == stage
            ],
            prose.spoken(stage),
        )  # fmt: skip
    print_lines(["", *evidence.summary(told)])

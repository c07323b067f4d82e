"""The command that checks the whole engine on simulated worlds."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import inference, studies
from forecast.base import prose
from forecast.cli.options import HERE, JsonOption, ProjectOption, open_model
from forecast.cli.printing import print_json, shown
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


app = typer.Typer()
WORST = 5  # quantities in the summary


class Kind(StrEnum):
    """What is checked."""

    sbc = "sbc"
    calibration = "calibration"


@app.command()
def study(
    kind: Annotated[Kind, typer.Argument(help="True values among posterior draws, or forecasts against what came.")],
    worlds: Annotated[int, typer.Option("--worlds", min=2, help="Simulated worlds.")] = 100,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Processes here (default: one a processor).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler to use instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="Where worlds are kept (default: study-KIND).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the worlds.")] = 1,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model of the project (default: the small one).")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check the engine on simulated worlds of a small model of its own, or of the project's --model; needs Dask.

    A study that was stopped goes on where it was.

    Example: `forecast study sbc --worlds 20 --workers 2`
    """
    spec = studies.study_spec() if model is None else open_model(project, model)[1].spec
    folder = output or Path(f"study-{kind}")
    settings = inference.Settings()
    with _progress() as on_world:
        figures = studies.run_worlds(
            folder, studies.about(kind, spec, settings, seed), studies.work_of(kind, spec, settings, seed), worlds,
            partial(studies.connect, workers, scheduler), on_world=on_world,
        )  # fmt: skip
    found = studies.judge_ranks(studies.places_of(figures)) if kind is Kind.sbc else studies.judge_calibration(figures)
    if as_json:
        print_json({"folder": shown(folder), "kind": kind.value, **found.to_dict()})
        return
    least = sorted(found.adjusted.items(), key=lambda row: row[1])[:WORST]
    print_table(["least p-values", "family-wise"], [[name, f"{p:.3f}"] for name, p in least])
    verdict = ", ".join(found.rejected) if found.rejected else "none"
    print(f"\nOff at a family-wise 5 % among {len(found.adjusted)}: {verdict}.")
    print(found.summary)
    print(f"{prose.count(found.worlds, 'world')} in {shown(folder)}")


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    """Worlds done and the time left, on standard error; silent when that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("worlds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("worlds", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)

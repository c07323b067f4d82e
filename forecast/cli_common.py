"""What the commands share: options, the project, dates, progress, what is printed at the end."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import textwrap
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.errors import InputError, UntrustworthyError, read_date

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from forecast.fit import Settings
    from forecast.fitter import Model
    from forecast.project import Project
    from forecast.result import Change, Trust


class Refit(StrEnum):
    """When to sample anew."""

    auto = "auto"
    never = "never"
    always = "always"


ProjectOption = Annotated[Path, typer.Option("--project", "-C", help="The project folder.", metavar="DIR")]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="The model, if there are several.")]
AsOfOption = Annotated[str | None, typer.Option("--as-of", help="Date of the forecast (default: today, UTC).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampler.")]
DrawsOption = Annotated[int, typer.Option("--draws", min=100, help="Draws in each chain.")]
TuneOption = Annotated[int, typer.Option("--tune", min=100, help="Tuning steps in each chain.")]
ChainsOption = Annotated[int, typer.Option("--chains", min=2, help="Chains.")]
RefitOption = Annotated[
    Refit, typer.Option("--refit", help="Sample anew: when reweighting cannot be trusted, never, or in any case.")
]
BadOption = Annotated[bool, typer.Option("--accept-bad-fit", help="Go on although the fit fails its checks.")]

HERE = Path()
PIPE_WIDTH = 200  # columns where nothing says how many there are
READABLE = 100  # columns of running text


def utc_now() -> dt.datetime:
    """Read the clock."""
    return dt.datetime.now(dt.UTC)


def date_of(text: str | None, option: str) -> dt.date:
    """Read a date that ``option`` gave; today by default."""
    return utc_now().date() if text is None else read_date(text, option)


def as_of_date(text: str | None) -> dt.date:
    """Read --as-of; today by default, and never later."""
    date = date_of(text, "--as-of")
    today = utc_now().date()
    if date > today:
        msg = f"--as-of {date} is in the future; a forecast is as of a day that has come, until today, {today}"
        raise InputError(msg)
    return date


def open_model(project: Path, model: str | None) -> tuple[Project, Model]:
    """Open the project and one of its models."""
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    found = open_project(project, utc_now)
    return found, found.model(model)


def print_json(content: Any) -> None:  # noqa: ANN401 - JSON
    """Print JSON."""
    print(json.dumps(content, ensure_ascii=False, indent=1))


def terminal_width() -> int:
    """Give the columns of the terminal, many where there is none."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def shown(path: Path) -> str:
    """Path as short as can be: from the current folder if it is in it."""
    full, here = path.resolve(), Path.cwd()
    return str(full.relative_to(here) if full.is_relative_to(here) else full)


@contextmanager
def progress() -> Generator[dict[str, Any]]:
    """Progress of a fit on standard error; silent when that is no terminal. Gives the callbacks to pass on."""
    if not sys.stderr.isatty():
        yield {}
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the evidence", total=None)

        def on_stage(stage: str) -> None:
            progress.update(task, description=stage, total=None, completed=0)

        def on_draw(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield {"on_stage": on_stage, "on_draw": on_draw}


def settings_of(draws: int, tune: int, chains: int, seed: int) -> Settings:
    """Gather what the options say of sampling."""
    from forecast.fit import Settings  # noqa: PLC0415 - slow to import

    return Settings(draws=draws, tune=tune, chains=chains, seed=seed)


def made_from(trust: Trust) -> str:
    """Say what the numbers were made from."""
    if trust.anchor_as_of is None:
        return f"From {trust.draws:,} draws of the prior, worth {trust.ess:,.0f}."
    draws = f"the {trust.draws:,} draws of the fit of {trust.anchor_as_of}"
    if trust.k_hat is None:
        return f"From {draws}, worth {trust.ess:,.0f}, as they are."
    return f"From {draws}, reweighted and worth {trust.ess:,.0f}; k-hat {trust.k_hat:.2f}."


def stop_unless_trusted(trust: Trust) -> None:
    """End with the exit code of numbers that cannot be trusted, and say why."""
    if not trust.trusted:
        msg = f"these numbers cannot be trusted: {'; '.join(trust.reasons)}; allow a fit (--refit auto, --refit always)"
        raise UntrustworthyError(msg)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a table as wide as the terminal; columns without a number in them are text."""
    from rich.console import Console  # noqa: PLC0415 - quick --help
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for k, head in enumerate(heads):
        number = (
            k > 0 and any(row[k][-1:].isdigit() or row[k].endswith(("%", ")")) for row in rows) and head != "states"
        )
        table.add_column(Text(head), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=terminal_width()).print(table)


def print_lines(lines: Iterable[str]) -> None:
    """Print sentences, each wrapped to a readable width."""
    for line in lines:
        print(textwrap.fill(line, min(terminal_width(), READABLE), subsequent_indent="  "))


def print_changes(model: Model, changes: Sequence[Change]) -> None:
    """Print what moved at each horizon."""
    from forecast.report import render_changes  # noqa: PLC0415 - quick --help

    labels = {name: row.label for name, row in model.spec.outcomes.items()}
    print(render_changes(changes, labels, terminal_width()))

"""Options that commands share, and how their values are read."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import inference
from forecast.base.clock import local_day
from forecast.base.errors import ForecastError, InputError, read_date
from forecast.base.sanitise import one_line
from forecast.project.ledgers import ledger_place
from forecast.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.inference.model import Model


class Refit(StrEnum):
    """When to sample anew."""

    auto = "auto"
    never = "never"
    always = "always"


class Words(StrEnum):
    """Terms for probabilities that may follow the numbers."""

    icd203 = "icd203"


ProjectOption = Annotated[Path, typer.Option("--project", "-C", help="The project folder.", metavar="DIR")]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="The model, if there are several.")]
AsOfOption = Annotated[str | None, typer.Option("--as-of", help="Date of the forecast (default: today).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampler.")]
DrawsOption = Annotated[int, typer.Option("--draws", min=100, help="Draws in each chain.")]
TuneOption = Annotated[int, typer.Option("--tune", min=100, help="Tuning steps in each chain.")]
ChainsOption = Annotated[int, typer.Option("--chains", min=2, help="Chains.")]
RefitOption = Annotated[
    Refit, typer.Option("--refit", help="Sample anew: when reweighting cannot be trusted, never, or in any case.")
]
BadOption = Annotated[bool, typer.Option("--accept-bad-fit", help="Go on although the fit fails its checks.")]
WordsOption = Annotated[
    Words | None, typer.Option("--words", help="Terms to follow the numbers: those of ICD 203, such as `likely`.")
]
HERE = Path()


def utc_now() -> dt.datetime:
    """Read the clock."""
    return dt.datetime.now(dt.UTC)


def today() -> dt.date:
    """Give the caller's day."""
    return local_day(utc_now())


def date_of(text: str | None, option: str) -> dt.date:
    """Read a date that ``option`` gave; today by default."""
    return today() if text is None else read_date(text, option)


def as_of_date(text: str | None) -> dt.date:
    """Read --as-of; today by default, and never later."""
    date = date_of(text, "--as-of")
    if date > (latest := today()):
        msg = f"--as-of {date} is in the future; a forecast is as of a day that has come, until today, {latest}"
        raise InputError(msg)
    return date


def open_project(path: Path) -> Project:
    """Open a project for whoever calls: the variable FORECAST_USER names them, or else the system does."""
    by = os.environ.get("FORECAST_USER", "").strip()
    if not by:
        with suppress(OSError, KeyError, ImportError):  # a system that knows no name for the caller
            by = getpass.getuser()
    return Project(path, utc_now, by)


def open_model(project: Path, model: str | None, *, starter: bool = True) -> tuple[Project, Model]:
    """Open the project and one of its models, and say if its ``starter`` files have rows that the ledger has not."""
    found = open_project(project)
    of = found.model(model)
    if starter:
        tell_of_starter(found, of)
    return found, of


def tell_of_starter(project: Project, model: Model) -> None:
    """Say on standard error if starter files were edited after the ledger took them in."""
    with suppress(ForecastError):  # what keeps the ledger shut is said by the command that needs it
        if ledger_place(project.root).begun():
            warn(project.dataset(model, now=utc_now()).starter_notices())


def warn(lines: Iterable[str]) -> None:
    """Print what the user should hear of, on standard error."""
    for line in lines:
        print(f"forecast: note: {one_line(line)}", file=sys.stderr)


def settings_of(draws: int, tune: int, chains: int, seed: int) -> inference.Settings:
    """Gather what the options say of sampling."""
    return inference.Settings(draws=draws, tune=tune, chains=chains, seed=seed)

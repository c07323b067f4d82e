"""Options that commands share, and how their values are read."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import inference
from forecast.base.errors import InputError, read_date
from forecast.project.project import Project

if TYPE_CHECKING:
    from forecast.inference.model import Model


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
    found = Project(project, utc_now)
    return found, found.model(model)


def settings_of(draws: int, tune: int, chains: int, seed: int) -> inference.Settings:
    """Gather what the options say of sampling."""
    return inference.Settings(draws=draws, tune=tune, chains=chains, seed=seed)

"""Bayesian forecasts from a theory written as a cascade of hidden Markov stages.

>>> import forecast
>>> project = forecast.open(".")
>>> project.model_names
('baku_hedges', 'base_rate_sceptic', 'russia_azerbaijan')
"""

from datetime import UTC, datetime
from pathlib import Path

from forecast.base.errors import BusyError, ForecastError, InputError, LedgerError, ModelFileError, UntrustworthyError
from forecast.project.project import Project
from forecast.project.starter import init

__all__ = [
    "BusyError",
    "ForecastError",
    "InputError",
    "LedgerError",
    "ModelFileError",
    "Project",
    "UntrustworthyError",
    "init",
    "open",
]


def open(path: str | Path = ".") -> Project:  # noqa: A001 - `forecast.open` is how it reads
    """Open the project folder at ``path``; the system's clock says what day it is.

    Raises
    ------
    InputError
        If it is not one: a project has a ``models`` folder.

    """
    return Project(path, lambda: datetime.now(UTC))

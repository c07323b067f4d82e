"""Bayesian forecasts from a theory written as a cascade of hidden Markov stages.

>>> import forecast
>>> project = forecast.open(".")
>>> project.model_names
('russia_azerbaijan',)
"""

from forecast.errors import BusyError, ForecastError, InputError, LedgerError, ModelFileError, UntrustworthyError
from forecast.project import Project, init
from forecast.project import open_project as open  # noqa: A004 - `forecast.open` is how it reads

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

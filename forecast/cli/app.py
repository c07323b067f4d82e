"""The command line: parse, call, print; nothing else. Only this package prints or reads the clock."""

from __future__ import annotations

import io
import sys
from typing import NoReturn

import typer

from forecast.base.errors import ForecastError
from forecast.base.sanitise import visible
from forecast.cli import archive, evidence, forecasts, models, questions, rivals, schedules, studies, track
from forecast.cli.schedules import INTERRUPTED

app = typer.Typer(
    name="forecast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Bayesian forecasts from a theory written as a cascade of hidden Markov stages.",
)


for part in (models, evidence, forecasts, questions, rivals, archive, track, schedules, studies):
    app.add_typer(part.app)


def main() -> None:
    """Run the command line; every error on purpose becomes one message and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a dash gets a question mark
            stream.reconfigure(errors="replace")
    try:
        app()
    except ForecastError as error:
        print(visible(f"forecast: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            _interrupted()
        raise


def _interrupted() -> NoReturn:
    print("forecast: interrupted", file=sys.stderr)
    sys.exit(INTERRUPTED)

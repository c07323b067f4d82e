"""The command line: parse, call, print; nothing else. Only this package prints or reads the clock."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.main import get_command_name

from forecast.base.errors import ForecastError, InputError
from forecast.base.sanitise import visible
from forecast.cli import (
    archive,
    assistants,
    evidence,
    feeds,
    fits,
    forecasts,
    history,
    judgements,
    ledgers,
    models,
    questions,
    rivals,
    schedules,
    service,
    signs,
    studies,
    tokens,
    track_record,
)
from forecast.cli.schedules import INTERRUPTED

PARTS = (
    models, history, evidence, forecasts, questions, rivals, archive, track_record, schedules, service, assistants,
    studies,
)  # fmt: skip
GROUPS = {"fits": fits, "feed": feeds, "ledger": ledgers, "judge": judgements, "token": tokens}


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        print(f"scenario-cascade {version('scenario-cascade')}")
        raise typer.Exit


def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _empty() -> typer.Typer:
    made = typer.Typer(
        name="forecast",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        help="Bayesian forecasts from a theory written as a cascade of hidden Markov stages.",
    )
    made.callback()(_options)
    return made


def _whole() -> typer.Typer:
    made = _empty()
    for part in PARTS:
        made.add_typer(part.app)
    for name, part in GROUPS.items():
        made.add_typer(part.app, name=name)
    return made


app = _whole()


def application(word: str) -> typer.Typer:
    """Give what knows the command ``word``, and the whole for any other word.

    To read the options of all commands takes a sixth of the time of a short one.
    """
    few = _empty()
    if word in GROUPS:
        few.add_typer(GROUPS[word].app, name=word)
        return few
    for command in (command for part in PARTS for command in part.app.registered_commands):
        if word == (command.name or get_command_name(getattr(command.callback, "__name__", ""))):
            few.registered_commands.append(command)
            return few
    return app


def main() -> None:
    """Run the command line; every error on purpose becomes one message and its exit code."""
    # Kernels have threads of their own; those of NumPy's products would wait for the next one at full speed.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=signs.NAME)
    try:
        _require_folder()
        application(sys.argv[1] if len(sys.argv) > 1 else "")()
        sys.stdout.flush()
    except BrokenPipeError:
        _unheard()
    except ForecastError as error:
        print(visible(f"forecast: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            _interrupted()
        if isinstance(stop.__context__, BrokenPipeError):
            _unheard()
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _unheard()
        raise


def _require_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        msg = "the folder in which this was run is gone; change to one that is there (cd) and run it again"
        raise InputError(msg) from None


def _unheard() -> NoReturn:
    """End quietly: whoever read the output has read enough."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - the interpreter flushes it at its end
    sys.exit(0)


def _interrupted() -> NoReturn:
    print("forecast: interrupted", file=sys.stderr)
    sys.exit(INTERRUPTED)

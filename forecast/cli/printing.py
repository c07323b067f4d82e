"""What commands print: JSON, tables, sentences, progress."""

from __future__ import annotations

import json
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast import report
from forecast.base import prose
from forecast.base.errors import UntrustworthyError
from forecast.base.prose import spread
from forecast.base.sanitise import escaped_json, one_line
from forecast.cli.tables import known_width, print_table

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from forecast.inference.model import Model
    from forecast.quantities.estimate import Change, Quantity, Trust
    from forecast.quantities.forecast import Forecast


def print_side_by_side(forecasts: Mapping[str, Forecast]) -> None:
    """Print the probabilities at the horizons, a column for each forecast."""
    first = next(iter(forecasts.values()))
    last = max(row.horizon_weeks or 0 for row in first.quantities if row.kind == "at")
    shown = [row for row in first.quantities if row.kind in {"already", "at", "after"} or row.horizon_weeks == last]
    tables = [{row.key: asdict(row.estimate) for row in one.quantities} for one in forecasts.values()]
    rows = [
        [_what(row), *(spread(one[row.key]) if row.key in one else prose.TOO_RARE for one in tables)]
        for row in shown
        if row.kind != "reached"
    ]
    print_table(["", *forecasts], rows)


def _what(row: Quantity) -> str:
    """Name a probability by its horizon."""
    name, given = prose.spoken(row.outcome), prose.spoken(row.given or "")
    match row.kind:
        case "already":
            return f"{name} now"
        case "after":
            return f"{name} {given} began"
        case "given":
            return f"{name} in {prose.count(row.horizon_weeks or 0, 'week')}, given {given}"
        case _:
            return f"{name} in {prose.count(row.horizon_weeks or 0, 'week')}"


PIPE_WIDTH = 200  # columns where nothing says how many there are
READABLE = 100  # columns of running text


def print_json(content: Any) -> None:  # noqa: ANN401 - JSON
    """Print JSON."""
    print(escaped_json(json.dumps(content, ensure_ascii=False, indent=1)))


def terminal_width() -> int:
    """Give the columns of the terminal, many where there is none."""
    return known_width() or PIPE_WIDTH


def shown(path: Path) -> str:
    """Path as short as can be: from the current folder if it is in it; without signs that a terminal would obey."""
    full, here = path.resolve(), Path.cwd()
    return one_line(full.relative_to(here) if full.is_relative_to(here) else full)


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


def made_from(trust: Trust) -> str:
    """Say what the numbers were made from."""
    if trust.anchor_as_of is None:
        return f"From {trust.draws:,} draws of the prior, worth {trust.ess:,.0f}."
    draws = f"the {trust.draws:,} draws of {trust.made}"
    if trust.k_hat is None:
        return f"From {draws}, worth {trust.ess:,.0f}, as they are."
    return f"From {draws}, reweighted and worth {trust.ess:,.0f}; k-hat {trust.k_hat:.2f}."


def stop_unless_trusted(trust: Trust) -> None:
    """End with the exit code of numbers that cannot be trusted, and say why."""
    if not trust.trusted:
        msg = f"these numbers cannot be trusted: {'; '.join(trust.reasons)}; allow a fit (--refit auto, --refit always)"
        raise UntrustworthyError(msg)


def print_lines(lines: Iterable[str]) -> None:
    """Print sentences, each wrapped to a readable width."""
    for line in lines:
        print(textwrap.fill(one_line(line), min(terminal_width(), READABLE), subsequent_indent="  "))


def print_changes(model: Model, changes: Sequence[Change]) -> None:
    """Print what moved at each horizon."""
    labels = {name: row.label for name, row in model.spec.outcomes.items()}
    print(report.render_changes(changes, labels, terminal_width()))

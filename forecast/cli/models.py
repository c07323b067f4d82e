"""Commands about model files and new projects: init, check, indicators."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import evidence, ledger, theory
from forecast.base import prose
from forecast.base.errors import FaultsError, InputError
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_model, today, utc_now, warn
from forecast.cli.printing import print_json, print_lines, shown, terminal_width
from forecast.project.models import load_with_history
from forecast.project.project import Project
from forecast.project.starter import init as lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.theory.indicators import Indicator
    from forecast.theory.spec import ModelSpec


FOUND = 10  # indicators that a search prints


app = typer.Typer()


# Models and projects.


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder; it is made if it is not there.")],
    as_json: JsonOption = False,
) -> None:
    """Lay out a project folder with the reference model and its starter evidence.

    Example: `forecast init my-project`
    """
    written = [shown(file) for file in lay_out(directory)]
    if as_json:
        print_json({"folder": shown(directory), "files": written})
        return
    for file in written:
        print(file)
    go = "" if directory.resolve() == Path.cwd() else f"cd {shlex.quote(shown(directory))} && "
    print(f"next: {go}forecast run --as-of 2026-01-08")


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Model files (default: all of the project).")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check model files; every fault is listed with its place.

    Example: `forecast check models/russia_azerbaijan.toml`
    """
    given = bool(files)
    if not files:
        folder = Project(project, utc_now).root / "models"
        files = sorted(folder.glob("*.toml"))
        if not files:
            msg = f"{shown(folder)}: there is no model file (*.toml) to check; see `forecast init`"
            raise InputError(msg)
    specs: dict[str, ModelSpec] = {}
    faulty: list[FaultsError] = []
    notices: list[str] = []
    for file in files:
        try:
            root = file.resolve().parent.parent if given else project
            specs[shown(file)] = load_with_history(file, root, today, notices.append)
        except FaultsError as error:
            faulty.append(error)
    if faulty:
        raise InputError("\n".join(map(str, faulty)))
    warn(notices)
    if as_json:
        print_json([{"file": file, "model": spec.name, "hash": spec.hash} for file, spec in specs.items()])
        return
    for file, spec in specs.items():
        moves = sum(len(stage.transitions) for stage in spec.stages.values())
        effects = sum(len(stage.effects) for stage in spec.stages.values())
        print(f"{file}: good, version {spec.hash}")
        print(
            f"  {len(spec.stages)} stages, {moves} transitions, {effects} effects, {len(spec.indicators)} indicators, "
            f"{len(spec.outcomes)} outcomes"
        )
        if spec.history:
            print_lines(f"  {line}" for line in evidence.summary(evidence.read_spells(spec)))


@app.command()
def indicators(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for in keys, labels and signs.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="Only those of this stage.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only those that point to this state.")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the indicator of an event by words, or list them all.

    Example: `forecast indicators "embargo on fruit"`
    """
    found, of = open_model(project, model)
    keys = theory.find_indicators(of.spec, " ".join(words or ()), stage, state)
    entries = found.entries(of, now=utc_now())
    seen = Counter(row.indicator for row in entries if isinstance(row, ledger.Observation))
    if as_json:
        print_json([_indicator(key, of.spec.indicators[key], seen[key]) for key in keys])
        return
    shown_keys = keys[:FOUND] if words else keys
    for key in shown_keys:
        print("\n".join(_indicator_lines(key, of.spec.indicators[key], seen[key])))
    if len(keys) > len(shown_keys):
        print(f"{prose.count(len(keys) - len(shown_keys), 'more indicator')} with less in common: see --json")
    if not keys:
        print("No indicator is like that; say it in other words, or list them all with `forecast indicators`.")


def _indicator(key: str, row: Indicator, seen: int) -> dict[str, object]:
    return {
        "key": key, "label": row.label, "stage": row.stage, "points_to": list(row.points_to), "grade": row.grade,
        "class": row.class_, "since": str(row.since) if row.since else None,
        "basis": sorted({basis.kind for basis in row.basis}), "signs": [sign.what for sign in row.signs], "seen": seen,
    }  # fmt: skip


def _indicator_lines(key: str, row: Indicator, seen: int) -> Iterator[str]:
    points = " or ".join(prose.spoken(state) for state in row.points_to)
    since = f", in the vocabulary since {prose.day(row.since)}" if row.since else ""
    yield f"{key}: {row.label}"
    yield f"    {row.stage}: points to {points}, {row.grade}; {prose.count(seen, 'row')} in the ledger{since}"
    for sign in row.signs:
        yield from textwrap.wrap(
            sign.what, max(terminal_width(), 40), initial_indent="    - ", subsequent_indent="      "
        )

"""Commands about model files and new projects: init, check, indicators."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import evidence, ledger, theory
from forecast.base import prose
from forecast.base.errors import FaultsError, InputError
from forecast.cli.options import (
    HERE,
    JsonOption,
    ModelOption,
    ProjectOption,
    open_model,
    open_project,
    today,
    utc_now,
    warn,
)
from forecast.cli.printing import print_json, print_lines, shown, terminal_width
from forecast.project.doctor import examine
from forecast.project.models import load_with_history
from forecast.project.starter import init as lay_out
from forecast.project.starter import init_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from forecast.theory.indicators import Indicator
    from forecast.theory.spec import ModelSpec


FOUND = 10  # indicators that a search prints


app = typer.Typer()
ALONE = (
    "a row of it that is told has no other to be compared with, and moves nothing; add indicators of other states, "
    "or say who looks for it (`forecast cover`)"
)


# Models and projects.


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder; it is made if it is not there.")],
    blank: Annotated[
        bool, typer.Option("--blank", help="With a new model of your own in place of the reference model.")
    ] = False,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            "--stage",
            help="A stage of the new model and its states, in their order: once for each stage, first to last. On a "
            "terminal they are asked for.",
            metavar="STAGE=STATE,STATE",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Lay out a project folder with the reference model and its starter evidence, or with a small model to begin with.

    Example: `forecast init epidemic --blank --stage outbreak=local,spreading --stage hospitals=calm,full`
    """
    if blank:
        files = init_blank(directory, _stages(stage), today())
    elif stage:
        msg = "--stage is for a new model; give --blank too"
        raise InputError(msg)
    else:
        files = lay_out(directory)
    written = [shown(file) for file in files]
    if as_json:
        print_json({"folder": shown(directory), "files": written})
        return
    for file in written:
        print(file)
    go = "" if directory.resolve() == Path.cwd() else f"cd {shlex.quote(shown(directory))} && "
    print(f"next: {go}forecast {'check' if blank else 'run --as-of 2026-01-08'}")


def _stages(options: list[str] | None) -> dict[str, list[str]]:
    """Read the stages of a new model from --stage, or ask for them."""
    if not options:
        if not sys.stdin.isatty():
            msg = "--blank needs stages: give --stage STAGE=STATE,STATE for each, or run it on a terminal to be asked"
            raise InputError(msg)
        first = typer.prompt("Stages, from cause to effect (such as: outbreak, hospitals)", value_proc=_stage_names)
        return {
            name: typer.prompt(f"States of {prose.spoken(name)} (such as: calm, full)", value_proc=_states_of(name))
            for name in first
        }
    found: dict[str, list[str]] = {}
    for option in options:
        name, _, states = option.partition("=")
        for key in _words(name)[:1] or [""]:
            if key in found:
                msg = f"--stage {option!r}: stage {key!r} is given twice; name all its states in one"
                raise InputError(msg)
            found[key] = _words(states)
    return found


def _stage_names(text: str) -> list[str]:
    """Read the names of stages; what is wrong with them is said at once, and they are asked for again."""
    return _sound(_words(text), theory.stage_name_faults)


def _states_of(stage: str) -> Callable[[str], list[str]]:
    """Read the states of a stage in the same way."""
    return lambda text: _sound(_words(text), partial(theory.state_faults, stage))


def _sound(names: list[str], faults: Callable[[list[str]], Iterable[str]]) -> list[str]:
    if found := list(faults(names)):
        raise typer.BadParameter("; ".join(found))
    return names


def _words(text: str) -> list[str]:
    """Read names that commas separate; blanks within one become _."""
    return ["_".join(part.lower().split()) for part in text.split(",") if part.strip()]


@app.command()
def check(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Model files anywhere, or names of models of the project (default: all of the project)."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check model files; every fault is listed with its file, line and key.

    Example: `forecast check russia_azerbaijan`
    """
    files = [_model_file(model, project) for model in models or ()]
    if not files:
        folder = open_project(project).root / "models"
        files = sorted(folder.glob("*.toml"))
        if not files:
            msg = f"{shown(folder)}: there is no model file (*.toml) to check; see `forecast init`"
            raise InputError(msg)
    specs: dict[str, ModelSpec] = {}
    faulty: list[FaultsError] = []
    notices: list[str] = []
    for file in files:
        try:
            root = file.resolve().parent.parent
            specs[shown(file)] = load_with_history(file, root, today, notices.append, strict=True)
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
        sizes = {"stage": len(spec.stages), "transition": moves, "effect": effects}
        sizes |= {"indicator": len(spec.indicators), "outcome": len(spec.outcomes)}
        sizes |= {"channel": len(spec.channels)} if spec.channels else {}
        print(f"  {', '.join(prose.count(size, what) for what, size in sizes.items())}")
        print_lines(f"  {prose.spoken(name)} has one indicator: {ALONE}" for name in _lonely(spec))
        print_lines(f"  {line}" for line in theory.telling_lines(spec))
        if bare := theory.without_reason(spec):
            count = "1 entry gives" if len(bare) == 1 else f"{len(bare):,} entries give"
            print(f"  {count} no reason (`basis`), such as {bare[0]}")
        if spec.history:
            print_lines(f"  {line}" for line in evidence.summary(evidence.read_spells(spec)))


def _lonely(spec: ModelSpec) -> list[str]:
    """Name the stages that have one indicator."""
    counts = Counter(row.stage for row in spec.indicators.values())
    return [name for name in spec.stages if counts[name] == 1]


def _model_file(model: str, project: Path) -> Path:
    """Give the file that is meant by a path, or by the name of a model of the project."""
    path = Path(model)
    if path.suffix == ".toml" or path.exists():
        return path
    found = open_project(project).models
    found.require(model)
    return found.folder / f"{model}.toml"


@app.command()
def doctor(project: ProjectOption = HERE, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Say what is well with the installation and the project, and what to do about what is not; writes nothing.

    Example: `forecast doctor`
    """
    found = examine(project, model, utc_now())
    if as_json:
        print_json([one.to_dict() for one in found])
    else:
        topic = ""
        for one in found:
            if one.topic != topic:
                print(topic := one.topic)
            print_lines(f"  {'!' if one.fault else '-'} {line}" for line in one.says.splitlines())
    if any(one.fault for one in found):
        raise typer.Exit(InputError.exit_code)


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

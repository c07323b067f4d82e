"""Commands about model files and new projects: init, check."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import theory
from forecast.base.errors import FaultsError, InputError
from forecast.cli.options import HERE, JsonOption, ProjectOption, utc_now
from forecast.cli.printing import print_json, shown
from forecast.project.project import Project
from forecast.project.starter import init as lay_out

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec


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
    if not files:
        folder = Project(project, utc_now).root / "models"
        files = sorted(folder.glob("*.toml"))
        if not files:
            msg = f"{shown(folder)}: there is no model file (*.toml) to check; see `forecast init`"
            raise InputError(msg)
    specs: dict[str, ModelSpec] = {}
    faulty: list[FaultsError] = []
    for file in files:
        try:
            specs[shown(file)] = theory.load_spec(file)
        except FaultsError as error:
            faulty.append(error)
    if faulty:
        raise InputError("\n".join(map(str, faulty)))
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

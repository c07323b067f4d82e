"""Commands about the fits that a project keeps: list, prune, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.base import prose
from forecast.cli.options import HERE, JsonOption, ProjectOption, open_project, warn
from forecast.cli.printing import print_json, shown
from forecast.cli.tables import print_table

app = typer.Typer(help="Fits that the project keeps: list, prune, export.", no_args_is_help=True)


@app.command("list")
def list_fits(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the fits by model, the newest first, with what needs them.

    Example: `forecast fits list`
    """
    fits = open_project(project).fits.kept()
    if as_json:
        print_json([one.to_dict() for one in fits])
        return
    if not fits:
        print("There is no fit yet; `forecast run` and `forecast fit` make one.")
        return
    rows: list[list[str]] = []
    for one in fits:
        said = one.to_dict()
        draws = f"{said['draws']:,}" if one.record else ""
        needed = prose.listed([f"{one.issues:,} issued"] * (one.issues > 0) + ["updates"] * one.present) or "nothing"
        checks = "unreadable" if one.record is None else "passed" if one.trusted else "failed"
        made = str(said["made"] or "")[:16].replace("T", " ")
        name = (one.path.stem, said["model"] or "", said["as_of"] or "", made)
        rows.append([*name, draws, prose.megabytes(one.bytes), needed, checks])
    print_table(["id", "model", "as of", "made (UTC)", "draws", "size", "needed for", "checks"], rows)
    print(f"\n{prose.count(len(fits), 'fit')}, {prose.megabytes(sum(one.bytes for one in fits))}")


@app.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", min=0, help="So many of the newest of each model stay.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Delete old fits; those that an issued forecast rests on stay, and the one that updates start from.

    Example: `forecast fits prune --keep 5 --dry-run`
    """
    gone, stay = open_project(project).fits.prune(keep, dry_run=dry_run)
    if as_json:
        kept = [one.to_dict() | {"why": why} for one, why in stay]
        print_json({"dry_run": dry_run, "gone": [one.to_dict() for one in gone], "kept": kept})
        return
    for one in gone:
        print(f"{'would go' if dry_run else 'gone'}: {one.path.stem}, {prose.megabytes(one.bytes)}")
    for one, why in stay:
        print(f"stays: {one.path.stem}, {why}")
    freed = prose.megabytes(sum(one.bytes for one in gone))
    print(f"{prose.count(len(gone), 'fit')}, {freed} {'would be freed' if dry_run else 'freed'}")


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="ID", help="The fit, as `forecast fits list` names it.")],
    file: Annotated[Path, typer.Argument(help="The .nc file to write.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a fit as netCDF that `arviz.from_netcdf` opens: posterior, statistics, data, prior and densities.

    Example: `forecast fits export b4e420aee6ee fit.nc`
    """
    present = open_project(project).fits.export(name, file)
    if not present:
        warn([f"{name} was drawn from another version of its model, so that prior, densities and history are left out"])
    if as_json:
        print_json({"file": shown(file), "bytes": file.stat().st_size, "present": present})
    else:
        print(f"{shown(file)}: {prose.megabytes(file.stat().st_size)}")

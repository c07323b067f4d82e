"""Commands that hand the archive of issued forecasts to other programs, check it and keep it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from forecast import record
from forecast.base import prose
from forecast.base.errors import FaultsError, InputError
from forecast.base.sanitise import one_line
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, date_of, open_project
from forecast.cli.printing import print_json, shown

app = typer.Typer()


@app.command("export-hub")
def export_hub(
    directory: Annotated[Path, typer.Argument(help="The hub's folder.", metavar="DIR")] = Path("hub"),
    team: Annotated[str, typer.Option("--team", help="The team: letters, digits, underscores.")] = "scenario_cascade",
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this model (default: all).")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only forecasts as of this date or later.")] = None,
    location: Annotated[str, typer.Option("--location", help="The hub's code for where this is about.")] = "global",
    hub: Annotated[
        Path | None,
        typer.Option(
            "--hub", help="The hub whose hub-config/tasks.json to keep to (default: DIR's, if any).", metavar="DIR"
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write issued forecasts, the last of each date and model, in the format of a hubverse hub.

    Example: `forecast export-hub hub --team my_team`
    """
    start = date_of(since, "--since") if since else None
    issues = record.last_issues(open_project(project).ledger.headings(), model, start)
    files = record.write_hub(issues, directory, team=team, location=location, hub=hub)
    if as_json:
        print_json(
            [
                {
                    "file": shown(path), "model": issued.model, "as_of": str(issued.as_of), "trusted": trusted,
                    "left_out": left_out,
                }
                for path, issued, trusted, left_out in files
            ]
        )  # fmt: skip
        return
    print(f"{prose.count(len(files), 'forecast')} in {shown(directory / 'model-output')}")
    if left_out := list(dict.fromkeys(part for file in files for part in file.left_out)):
        print(f"left out, as the hub does not ask for it: {'; '.join(left_out)}")
    if accepted := sum(not file.trusted for file in files):
        print(f"accepted by hand although checks failed: {prose.count(accepted, 'forecast')} (--json says which)")


@app.command("export-archive")
def export_archive(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file to write.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write every probability of every issued forecast as one table.

    Example: `forecast export-archive archive.csv`
    """
    table = open_project(project).archive()
    record.write_archive(table, file)
    issues = len(set(table["issue"].to_list()))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if as_json:
        print_json({"file": shown(file), "issues": issues, "rows": len(table)})
    else:
        print(f"{prose.count(len(table), 'row')} of {prose.count(issues, 'forecast')} in {shown(file)}")


@app.command("export-stix")
def export_stix(
    file: Annotated[Path, typer.Argument(help="A .json file to write.")],
    author: Annotated[
        str, typer.Option("--author", help="Who vouches for the forecast: a person or an organisation.")
    ] = "scenario-cascade",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Date of the forecast (default: that issued last).")
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an issued forecast, its evidence and the answers since as a STIX 2.1 bundle, labelled with MISP's tags.

    Example: `forecast export-stix forecast.stix.json --author "Our desk"`
    """
    day = date_of(as_of, "--as-of") if as_of else None
    if not author.strip():
        msg = "--author is empty; name who vouches for the forecast"
        raise InputError(msg)
    store = open_project(project).ledger
    issued = record.issue_as_of(store.headings(), model, day)
    report = open_project(project).track_record.whole(issued)
    bundle = record.stix_bundle(report, author, store.resolutions(issued.model))
    record.write_bundle(bundle, file)
    objects = Counter(row["type"] for row in bundle["objects"])
    if as_json:
        print_json(
            {
                "file": shown(file), "id": bundle["id"], "model": issued.model, "as_of": str(issued.as_of),
                "objects": objects,
            }
        )  # fmt: skip
    else:
        count = prose.count(objects.total(), "object")
        print(f"{count} about the forecast of {issued.model} as of {issued.as_of} in {shown(file)}")


@app.command()
def verify(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Check that the ledger, the archive, fits and reports are what was written.

    Example: `forecast verify`
    """
    found = open_project(project).verify()
    if as_json:
        print_json(found.to_dict())
    if found.faults:
        raise FaultsError(shown(project), found.faults)
    if as_json:
        return
    print(f"ledger: {prose.count(found.head.links, 'link')} on its chain, the last is {found.head.digest}")
    if found.before:
        print(f"  the first {found.before:,} rows were there before the chain, and are as they were then found")
    print(f"archive: {prose.count(found.issues, 'issued forecast')}")
    print(f"fits: {prose.count(found.fits, 'file')}; reports: {found.reports}")
    if found.older:
        print("  of an older version, without a digest; delete them, and what is needed is made again:")
        print("\n".join(f"    {one_line(path)}" for path in found.older))
    print("all that has a digest is as it was written" if found.older else "all is as it was written")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Copy the ledger, with all rows, forecasts and answers, while others may use it.

    Example: `forecast backup ledger-2026-01-08.db`
    """
    open_project(project).backup(file)
    if as_json:
        print_json({"file": shown(file), "bytes": file.stat().st_size})
    else:
        print(f"{shown(file)}: {file.stat().st_size:,} bytes")

"""Commands that hand the archive of issued forecasts to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast import words
from forecast.cli_common import HERE, JsonOption, ProjectOption, date_of, print_json, shown, utc_now

app = typer.Typer()


@app.command("export-hub")
def export_hub(
    directory: Annotated[Path, typer.Argument(help="The hub's folder.", metavar="DIR")] = Path("hub"),
    team: Annotated[str, typer.Option("--team", help="The team: letters, digits, underscores.")] = "scenario_cascade",
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this model (default: all).")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only forecasts as of this date or later.")] = None,
    location: Annotated[str, typer.Option("--location", help="The hub's code for where this is about.")] = "global",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write issued forecasts, the last of each date and model, in the format of a hubverse hub.

    Example: `forecast export-hub hub --team my_team`
    """
    from forecast.hub import last_issues, write_hub  # noqa: PLC0415 - quick --help
    from forecast.project import open_project  # noqa: PLC0415

    start = date_of(since, "--since") if since else None
    issues = last_issues(open_project(project, utc_now).ledger.forecasts(), model, start)
    files = write_hub(issues, directory, team=team, location=location)
    if as_json:
        print_json(
            [
                {"file": shown(path), "model": issued.model, "as_of": str(issued.as_of), "trusted": trusted}
                for path, issued, trusted in files
            ]
        )
        return
    print(f"{words.count(len(files), 'forecast')} in {shown(directory / 'model-output')}")
    if accepted := sum(not file.trusted for file in files):
        print(f"accepted by hand although checks failed: {words.count(accepted, 'forecast')} (--json says which)")


@app.command("export-archive")
def export_archive(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file to write.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write every probability of every issued forecast as one table.

    Example: `forecast export-archive archive.csv`
    """
    from forecast.hub import write_archive  # noqa: PLC0415 - quick --help
    from forecast.project import open_project  # noqa: PLC0415

    table = open_project(project, utc_now).archive()
    write_archive(table, file)
    issues = len(set(table["issue"].to_list()))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if as_json:
        print_json({"file": shown(file), "issues": issues, "rows": len(table)})
    else:
        print(f"{words.count(len(table), 'row')} of {words.count(issues, 'forecast')} in {shown(file)}")

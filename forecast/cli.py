"""The command line: parse, call, print; nothing else. Only this module prints or reads the clock."""

from __future__ import annotations

import datetime as dt
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.errors import ForecastError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from forecast.fit import Settings
    from forecast.ledger import Added
    from forecast.project import Model, Project

app = typer.Typer(
    name="forecast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Bayesian forecasts from a theory written as a cascade of hidden Markov stages.",
)

ProjectOption = Annotated[Path, typer.Option("--project", "-C", help="The project folder.", metavar="DIR")]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="The model, if there are several.")]
AsOfOption = Annotated[str | None, typer.Option("--as-of", help="Date of the forecast (default: today, UTC).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampler.")]
DrawsOption = Annotated[int, typer.Option("--draws", min=100, help="Draws in each chain.")]
TuneOption = Annotated[int, typer.Option("--tune", min=100, help="Tuning steps in each chain.")]
ChainsOption = Annotated[int, typer.Option("--chains", min=2, help="Chains.")]
BadOption = Annotated[bool, typer.Option("--accept-bad-fit", help="Go on although the fit fails its checks.")]

HERE = Path()
PIPE_WIDTH = 200  # columns of a table that no terminal limits
SHOWN_IDS = 5


def main() -> None:
    """Run the command line; every error on purpose becomes one message and its exit code."""
    try:
        app()
    except ForecastError as error:
        print(f"forecast: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("forecast: interrupted; nothing was issued", file=sys.stderr)
        sys.exit(130)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _date(text: str | None, option: str) -> dt.date:
    if text is None:
        return _now().date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        msg = f"{option} {text!r} is not a date; write it as 2026-01-08"
        raise typer.BadParameter(msg) from None


def _as_of(text: str | None) -> dt.date:
    date = _date(text, "--as-of")
    if date > _now().date():
        msg = f"--as-of {date} is in the future; a forecast is as of a day that has come"
        raise typer.BadParameter(msg)
    return date


def _open(project: Path, model: str | None) -> tuple[Project, Model]:
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    found = open_project(project)
    return found, found.model(model)


def _print_json(content: Any) -> None:  # noqa: ANN401 - JSON
    print(json.dumps(content, ensure_ascii=False, indent=1))


def _table(title: str, columns: list[str], rows: Iterable[list[str]]) -> None:
    from rich import box  # noqa: PLC0415 - quick --json
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


@contextmanager
def _progress() -> Generator[dict[str, Any]]:
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


def _settings(draws: int, tune: int, chains: int, seed: int) -> Settings:
    from forecast.fit import Settings  # noqa: PLC0415 - slow to import

    return Settings(draws=draws, tune=tune, chains=chains, seed=seed)


# Models and projects.


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Lay out a project folder with the reference model and its starter evidence.

    Example: `forecast init my-project`
    """
    from forecast.project import init as lay_out  # noqa: PLC0415 - quick --help

    written = lay_out(directory)
    print(f"{directory}: {len(written)} files; next: forecast -C {directory} run --as-of 2026-01-08")


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Model files (default: all of the project).")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check model files; every fault is listed with its place.

    Example: `forecast check models/russia_azerbaijan.toml`
    """
    from forecast.spec import load_spec  # noqa: PLC0415 - quick --help

    if not files:
        from forecast.project import open_project  # noqa: PLC0415

        files = sorted((open_project(project).root / "models").glob("*.toml"))
    specs = [load_spec(file) for file in files]
    if as_json:
        _print_json([{"file": str(f), "model": s.name, "hash": s.hash} for f, s in zip(files, specs, strict=True)])
        return
    for file, spec in zip(files, specs, strict=True):
        moves = sum(len(stage.transitions) for stage in spec.stages.values())
        effects = sum(len(stage.effects) for stage in spec.stages.values())
        print(
            f"{file}: good; version {spec.hash}, {len(spec.stages)} stages, {moves} transitions, {effects} effects, "
            f"{len(spec.indicators)} indicators, {len(spec.outcomes)} outcomes"
        )


# Evidence.


@app.command()
def observe(
    what: Annotated[str, typer.Argument(help="An indicator, or a state such as relations.truce.")],
    date: Annotated[str, typer.Option("--date", help="Day it happened.")],
    source: Annotated[str, typer.Option("--source", help="Who says so.")],
    grade: Annotated[str, typer.Option("--grade", help="Admiralty grade, A1 to F6.")],
    reported_on: Annotated[str, typer.Option(help="Day the public could know (default: --date).")] = "",
    url: Annotated[str, typer.Option("--url")] = "",
    story: Annotated[str, typer.Option("--story", help="The real event behind several rows.")] = "",
    distinct: Annotated[bool, typer.Option("--distinct", help="Count beside the other rows of its story.")] = False,
    month: Annotated[bool, typer.Option("--month", help="Only the month is known.")] = False,
    note: Annotated[str, typer.Option("--note")] = "",
    row_id: Annotated[str, typer.Option("--id", help="Id of a row to correct (default: a new one).")] = "",
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record one sighting of an indicator, or an assessment of a state.

    Example: `forecast observe presidents_meeting --date 2026-01-07 --source "Press service" --grade A1`
    """
    found, of = _open(project, model)
    column = "state" if "." in what else "indicator"
    cells = {
        "id": row_id, column: what, "date": date, "precision": "month" if month else "day", "reported_on": reported_on,
        "source": source, "url": url, "grade": grade, "story": story, "distinct": "yes" if distinct else "",
        "note": note,
    }  # fmt: skip
    _print_added(found.observe(of, cells, "observation", now=_now()), as_json=as_json)


@app.command()
def cover(
    indicator: Annotated[str, typer.Argument(help="An indicator, or '*' for all.")],
    first: Annotated[str, typer.Option("--from", help="First day somebody looked.")],
    last: Annotated[str, typer.Option("--to", help="Last day somebody looked.")],
    source: Annotated[str, typer.Option("--source", help="Who looked, and where.")],
    reported_on: Annotated[str, typer.Option("--reported-on", help="Day the public could know (default: --to).")] = "",
    url: Annotated[str, typer.Option("--url")] = "",
    note: Annotated[str, typer.Option("--note")] = "",
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody looked systematically: in that span, not seeing is evidence too.

    Example: `forecast cover presidents_meeting --from 2025-12-01 --to 2025-12-31 --source "Both press services"`
    """
    found, of = _open(project, model)
    cells = {
        "indicator": indicator, "from": first, "to": last, "reported_on": reported_on, "source": source, "url": url,
        "note": note,
    }  # fmt: skip
    _print_added(found.observe(of, cells, "coverage", now=_now()), as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx file of observations or coverage.")],
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the rows of a file into the ledger: all of them, or none and every fault listed.

    Example: `forecast import sightings.csv`
    """
    found, of = _open(project, model)
    _print_added(found.import_rows(of, file, now=_now()), as_json=as_json)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx file to write.")],
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
) -> None:
    """Write the rows in force to a file that `forecast import` reads back without loss.

    Example: `forecast export rows.csv`
    """
    from forecast.exchange import export_file  # noqa: PLC0415 - quick --help

    found, of = _open(project, model)
    entries = found.entries(of, now=_now(), as_of=_as_of(as_of) if as_of else None)
    for path in export_file(entries, file):
        print(path)


@app.command()
def retract(
    row_id: Annotated[str, typer.Argument(help="Id of the row, as `forecast log` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is withdrawn.")],
    reported_on: Annotated[str | None, typer.Option("--reported-on", help="Day it was known to be false.")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
) -> None:
    """Withdraw a row: as if it had never been, or from the day it was known to be false.

    Example: `forecast retract mp-jafarov --reason "misquoted"`
    """
    found, of = _open(project, model)
    now = _now()
    since = _date(reported_on, "--reported-on") if reported_on else None
    found.ledger.retract(found.dataset(of, now=now), row_id, reason=reason, now=now, reported_on=since)
    print(f"retracted {row_id}")


@app.command()
def log(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 20,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was written to the ledger, newest first.

    Example: `forecast log --limit 5`
    """
    found, of = _open(project, model)
    rows = found.ledger.log(found.dataset(of, now=_now()), limit)
    if as_json:
        _print_json(
            [
                {
                    "seq": row.seq, "recorded_at": row.recorded_at.isoformat(), "action": row.action, "id": row.id,
                    "summary": row.summary, "superseded": row.superseded,
                }
                for row in rows
            ]
        )  # fmt: skip
        return
    cells = (
        [str(r.seq), f"{r.recorded_at:%Y-%m-%d %H:%M}", r.action, r.id, r.summary, "yes" if r.superseded else ""]
        for r in rows
    )
    _table("Ledger", ["row", "recorded", "action", "id", "what", "superseded"], cells)


def _print_added(added: Added, *, as_json: bool) -> None:
    if as_json:
        _print_json(added._asdict())
        return
    for word, ids in (("recorded", added.new), ("superseded", added.superseded), ("already there", added.unchanged)):
        if ids:
            print(f"{word}: {', '.join(ids) if len(ids) <= SHOWN_IDS else f'{len(ids)} rows'}")


# Forecasts.


@app.command()
def run(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    draws: DrawsOption = 1000,
    tune: TuneOption = 1000,
    chains: ChainsOption = 4,
    seed: SeedOption = 1,
    accept_bad_fit: BadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do the main job: fit when due, forecast, archive, write the report.

    Example: `forecast run --as-of 2026-01-08`
    """
    found, of = _open(project, model)
    with _progress() as callbacks:
        issue = found.run(
            of, _as_of(as_of), _settings(draws, tune, chains, seed), now=_now(), accept_bad=accept_bad_fit, **callbacks
        )
    if as_json:
        _print_json(issue.report)
        return
    _show(issue.report)
    print(f"{'issued' if issue.new else 'already issued; written again'}: {issue.folder / 'report.md'}")


@app.command()
def fit(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    draws: DrawsOption = 1000,
    tune: TuneOption = 1000,
    chains: ChainsOption = 4,
    seed: SeedOption = 1,
    accept_bad_fit: BadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit the model to the evidence and keep the draws; nothing is issued.

    Example: `forecast fit --as-of 2026-01-08`
    """
    from dataclasses import asdict  # noqa: PLC0415 - quick --help

    found, of = _open(project, model)
    with _progress() as callbacks:
        made, evidence = found.fit(
            of, _as_of(as_of), _settings(draws, tune, chains, seed), now=_now(), accept_bad=accept_bad_fit, **callbacks
        )
    checks = made.diagnostics
    if as_json:
        _print_json({"id": made.id, "as_of": str(made.as_of), "evidence": evidence.hash, **asdict(checks)})
        return
    print(
        f"fit {made.id} as of {made.as_of}: {checks.divergences} divergent transitions, worst R-hat "
        f"{checks.max_r_hat:.3f} ({checks.max_r_hat_of}), fewest effective draws {checks.min_ess:.0f} "
        f"({checks.min_ess_of})"
    )


@app.command()
def show(project: ProjectOption = HERE, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Show the forecast issued last.

    Example: `forecast show`
    """
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    report = open_project(project).latest(model)
    if as_json:
        _print_json(report)
    else:
        _show(report)


def _show(report: Mapping[str, Any]) -> None:
    from forecast.report import spread, views  # noqa: PLC0415 - quick --help

    model, found = report["model"], views(report)
    by, weeks = found["by"], found["weeks"]
    columns = ["", "now", *(f"{week} weeks, {found['dates'][week]}" for week in weeks)]
    rows: list[list[str]] = []
    for name, outcome in model["outcomes"].items():
        rows.append([outcome["label"], *(spread(by[key]) for key in _keys(name, "at", None, weeks))])
        rows.append(["  reached by", "", *(spread(by[name, "reached", None, week]) for week in weeks)])
    _table(f"{model['title']}, as of {report['forecast']['as_of']}", columns, rows)
    conditional = [
        [
            f"{model['outcomes'][row['outcome']]['label']}, {_given(row['given'])}",
            "",
            *(
                spread(by[key]) if (key := (row["outcome"], kind, row["given"], week)) in by else ""
                for kind in (["after"] if (row["outcome"], "given", row["given"], weeks[0]) not in by else ["given"])
                for week in weeks
            ),
            "the prior" if row["rests_on_prior"] else "prior and evidence",
        ]
        for row in report["conditionals"]
    ]
    if conditional:
        _table("If", [*columns, "rests on"], conditional)
    for note in report["notes"]:
        print(f"Note: {note}")


def _given(condition: str) -> str:
    words = condition.replace("_", " ")
    return words if "weeks after" in words else f"given {words}"


def _keys(name: str, kind: str, given: str | None, weeks: list[int]) -> list[tuple[str, str, str | None, int | None]]:
    return [(name, "already", None, None), *((name, kind, given, week) for week in weeks)]

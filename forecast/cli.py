"""The command line: parse, call, print; nothing else. Only this module prints or reads the clock."""

from __future__ import annotations

import io
import shlex
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from forecast import words
from forecast.cli_archive import app as archive
from forecast.cli_ask import app as questions
from forecast.cli_common import (
    HERE,
    AsOfOption,
    BadOption,
    ChainsOption,
    DrawsOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    Refit,
    RefitOption,
    SeedOption,
    TuneOption,
    as_of_date,
    date_of,
    made_from,
    open_model,
    print_changes,
    print_json,
    progress,
    settings_of,
    shown,
    stop_unless_trusted,
    terminal_width,
    utc_now,
)
from forecast.cli_schedule import INTERRUPTED, NotifyOption, TimeoutOption, unattended
from forecast.cli_schedule import app as schedules
from forecast.cli_score import app as scores
from forecast.cli_study import app as studies
from forecast.errors import FaultsError, ForecastError, InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from forecast.ledger import Added, LogRecord
    from forecast.spec import ModelSpec


app = typer.Typer(
    name="forecast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Bayesian forecasts from a theory written as a cascade of hidden Markov stages.",
)
app.add_typer(questions)
app.add_typer(archive)
app.add_typer(scores)
app.add_typer(schedules)
app.add_typer(studies)

SHOWN_IDS = 5
LONG = 300  # characters of a text in a list


def main() -> None:
    """Run the command line; every error on purpose becomes one message and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a dash gets a question mark
            stream.reconfigure(errors="replace")
    try:
        app()
    except ForecastError as error:
        print(f"forecast: {error}", file=sys.stderr)
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


# Models and projects.


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder; it is made if it is not there.")],
    as_json: JsonOption = False,
) -> None:
    """Lay out a project folder with the reference model and its starter evidence.

    Example: `forecast init my-project`
    """
    from forecast.project import init as lay_out  # noqa: PLC0415 - quick --help

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
    from forecast.modelfile import load_spec  # noqa: PLC0415 - quick --help

    if not files:
        from forecast.project import open_project  # noqa: PLC0415

        folder = open_project(project, utc_now).root / "models"
        files = sorted(folder.glob("*.toml"))
        if not files:
            msg = f"{shown(folder)}: there is no model file (*.toml) to check; see `forecast init`"
            raise InputError(msg)
    specs: dict[str, ModelSpec] = {}
    faulty: list[FaultsError] = []
    for file in files:
        try:
            specs[shown(file)] = load_spec(file)
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


# Evidence.


@app.command()
def observe(
    what: Annotated[str, typer.Argument(help="An indicator, or a state such as relations.truce.")],
    date: Annotated[str, typer.Option("--date", help="Day it happened.")],
    source: Annotated[str, typer.Option("--source", help="Who says so.")],
    grade: Annotated[str, typer.Option("--grade", help="Admiralty grade, A1 to F6.")],
    reported_on: Annotated[
        str, typer.Option("--reported-on", help="Day the public could know (default: --date).")
    ] = "",
    url: Annotated[str, typer.Option("--url", help="Where to read it.")] = "",
    story: Annotated[str, typer.Option("--story", help="The real event behind several rows.")] = "",
    distinct: Annotated[bool, typer.Option("--distinct", help="Count beside the other rows of its story.")] = False,
    month: Annotated[bool, typer.Option("--month", help="Only the month is known.")] = False,
    note: Annotated[str, typer.Option("--note", help="Anything to remember, such as the reason of the grade.")] = "",
    row_id: Annotated[str, typer.Option("--id", help="Id of a row to correct (default: a new one).")] = "",
    and_update: Annotated[bool, typer.Option("--update", help="Show at once what it moves.")] = False,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record one sighting of an indicator, or an assessment of a state.

    Example: `forecast observe presidents_meeting --date 2026-01-07 --source "Press service" --grade A1`
    """
    found, of = open_model(project, model)
    column = "state" if "." in what else "indicator"
    cells = {
        "id": row_id, column: what, "date": date, "precision": "month" if month else "day", "reported_on": reported_on,
        "source": source, "url": url, "grade": grade, "story": story, "distinct": "yes" if distinct else "",
        "note": note,
    }  # fmt: skip
    if not and_update:
        if as_of:
            msg = "--as-of is the date of a forecast; give it with --update"
            raise InputError(msg)
        _print_added(found.observe(of, cells, "observation", now=utc_now()), as_json=as_json)
        return
    from forecast.result import changes_between  # noqa: PLC0415 - quick --help

    day, now = as_of_date(as_of), utc_now()
    with progress() as callbacks:
        before = found.update(of, as_of=day, now=now, **callbacks)
        added = found.observe(of, cells, "observation", now=now)
        after = found.update(of, as_of=day, now=now, **callbacks)
    changes = changes_between(before, after)
    if as_json:
        moved = [{**asdict(row), "date": str(row.date) if row.date else None} for row in changes]
        print_json({**added._asdict(), "as_of": str(day), "changes": moved, "trust": after.trust.to_dict()})
    else:
        _print_added(added, as_json=False)
        print(f"\nAs of {day}, before → after:\n")
        print_changes(of, changes)
        print(f"\n{made_from(after.trust)}")
    stop_unless_trusted(after.trust)


@app.command()
def cover(
    indicator: Annotated[str, typer.Argument(help="An indicator, or '*' for all.")],
    first: Annotated[str, typer.Option("--from", help="First day somebody looked.")],
    last: Annotated[str, typer.Option("--to", help="Last day somebody looked.")],
    source: Annotated[str, typer.Option("--source", help="Who looked, and where.")],
    reported_on: Annotated[str, typer.Option("--reported-on", help="Day the public could know (default: --to).")] = "",
    url: Annotated[str, typer.Option("--url", help="Where to read it.")] = "",
    note: Annotated[str, typer.Option("--note", help="Anything to remember, such as the reason of the grade.")] = "",
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody looked systematically: in that span, not seeing is evidence too.

    Example: `forecast cover presidents_meeting --from 2025-12-01 --to 2025-12-31 --source "Both press services"`
    """
    found, of = open_model(project, model)
    cells = {
        "indicator": indicator, "from": first, "to": last, "reported_on": reported_on, "source": source, "url": url,
        "note": note,
    }  # fmt: skip
    _print_added(found.observe(of, cells, "coverage", now=utc_now()), as_json=as_json)


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
    found, of = open_model(project, model)
    _print_added(found.import_rows(of, file, now=utc_now()), as_json=as_json)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx file to write.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="Only what was public on that day.")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the rows in force to a file that `forecast import` reads back without loss.

    Example: `forecast export rows.csv`
    """
    from forecast.exchange import export_file  # noqa: PLC0415 - quick --help

    found, of = open_model(project, model)
    entries = found.entries(of, now=utc_now(), as_of=as_of_date(as_of) if as_of else None)
    written = [shown(path) for path in export_file(entries, file)]
    if as_json:
        print_json({"files": written, "rows": len(entries)})
    else:
        print(f"{words.count(len(entries), 'row')} in {' and '.join(written)}")


@app.command()
def retract(
    row_id: Annotated[str, typer.Argument(help="Id of the row, as `forecast log` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is withdrawn.")],
    reported_on: Annotated[str | None, typer.Option("--reported-on", help="Day it was known to be false.")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a row: as if it had never been, or from the day it was known to be false.

    Example: `forecast retract mp-jafarov --reason "misquoted"`
    """
    found, of = open_model(project, model)
    now = utc_now()
    since = date_of(reported_on, "--reported-on") if reported_on else None
    found.ledger.retract(found.dataset(of, now=now), row_id, reason=reason, now=now, reported_on=since)
    if as_json:
        print_json({"retracted": row_id, "reported_on": str(since) if since else None})
    else:
        print(f"retracted: {row_id}{f', from {since} on' if since else ''}")


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
    found, of = open_model(project, model)
    rows = found.ledger.log(found.dataset(of, now=utc_now()), limit)
    if as_json:
        print_json(
            [
                {
                    "seq": row.seq, "recorded_at": row.recorded_at.isoformat(), "action": row.action, "id": row.id,
                    "summary": row.summary, "superseded": row.superseded,
                }
                for row in rows
            ]
        )  # fmt: skip
        return
    for line in _log_lines(rows, terminal_width()):
        print(line)
    if not rows:
        print("The ledger has no rows yet; see `forecast observe` and `forecast import`.")


def _log_lines(rows: Sequence[LogRecord], width: int) -> Generator[str]:
    """One line a row where all fit in ``width``; else a second, indented line says what each is about."""
    from forecast.report import one_line  # noqa: PLC0415 - quick --help

    place = max((len(str(row.seq)) for row in rows), default=0)
    heads = [f"{row.seq:{place}}  {row.recorded_at:%Y-%m-%d %H:%M}  {row.action:7}  {one_line(row.id)}" for row in rows]
    texts = [textwrap.shorten(one_line(row.summary), LONG, placeholder=" …") for row in rows]
    texts = [f"{text} (superseded)" if row.superseded else text for text, row in zip(texts, rows, strict=True)]
    column = max(map(len, heads), default=0) + 2
    if all(column + len(text) <= width for text in texts):
        yield from (head.ljust(column) + text for head, text in zip(heads, texts, strict=True))
        return
    for head, text in zip(heads, texts, strict=True):
        yield head
        yield from textwrap.wrap(text, max(width, 20), initial_indent="    ", subsequent_indent="    ")


def _print_added(added: Added, *, as_json: bool) -> None:
    if as_json:
        print_json(added._asdict())
        return
    for word, ids in (("recorded", added.new), ("superseded", added.superseded), ("already there", added.unchanged)):
        if ids:
            print(f"{word}: {', '.join(ids) if len(ids) <= SHOWN_IDS else words.count(len(ids), 'row')}")
    if not any(added):
        print("nothing recorded: there are no rows in it")


# Forecasts.


@app.command()
def run(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    draws: DrawsOption = 1000,
    tune: TuneOption = 1000,
    chains: ChainsOption = 4,
    seed: SeedOption = 1,
    accept_bad_fit: BadOption = False,
    timeout: TimeoutOption = None,
    notify_if: NotifyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the main job: fit when due, forecast, archive, write the report.

    Example: `forecast run --as-of 2026-01-08`
    """
    from forecast.project import open_project  # noqa: PLC0415 - quick --help
    from forecast.schedule import MOVED, read_notices  # noqa: PLC0415

    found, about = open_project(project, utc_now), {"model": model, "as_of": as_of or str(utc_now().date())}
    with unattended(found, about, timeout) as work:
        of = found.model(model)
        about["model"] = of.spec.name
        notices = read_notices(notify_if or [], of.spec.outcomes)
        with progress() as callbacks:
            issue = found.run(
                of, as_of_date(as_of), settings_of(draws, tune, chains, seed), now=utc_now(), refit=refit.value,
                accept_bad=accept_bad_fit, on_issue=work.limit.lift, **callbacks,
            )  # fmt: skip
        work.done(issue)
        moved = work.moved(found, issue, notices)
    if as_json:
        print_json(issue.report)
    else:
        _show(issue.report)
        state = "issued" if issue.new else "nothing new to issue; the report is written again"
        print(f"\n{state}: {shown(issue.folder / 'report.html')}")
        if moved:
            print(f"moved: {moved}")
    if moved:
        raise typer.Exit(MOVED)


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

    found, of = open_model(project, model)
    with progress() as callbacks:
        made, evidence = found.fit(
            of,
            as_of_date(as_of),
            settings_of(draws, tune, chains, seed),
            now=utc_now(),
            accept_bad=accept_bad_fit,
            **callbacks,
        )
    checks = made.diagnostics
    if as_json:
        print_json({"id": made.id, "as_of": str(made.as_of), "evidence": evidence.hash, **asdict(checks)})
        return
    verdict = "; ".join(checks.complaints(made.settings)) or "passed its checks"
    print(
        f"fit {made.id} as of {made.as_of}: {verdict}\n"
        f"  divergent transitions   {checks.divergences}\n"
        f"  worst R-hat             {checks.max_r_hat:.3f} of {checks.max_r_hat_of}\n"
        f"  fewest effective draws  {checks.min_ess:.0f} of {checks.min_ess_of}"
    )


@app.command()
def update(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    draws: DrawsOption = 1000,
    tune: TuneOption = 1000,
    chains: ChainsOption = 4,
    seed: SeedOption = 1,
    accept_bad_fit: BadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Forecast from the evidence, by reweighting draws where that can be trusted; nothing is issued.

    Example: `forecast update --as-of 2026-01-08`
    """
    found, of = open_model(project, model)
    now = utc_now()
    with progress() as callbacks:
        result = found.update(
            of, as_of=as_of_date(as_of), refit=refit.value, settings=settings_of(draws, tune, chains, seed), now=now,
            accept_bad=accept_bad_fit, **callbacks,
        )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
    else:
        _show(found.shown(of, result, now=now))
        print(f"\n{made_from(result.trust)}")
    stop_unless_trusted(result.trust)


@app.command()
def report(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Date of the forecast (default: that issued last).")
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of an issued forecast again, as it was, whatever has happened since.

    Example: `forecast report --as-of 2026-01-08`
    """
    found, of = open_model(project, model)
    data = found.issued_report(of, date_of(as_of, "--as-of") if as_of else None)
    folder = found.write_report(data)
    if as_json:
        print_json({"report": shown(folder / "report.html"), "as_of": data["forecast"]["as_of"]})
    else:
        print(shown(folder / "report.html"))


@app.command()
def show(project: ProjectOption = HERE, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Show the forecast issued last.

    Example: `forecast show`
    """
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    report = open_project(project, utc_now).latest(model)
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    from forecast.report import render_text  # noqa: PLC0415 - quick --help

    print(render_text(report, terminal_width()))

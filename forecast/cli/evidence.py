"""Commands that write and list evidence: observe, cover, import, export, retract, log, sources."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import evidence, ledger, quantities
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.sanitise import one_line
from forecast.cli.options import (
    HERE,
    AsOfOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    as_of_date,
    date_of,
    open_model,
    utc_now,
    warn,
)
from forecast.cli.printing import (
    made_from,
    print_changes,
    print_json,
    progress,
    shown,
    stop_unless_trusted,
)
from forecast.cli.tables import known_width, print_table

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from forecast.inference.model import Model
    from forecast.ledger.issued import Added, LogRecord
    from forecast.ledger.sources import Tally


class Order(StrEnum):
    """Orders of day, month and year."""

    dmy = "dmy"
    mdy = "mdy"
    ymd = "ymd"


app = typer.Typer()


SHOWN_IDS = 5
LONG = 300  # characters of a text in a list


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
    distinct: Annotated[bool, typer.Option("--distinct", help="An event of its own beside rows like it.")] = False,
    month: Annotated[bool, typer.Option("--month", help="Only the month is known.")] = False,
    note: Annotated[str, typer.Option("--note", help="Anything to remember, such as the reason of the grade.")] = "",
    coded_by: Annotated[
        str, typer.Option("--coded-by", help="Program or model that proposed the row (default: you did, by hand).")
    ] = "",
    language: Annotated[str, typer.Option("--language", help="Language of the source: en, ru, az.")] = "",
    row_id: Annotated[str, typer.Option("--id", help="Id of the row to correct (default: a new row).")] = "",
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
        "note": note, "coded_by": coded_by, "language": language,
    }  # fmt: skip
    if not and_update:
        if as_of:
            msg = "--as-of is the date of a forecast; give it with --update"
            raise InputError(msg)
        added = found.observe(of, cells, "observation", now=utc_now())
        if as_json:
            warn(added.notices)
            print_json({**added._asdict(), "record": _record(of, cells)})
        else:
            _print_added(added, as_json=False)
            _print_record(of, cells)
        return
    day, now = as_of_date(as_of), utc_now()
    with progress() as callbacks:
        before = found.update(of, as_of=day, now=now, **callbacks)
        added = found.observe(of, cells, "observation", now=now)
        after = found.update(of, as_of=day, now=now, **callbacks)
    changes = quantities.changes_between(before, after)
    if as_json:
        moved = [{**asdict(row), "date": str(row.date) if row.date else None} for row in changes]
        print_json(
            {
                **added._asdict(), "record": _record(of, cells), "as_of": str(day), "changes": moved,
                "trust": after.trust.to_dict(),
            }
        )  # fmt: skip
    else:
        _print_added(added, as_json=False)
        _print_record(of, cells)
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
    sheet: Annotated[str | None, typer.Option("--sheet", help="The sheet of a workbook to read.")] = None,
    dates: Annotated[
        Order | None, typer.Option("--dates", help="How days are written that are not YYYY-MM-DD; never guessed.")
    ] = None,
    same: Annotated[bool, typer.Option("--same", help="Equal rows without ids are one row, not two events.")] = False,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the rows of a file into the ledger: all of them, or none and every fault listed.

    The first line names the columns. Observations need date, source, grade and one of indicator and state; they may
    have id, precision, reported_on, url, story, distinct, note, coded_by and language. Coverage needs indicator, from,
    to and source; it may have id, reported_on, url and note.

    Example: `forecast import sightings.csv`
    """
    found, of = open_model(project, model, starter=False)
    added = found.import_rows(of, file, now=utc_now(), sheet=sheet, dates=dates, same=same)
    _print_added(added, as_json=as_json)


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
    found, of = open_model(project, model)
    entries = found.entries(of, now=utc_now(), as_of=as_of_date(as_of) if as_of else None)
    written = [shown(path) for path in ledger.export_file(entries, file)]
    if as_json:
        print_json({"files": written, "rows": len(entries)})
    else:
        print(f"{prose.count(len(entries), 'row')} in {' and '.join(written)}")


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
    found.ledger.retract(found.dataset(of, now=now).name, row_id, reason=reason, now=now, reported_on=since)
    if as_json:
        print_json({"retracted": row_id, "reported_on": str(since) if since else None})
    else:
        print(f"retracted: {one_line(row_id)}{f', from {since} on' if since else ''}")


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
    written = found.ledger.log(found.dataset(of, now=utc_now()).name, limit + 1)
    rows, older = written[:limit], written[limit:]
    if as_json:
        print_json(
            [
                {
                    "seq": row.seq, "recorded_at": row.recorded_at.isoformat(), "action": row.action, "id": row.id,
                    "summary": row.summary, "tags": ledger.machine_tags(row.grade) if row.grade else (),
                    "superseded": row.superseded, "by": row.by,
                }
                for row in rows
            ]
        )  # fmt: skip
        return
    if not rows:
        print("The ledger has no rows yet; see `forecast observe` and `forecast import`.")
        return
    if width := known_width():
        print("\n".join(_log_lines(rows, width)))
        count = prose.count(len(rows), "row")
        print(f"the newest {count}; --limit shows more" if older else f"{count} in all")
        return
    cells = [[str(row.seq), f"{row.recorded_at:%Y-%m-%d %H:%M}", row.action, row.id, _about(row)] for row in rows]
    print_table(["row", "recorded", "action", "id", "about"], cells)


def _log_lines(rows: Sequence[LogRecord], width: int) -> Generator[str]:
    """One line a row where all fit in ``width``; else a second, indented line says what each is about."""
    place = max((len(str(row.seq)) for row in rows), default=0)
    heads = [f"{row.seq:{place}}  {row.recorded_at:%Y-%m-%d %H:%M}  {row.action:7}  {one_line(row.id)}" for row in rows]
    texts = [textwrap.shorten(one_line(_about(row)), LONG, placeholder=" …") for row in rows]
    column = max(map(len, heads), default=0) + 2
    if all(column + len(text) <= width for text in texts):
        yield from (head.ljust(column) + text for head, text in zip(heads, texts, strict=True))
        return
    for head, text in zip(heads, texts, strict=True):
        yield head
        yield from textwrap.wrap(text, max(width, 20), initial_indent="    ", subsequent_indent="    ")


def _about(row: LogRecord) -> str:
    by = f"; by {row.by}" if row.by else ""
    return f"{row.summary}{by}{' (superseded)' if row.superseded else ''}"


@app.command()
def sources(
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who told the rows in force, those with most rows first: how many, how graded, how coded.

    Example: `forecast sources`
    """
    found, of = open_model(project, model)
    entries = found.entries(of, now=utc_now())
    each = ledger.by_source(entries)
    total = ledger.tally([row for row in entries if isinstance(row, ledger.Observation)])
    if as_json:
        listed = [{"source": source, **one.to_dict()} for source, one in each.items()]
        print_json({"sources": listed, "total": total.to_dict()})
    elif not each:
        print("No source has told anything yet; see `forecast observe` and `forecast import`.")
    else:
        lines = [*each.items(), (f"together, {prose.count(len(each), 'source')}", total)]
        heads = ["source", "rows", "stories", "grades", "first", "newest", "languages", "by machine"]
        print_table(heads, [_source_cells(*line) for line in lines])


def _source_cells(name: str, told: Tally) -> list[str]:
    best, worst = told.grades[0], told.grades[-1]
    return [
        name, f"{told.rows:,}", f"{told.stories:,}", best if best == worst else f"{best} to {worst}", str(told.first),
        str(told.newest), " ".join(told.languages), f"{told.machine_coded:,}",
    ]  # fmt: skip


def _record(of: Model, cells: dict[str, str]) -> str | None:
    """Say what a row that names a state does to the record of its stage; None where it does nothing."""
    return evidence.what_it_records(of.spec, cells.get("state", ""), cells["grade"], cells["date"]) or None


def _print_record(of: Model, cells: dict[str, str]) -> None:
    if says := _record(of, cells):
        print(says)


def _print_added(added: Added, *, as_json: bool) -> None:
    warn(added.notices)
    if as_json:
        print_json(added._asdict())
        return
    for word, ids in (("recorded", added.new), ("superseded", added.superseded), ("already there", added.unchanged)):
        if ids:
            print(f"{word}: {', '.join(map(one_line, ids)) if len(ids) <= SHOWN_IDS else prose.count(len(ids), 'row')}")
    if not (added.new or added.superseded or added.unchanged):
        print("nothing recorded: there are no rows in it")

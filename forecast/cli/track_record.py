"""Commands of the track record: answer the questions of issued forecasts, and score them."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import record, report
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.files import replace_file
from forecast.cli.options import (
    HERE,
    JsonOption,
    ModelOption,
    ProjectOption,
    date_of,
    open_model,
    open_project,
    utc_now,
)
from forecast.cli.printing import print_json, print_lines, shown
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.ledger.issued import Resolution
    from forecast.project.project import Project
    from forecast.record.scores import Group, Part, Score


app = typer.Typer()
SHOWN_LINES = 40  # of a long table; --json has all


class Answer(StrEnum):
    """What the world says of a question."""

    yes = "yes"
    no = "no"
    void = "void"


@app.command()
def resolve(
    outcome: Annotated[
        str | None, typer.Argument(help="The outcome whose question to answer by hand (default: all, by the rules).")
    ] = None,
    date: Annotated[str | None, typer.Option("--date", help="By hand: the date that is asked about.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="By hand: date of the forecast that asks for any day from it to --date."),
    ] = None,
    answer: Annotated[Answer | None, typer.Option("--answer", help="By hand: the answer.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="By hand: why the rule does not decide.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="By hand: where the reason can be checked.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="By the rules: the day whose knowledge counts (default: today, UTC).")
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer the questions of issued forecasts whose windows have closed, by the rules or one by hand.

    Example: `forecast resolve`
    """
    date, since = date or None, since or None  # a blank says nothing
    by_hand = {"--date": date, "--since": since, "--answer": answer, "--reason": reason, "--url": url}
    given = [name for name, value in by_hand.items() if value is not None]
    if outcome is None:
        if given:
            msg = f"{prose.listed(given)} answer one question by hand; name its outcome: forecast resolve OUTCOME …"
            raise InputError(msg)
        _by_rule(project, model, as_of, as_json=as_json)
        return
    if as_of is not None:
        msg = "--as-of is for the rules; an answer by hand is given today, for a --date"
        raise InputError(msg)
    if date is None or answer is None or reason is None or url is None:
        lacking = [name for name, value in by_hand.items() if value is None and name != "--since"]
        msg = f"to answer a question of {outcome!r} by hand, give {prose.listed(lacking)} too"
        raise InputError(msg)
    found, of = open_model(project, model)
    row = found.overrule(
        outcome, date, since=since, answer=answer.value, reason=reason, url=url, model=of.spec.name, now=utc_now()
    )
    if as_json:
        print_json(record.plain(row))
        return
    _print_answers([row])
    print()
    print_lines([_what_was_meant(row), *_look_back(found, [row])])


def _look_back(found: Project, rows: Sequence[Resolution]) -> Iterator[str]:
    """Name the next step where something was newly resolved; what is void is not scored, and tells nothing."""
    for model in dict.fromkeys(row.model for row in rows if row.answer != "void"):
        which = f" --model {model}" if len(found.model_names) > 1 else ""
        yield f"next: forecast post-mortem{which}, which says what was forecast, and which events spoke for what came"


def _by_rule(project: Path, model: str | None, as_of: str | None, *, as_json: bool) -> None:
    found = open_project(project)
    result = found.resolve(model, as_of=date_of(as_of, "--as-of"))
    if as_json:
        print_json(result.to_dict())
        return
    if result.recorded:
        _print_answers(result.recorded)
        print()
    print_lines([*result.sentences, *_look_back(found, result.recorded)])


def _print_answers(rows: Sequence[Resolution]) -> None:
    lines = [[row.outcome, _window(row), row.answer, row.by, row.model] for row in rows[:SHOWN_LINES]]
    answers = Counter(row.answer for row in rows)
    told = ", ".join(f"{answers[name]} {name}" for name in Answer if answers[name])
    total = [prose.count(len(rows), "answer"), "", told, "", ""]
    print_table(["outcome", "question", "answer", "answered by", "model"], lines, total=total)
    if len(rows) > SHOWN_LINES:
        print(f"… {len(rows) - SHOWN_LINES} more (--json has all)")


def _window(row: Resolution) -> str:
    """Say which days a question is about: the kind, and every date that it has."""
    return f"at {row.date}" if row.since is None else f"by {row.date}, since {row.since}"


def _what_was_meant(row: Resolution) -> str:
    """Tell an answer *at* a date from one *by* it: they are two questions."""
    if row.since is None:
        return f"That is at {row.date}: on that very day. By that date, since an issue, is another question (--since)."
    return (
        f"That is by {row.date}: on any day after {row.since} up to it. At {row.date}, on that very day, is another "
        "question (without --since)."
    )


@app.command("post-mortem")
def post_mortem(
    outcome: Annotated[str | None, typer.Argument(help="The outcome (default: all).")] = None,
    date: Annotated[str | None, typer.Option("--date", help="The date that was asked about (default: all).")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look back at resolved questions: what was said, what moved it, which stories were right. A page for each.

    Example: `forecast post-mortem deal`
    """
    where = open_project(project)
    day = date_of(date, "--date") if date else None
    found = where.track_record.post_mortems(model, outcome, day)
    with where.locked():
        pages = where.reports.write_post_mortems(found)
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    if not found:
        print("No question is resolved yet; `forecast resolve` answers those whose windows have closed.")
        return
    for one in found[:SHOWN_LINES] if len(found) > 1 else ():
        print_lines([" ".join(one.sentences[:2])])
    if len(found) == 1:
        print_lines(found[0].sentences)
    print(f"\n{prose.count(len(pages), 'page')}, {shown(pages[0])}{' and beside it' if len(pages) > 1 else ''}")


@app.command("score")
def score_(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Also write every scored question (.csv), or the picture (.svg).", metavar="FILE"
        ),
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score issued forecasts by the answers, beside naive ones, and see whether they are calibrated.

    Example: `forecast score`
    """
    result = open_project(project).score(model)
    if output is not None:
        _write(result, output)
    if as_json:
        print_json(result.to_dict())
        return
    print_lines(result.sentences)
    for part in result.parts:
        print()
        _print_part(part)
    if output is not None:
        print(f"\n{shown(output)}")


def _print_part(part: Part) -> None:
    names = [row.name for row in part.total.against]
    rows = [_line(group, names) for group in (*part.groups, part.total)]
    title = f"{part.name[0].upper()}{part.name[1:]}: mean Brier score (and log score)"
    print_table(["", "questions", "yes", "issued", *names], rows, title=title)


def _line(group: Group, names: Sequence[str]) -> list[str]:
    weeks = prose.count(group.horizon_weeks or 0, "week")
    horizon = f"{prose.spoken(group.outcome)} {group.kind} {weeks}" if group.outcome else "all"
    others = {row.name: f"{row.brier:.3f} ({row.log:.3f})" for row in group.against}
    own = f"{group.brier:.3f} ({group.log:.3f})"
    return [horizon, str(group.questions), str(group.yes), own, *(others.get(name, "") for name in names)]


def _write(result: Score, path: Path) -> None:
    match path.suffix.lower():
        case ".csv":
            content = result.to_csv()
        case ".svg":
            chart = report.track_chart({"track": result.to_dict()})
            if chart is None:
                msg = (
                    f"{path}: {result.resolved} resolved; "
                    f"a picture takes {record.DRAWN} questions of one kind, or use .csv"
                )
                raise InputError(msg)
            content = chart.svg()
        case _:
            msg = f"{path}: {path.suffix!r} is not a format for the track record; use .csv or .svg"
            raise InputError(msg)
    replace_file(path, content.encode())

"""Commands about analysts' own forecasts: what can be judged, a judgement, one's own, and the scores of all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import record
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_project, utc_now
from forecast.cli.printing import print_json, print_lines
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    import datetime as dt

    from forecast.record.judged_scores import Forecaster, JudgedScore, Reading


app = typer.Typer(
    help="Analysts' own forecasts: judge questions before seeing the model's numbers, and be scored beside it.",
    no_args_is_help=True,
)
PROBABILITY = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


@app.command("list")
def list_questions(
    every: Annotated[bool, typer.Option("--all", help="Those of earlier issues too.")] = False,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the questions that can be judged, without what the model says of them.

    Example: `forecast judge list`
    """
    found = open_project(project)
    result = found.judgements.questions(model, analyst=found.by, now=utc_now(), every=every)
    if as_json:
        print_json(result.to_dict())
        return
    rows: list[list[str]] = []
    for row in result.questions:
        held = result.held(row)
        own = "" if held is None else prose.chance(held)
        rows.append([row.outcome, row.kind, str(row.date), str(row.since or ""), own])
    if rows:
        print_table(["outcome", "kind", "date", "since", "yours"], rows)
        print()
    print_lines(result.sentences)
    if result.more:
        print("forecast judge list --all has them.")


@app.command("record")
def record_(
    outcome: Annotated[str, typer.Argument(help="The outcome whose rule will be met or not.")],
    probability: Annotated[str, typer.Option("--probability", "-p", help="Yours, such as 35% or 0.35.")],
    date: Annotated[str | None, typer.Option("--date", help="The date that is asked about.")] = None,
    weeks: Annotated[
        int | None, typer.Option("--weeks", help="The date, as weeks from --since or from the last forecast.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="For any day up to the date: date of the forecast that asks so.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    seen: Annotated[bool, typer.Option("--seen", help="You had seen the model's number: it is not blind.")] = False,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record your probability of a question, then see the model's number and the pool. A later one revises.

    Example: `forecast judge record deal --weeks 52 --probability 35%`
    """
    said, found = _probability(probability), open_project(project)
    result = found.judgements.judge(
        outcome, probability=said, analyst=found.by, now=utc_now(), date=date or None, weeks=weeks, since=since or None,
        seen=seen, note=note, model=model,
    )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
        return
    print_lines([f"recorded: {outcome}, {_window(result.judgement.date, result.judgement.since)}", *result.sentences])


def _probability(text: str) -> float:
    """Read a probability, in percent or from 0 to 1."""
    number = text.strip().removesuffix("%").strip()
    percent = number != text.strip()
    if PROBABILITY.fullmatch(number):
        value = float(number) / 100 if percent else float(number)
        if value <= 1:
            return value
        if not percent and value <= 100:  # noqa: PLR2004 - percent
            msg = f"--probability {text!r} is more than 1; did you mean {number}%?"
            raise InputError(msg)
    msg = f"--probability {text[:40]!r} is none; write it as 35% or 0.35"
    raise InputError(msg)


@app.command()
def mine(
    project: ProjectOption = HERE,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Of this model alone (default: of all).")] = None,
    as_json: JsonOption = False,
) -> None:
    """List your own judgements with what they revised, in the order in which they were made.

    Example: `forecast judge mine`
    """
    found = open_project(project)
    rows = found.judgements.made_by(found.by, model)
    if as_json:
        print_json([record.plain_judgement(row) for row in rows])
        return
    if not rows:
        print("You have judged nothing yet; `forecast judge list` has what can be judged.")
        return
    before: dict[object, float] = {}
    lines: list[list[str]] = []
    for row in rows:
        last = before.get(row.question)
        moved = prose.chance(row.probability)
        own = moved if last is None else f"{prose.chance(last)} → {moved}"
        before[row.question] = row.probability
        how = "blind" if row.blind else "revised" if last is not None else "seen"
        made = f"{row.recorded_at:%Y-%m-%d %H:%M}"
        lines.append([row.outcome, _window(row.date, row.since), own, how, made, row.note])
    print_table(["outcome", "question", "probability", "how", "made (UTC)", "note"], lines)


def _window(date: dt.date, since: dt.date | None) -> str:
    return f"at {date}" if since is None else f"by {date}, since {since}"


@app.command()
def scores(
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score analysts, the model at the same time and their pools on resolved questions; who is biased, who is noisy.

    Example: `forecast judge scores`
    """
    result = open_project(project).judgements.score(model)
    if as_json:
        print_json(result.to_dict())
        return
    print_lines(result.sentences)
    if result.resolved:
        print()
        _print_scores(result)


def _print_scores(result: JudgedScore) -> None:
    rows = [_line(one, row) for one in result.forecasters for row in one.readings]
    heads = ["", "judgements", "questions", "yes", "clusters", "theirs", "theirs, beside the model", "the model"]
    print_table(heads, rows, title="Mean Brier score (and log score); beside the model on questions that it speaks of")


def _line(one: Forecaster, row: Reading) -> list[str]:
    counts = [str(number) for number in (row.questions, row.yes, row.clusters)]
    own = f"{row.brier:.3f} ({row.log:.3f})"
    if (other := row.against) is None:
        return [one.name, row.which, *counts, own, "", ""]
    same = f"{other.brier + other.brier_difference:.3f} ({other.log + other.log_difference:.3f})"
    return [one.name, row.which, *counts, own, same, f"{other.brier:.3f} ({other.log:.3f})"]

"""Commands that ask a forecast: what if, what moved it, what to watch, what if we are wrong."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import answers, record, report
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.cli.options import (
    HERE,
    AsOfOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    Refit,
    RefitOption,
    as_of_date,
    open_model,
    utc_now,
)
from forecast.cli.printing import (
    made_from,
    print_changes,
    print_json,
    print_lines,
    print_side_by_side,
    progress,
    stop_unless_trusted,
    terminal_width,
)
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from forecast.answers.drivers import Driver
    from forecast.answers.forecast import LiveForecast


app = typer.Typer()
OutcomeArgument = Annotated[str, typer.Argument(help="The outcome.", metavar="OUTCOME")]
WeeksOption = Annotated[int | None, typer.Option("--weeks", help="One of the model's horizons (default: the longest).")]
AheadOption = Annotated[
    int | None, typer.Option("--next", help="Weeks through which somebody watches (default: 8).", metavar="WEEKS")
]
SHOWN_LINES = 12  # of a long table; --json has all
POINT = 0.005  # what rounds to a percentage point


@app.command("what-if")
def what_if(
    seen: Annotated[
        list[str] | None,
        typer.Argument(help="What is supposed to be seen: indicators or states, each as NAME or NAME@DATE."),
    ] = None,
    on: Annotated[str | None, typer.Option("--on", help="Date of what does not say (default: --as-of).")] = None,
    not_seen: Annotated[
        list[str] | None, typer.Option("--not-seen", help="NAME@DATE: not seen through DATE, though looked for.")
    ] = None,
    grade: Annotated[str, typer.Option("--grade", help="Admiralty grade of what is seen.")] = "A1",
    do: Annotated[list[str] | None, typer.Option("--do", help="STAGE=STATE: made so, instead of seen.")] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Keep what is done so from then on.")] = False,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show the forecast beside the same one if something were seen, not seen, or done.

    Example: `forecast what-if arms_purchase_from_russia --as-of 2026-01-08`
    """
    found, of = open_model(project, model)
    if do and (seen or not_seen):
        msg = "what is seen and what is done are two questions: ask them one at a time"
        raise InputError(msg)
    now = utc_now()
    pairs = [_pair(text, "@", "--not-seen", "NAME@DATE") for text in not_seen or []]
    states = [_pair(text, "=", "--do", "STAGE=STATE") for text in do or []]
    day = as_of_date(as_of)
    if do:  # what makes no sense is said before anything is fitted
        answers.forced_states(of.space, day, dict(states), on=on)
    else:
        answers.supposed_rows(of.space, day, seen or (), dict(pairs), on=on, grade=grade)
    with progress() as callbacks:
        before = found.update(of, as_of=day, refit=refit.value, now=now, **callbacks)
        if do:
            result = before.do(dict(states), on=on, hold=hold)
        else:
            result = before.what_if(*(seen or ()), on=on, not_seen=dict(pairs), grade=grade, refit=refit.value)
    if as_json:
        print_json(result.to_dict())
    else:
        print(textwrap.fill(f"As of {result.as_of}, if {' and '.join(result.supposed)}:", terminal_width()) + "\n")
        print_changes(of, result.changes)
        print(f"\n{made_from(result.trust)}")
    stop_unless_trusted(result.trust)


def _pair(text: str, sign: str, option: str, shape: str) -> tuple[str, str]:
    first, found, second = text.partition(sign)
    if not (first and found and second):
        msg = f"{option} {text!r} is not {shape}"
        raise InputError(msg)
    return first, second


@contextmanager
def _forecast(project: Path, model: str | None, as_of: str | None, refit: Refit) -> Generator[LiveForecast]:
    """Make the forecast that is asked, and show progress as long as questions are answered."""
    found, of = open_model(project, model)
    day = as_of_date(as_of)
    with progress() as callbacks:
        yield found.update(of, as_of=day, refit=refit.value, now=utc_now(), **callbacks)


@app.command()
def drivers(
    outcome: OutcomeArgument,
    weeks: WeeksOption = None,
    since: Annotated[
        str, typer.Option("--since", help="A date, or `last`: the forecast that was issued last.", metavar="DATE|last")
    ] = "last",
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show what moved a probability since a day or the last issue, and what holds it where it is.

    Example: `forecast drivers confrontation --weeks 26 --since 2025-12-20 --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.drivers(outcome, weeks=weeks, since=since, refit=refit.value)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        before, after = ((part.mean, part.mcse) for part in (found.before, found.after))
        total = ["all together", prose.signed_gap(before, after), _moved(found.moved)[1], ""]
        _print_drivers("What moved it", found.moved, total=total)
        print()
        held = "What holds it up, or down"
        _print_drivers(held, found.held_up, lambda row: prose.signed_gap(found.without(row), after))
        exact = "all orders" if not found.permutations else f"{found.permutations} orders"
        print(f"\nPoints are percentage points. Shares over {exact} in which the news could have come.")
        print(made_from(found.trust))
    stop_unless_trusted(found.trust)


def _moved(rows: Sequence[Driver]) -> tuple[str, str]:
    """Give the points and the log-odds that the rows come to."""
    points = prose.signed(sum(row.difference for row in rows), max((row.mcse for row in rows), default=0.0))
    return points, f"{sum(row.log_odds for row in rows):+.2f}".replace("-", "−")


def _print_drivers(
    title: str, rows: Sequence[Driver], points: Callable[[Driver], str] = lambda row: _moved([row])[0],
    total: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Print what moved or holds a probability, by how many ``points`` of what is shown."""
    told = [row for row in rows if prose.points(row.difference, row.mcse)]
    told = sorted(told, key=lambda row: -abs(row.difference))[:SHOWN_LINES]
    cells = [
        [
            row.what + ("" if row.trusted else " (not to be trusted)"),
            points(row), _moved([row])[1], _states(row),
        ]
        for row in told
    ]  # fmt: skip
    if len(told) < len(rows):
        small = [row for row in rows if row not in told]
        cells.append([prose.count(len(small), "smaller one"), *_moved(small), ""])
    print_table(["", "points", "log-odds", "states"], cells, title, total)


def _states(row: Driver) -> str:
    """Say by how many points the states of the stages moved, those that moved by a point or more."""
    moved = {name.partition(".")[2]: part for name, part in row.stages.items() if abs(part) >= POINT}
    return ", ".join(f"{prose.spoken(name)} {prose.signed(part, row.mcse)}" for name, part in moved.items())


@app.command()
def watch(
    outcome: OutcomeArgument,
    weeks: WeeksOption = None,
    ahead: AheadOption = None,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Rank indicators, and the next counts of channels, by what they would teach about an outcome.

    Example: `forecast watch confrontation --weeks 26 --next 8 --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.watch(outcome, weeks=weeks, ahead=ahead)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        rows = [
            [
                row.label, prose.chance(row.chance, row.chance_mcse), prose.chance(row.if_seen, row.if_seen_mcse),
                prose.chance(row.if_not, row.if_not_mcse), f"{row.gain:.4f}",
            ]
            for row in found.rows[:SHOWN_LINES]
        ]  # fmt: skip
        print_table(["", "chance", "if seen", "if not", "bits"], rows, f"Watched for until {prose.day(found.until)}")
        if len(found.rows) > SHOWN_LINES:
            print(f"{prose.count(len(found.rows) - SHOWN_LINES, 'more indicator')} with less to teach: see --json")
        if found.channels:
            print()
            table = report.watched_channels_table({"watch": found.to_dict()})
            print_table(table.heads, table.rows, table.caption)
        for name, reason in found.left_out:
            print(f"left out: {name}: {reason}")
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def matrix(
    outcome: Annotated[
        str | None, typer.Argument(help="The outcome of which the sightings to come tell most (default: the first).")
    ] = None,
    weeks: WeeksOption = None,
    ahead: AheadOption = None,
    rival: Annotated[
        list[str] | None, typer.Option("--rival", help="Another model of the same dataset as one more hypothesis.")
    ] = None,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Set each story, and the most telling sightings to come, against the hypotheses: how many times likelier.

    A cell says how many times likelier the row is under the state than on average over the states of its stage.

    Example: `forecast matrix confrontation --as-of 2026-01-08`
    """
    found, of = open_model(project, model)
    day, others = as_of_date(as_of), [found.model(name) for name in rival or ()]
    record.require_comparable([of.space, *(other.space for other in others)])
    with progress() as callbacks:
        first, *rest = (
            found.update(one, as_of=day, refit=refit.value, now=utc_now(), **callbacks) for one in (of, *others)
        )
        rivals = {other.spec.name: one for other, one in zip(others, rest, strict=True)}
        result = first.matrix(outcome or report.lead_outcome(of.spec), weeks=weeks, ahead=ahead, rivals=rivals)
    if as_json:
        print_json(result.to_dict())
    else:
        print_lines(result.sentences)
        for table in report.matrix_tables(result.to_dict()).values():
            print()
            print_table(table.heads, table.rows, table.caption)
        print(f"\n{made_from(result.trust)}")
    stop_unless_trusted(result.trust)


@app.command()
def sightings(
    ahead: Annotated[int, typer.Option("--next", help="Weeks to look ahead.", metavar="WEEKS")] = 8,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show how often each indicator should be seen in the coming weeks if the theory is right, and what is counted.

    Example: `forecast sightings --next 8 --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.sightings(ahead=ahead)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        order = sorted(range(len(found.indicators)), key=lambda k: -found.ever[k])
        rows = [
            [
                found.labels[found.indicators[k]], prose.chance(float(found.ever[k]), float(found.ever_mcse[k])),
                f"{found.median[k]:.0f}",
                f"{found.low[k]:.0f} to {found.high[k]:.0f}",
            ]
            for k in order
        ]  # fmt: skip
        title = f"If somebody always looks until {prose.day(found.weeks[-1])}"
        print_table(
            ["", "seen at all", "median", "90 %"], rows, title, [prose.count(len(rows), "indicator"), "", "", ""]
        )
        if found.channels:
            print()
            rows = [
                [
                    row.label, prose.on_day(row.first.isoformat()), f"{row.exposure:,g}", f"{row.expected.mean:,.1f}",
                    f"{row.expected.low:,} to {row.expected.high:,}",
                ]
                for row in found.channels
            ]  # fmt: skip
            print_table(["", "week from", "of", "mean", "90 %"], rows, "Counts to come, in a usual volume")
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def sensitivity(
    outcome: OutcomeArgument,
    weeks: WeeksOption = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="A source or story to leave out (default: each in turn).")
    ] = None,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show what a probability would be with other assumptions or other evidence, and how much of it is prior.

    Example: `forecast sensitivity confrontation --weeks 26 --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.sensitivity(outcome, weeks=weeks, without=without or (), refit=refit.value)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        for title, kinds in (
            ("Assumptions, each moved by a prior standard deviation", {"rate", "effect", "grade", "class"}),
            ("Evidence read otherwise, or left out", {"credibility", "coverage", "source", "story"}),
        ):
            print()
            rows = sorted((row for row in found.shifts if row.kind in kinds), key=lambda row: -abs(row.difference))
            cells = [
                [
                    row.change + ("" if row.trusted else " (not to be trusted)"), prose.chance(*found.there(row)),
                    prose.signed_gap((found.now.mean, found.now.mcse), found.there(row)),
                ]
                for row in rows[:SHOWN_LINES]
            ]  # fmt: skip
            print_table(["", "forecast", "points"], cells, title)
            if len(rows) > SHOWN_LINES:
                print(f"{prose.count(len(rows) - SHOWN_LINES, 'smaller one')}: see --json")
        print()
        cells = [[row.factor, f"{row.index:.2f}"] for row in found.scaling]
        print_table(["", "index"], cells, "Power-scaling: above 0.05, the forecast leans on it")
        print()
        cells = [[prose.link(row.name), f"{row.narrowing:.2f}", row.rests_on] for row in found.links]
        print_table(["", "spread kept", ""], cells, "Links of the cascade: what is left of the prior's spread")
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def alarm(
    weeks: Annotated[int, typer.Option("--weeks", help="The last weeks that are scored.")] = 8,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Say whether the last weeks contradict what the model expected of them.

    Example: `forecast alarm --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.alarm(weeks=weeks, refit=refit.value)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def rules(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show how likely each rule is to be met, and how well it follows its outcome: sensitivity and false alarms.

    Example: `forecast rules --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.rules()
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        for kind, when in (("at", "on the day"), ("by", "on some day by then")):
            print()
            cells = [
                [
                    found.labels[row.outcome], prose.count(row.horizon_weeks, "week"), prose.figure(row.mean, row.mcse),
                    *(prose.figure(one.mean, one.mcse) if one else prose.TOO_RARE
                      for one in (of.sensitivity, of.false_alarms)),
                ]
                for row, of in zip(found.rows, found.quality.errors, strict=True) if row.kind == kind
            ]  # fmt: skip
            heads = ["", "", "met", "met if it holds", "met if not"]
            print_table(heads, cells, f"The rule is met {when}")
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def experts(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show the forecast of each expert of the model, and of all together.

    Example: `forecast experts --as-of 2026-01-08`
    """
    with _forecast(project, model, as_of, refit) as result:
        found = result.experts(refit=refit.value)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        print_side_by_side({one.label: one.forecast for one in found.voices} | {"all together": found.pooled})
        print(f"\n{made_from(found.pooled.trust)}")
    stop_unless_trusted(found.pooled.trust)

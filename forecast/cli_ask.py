"""Commands that ask a forecast: what if, what moved it, what to watch, what if we are wrong."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer needs it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import words
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
    made_from,
    open_model,
    print_changes,
    print_json,
    print_lines,
    print_table,
    progress,
    settings_of,
    stop_unless_trusted,
    terminal_width,
    utc_now,
)
from forecast.errors import InputError, UntrustworthyError

app = typer.Typer()

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Mapping, Sequence

    from forecast.backtest import Backtest
    from forecast.drivers import Driver
    from forecast.result import Forecast, ForecastPath, Policy, Quantity

OutcomeArgument = Annotated[str, typer.Argument(help="The outcome.", metavar="OUTCOME")]
WeeksOption = Annotated[int | None, typer.Option("--weeks", help="One of the model's horizons (default: the longest).")]
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
    from forecast.explain import forced_states, supposed_rows  # noqa: PLC0415 - quick --help

    day = as_of_date(as_of)
    if do:  # what makes no sense is said before anything is fitted
        forced_states(of.space, day, dict(states), on=on)
    else:
        supposed_rows(of.space, day, seen or (), dict(pairs), on=on, grade=grade)
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


@app.command()
def path(
    as_of: AsOfOption = None,
    weeks: Annotated[int | None, typer.Option("--weeks", help="Horizon to show (default: the longest).")] = None,
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
    """Show the forecast as it would have been made each week since the start, from what was known then.

    Example: `forecast path --as-of 2026-01-08 --weeks 26`
    """
    found, of = open_model(project, model)
    horizons = of.spec.model.horizons_weeks
    if weeks is not None and weeks not in horizons:
        msg = f"--weeks {weeks}: the model's horizons are {', '.join(map(str, sorted(horizons)))}"
        raise InputError(msg)
    with progress() as callbacks:
        result = found.path(
            of, as_of=as_of_date(as_of), refit=refit.value, settings=settings_of(draws, tune, chains, seed),
            now=utc_now(), accept_bad=accept_bad_fit, **callbacks,
        )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
    else:
        for line in _path_lines(result, list(of.spec.outcomes), weeks or max(horizons)):
            print(line)
    shut = [one for one in result.forecasts if not one.trust.trusted]
    if shut:
        msg = f"{len(shut)} of {len(result.forecasts)} weeks cannot be trusted, the first {shut[0].as_of}: "
        raise UntrustworthyError(msg + "; ".join(shut[0].trust.reasons))


def _path_lines(result: ForecastPath, outcomes: Sequence[str], weeks: int) -> Generator[str]:
    from forecast.result import percent  # noqa: PLC0415 - quick --help

    widths = [max(len(name), 12) for name in outcomes]
    yield f"Probability now, and {weeks} weeks on"
    yield "            " + "  ".join(name.ljust(width) for name, width in zip(outcomes, widths, strict=True))
    for one in result.forecasts:
        cells: list[str] = []
        for name, width in zip(outcomes, widths, strict=True):
            now, then = one.probability(name), one.probability(name, weeks=weeks)
            cells.append(f"{percent(now.mean):>4}  {percent(then.mean):>4}".ljust(width))
        yield f"{one.as_of}  " + "  ".join(cells).rstrip()
    yield f"\n{words.count(len(result.forecasts), 'forecast')}, {words.count(result.fits, 'new fit')}"


@contextmanager
def _forecast(project: Path, model: str | None, as_of: str | None, refit: Refit) -> Generator[Forecast]:
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
        for title, rows in (("What moved it", found.moved), ("What holds it up, or down", found.held_up)):
            print()
            _print_drivers(title, rows)
        exact = "all orders" if not found.permutations else f"{found.permutations} orders"
        print(f"\nPoints are percentage points. Shares over {exact} in which the news could have come.")
        print(made_from(found.trust))
    stop_unless_trusted(found.trust)


def _print_drivers(title: str, rows: Sequence[Driver]) -> None:
    told = [row for row in rows if words.points(row.difference, row.mcse)]
    told = sorted(told, key=lambda row: -abs(row.difference))[:SHOWN_LINES]
    cells = [
        [
            row.what + ("" if row.trusted else " (not to be trusted)"), words.signed(row.difference, row.mcse),
            f"{row.log_odds:+.2f}".replace("-", "−"), _states(row),
        ]
        for row in told
    ]  # fmt: skip
    if len(told) < len(rows):
        small = [row for row in rows if row not in told]
        rest = words.signed(sum(row.difference for row in small), max(row.mcse for row in small))
        cells.append([words.count(len(small), "smaller one"), rest, "", ""])
    print_table(["", "points", "log-odds", "states"], cells, title)


def _states(row: Driver) -> str:
    """Say by how many points the states of the stages moved, those that moved by a point or more."""
    moved = {name.partition(".")[2]: part for name, part in row.stages.items() if abs(part) >= POINT}
    return ", ".join(f"{words.spoken(name)} {words.signed(part, row.mcse)}" for name, part in moved.items())


@app.command()
def watch(
    outcome: OutcomeArgument,
    weeks: WeeksOption = None,
    ahead: Annotated[
        int | None, typer.Option("--next", help="Weeks through which somebody watches (default: 8).", metavar="WEEKS")
    ] = None,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Rank indicators by what it would teach about an outcome to watch for them.

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
                row.label, words.chance(row.chance, row.chance_mcse), words.chance(row.if_seen, row.if_seen_mcse),
                words.chance(row.if_not, row.if_not_mcse), f"{row.gain:.4f}",
            ]
            for row in found.rows[:SHOWN_LINES]
        ]  # fmt: skip
        print_table(["", "chance", "if seen", "if not", "bits"], rows, f"Watched for until {words.day(found.until)}")
        if len(found.rows) > SHOWN_LINES:
            print(f"{words.count(len(found.rows) - SHOWN_LINES, 'more indicator')} with less to teach: see --json")
        for name, reason in found.left_out:
            print(f"left out: {name}: {reason}")
        print(f"\n{made_from(found.trust)}")
    stop_unless_trusted(found.trust)


@app.command()
def sightings(
    ahead: Annotated[int, typer.Option("--next", help="Weeks to look ahead.", metavar="WEEKS")] = 8,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Show how often each indicator should be seen in the coming weeks if the theory is right.

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
                found.labels[found.indicators[k]], words.chance(found.ever[k]), f"{found.total[k]:.2f}",
                f"{found.low[k]:.0f} to {found.high[k]:.0f}",
            ]
            for k in order
        ]  # fmt: skip
        title = f"If somebody always looks until {words.day(found.weeks[-1])}"
        print_table(["", "seen at all", "expected", "90 %"], rows, title)
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
                    row.change + ("" if row.trusted else " (not to be trusted)"),
                    words.chance(row.probability, row.mcse), words.signed(row.difference, row.mcse),
                ]
                for row in rows[:SHOWN_LINES]
            ]  # fmt: skip
            print_table(["", "forecast", "points"], cells, title)
        print()
        cells = [[row.factor, f"{row.index:.2f}"] for row in found.scaling]
        print_table(["", "index"], cells, "Power-scaling: above 0.05, the forecast leans on it")
        print()
        cells = [[row.name.removeprefix("stages."), f"{row.narrowing:.2f}", row.rests_on] for row in found.links]
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
        _print_side_by_side({one.label: one.forecast for one in found.voices} | {"all together": found.pooled})
        print(f"\n{made_from(found.pooled.trust)}")
    stop_unless_trusted(found.pooled.trust)


@app.command()
def compare(
    models: Annotated[list[str], typer.Argument(help="Two or more models of one dataset.", metavar="MODEL…")],
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Set rival models beside each other: their forecasts, how well each foresaw the evidence, and their pool.

    Example: `forecast compare russia_azerbaijan base_rate_sceptic --as-of 2026-01-08`
    """
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    day = as_of_date(as_of)
    with progress() as callbacks:
        found = open_project(project, utc_now).compare(models, as_of=day, refit=refit.value, now=utc_now(), **callbacks)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        _print_side_by_side({**found.forecasts, "pooled": found.pooled})
        print(f"\n{words.count(found.fits, 'new fit')}. {made_from(found.pooled.trust)}")
    stop_unless_trusted(found.pooled.trust)


@app.command()
def backtest(
    rivals: Annotated[list[str] | None, typer.Argument(help="Rival models to test too.", metavar="[RIVAL…]")] = None,
    model: ModelOption = None,
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    refit: RefitOption = Refit.auto,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Test models side by side in N processes.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Or on a Dask scheduler that sees the folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score each week's evidence by what was known before it, beside naive forecasters and rivals.

    Scores of weeks from before the models were frozen are named retrospective fit, later ones skill.

    Example: `forecast backtest --as-of 2026-01-08`
    """
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    day, now, where = as_of_date(as_of), utc_now(), open_project(project, utc_now)
    if workers or scheduler:
        from forecast.backtest import merge  # noqa: PLC0415 - quick --help
        from forecast.study import connect  # noqa: PLC0415

        first = where.model(model)
        where.require_comparable([first.spec.name, *(rivals or ())])
        where.entries(first, now=now)  # the ledger has its rows before several processes read it
        with connect(workers, scheduler) as client:
            asked = [(where.root, name, day, refit.value, now) for name in (first.spec.name, *(rivals or ()))]
            found = merge(client.gather([client.submit(_tested, *one, pure=False) for one in asked]))
    else:
        with progress() as callbacks:
            found = where.backtest(model, rivals or (), as_of=day, refit=refit.value, now=now, **callbacks)
    if as_json:
        print_json(found.to_dict())
        return
    print_lines(found.sentences)
    print()
    leads = {name: found.lead(name) for name in found.others}
    rows = [
        [name, f"{total:.1f}", *([f"{leads[name][0]:+.1f} ± {leads[name][1]:.1f}"] if name in leads else [""])]
        for name, total in found.totals.items()
    ]
    print_table(["", "nats", f"{found.model} leads by"], rows)
    print(f"\n{words.count(len(found.weeks), 'week')} of evidence; {words.count(found.fits, 'new fit')}.")


def _tested(root: Path, name: str, day: dt.date, refit: Policy, now: dt.datetime) -> Backtest:
    """Test one model, in a process of its own."""
    from forecast.project import open_project  # noqa: PLC0415 - quick --help

    return open_project(root, utc_now).backtest(name, as_of=day, refit=refit, now=now)


def _print_side_by_side(forecasts: Mapping[str, Forecast]) -> None:
    """Print the probabilities at the horizons, a column for each forecast."""
    from forecast.result import spread  # noqa: PLC0415 - quick --help

    first = next(iter(forecasts.values()))
    last = max(row.horizon_weeks or 0 for row in first.quantities if row.kind == "at")
    shown = [row for row in first.quantities if row.kind in {"already", "at", "after"} or row.horizon_weeks == last]
    tables = [{row.key: asdict(row.estimate) for row in one.quantities} for one in forecasts.values()]
    rows = [
        [_what(row), *(spread(one[row.key]) if row.key in one else "" for one in tables)]
        for row in shown
        if row.kind != "reached"
    ]
    print_table(["", *forecasts], rows)


def _what(row: Quantity) -> str:
    """Name a probability by its horizon."""
    name, given = words.spoken(row.outcome), words.spoken(row.given or "")
    match row.kind:
        case "already":
            return f"{name} now"
        case "after":
            return f"{name} {given} began"
        case "given":
            return f"{name} in {row.horizon_weeks} weeks, given {given}"
        case _:
            return f"{name} in {row.horizon_weeks} weeks"

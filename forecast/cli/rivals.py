"""Commands that go through the past week by week: path, compare, backtest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast import inference, record, studies
from forecast.base import prose
from forecast.base.errors import InputError, UntrustworthyError
from forecast.base.prose import figure
from forecast.cli.options import (
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
    open_model,
    open_project,
    settings_of,
    utc_now,
)
from forecast.cli.printing import (
    made_from,
    print_json,
    print_lines,
    print_side_by_side,
    progress,
    stop_unless_trusted,
)
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from forecast.quantities.estimate import Policy
    from forecast.quantities.forecast import ForecastPath
    from forecast.record.backtest import Backtest
    from forecast.record.history_scores import HistoryComparison


app = typer.Typer()


@app.command()
def path(
    as_of: AsOfOption = None,
    weeks: Annotated[int | None, typer.Option("--weeks", help="Horizon to show (default: the longest).")] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    draws: DrawsOption = inference.Settings.draws,
    tune: TuneOption = inference.Settings.tune,
    chains: ChainsOption = inference.Settings.chains,
    seed: SeedOption = inference.Settings.seed,
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
        _print_path(result, list(of.spec.outcomes), weeks or max(horizons))
    shut = [one for one in result.forecasts if not one.trust.trusted]
    if shut:
        msg = f"{len(shut)} of {len(result.forecasts)} weeks cannot be trusted, the first {shut[0].as_of}: "
        raise UntrustworthyError(msg + "; ".join(shut[0].trust.reasons))


def _print_path(result: ForecastPath, outcomes: Sequence[str], weeks: int) -> None:
    rows = [
        [
            str(one.as_of),
            *(
                f"{figure(now.mean, now.mcse)} → {figure(then.mean, then.mcse)}"
                for now, then in ((one.probability(name), one.probability(name, weeks=weeks)) for name in outcomes)
            ),
        ]
        for one in result.forecasts
    ]
    total = [prose.count(len(rows), "forecast"), *("" for _ in outcomes)]
    print_table(["", *map(prose.spoken, outcomes)], rows, f"Probability now → {prose.count(weeks, 'week')} on", total)
    print(f"\n{prose.count(result.fits, 'new fit')}")


@app.command()
def compare(
    models: Annotated[list[str], typer.Argument(help="Two or more models of one dataset.", metavar="MODEL…")],
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    refit: RefitOption = Refit.auto,
    as_json: JsonOption = False,
) -> None:
    """Set rival models beside each other: forecasts, how well each foresaw the evidence, the pool, and the history.

    The history is what happened to others (`forecast history`): each unit's spells are foretold from the others'.

    Example: `forecast compare russia_azerbaijan base_rate_sceptic --as-of 2026-01-08`
    """
    day = as_of_date(as_of)
    with progress() as callbacks:
        found = open_project(project).compare(models, as_of=day, refit=refit.value, now=utc_now(), **callbacks)
    if as_json:
        print_json(found.to_dict())
    else:
        print_lines(found.sentences)
        print()
        print_side_by_side({**found.forecasts, "pooled": found.pooled})
        if found.history.stages:
            print()
            print_table(["foretelling the history", "nats", "behind the best", "weight"], _on_history(found.history))
        print(f"\n{prose.count(found.fits, 'new fit')}. {made_from(found.pooled.trust)}")
    stop_unless_trusted(found.pooled.trust)


def _on_history(found: HistoryComparison) -> list[list[str]]:
    """Rows of a table: stage and model, score, distance to the best, stacking weight."""
    rows: list[list[str]] = []
    for part in found.stages:
        for name, total in part.totals.items():
            gap, error = part.behind[name]
            spread = "" if error is None else f" ± {error:.1f}"
            low, high = part.intervals[name]
            rows.append([
                f"{part.stage} ({prose.count(part.units, 'unit')}): {name}", f"{total:.1f}",
                "" if name == part.best else f"{gap:.1f}{spread}", f"{part.weights[name]:.0%} ({low:.0%}–{high:.0%})",
            ])  # fmt: skip
    return rows


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
    day, now, where = as_of_date(as_of), utc_now(), open_project(project)
    if workers or scheduler:
        first = where.model(model)
        record.require_comparable([first.space, *(where.model(name).space for name in rivals or ())])
        where.entries(first, now=now)  # the ledger has its rows before several processes read it
        with studies.connect(workers, scheduler) as client:
            asked = [(where.root, name, day, refit.value, now) for name in (first.spec.name, *(rivals or ()))]
            found = record.merge(client.gather([client.submit(_tested, *one, pure=False) for one in asked]))
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
    print(f"\n{prose.count(len(found.weeks), 'week')} of evidence; {prose.count(found.fits, 'new fit')}.")


def _tested(root: Path, name: str, day: dt.date, refit: Policy, now: dt.datetime) -> Backtest:
    """Test one model, in a process of its own."""
    return open_project(root).backtest(name, as_of=day, refit=refit, now=now)

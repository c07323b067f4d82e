"""Commands that make and show forecasts: run, fit, update, report, show."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast import inference, jobs
from forecast import report as reports
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
    WordsOption,
    as_of_date,
    date_of,
    open_model,
    open_project,
    settings_of,
    tell_of_starter,
    today,
    utc_now,
)
from forecast.cli.printing import made_from, print_json, progress, shown, stop_unless_trusted, terminal_width
from forecast.cli.schedules import NotifyOption, TimeoutOption, unattended
from forecast.project.run import shown as shown_data

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer()


# Forecasts.


@app.command()
def run(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    refit: RefitOption = Refit.auto,
    draws: DrawsOption = inference.Settings.draws,
    tune: TuneOption = inference.Settings.tune,
    chains: ChainsOption = inference.Settings.chains,
    seed: SeedOption = inference.Settings.seed,
    accept_bad_fit: BadOption = False,
    timeout: TimeoutOption = None,
    notify_if: NotifyOption = None,
    words: WordsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the main job: fit when due, forecast, archive, write the report.

    Example: `forecast run --as-of 2026-01-08`
    """
    found, about = open_project(project), {"model": model, "as_of": as_of or str(today())}
    with unattended(found, about, timeout) as work:
        of = found.model(model)
        about["model"] = of.spec.name
        tell_of_starter(found, of)
        notices = jobs.read_notices(notify_if or [], of.spec.outcomes)
        with progress() as callbacks:
            issue = found.run(
                of, as_of_date(as_of), settings_of(draws, tune, chains, seed), now=utc_now(), refit=refit.value,
                accept_bad=accept_bad_fit, on_issue=work.limit.lift, words=words, **callbacks,
            )  # fmt: skip
        work.done(issue)
        moved = work.told(found, issue, notify_if or [], notices)
    if as_json:
        print_json(issue.report)
    else:
        _show(issue.report, words)
        state = "issued" if issue.new else "nothing new to issue; the report is written again"
        print(f"\n{state}: {shown(issue.folder / 'report.html')}")
        if moved:
            print(f"moved: {moved}")
    if code := work.end.get("exit_code"):
        raise typer.Exit(code)


@app.command()
def fit(
    as_of: AsOfOption = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    draws: DrawsOption = inference.Settings.draws,
    tune: TuneOption = inference.Settings.tune,
    chains: ChainsOption = inference.Settings.chains,
    seed: SeedOption = inference.Settings.seed,
    accept_bad_fit: BadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit the model to the evidence and keep the draws; nothing is issued.

    Example: `forecast fit --as-of 2026-01-08`
    """
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
    draws: DrawsOption = inference.Settings.draws,
    tune: TuneOption = inference.Settings.tune,
    chains: ChainsOption = inference.Settings.chains,
    seed: SeedOption = inference.Settings.seed,
    accept_bad_fit: BadOption = False,
    words: WordsOption = None,
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
    said = shown_data(of, found.entries(of, now=now, as_of=result.as_of), found.fits.folder(of), result)
    if as_json:
        print_json(result.to_dict())
        if alarm := jobs.find_alarm(said):
            print(f"forecast: {alarm}", file=sys.stderr)
    else:
        _show(said, words)
        print(f"\n{made_from(result.trust)}")
    stop_unless_trusted(result.trust)


@app.command()
def report(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Date of the forecast (default: that issued last).")
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    words: WordsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of an issued forecast again, as it was, whatever has happened since.

    Example: `forecast report --as-of 2026-01-08`
    """
    found, of = open_model(project, model)
    data = found.track_record.report(of.spec.name, date_of(as_of, "--as-of") if as_of else None)
    folder = found.write_report(data, words)
    if as_json:
        print_json({"report": shown(folder / "report.html"), "as_of": data["forecast"]["as_of"]})
    else:
        print(shown(folder / "report.html"))


@app.command()
def show(
    project: ProjectOption = HERE, model: ModelOption = None, words: WordsOption = None, as_json: JsonOption = False
) -> None:
    """Show the forecast issued last. For another day's there are `update --as-of DATE` and `run --as-of DATE`.

    Example: `forecast show`
    """
    report = open_project(project).track_record.latest(model)
    if as_json:
        print_json(report)
    else:
        _show(report, words)


def _show(report: Mapping[str, Any], words: str | None) -> None:
    told = reports.in_words(report, words) if words else report
    print(reports.render_text(told, terminal_width()))

"""The main job: update, fit when due, forecast, archive, write the report."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecast import answers, inference, quantities, record
from forecast import ledger as ledgers
from forecast import report as reporting
from forecast.base.errors import UntrustworthyError
from forecast.base.shown import Shown, ShownTable
from forecast.project.track_record import whole_report

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from forecast.answers.forecast import LiveForecast
    from forecast.inference.fitter import Fitter
    from forecast.inference.model import Model
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.issued import Issue as Archived
    from forecast.ledger.rows import Entry
    from forecast.project.dataset import Snapshot
    from forecast.project.reports import Reports
    from forecast.quantities.estimate import Policy
    from forecast.record.scores import Score


@dataclass(frozen=True, repr=False)
class Issue(Shown):
    """What a run gives: the archived forecast, its report data, and whether it is a new one."""

    issued: Archived
    report: dict[str, Any]
    folder: Path
    new: bool

    def _said(self) -> tuple[str, ...]:
        word = "new" if self.new else "the same as before"
        return (f"{self.issued.model} as of {self.issued.as_of}, number {self.issued.seq}, {word}: {self.folder}",)

    def _shown_table(self) -> ShownTable:
        shown = {name: getattr(self.issued, name) for name in ("seq", "model", "as_of", "issued_at", "fit")}
        return ShownTable(["", "value"], [[name, str(value)] for name, value in shown.items()])


def run(  # noqa: PLR0913 - everything that a run brings together
    snapshot: Snapshot, fitter: Fitter, reports: Reports, score: Callable[[], Score], as_of: dt.date, *, refit: Policy,
    on_issue: Callable[[], None], judged: Callable[[], Sequence[str]], words: str | None = None,
    rivals: Callable[[], Mapping[str, Posterior]] = dict,
) -> Issue:  # fmt: skip
    """Do the main job for the model of ``fitter``; the caller holds the project's lock.

    What would say the same as the last forecast as of that date issues nothing new; its report is written again. What
    is issued rests on a fit, never on draws from the prior. ``on_issue`` is called when all is ready and nothing is
    issued yet; an error that it raises stops the run. Terms for probabilities, ``words``, may follow the numbers.
    ``rivals()`` are other theories of the same evidence, for the matrix; ``judged()`` says how analysts did.

    Raises
    ------
    UntrustworthyError
        If the numbers cannot be trusted, or a new fit fails its checks, and bad fits are not accepted.
    InputError
        If the evidence is impossible or something cannot be read or written; nothing is issued then.

    """
    model, store, how = fitter.model, snapshot.ledger, fitter.sampling
    read = functools.partial(whole_report, store)
    entries = snapshot.as_of(as_of)
    evidence = model.evidence(entries, as_of)
    earlier = [row for row in store.headings(model.spec.name) if row.as_of == as_of]
    same = earlier and (earlier[-1].evidence_hash, earlier[-1].model_hash) == (evidence.hash, model.spec.hash)
    found = fitter.update(evidence, refit, prior=False, first=earlier[-1].fit if same else None)
    how.on_stage("forecasting")
    if not (found.trust.trusted or how.accept_bad):
        raise _untrustworthy(model, found)
    fit = inference.load_record(fitter.folder / f"{found.anchor.name}.nc")
    past = quantities.week_path(model.space, evidence, found.anchor.blocks, found.weights.values)
    issues = store.headings(model.spec.name)
    asked = answers.LiveForecast.of(
        found, entries, fitter, snapshot.as_of, lambda: [record.baseline(row) for row in issues]
    )
    core = _plain(
        reporting.report_data(
            model.spec, evidence, entries, fit, asked, past, watermark=snapshot.watermark, issued_at=fitter.now
        )
    )
    if earlier and reporting.same_report(there := read(earlier[-1]), core):
        return Issue(earlier[-1], there, reports.write(there, words), new=False)
    how.on_stage("explaining")
    newest = before = read(issues[-1]) if issues else None
    until = tuple(row for row in issues if row.as_of <= as_of)
    if until[-1:] != issues[-1:]:  # the newest is of a later day
        before = read(until[-1]) if until else None
    data = core | _plain(reporting.brief(asked, newest, refit, rivals()))
    data |= _plain(reporting.sum_up(data, before, score(), judged()))
    with reports.ready(data, words) as folder:
        on_issue()
        issued = store.archive(
            ledgers.Issued(
                model=model.spec.name,
                as_of=as_of,
                issued_at=fitter.now,
                evidence_hash=evidence.hash,
                model_hash=model.spec.hash,
                fit=fit.id,
                watermark=snapshot.watermark,
                content=json.dumps(data, ensure_ascii=False),
            )
        )
    return Issue(issued, data, folder, new=True)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Report data as they are read back from the archive."""
    return json.loads(json.dumps(content))


def shown(model: Model, entries: tuple[Entry, ...], fits: Path, forecast: LiveForecast) -> dict[str, Any]:
    """Give what the terminal shows of a forecast that was not issued; nothing is fitted for its alarm."""
    anchor = forecast.trust.anchor
    learned = () if anchor == inference.PRIOR else inference.load_record(fits / f"{anchor}.nc").learned
    evidence = model.evidence(entries, forecast.as_of)
    data = reporting.forecast_data(model.spec, evidence, learned, forecast, entries=entries)
    return data | {"alarm": reporting.alarm_part(forecast, "never")}


def _untrustworthy(model: Model, found: Posterior) -> UntrustworthyError:
    return UntrustworthyError(
        f"the forecast of {model.spec.name!r} as of {found.evidence.as_of} cannot be trusted: "
        f"{'; '.join(found.trust.reasons)}; sample more (--tune, --draws), or look at it anyway with --accept-bad-fit"
    )

"""The project folder with models/, data/ and reports/: the face for programs, and what the command line calls."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from forecast import record
from forecast.base.clock import local_day
from forecast.base.errors import InputError, read_date
from forecast.project.dataset import Dataset
from forecast.project.feeds import Feeds
from forecast.project.fits import Fits
from forecast.project.given import fill_in, replay, rivals_at_hand
from forecast.project.judgements import JudgementRecord
from forecast.project.ledgers import ledger_place
from forecast.project.models import Models
from forecast.project.reports import Reports
from forecast.project.run import Issue, run
from forecast.project.track_record import TrackRecord
from forecast.project.verification import open_ledger, require_begun, require_sound, verify

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from forecast.answers.forecast import LiveForecast
    from forecast.evidence.compilation import Evidence
    from forecast.inference.fit import Fit
    from forecast.inference.model import Model
    from forecast.inference.settings import Settings
    from forecast.ledger.issued import Added, Resolution
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Entry
    from forecast.project.given import Given, How
    from forecast.project.verification import Verified
    from forecast.quantities.estimate import Policy
    from forecast.quantities.forecast import ForecastPath
    from forecast.record.backtest import Backtest
    from forecast.record.replay import Replay
    from forecast.record.resolution import Resolved
    from forecast.record.rivals import Comparison
    from forecast.record.scores import Score


class Project:
    """A folder with ``models/``, ``data/`` and ``reports/``: its `models`, `ledger`, `reports` and `track_record`.

    Methods that write take ``now`` (aware, UTC), others ask ``clock``; rows name who writes, ``by``.
    """

    def __init__(self, path: str | Path, clock: Callable[[], dt.datetime], by: str = "") -> None:
        """Open the project folder at ``path``; `InputError` if it is none, for a project has a ``models`` folder."""
        self.root = root = Path(path).resolve()
        if not (root / "models").is_dir():
            msg = f"{root}: is not a project folder (it has no models/); make one with `forecast init DIR`"
            raise InputError(msg)
        self._clock, self.by = clock, by
        self.models = Models(root, clock)
        self.reports = Reports(root, lambda: self.ledger)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, created on first use."""
        return open_ledger(self.root).signed(self.by)

    def verify(self) -> Verified:
        """Look at all that the project holds; `LedgerError` if its ledger is not as it was written."""
        require_begun(self.root)
        return verify(self.root, ledger_place(self.root).as_it_is())

    def backup(self, target: Path) -> None:
        """Copy the ledger, which must be sound, to a file that is not there yet; others may use it meanwhile."""
        self.ledger.backup(target)

    @property
    def track_record(self) -> TrackRecord:
        """What was issued, and how it fared."""
        return TrackRecord(self.ledger, self.models)

    @property
    def judgements(self) -> JudgementRecord:
        """Analysts' own forecasts, beside the model's."""
        return JudgementRecord(self.ledger, self.models)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the model files, sorted."""
        return self.models.names

    def model(self, name: str | None = None) -> Model:
        """Read a model; without a ``name``, the project's own; see `Models.get`."""
        return self.models.get(name)

    def dataset(self, model: Model, *, now: dt.datetime) -> Dataset:
        """Rows of the model's dataset; its starter evidence is taken into the ledger on first use."""
        name = model.spec.model.dataset
        found = Dataset(
            self.ledger, name, self.root / "data" / name, lambda: self.models.vocabulary(name, local_day(now)), now
        )
        found.seed()
        return found

    def entries(self, model: Model, *, now: dt.datetime, as_of: dt.date | None = None) -> tuple[Entry, ...]:
        """Ledger entries of the model's dataset in force, as public on ``as_of``."""
        return self.dataset(model, now=now).entries(as_of)

    def feeds(self, model: Model, *, now: dt.datetime) -> Feeds:
        """Give the feeds of the model's dataset."""
        return Feeds(self.dataset(model, now=now), self.locked)

    def observe(self, model: Model, cells: dict[str, str], kind: str, *, now: dt.datetime) -> Added:
        """Record one row from the text of its ``cells``; ``kind`` is ``observation`` or ``coverage``."""
        return self.dataset(model, now=now).observe(cells, kind)

    def import_rows(  # noqa: PLR0913 - how a file is to be read
        self, model: Model, path: Path, *, now: dt.datetime, sheet: str | None = None, dates: str | None = None,
        same: bool = False,
    ) -> Added:  # fmt: skip
        """Take the rows of a CSV or Excel file into the ledger, all or none; see `Dataset.import_rows`."""
        return self.dataset(model, now=now).import_rows(path, sheet=sheet, dates=dates, same=same)

    @property
    def fits(self) -> Fits:
        """Fits that are kept: listed, pruned, exported."""
        return Fits(self.root, self.models, lambda: self.ledger, self.locked)

    def _given(self, model: Model | str | None, as_of: dt.date | str | None, how: How) -> Given:
        of = self.model(model) if isinstance(model, str | None) else model
        return fill_in(self.dataset(of, now=how.get("now") or self._clock()), of, as_of, how)

    def fit(self, model: Model, as_of: dt.date, settings: Settings, /, **how: Unpack[How]) -> tuple[Fit, Evidence]:
        """Fit the model to the evidence as of a date, or load the fit if this very one was made before.

        `UntrustworthyError` if it fails its checks and ``accept_bad`` is false; it is kept, so accepting costs nothing.
        """
        given = self._given(model, as_of, {**how, "settings": settings})
        evidence = given.evidence()
        return given.fitter.fit(evidence), evidence

    def update(
        self, model: Model | str | None = None, *, as_of: dt.date | str | None = None, refit: Policy = "auto",
        **how: Unpack[How],
    ) -> LiveForecast:  # fmt: skip
        """Forecast from the evidence as of a date (today by default): by reweighting draws, or by a new fit if needed.

        ``refit`` is "auto" (if the gate is shut), "never" (then the result says so) or "always"; see `How` for the
        rest. Nothing is issued. The result can be asked: `LiveForecast`.

        `UntrustworthyError` if a new fit fails its checks and ``accept_bad`` is false; `InputError` if something that
        was given cannot be used, or the evidence is impossible.
        """
        return self._given(model, as_of, how).forecast(refit)

    def path(
        self, model: Model | str | None = None, *, as_of: dt.date | str | None = None, refit: Policy = "auto",
        **how: Unpack[How],
    ) -> ForecastPath:  # fmt: skip
        """Forecast as it would have been at the end of each step, from what was known then; the rest as in `update`."""
        return record.forecast_path(self._replay([model], as_of, how), refit)

    def compare(
        self, names: Sequence[str], *, as_of: dt.date | str | None = None, refit: Policy = "auto", **how: Unpack[How]
    ) -> Comparison:
        """Set rival models beside each other: forecasts, how well each foresaw each week's evidence, and their pool.

        Each week is scored by what the model knew before it. The rest is as in `update`; `InputError` if there are
        fewer than two models or they do not speak of the same things.
        """
        if len(set(names)) < max(len(names), 2):
            msg = f"to compare models takes two or more different ones, got {', '.join(names) or 'none'}"
            raise InputError(msg)
        return record.compare_weekly(self._replay(names, as_of, how), refit)

    def backtest(
        self, model: Model | str | None = None, rivals: Sequence[str] = (), *, as_of: dt.date | str | None = None,
        refit: Policy = "auto", **how: Unpack[How],
    ) -> Backtest:  # fmt: skip
        """Score a model on each week's evidence by what was known before it, beside naive forecasters and ``rivals``.

        Everyone is scored on the same cells; see `forecast.record.backtest`. The rest is as in `update`; `InputError`
        if there is no week to score, or a rival does not speak of the same things.
        """
        return record.run_backtest(self._replay([model, *rivals], as_of, how), refit)

    def _replay(self, models: Sequence[Model | str | None], as_of: dt.date | str | None, how: How) -> Replay:
        """Get ready to go through the weeks again with comparable models."""
        found = {one.spec.name: one for one in (self.model(m) if isinstance(m, str | None) else m for m in models)}
        record.require_comparable([one.space for one in found.values()])
        return replay([self._given(one, as_of, how) for one in found.values()])

    def run(  # noqa: PLR0913 - what a run consists of
        self, model: Model, as_of: dt.date, settings: Settings, /, *, refit: Policy = "auto",
        on_issue: Callable[[], None] = lambda: None, words: str | None = None, **how: Unpack[How],
    ) -> Issue:  # fmt: skip
        """Do the main job: update, fit when due, forecast, archive, write the report: `forecast.project.run.run`."""
        with self.locked():
            how["settings"] = settings
            require_sound(self.root, self.ledger)
            given = self._given(model, as_of, how)
            return run(
                given.snapshot, given.fitter, self.reports, lambda: self.score(model.spec.name), given.date,
                refit=refit, on_issue=on_issue, words=words, judged=lambda: self.judgements.pooled(model.spec.name),
                rivals=lambda: rivals_at_hand(given, self.models, lambda rival: self._given(rival, given.date, how)),
            )  # fmt: skip

    def archive(self) -> pd.DataFrame:
        """Give every probability of every issued forecast, as `forecast.record.archive.archive_table` lays them out."""
        return self.track_record.table()

    def resolve(
        self, model: str | None = None, *, as_of: dt.date | str | None = None, now: dt.datetime | None = None
    ) -> Resolved:
        """Answer, by the rules, the questions of issued forecasts whose windows have closed by ``as_of`` (today).

        Those of ``model``, or of all models. The rules read the rows that were public on ``as_of``. Answers that are
        new or changed are recorded; an analyst's stand. Errors are those of `TrackRecord.resolve`.
        """
        now = now or self._clock()
        date = local_day(now) if as_of is None else read_date(as_of, "as of")
        return self.track_record.resolve(model, date, now, lambda of, day: self.entries(of, now=now, as_of=day))

    def overrule(  # noqa: PLR0913 - what an answer consists of
        self, outcome: str, date: dt.date | str, *, answer: str, reason: str, url: str,
        since: dt.date | str | None = None, model: str | None = None, now: dt.datetime | None = None,
    ) -> Resolution:  # fmt: skip
        """Answer a question by hand, "yes", "no" or "void", which stands against the rule's: `TrackRecord.overrule`."""
        return self.track_record.overrule(
            self.model(model), outcome, date, answer=answer, reason=reason, url=url, since=since,
            now=(at := now or self._clock()), entries=lambda of, day: self.entries(of, now=at, as_of=day),
        )  # fmt: skip

    def score(self, model: str | None = None) -> Score:
        """Score every probability that was issued of ``model`` and whose question is resolved."""
        return self.track_record.score(model)

    def write_report(self, report: dict[str, Any], words: str | None = None) -> Path:
        """Write a report to ``reports/<model>/<as-of>/``, as `Reports.write` does, under the project's lock."""
        with self.locked():
            return self.reports.write(report, words)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the project's lock, as every run does; `BusyError` at once if another run holds it."""
        return self.reports.locked(self._clock())

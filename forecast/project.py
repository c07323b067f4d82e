# pyright: reportMissingTypeStubs=false
# PyMC ships no types.
"""The project folder with models/, data/ and reports/: the face for programs, and what the command line calls."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import tomllib
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, wraps
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple

from forecast.errors import FaultsError, ForecastError, InputError, LedgerError, UntrustworthyError, nearest, read_date
from forecast.fitter import Fitter, Model
from forecast.publish import clear_drafts, make_folder, published, replace_file
from forecast.schedule import RunLock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import pandas as pd

    from forecast.backtest import Backtest
    from forecast.compare import Comparison, Week
    from forecast.evidence import Evidence
    from forecast.exchange import Row, Vocabulary
    from forecast.fit import Fit, Settings
    from forecast.ledger import Added, Entry, Issued, Ledger, Resolution
    from forecast.replay import Replay
    from forecast.resolve import Resolved, Stated
    from forecast.result import Forecast, ForecastPath, Policy
    from forecast.score import Score
    from forecast.update import Posterior

__all__ = ["Issue", "Project", "init", "open_project"]

FOLDERS = ("models", "data", "reports")


REPORT_DATA = "forecast.json"
REPORT_FILES = ("report.*", "*.svg", REPORT_DATA)  # names that files of a report have, in this version or another


def _locked[**P, R](method: Callable[Concatenate[Project, P], R]) -> Callable[Concatenate[Project, P], R]:
    """Let a method of a project hold its lock."""

    @wraps(method)
    def holding(self: Project, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.locked():
            return method(self, *args, **kwargs)

    return holding


class Issue(NamedTuple):
    """What `Project.run` gives: the archived forecast, its report data, and whether it is a new one."""

    issued: Issued
    report: dict[str, Any]
    folder: Path
    new: bool


class Project:
    """A folder with ``models/``, ``data/`` and ``reports/``; see `open_project`.

    Methods that write take ``now`` (aware, UTC); those that need not be told ask ``clock``.
    """

    def __init__(self, root: Path, clock: Callable[[], dt.datetime]) -> None:
        """Point at a folder that is a project."""
        self.root = root
        self._clock = clock
        self._models: dict[str, Model] = {}

    # Models.

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the model files, sorted."""
        return tuple(sorted(path.stem for path in (self.root / "models").glob("*.toml")))

    def model(self, name: str | None = None) -> Model:
        """Read a model; without a ``name``, the only one there is.

        Raises
        ------
        ModelFileError
            If the file has faults.
        InputError
            If there is no such model, or several and no name.

        """
        name = name or self._only_model()
        if name not in self._models:
            if name not in self.model_names:
                msg = f"{self.root / 'models'}: there is no model {name!r}; {nearest(name, self.model_names)}"
                raise InputError(msg)
            from forecast.modelfile import load_spec  # noqa: PLC0415 - not needed to read a forecast

            self._models[name] = Model(load_spec(self.root / "models" / f"{name}.toml"))
        return self._models[name]

    def _only_model(self) -> str:
        """Name the model that is meant without a name: the only one, or the only one that extends no other."""
        names = self.model_names
        kinds = {name: self._stands_alone(name) for name in names} if len(names) > 1 else dict.fromkeys(names, True)
        alone = [name for name in names if kinds[name]] or [name for name in names if kinds[name] is None]
        if len(alone) != 1:
            have = (
                f"there are {', '.join(names)}; name one with --model"
                if names
                else "there is none; see `forecast init`"
            )
            msg = f"{self.root / 'models'}: which model? {have}"
            raise InputError(msg)
        return alone[0]

    def _stands_alone(self, name: str) -> bool | None:
        """Whether a model file extends no other; none if that cannot be read.

        Only what stands above its tables is read, so these may be faulty.
        """
        try:
            text = (self.root / "models" / f"{name}.toml").read_text(encoding="utf-8", errors="replace")
            return "extends" not in tomllib.loads(re.split(r"^\s*\[\[?\w", text, maxsplit=1, flags=re.MULTILINE)[0])
        except (OSError, tomllib.TOMLDecodeError):
            return None

    # Evidence.

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, created on first use."""
        from forecast.ledger import Ledger  # noqa: PLC0415 - SQLAlchemy is slow to import

        return Ledger.open(self.root / "data" / "ledger.db")

    def dataset(self, model: Model, *, now: dt.datetime) -> str:
        """Name of the model's dataset, after its starter evidence has been taken into the ledger on first use."""
        name = model.spec.model.dataset
        self.ledger.seed_once(name, lambda: self._starter_rows(name, now), now=now)
        return name

    def entries(self, model: Model, *, now: dt.datetime, as_of: dt.date | None = None) -> tuple[Entry, ...]:
        """Ledger entries of the model's dataset in force, as public on ``as_of``."""
        return self.ledger.entries(self.dataset(model, now=now), as_of=as_of)

    def observe(self, model: Model, cells: dict[str, str], kind: str, *, now: dt.datetime) -> Added:
        """Record one row from the text of its ``cells``; ``kind`` is ``observation`` or ``coverage``."""
        from forecast.exchange import Row, check_entries  # noqa: PLC0415 - only where rows are written

        dataset = self.dataset(model, now=now)
        row = Row(file="this row", line=0, kind=kind, cells=cells)  # pyright: ignore[reportArgumentType]
        try:
            entries = check_entries([row], self.vocabulary(dataset, now))
        except LedgerError as error:  # there is one row, so its faults need not say where
            raise LedgerError(row.file, [fault.removeprefix(f"{row.file}: ") for fault in error.faults]) from None
        return self.ledger.add(dataset, entries, now=now)

    def import_rows(self, model: Model, path: Path, *, now: dt.datetime) -> Added:
        """Take the rows of a CSV or Excel file into the ledger, all or none."""
        from forecast.exchange import import_file  # noqa: PLC0415 - only where rows are written

        dataset = self.dataset(model, now=now)
        return import_file(self.ledger, dataset, path, self.vocabulary(dataset, now), now)

    def vocabulary(self, dataset: str, now: dt.datetime) -> Vocabulary:
        """Say what rows of ``dataset`` may name: what any of its models knows."""
        from forecast.exchange import Vocabulary  # noqa: PLC0415 - only where rows are written

        specs = [spec for name in self.model_names if (spec := self.model(name).spec).model.dataset == dataset]
        states: dict[str, tuple[str, ...]] = {}
        for spec in specs:
            for name, stage in spec.stages.items():
                states[name] = tuple(dict.fromkeys((*states.get(name, ()), *stage.states)))
        return Vocabulary(
            indicators=frozenset(name for spec in specs for name in spec.indicators),
            states=states,
            start=min(spec.model.start for spec in specs),
            today=now.date(),
        )

    def _starter_rows(self, dataset: str, now: dt.datetime) -> list[Entry]:
        from forecast.exchange import check_entries, read_rows  # noqa: PLC0415 - only where rows are written

        rows: list[Row] = []
        for path in sorted((self.root / "data" / dataset).glob("*.csv")):
            rows += read_rows(path)
        return check_entries(rows, self.vocabulary(dataset, now))

    # Forecasts.

    def fit(  # noqa: PLR0913 - what a fit depends on
        self, model: Model, as_of: dt.date, settings: Settings, *, now: dt.datetime, accept_bad: bool = False,
        on_stage: Callable[[str], None] = lambda _: None, on_draw: Callable[[int, int], None] | None = None,
    ) -> tuple[Fit, Evidence]:  # fmt: skip
        """Fit the model to the evidence as of a date, or load the fit if this very one was made before.

        Raises
        ------
        UntrustworthyError
            If the fit fails its checks and ``accept_bad`` is false. It is kept, so that accepting it costs nothing.

        """
        watermark, entries = self._known(model, as_of, now)
        evidence = model.evidence(entries, as_of)
        fitter = Fitter(model, self.fits(model), self._issued, settings, watermark, now, accept_bad, on_stage, on_draw)
        return fitter.fit(evidence), evidence

    def _given(
        self, model: Model | str | None, as_of: dt.date | str | None, now: dt.datetime | None
    ) -> tuple[Model, dt.date, dt.datetime]:
        """Fill in what was left out: the only model, today, and the time that it is."""
        now = now or self._clock()
        model = model if isinstance(model, Model) else self.model(model)
        return model, now.date() if as_of is None else read_date(as_of, "as of"), now

    def _issued(self, name: str) -> set[str]:
        """Fits that the archive names for a model."""
        return {row.fit for row in self.ledger.forecasts(name)}

    def _known(self, model: Model, as_of: dt.date, now: dt.datetime) -> tuple[int, tuple[Entry, ...]]:
        dataset = self.dataset(model, now=now)
        watermark = self.ledger.watermark(dataset)
        return watermark, self.ledger.entries(dataset, as_of=as_of, watermark=watermark)

    def fits(self, model: Model) -> Path:
        """Folder of the fits of the model's dataset."""
        return self.root / "data" / model.spec.model.dataset / "fits"

    def update(  # noqa: PLR0913 - what an update depends on
        self, model: Model | str | None = None, *, as_of: dt.date | str | None = None, refit: Policy = "auto",
        settings: Settings | None = None, now: dt.datetime | None = None, accept_bad: bool = False,
        on_stage: Callable[[str], None] = lambda _: None, on_draw: Callable[[int, int], None] | None = None,
    ) -> Forecast:  # fmt: skip
        """Forecast from the evidence as of a date (today by default): by reweighting draws, or by a new fit if needed.

        ``refit`` is "auto" (if the gate is shut), "never" (then the result says so) or "always"; ``settings`` are those
        of a new fit. Nothing is issued. The result can be asked `Forecast.what_if` and `Forecast.do`.

        Raises
        ------
        UntrustworthyError
            If a new fit fails its checks and ``accept_bad`` is false.
        InputError
            If something that was given cannot be used, or the evidence is impossible.

        """
        from forecast.asking import Asked  # noqa: PLC0415 - not needed to read a forecast
        from forecast.fit import Settings  # noqa: PLC0415

        model, date, now = self._given(model, as_of, now)
        watermark, entries = self._known(model, date, now)
        settings = settings or Settings()
        fitter = Fitter(model, self.fits(model), self._issued, settings, watermark, now, accept_bad, on_stage, on_draw)
        found = fitter.update(model.evidence(entries, date), refit, prior=True)
        dataset, name = model.spec.model.dataset, model.spec.name
        known = self._known_on(dataset, watermark)
        asked = Asked(found, entries, fitter, known, lambda: self.ledger.forecasts(name))
        return replace(found.forecast(), _source=asked)

    def _known_on(self, dataset: str, watermark: int) -> Callable[[dt.date, int | None], tuple[Entry, ...]]:
        """Give the rows as of a day, as they are in the ledger now or were at an earlier watermark."""
        return lambda day, mark: self.ledger.entries(dataset, as_of=day, watermark=watermark if mark is None else mark)

    def shown(self, model: Model, forecast: Forecast, *, now: dt.datetime) -> dict[str, Any]:
        """Give what the terminal shows of a forecast that was not issued."""
        from forecast.fit import load_record  # noqa: PLC0415 - not needed to read a forecast
        from forecast.ledger import Coverage  # noqa: PLC0415
        from forecast.report import forecast_data  # noqa: PLC0415
        from forecast.update import PRIOR  # noqa: PLC0415

        entries = self.entries(model, now=now, as_of=forecast.as_of)
        anchor = forecast.trust.anchor
        learned = () if anchor == PRIOR else load_record(self.fits(model) / f"{anchor}.nc").learned
        evidence = model.evidence(entries, forecast.as_of)
        watched = any(isinstance(row, Coverage) for row in entries)
        return forecast_data(model.spec, evidence, learned, forecast, watched=watched)

    def path(  # noqa: PLR0913 - what the path depends on
        self, model: Model | str | None = None, *, as_of: dt.date | str | None = None, refit: Policy = "auto",
        settings: Settings | None = None, now: dt.datetime | None = None, accept_bad: bool = False,
        on_stage: Callable[[str], None] = lambda _: None, on_draw: Callable[[int, int], None] | None = None,
    ) -> ForecastPath:  # fmt: skip
        """Forecast as would have been done at the end of each step since the start, from what was known that day.

        Goes forward from the prior, and fits where the gate is shut; the parameters are `update`'s.

        Raises
        ------
        UntrustworthyError
            If a new fit fails its checks and ``accept_bad`` is false.
        InputError
            If something that was given cannot be used, or the evidence is impossible.

        """
        from forecast.evidence import step_days  # noqa: PLC0415 - not needed to read a forecast
        from forecast.fit import Settings  # noqa: PLC0415
        from forecast.result import ForecastPath  # noqa: PLC0415

        model, last, now = self._given(model, as_of, now)
        dataset = self.dataset(model, now=now)
        watermark = self.ledger.watermark(dataset)
        settings = settings or Settings()
        fitter = Fitter(model, self.fits(model), self._issued, settings, watermark, now, accept_bad, on_stage, on_draw)
        days = step_days(model.space, last).cumsum().tolist()
        found: list[Forecast] = []
        for k, day in enumerate(days):
            on_stage(f"week {k + 1} of {len(days)}")
            date = model.spec.model.start + dt.timedelta(days=day - 1)
            entries = self.ledger.entries(dataset, as_of=date, watermark=watermark)
            found.append(fitter.update(model.evidence(entries, date), refit, prior=True).forecast())
        return ForecastPath(model.spec.name, tuple(found), fitter.made)

    def compare(  # noqa: PLR0913 - what a comparison depends on
        self, names: Sequence[str], *, as_of: dt.date | str | None = None, refit: Policy = "auto",
        settings: Settings | None = None, now: dt.datetime | None = None, accept_bad: bool = False,
        on_stage: Callable[[str], None] = lambda _: None, on_draw: Callable[[int, int], None] | None = None,
    ) -> Comparison:  # fmt: skip
        """Set rival models beside each other: forecasts, how well each foresaw each week's evidence, and their pool.

        Each week is scored by what the model knew before it. The other parameters are `update`'s.

        Raises
        ------
        UntrustworthyError
            If a new fit fails its checks and ``accept_bad`` is false.
        InputError
            If there are fewer than two models or they do not speak of the same things.

        """
        from forecast.compare import compare, score_week  # noqa: PLC0415 - not needed to read a forecast

        if len(set(names)) < max(len(names), 2):
            msg = f"to compare models takes two or more different ones, got {', '.join(names) or 'none'}"
            raise InputError(msg)
        replay = self._replay([self.model(name) for name in names], as_of, now, settings, accept_bad, on_stage, on_draw)
        found: dict[str, Posterior] = {}
        weeks: list[Week] = []
        for evidences, update in replay.weeks(refit):
            if found:
                scores = {name: score_week(found[name], evidences[name]) for name in names}
                weeks.append(replay.week(found[names[0]].evidence, evidences[names[0]], scores))
            found = update()
        return compare(found, weeks, replay.frozen, replay.fits)

    def backtest(  # noqa: PLR0913 - what a back-test depends on
        self, model: Model | str | None = None, rivals: Sequence[str] = (), *, as_of: dt.date | str | None = None,
        refit: Policy = "auto", settings: Settings | None = None, now: dt.datetime | None = None,
        accept_bad: bool = False, on_stage: Callable[[str], None] = lambda _: None,
        on_draw: Callable[[int, int], None] | None = None,
    ) -> Backtest:  # fmt: skip
        """Score a model on each week's evidence by what was known before it, beside naive forecasters and ``rivals``.

        Everyone is scored on the same cells; see `forecast.backtest`. The other parameters are `update`'s.

        Raises
        ------
        UntrustworthyError
            If a new fit fails its checks and ``accept_bad`` is false.
        InputError
            If there is no week to score, or a rival does not speak of the same things.

        """
        from forecast.backtest import NAIVE, Backtest, Naive  # noqa: PLC0415
        from forecast.compare import score_week  # noqa: PLC0415

        first = model if isinstance(model, Model) else self.model(model)
        models = {one.spec.name: one for one in (first, *(self.model(name) for name in rivals))}
        name = first.spec.name
        replay = self._replay(list(models.values()), as_of, now, settings, accept_bad, on_stage, on_draw)
        found: dict[str, Posterior] = {}
        naive: Naive | None = None
        weeks: list[Week] = []
        for evidences, update in replay.weeks(refit):
            if found:
                before, after = found[name].evidence, evidences[name]
                naive = naive or Naive(first.prior(1, self.fits(first), after))
                scores = {one: score_week(found[one], evidences[one]) for one in models} | naive.score(before, after)
                weeks.append(replay.week(before, after, scores))
            found = update()
        if not weeks:
            msg = f"no week of {name!r} can be scored yet: it has run for one step; test as of a later day"
            raise InputError(msg)
        others = (*NAIVE, *list(models)[1:])
        return Backtest(name, replay.last, replay.frozen, others, tuple(weeks), replay.fits)

    def require_comparable(self, names: Sequence[str]) -> None:
        """Make sure that models speak of the same things; see `forecast.compare.require_comparable`."""
        from forecast.compare import require_comparable  # noqa: PLC0415 - not needed to read a forecast

        require_comparable([self.model(name).space for name in names])

    def _replay(  # noqa: PLR0913, PLR0917 - what an update depends on
        self, models: Sequence[Model], as_of: dt.date | str | None, now: dt.datetime | None,
        settings: Settings | None, accept_bad: bool, on_stage: Callable[[str], None],  # noqa: FBT001
        on_draw: Callable[[int, int], None] | None,
    ) -> Replay:  # fmt: skip
        """Get ready to go through the weeks again with ``models``, which must be comparable."""
        from forecast.fit import Settings  # noqa: PLC0415 - not needed to read a forecast
        from forecast.replay import Replay  # noqa: PLC0415

        first, last, now = self._given(models[0], as_of, now)
        self.require_comparable([model.spec.name for model in models])
        dataset = self.dataset(first, now=now)
        watermark = self.ledger.watermark(dataset)
        settings = settings or Settings()
        known = self._known_on(dataset, watermark)
        fitters = {
            model.spec.name: Fitter(
                model, self.fits(model), self._issued, settings, watermark, now, accept_bad, on_stage, on_draw
            )
            for model in models
        }
        return Replay(fitters, lambda day: known(day, None), last, on_stage)

    @_locked
    def run(  # noqa: PLR0913 - what a run depends on
        self, model: Model, as_of: dt.date, settings: Settings, *, now: dt.datetime, refit: Policy = "auto",
        accept_bad: bool = False, on_stage: Callable[[str], None] = lambda _: None,
        on_draw: Callable[[int, int], None] | None = None, on_issue: Callable[[], None] = lambda: None,
    ) -> Issue:  # fmt: skip
        """Do the main job: update, fit when due, forecast, archive, write the report.

        What would say the same as the last forecast as of that date issues nothing new; its report is written again.
        What is issued rests on a fit, never on draws from the prior. ``on_issue`` is called when all is ready and
        nothing is issued yet; an error that it raises stops the run.

        Raises
        ------
        BusyError
            If another run holds the project's lock.
        UntrustworthyError
            If the numbers cannot be trusted, or a new fit fails its checks, and ``accept_bad`` is false.
        InputError
            If the evidence is impossible or something cannot be read or written; nothing is issued then.

        """
        from forecast.asking import Asked  # noqa: PLC0415 - not needed to read a forecast
        from forecast.brief import brief, sum_up  # noqa: PLC0415 - only where a report is written
        from forecast.fit import load_record  # noqa: PLC0415 - slow to import
        from forecast.ledger import Issued  # noqa: PLC0415 - SQLAlchemy is slow to import
        from forecast.predict import week_path  # noqa: PLC0415
        from forecast.report import report_data, same_report  # noqa: PLC0415 - only where a report is written

        watermark, entries = self._known(model, as_of, now)
        evidence = model.evidence(entries, as_of)
        earlier = [row for row in self.ledger.forecasts(model.spec.name) if row.as_of == as_of]
        fitter = Fitter(model, self.fits(model), self._issued, settings, watermark, now, accept_bad, on_stage, on_draw)
        same = earlier and (earlier[-1].evidence_hash, earlier[-1].model_hash) == (evidence.hash, model.spec.hash)
        found = fitter.update(evidence, refit, prior=False, first=earlier[-1].fit if same else None)
        on_stage("forecasting")
        if not (found.trust.trusted or accept_bad):
            raise _untrustworthy(model, found)
        record = load_record(self.fits(model) / f"{found.anchor.name}.nc")
        past = week_path(model.space, evidence, found.anchor.blocks, found.weights.values)
        core = report_data(
            model.spec, evidence, entries, record, found.forecast(), past, watermark=watermark, issued_at=now
        )
        core = json.loads(json.dumps(core))
        if earlier and same_report(before := json.loads(earlier[-1].content), core):
            return Issue(earlier[-1], before, self.write_report(before), new=False)
        on_stage("explaining")
        dataset, issues = model.spec.model.dataset, self.ledger.forecasts(model.spec.name)
        asked = Asked(found, entries, fitter, self._known_on(dataset, watermark), lambda: issues)
        last = json.loads(issues[-1].content) if issues else None
        report = json.loads(json.dumps(core | brief(asked, last)))
        report |= json.loads(json.dumps(sum_up(report, last, self.score(model.spec.name))))
        with self._report_ready(report) as folder:
            on_issue()
            issued = self.ledger.archive(
                Issued(
                    model=model.spec.name,
                    as_of=as_of,
                    issued_at=now,
                    evidence_hash=evidence.hash,
                    model_hash=model.spec.hash,
                    fit=record.id,
                    watermark=watermark,
                    content=json.dumps(report, ensure_ascii=False),
                )
            )
        return Issue(issued, report, folder, new=True)

    def latest(self, name: str | None = None) -> dict[str, Any]:
        """Report data of the forecast issued last, of model ``name`` or of any.

        Raises
        ------
        InputError
            If there is none yet.

        """
        issued = self.ledger.latest_forecast(name)
        if issued is None:
            which = f"model {name!r}" if name else "this project"
            msg = f"{which} has no forecast yet; run `forecast run`"
            if name and name not in self.model_names:
                msg = f"{self.root / 'models'}: there is no model {name!r}; {nearest(name, self.model_names)}"
            raise InputError(msg)
        return json.loads(issued.content)

    def archive(self) -> pd.DataFrame:
        """Give every probability of every issued forecast, as `forecast.hub.archive_table` lays them out."""
        from forecast.hub import archive_table  # noqa: PLC0415 - not needed to read a forecast

        return archive_table(self.ledger.forecasts())

    # Track record.

    def resolve(
        self, model: str | None = None, *, as_of: dt.date | str | None = None, now: dt.datetime | None = None
    ) -> Resolved:
        """Answer, by the rules, the questions of issued forecasts whose windows have closed by ``as_of`` (today).

        Those of ``model``, or of all models. The rules read the rows that were public on ``as_of``. Answers that are
        new or changed are recorded; an analyst's stand.

        Raises
        ------
        InputError
            If there is no such model, or ``as_of`` is in the future.

        """
        from forecast.resolve import Resolved, answers_by_rule, closes, stated  # noqa: PLC0415 - SQLAlchemy is slow

        now = now or self._clock()
        date = now.date() if as_of is None else read_date(as_of, "as of")
        if date > now.date():
            msg = f"as of {date} nothing is known yet, for it is in the future; give a day until today, {now.date()}"
            raise InputError(msg)
        rows = stated(self.ledger.forecasts(self._scored(model) if model else None))
        answers: list[Resolution] = []
        left: list[Stated] = []
        waiting: set[object] = set()
        newest: dict[str, dt.date] = {}
        for name in dict.fromkeys(row.model for row in rows):
            of = self.model(name) if name in self.model_names else None
            days = {row: closes(row.date, of.spec if of else None) for row in rows if row.model == name}
            closed = [row for row, day in days.items() if day <= date]
            waiting |= {row.question for row, day in days.items() if day > date}
            if of is None:
                left += closed
            elif closed:
                entries = self.entries(of, now=now, as_of=date)
                newest[name] = max((row.reported_on for row in entries), default=dt.date.min)
                found, others = answers_by_rule(of.space, entries, closed, date, now)
                answers += found
                left += others
        recorded = self.ledger.resolve(answers)
        known = {row.question for row in self.ledger.resolutions(model)}
        return Resolved(
            as_of=date,
            recorded=recorded,
            silent=sum(row.date > newest[row.model] for row in recorded),
            answered=len(known),
            open=len(waiting - known),
            left=tuple(row for row in left if row.question not in known),
        )

    def overrule(  # noqa: PLR0913 - what an answer consists of
        self, outcome: str, date: dt.date | str, *, answer: str, reason: str, url: str,
        since: dt.date | str | None = None, model: str | None = None, now: dt.datetime | None = None,
    ) -> Resolution:  # fmt: skip
        """Answer a question by hand: ``answer`` is "yes", "no" or "void". It stands against any rule.

        Whether the rule of ``outcome`` was met on ``date`` or, with ``since``, the date of a forecast, on any day after
        that one up to ``date``.

        Raises
        ------
        InputError
            If no issued forecast asks this, its window has not closed, it has this very answer already, or the answer,
            its reason or its link cannot be used.

        """
        from forecast.resolve import overruled, stated  # noqa: PLC0415 - SQLAlchemy is slow to import

        of, now = self.model(model), now or self._clock()
        day, start = read_date(date, "date"), None if since is None else read_date(since, "since")
        issued = stated(self.ledger.forecasts(of.spec.name))
        answered = overruled(of.spec, issued, outcome, day, start, answer=answer, reason=reason, url=url, now=now)
        recorded = self.ledger.resolve([answered])
        if not recorded:
            msg = f"{outcome!r} on {day} has this very answer already, {answer!r} with the same reason and link"
            raise InputError(msg)
        return recorded[0]

    def score(self, model: str | None = None) -> Score:
        """Score every probability that was issued of ``model`` and whose question is resolved.

        Raises
        ------
        InputError
            If there is no such model.

        """
        from forecast.resolve import stated  # noqa: PLC0415 - SQLAlchemy is slow to import
        from forecast.score import score  # noqa: PLC0415

        name = self._scored(model)
        issues = self.ledger.forecasts()
        answers = {row.question: row for row in self.ledger.resolutions(name)}
        said = stated(issues)
        return score(
            name, sum(row.model == name for row in issues), (row for row in said if row.model == name), answers,
            rivals=(row for row in said if row.model != name),
        )  # fmt: skip

    def _scored(self, name: str | None) -> str:
        """Name a model that has a file, or has been issued."""
        name = name or self._only_model()
        if name not in self.model_names and self.ledger.latest_forecast(name) is None:
            msg = f"{self.root / 'models'}: there is no model {name!r}; {nearest(name, self.model_names)}"
            raise InputError(msg)
        return name

    def issued_report(self, model: Model, as_of: dt.date | None) -> dict[str, Any]:
        """Report data of the forecast issued last, as of a day or of any.

        Raises
        ------
        InputError
            If there is none.

        """
        issues = self.ledger.forecasts(model.spec.name)
        found = [row for row in issues if as_of is None or row.as_of == as_of]
        if not found:
            have = f"; there are {issues[0].as_of} to {issues[-1].as_of}" if issues else "; run `forecast run`"
            when = f" as of {as_of}" if as_of else ""
            msg = f"no forecast of {model.spec.name!r} has been issued{when}{have}"
            raise InputError(msg)
        return json.loads(found[-1].content)

    @_locked
    def write_report(self, report: dict[str, Any]) -> Path:
        """Write a report to ``reports/<model>/<as-of>/``; what other files of a report are there is deleted.

        Raises
        ------
        BusyError
            If another run holds the project's lock.
        InputError
            If the report cannot be rendered or written; the last one stays as it was.

        """
        with self._report_ready(report) as folder:
            return folder

    @contextmanager
    def _report_ready(self, report: dict[str, Any]) -> Generator[Path]:
        """Write the report beside its place, and put it there when the block has done its work.

        So what cannot be written is never issued, and what is to be seen has been issued.
        """
        from forecast.page import render_files  # noqa: PLC0415 - only where a report is written

        folder = self._folder(report)
        self._index()  # a faulty template is found before anything is issued
        with published(folder, render_files(report, self._templates), REPORT_FILES):
            yield folder
        self.write_index()

    def _folder(self, report: dict[str, Any]) -> Path:
        return self.root / "reports" / report["model"]["name"] / report["forecast"]["as_of"]

    @property
    def _templates(self) -> list[Path]:
        """Folders of the templates: the project's own, and for what it lacks those that come with the package."""
        return [root / "reports" / "templates" for root in (self.root, _starter())]

    def write_index(self) -> Path:
        """Write ``reports/index.html``, which lists every model and issue.

        Raises
        ------
        InputError
            If it cannot be rendered or written.

        """
        path = self.root / "reports" / "index.html"
        make_folder(path.parent)
        replace_file(path, self._index())
        return path

    def _index(self) -> bytes:
        from forecast.index import index_data, render_index  # noqa: PLC0415 - only where a report is written

        return render_index(index_data(self.ledger.forecasts()), self._templates).encode()

    # One run at a time.

    @cached_property
    def _lock(self) -> RunLock:
        return RunLock(self.root / "reports" / "run.lock")

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the project's lock, as every run does; what a killed run left half done is cleared up first.

        Raises
        ------
        BusyError
            At once, if another run holds it.

        """
        with self._lock.held(self._clock()) as first:
            if first:
                clear_drafts(self.root)
                self._put_in_place()
            yield

    def _put_in_place(self) -> None:
        """Write the report of the forecast issued last if its run was killed before it could."""
        if not (self.root / "data" / "ledger.db").exists():
            return
        with suppress(ForecastError):  # whatever is wrong, the run that comes now meets it or does not need it
            report = self.latest()
            try:
                shown = json.loads((self._folder(report) / REPORT_DATA).read_bytes())
            except (OSError, ValueError):
                shown = None
            if shown != report:
                self.write_report(report)


def _untrustworthy(model: Model, found: Posterior) -> UntrustworthyError:
    return UntrustworthyError(
        f"the forecast of {model.spec.name!r} as of {found.evidence.as_of} cannot be trusted: "
        f"{'; '.join(found.trust.reasons)}; sample more (--tune, --draws), or look at it anyway with --accept-bad-fit"
    )


def open_project(path: str | Path, clock: Callable[[], dt.datetime]) -> Project:
    """Open the project folder at ``path``; ``clock`` says what time it is (aware, UTC).

    Raises
    ------
    InputError
        If it is not one: a project has a ``models`` folder.

    """
    root = Path(path).resolve()
    if not (root / "models").is_dir():
        msg = f"{root}: is not a project folder (it has no models/); make one with `forecast init DIR`"
        raise InputError(msg)
    return Project(root, clock)


def init(path: str | Path) -> list[Path]:
    """Lay out a project folder with the reference model and its starter evidence; gives the files written.

    Raises
    ------
    FaultsError
        If any of the files is there already; nothing is written then.

    """
    root = Path(path).resolve()
    source = _starter()
    wanted = [
        *sorted((source / "models").glob("*.toml")),
        *sorted((source / "data").glob("*/*.csv")),
        *sorted((source / "reports" / "templates").glob("*")),
    ]
    targets = [root / file.relative_to(source) for file in wanted]
    taken = [target for target in targets if target.exists()]
    if taken:
        raise FaultsError(str(root), [f"{file}: is there already; choose an empty folder" for file in taken])
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for file, target in zip(wanted, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as error:
        msg = f"{root}: cannot be written: {error.strerror}; choose a folder you may write to"
        raise InputError(msg) from error
    return targets


def _starter() -> Path:
    """Where the reference model and its starter evidence lie: in the installed package, or in the source tree."""
    package = Path(str(files("forecast")))
    packed = package / "_starter"
    return packed if packed.is_dir() else package.parent

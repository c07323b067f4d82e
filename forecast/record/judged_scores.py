"""Scores of analysts and of their pools beside the model, on the same questions at the same time."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.shown import Shown
from forecast.quantities.estimate import FORMAT
from forecast.record import bias_noise as bin_model
from forecast.record import pooling
from forecast.record.judgements import ModelNumbers, by_question, standing
from forecast.record.scores import CLUSTERS, beside, brier_and_log, numbered, quarter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from forecast.engine.arrays import Floats
    from forecast.ledger.issued import Resolution
    from forecast.ledger.judgements import Judgement
    from forecast.record.questions import Stated
    from forecast.record.scores import Against


type Which = Literal["first", "last", "averaged"]
READINGS: tuple[Which, ...] = ("first", "last", "averaged")
MODEL = "the model"
POOL, WITH_MODEL = "analysts pooled", "analysts and model pooled"
SEED = 1
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Reading:
    """Mean scores of a forecaster's ``first`` judgements made blind, of its ``last`` ones, or ``averaged`` over days.

    ``against`` is the model on those questions of which it said something at the same time; None where there is none.
    """

    which: Which
    questions: int
    yes: int
    clusters: int
    brier: float
    log: float
    against: Against | None


@dataclass(frozen=True)
class Forecaster:
    """An analyst or a pool: how many ``judgements`` of how many resolved ``questions``, and their scores.

    ``factor`` is what a pool's mean log-odds are multiplied with now; in its scores each question has the one that the
    questions of other clusters teach. ``parts`` are an analyst's bias, information and noise, from ``blind`` first
    judgements of resolved questions; None where there are too few.
    """

    name: str
    pool: bool
    judgements: int
    questions: int
    blind: int
    readings: tuple[Reading, ...]
    factor: float | None = None
    parts: bin_model.BiasNoise | None = None

    @property
    def with_model(self) -> bool:
        """Whether it is the pool with the model."""
        return self.pool and self.name == WITH_MODEL

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        last = next((row for row in self.readings if row.which == "last"), None)
        if last is None:
            return ()
        lines = [
            f"{self.name}, last judgements: Brier score {last.brier:.3f}, log score {last.log:.3f} nats, on "
            f"{prose.count(last.questions, 'question')}, {last.yes} of them answered yes. "
            + (last.against.sentence if last.against else "The model had no number for them at the time.")
        ]
        if self.parts:
            lines.append(f"{self.name}: {self.parts.sentence}.")
        elif not self.pool:
            enough = self.blind >= bin_model.ENOUGH
            few = f"too few to tell, {self.blind} of {bin_model.ENOUGH} resolved questions judged blind"
            lines.append(f"{self.name}, bias and noise: {'not told by these judgements' if enough else few}.")
        return tuple(lines)


@dataclass(frozen=True, repr=False)
class JudgedScore(Shown):
    """How analysts fared beside a model: ``judgements`` of ``judged`` questions, of which some are ``resolved``.

    ``void`` ones fell through. ``forecasters`` are the analysts by name, then the pools without and with the model.
    """

    model: str
    judgements: int
    judged: int
    resolved: int
    void: int
    forecasters: tuple[Forecaster, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        analysts = sum(not one.pool for one in self.forecasters)
        by = f" by {prose.count(analysts, 'analyst')}" if analysts else ""
        void = f", {self.void} void" if self.void else ""
        made, of = prose.count(self.judgements, "judgement"), prose.count(self.judged, "question")
        lines = [f"{made} of {of} of {self.model}{by}; {self.resolved} resolved{void}."]
        for one in self.forecasters:
            lines += one.sentences
        lines += self._of_factors()
        return tuple(lines)

    @property
    def pooled(self) -> tuple[str, ...]:
        """Say how analysts did together beside the model, on resolved questions alone; nothing where there are none.

        Of open questions nothing is said, for who has not judged yet shall be blind.
        """
        own = next((one for one in self.forecasters if one.pool and not one.with_model), None)
        return tuple(f"{text[:1].upper()}{text[1:]}" for text in own.sentences[:1]) if own else ()

    def _of_factors(self) -> Iterator[str]:
        for one in self.forecasters:
            if one.factor is not None and one.questions:
                few = f"as they are: a factor is learned from {pooling.ENOUGH} resolved questions on"
                how = few if one.questions < pooling.ENOUGH else f"times {one.factor:.2f}, as resolved questions teach"
                yield f"{one.name}: the mean of log-odds {how}; there are {one.questions}."

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a forecaster and reading.

        Columns forecaster, pool, reading, questions, yes, clusters, brier, log, then the model beside it on
        model_questions: model_brier, model_log, brier_difference, brier_error, log_difference, log_error.
        """
        rows = [
            [one.name, one.pool, row.which, row.questions, row.yes, row.clusters, row.brier, row.log, *_beside(row)]
            for one in self.forecasters for row in one.readings
        ]  # fmt: skip
        return base.frame(rows, [], COLUMNS, **dict.fromkeys(COLUMNS[9:], "float64"))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "judgements": self.judgements,
            "judged": self.judged,
            "resolved": self.resolved,
            "void": self.void,
            "forecasters": [_plain(one) for one in self.forecasters],
            "needed": {"clusters": CLUSTERS, "factor": pooling.ENOUGH, "parts": bin_model.ENOUGH},
            "sentences": list(self.sentences),
        }


COLUMNS = (
    "forecaster", "pool", "reading", "questions", "yes", "clusters", "brier", "log", "model_questions", "model_brier",
    "model_log", "brier_difference", "brier_error", "log_difference", "log_error",
)  # fmt: skip


def _beside(row: Reading) -> list[float | None]:
    if (other := row.against) is None:
        return [0, *[None] * 6]
    differences = [other.brier_difference, other.brier_error, other.log_difference, other.log_error]
    return [other.questions, other.brier, other.log, *differences]


def _plain(one: Forecaster) -> dict[str, Any]:
    parts = None
    if one.parts:
        named = ("bias", "information", "noise", "noise_share")
        parts = {name: getattr(one.parts, name)._asdict() for name in named}
        parts |= {"questions": one.parts.questions, "biased": one.parts.biased, "noisy": one.parts.noisy}
    verdicts = {row.which: row.against.verdict if row.against else None for row in one.readings}
    readings = [asdict(row) | {"verdict": verdicts[row.which]} for row in one.readings]
    return {**asdict(one), "readings": readings, "parts": parts, "sentences": list(one.sentences)}


# Scoring.


class Case(NamedTuple):
    """A question with its answer, what analysts said of it, and what the model did."""

    stated: Stated
    answer: bool
    judgements: Mapping[str, tuple[Judgement, ...]]
    numbers: ModelNumbers

    def model(self, day: dt.date) -> float | None:
        """Give what the model said of it on a day."""
        found = self.numbers.on(self.stated, day)
        return found.probability if found else None

    def said(self, day: dt.date) -> list[float]:
        """Give what analysts held on a day."""
        rows = (standing(rows, day) for rows in self.judgements.values())
        return [row.probability for row in rows if row is not None]


class One(NamedTuple):
    """What one question adds to a reading: ``probability`` and the model's, by day, and the cluster."""

    case: Case
    probabilities: tuple[float, ...]
    models: tuple[float | None, ...]
    cluster: tuple[int, int]


def score_judgements(
    model: str, said: Sequence[Stated], resolutions: Iterable[Resolution], judgements: Sequence[Judgement]
) -> JudgedScore:
    """Score the ``judgements`` of a model's questions, in the order of recording, beside what the model ``said``.

    What is void, or was met already when it was asked, has no score; an answer by rule counts where the question was
    asked in its words, as in `forecast.record.scores.score`.
    """
    judgements = [row for row in judgements if row.recorded_at.date() <= row.date]
    found, answers = by_question(judgements), {row.question: row for row in resolutions}
    last, numbers = {row.question: row for row in said}, ModelNumbers(said)
    cases: list[Case] = []
    void = 0
    for question, by in found.items():
        asked, answer = last.get(question), answers.get(question)
        if asked is None or answer is None or asked.met_now:
            continue
        if answer.answer == "void":
            void += 1
        elif answer.by != "rule" or answer.reason == asked.rule:
            cases.append(Case(asked, answer.answer == "yes", by, numbers))
    analysts = [_analyst(name, cases, found) for name in sorted({row.analyst for row in judgements})]
    pools = [_pool(cases, judgements, with_model=both) for both in (False, True)] if cases else []
    return JudgedScore(
        model=model, judgements=len(judgements), judged=len(found), resolved=len(cases), void=void,
        forecasters=(*analysts, *pools),
    )  # fmt: skip


def _analyst(name: str, cases: Sequence[Case], found: Mapping[Any, Mapping[str, tuple[Judgement, ...]]]) -> Forecaster:
    own = [case for case in cases if name in case.judgements]
    readings: dict[Which, list[One]] = {which: [] for which in READINGS}
    for case in own:
        rows = case.judgements[name]
        if rows[0].blind:
            readings["first"].append(_at(case, rows[0].recorded_at.date(), rows[0].probability))
        readings["last"].append(_at(case, rows[-1].recorded_at.date(), rows[-1].probability))
        held = [(day, standing(rows, day)) for day in _days(case, rows)]
        readings["averaged"].append(_over(case, [(day, row.probability) for day, row in held if row]))
    blind = [(case.judgements[name][0].probability, case.answer) for case in own if case.judgements[name][0].blind]
    parts = None
    if blind:
        p, y = np.array(blind, dtype=np.float64).T
        parts = bin_model.bias_noise(p, y, np.random.default_rng(SEED))
    return Forecaster(
        name=name, pool=False, judgements=sum(len(by.get(name, ())) for by in found.values()), questions=len(own),
        blind=len(blind), readings=_readings(readings), parts=parts,
    )  # fmt: skip


def _pool(cases: Sequence[Case], judgements: Sequence[Judgement], *, with_model: bool) -> Forecaster:
    """Score a pool: at its ``last`` each analyst's last judgement counts, at its ``first`` those that came first."""
    kept: list[tuple[Case, dt.date]] = []
    for case in cases:
        day = max(rows[-1].recorded_at.date() for rows in case.judgements.values())
        if not with_model or case.model(day) is not None:
            kept.append((case, day))
    means = np.array([_mean(case, day, with_model=with_model) for case, day in kept], dtype=np.float64)
    answer = np.array([case.answer for case, _ in kept], dtype=np.float64)
    clusters = numbered([quarter(day) for _, day in kept])
    factors = pooling.factors_left_out(means, answer, clusters)
    readings: dict[Which, list[One]] = {which: [] for which in READINGS}
    for (case, day), factor, mean in zip(kept, factors.tolist(), means.tolist(), strict=True):
        readings["last"].append(_at(case, day, pooling.pooled(mean, factor)))
        first = [rows[0] for rows in case.judgements.values() if rows[0].blind]
        if first:
            when = max(row.recorded_at.date() for row in first)
            others = [p for p in (case.model(when),) if with_model and p is not None]
            if others or not with_model:
                at_first = pooling.mean_log_odds([*(row.probability for row in first), *others])
                readings["first"].append(_at(case, when, pooling.pooled(at_first, factor)))
        days = _days(case, [row for rows in case.judgements.values() for row in rows])
        means_of = [(day, _mean(case, day, with_model=with_model)) for day in days]
        over = [(day, pooling.pooled(mean, factor)) for day, mean in means_of if mean is not None]
        if over:
            readings["averaged"].append(_over(case, over))
    return Forecaster(
        name=WITH_MODEL if with_model else POOL, pool=True, judgements=len(judgements), questions=len(kept),
        blind=len(readings["first"]), readings=_readings(readings), factor=pooling.factor_of(means, answer),
    )  # fmt: skip


def _mean(case: Case, day: dt.date, *, with_model: bool) -> float | None:
    """Mean log-odds of what was held on a day; with the model only where it says something."""
    others = [case.model(day)] if with_model else []
    return None if None in others else pooling.mean_log_odds([*case.said(day), *(p for p in others if p is not None)])


def _days(case: Case, rows: Sequence[Judgement]) -> list[dt.date]:
    """Days from the first of judgements to the one before the question's date; that of the first in any case."""
    start = min(row.recorded_at.date() for row in rows)
    return [start + k * DAY for k in range(max((case.stated.date - start).days, 1))]


def _at(case: Case, day: dt.date, probability: float) -> One:
    return One(case, (probability,), (case.model(day),), quarter(day))


def _over(case: Case, held: Sequence[tuple[dt.date, float]]) -> One:
    return One(case, tuple(p for _, p in held), tuple(case.model(day) for day, _ in held), quarter(held[0][0]))


def _readings(readings: Mapping[Which, Sequence[One]]) -> tuple[Reading, ...]:
    return tuple(_reading(which, rows) for which, rows in readings.items() if rows)


def _reading(which: Which, rows: Sequence[One]) -> Reading:
    own = _means(rows, lambda row: row.probabilities)
    answer = np.array([row.case.answer for row in rows])
    both = [row for row in rows if any(p is not None for p in row.models)]
    against = None
    if both:
        same = _means(both, lambda row: tuple(
            p for p, other in zip(row.probabilities, row.models, strict=True) if other is not None
        ))  # fmt: skip
        model = _means(both, lambda row: tuple(p for p in row.models if p is not None))
        against = beside(MODEL, numbered([row.cluster for row in both]), same, model)
    return Reading(
        which=which, questions=len(rows), yes=int(answer.sum()), clusters=len({row.cluster for row in rows}),
        brier=float(own[0].mean()), log=float(own[1].mean()), against=against,
    )  # fmt: skip


def _means(rows: Sequence[One], said: Callable[[One], tuple[float, ...]]) -> tuple[Floats, Floats]:
    """Brier and log score of each question, averaged over the days that ``said`` gives of it."""
    each = [
        brier_and_log(np.array([pooling.within(p) for p in said(row)]), np.full(len(said(row)), float(row.case.answer)))
        for row in rows
    ]
    return np.array([brier.mean() for brier, _ in each]), np.array([log.mean() for _, log in each])

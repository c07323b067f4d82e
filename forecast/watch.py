# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pandas ships no types.
"""What to watch: how likely each indicator is to be seen, and what its being seen would teach about an outcome.

Each indicator is imagined to be watched for, alone, through the coming weeks. Not seeing it is evidence whose
probability every draw knows; seeing it is all the rest, so one evaluation answers both.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import words
from forecast.errors import InputError
from forecast.evaluate import evaluate
from forecast.evidence import DAYS_PER_YEAR, compile_evidence, step_days, steps_between
from forecast.hmm import chain_of
from forecast.ledger import Coverage, Observation, with_id
from forecast.result import FORMAT, Trust
from forecast.simulate import choose, simulate_counts, simulate_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.evaluate import Evaluation
    from forecast.hmm import Cells
    from forecast.ledger import Entry
    from forecast.question import Question
    from forecast.statespace import StateSpace
    from forecast.update import Posterior

    Floats = NDArray[np.float64]

__all__ = ["Sightings", "WatchList", "Watched", "expect_sightings", "watch_list"]

SEED = 1
TINY = 1e-300
LOW, HIGH = 0.05, 0.95
OVER = "it has happened already and is not expected again"


@dataclass(frozen=True)
class Watched:
    """One indicator: the ``chance`` that it is seen, the forecast ``if_seen`` and ``if_not``, what that would teach.

    ``gain`` is the expected information about the outcome in bits. Errors are Monte Carlo standard errors.
    """

    indicator: str
    label: str
    stage: str
    chance: float
    chance_mcse: float
    if_seen: float
    if_seen_mcse: float
    if_not: float
    if_not_mcse: float
    gain: float
    gain_mcse: float


@dataclass(frozen=True)
class WatchList:
    """Indicators by what watching for them until ``until`` would teach about ``outcome`` on ``date``.

    ``now`` is the probability if nobody looks. ``companion`` is the indicator that adds most to the first one, and
    ``companion_gain`` what both together would teach. ``left_out`` names indicators that need no watching, and why.
    """

    model: str
    outcome: str
    weeks: int
    date: dt.date
    as_of: dt.date
    until: dt.date
    now: float
    now_mcse: float
    rows: tuple[Watched, ...]
    companion: str | None
    companion_gain: float | None
    left_out: tuple[tuple[str, str], ...]
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """The top of the list in words."""
        name = words.spoken(self.outcome)
        now = words.chance(self.now, self.now_mcse)
        lines = [f"For {words.day(self.date)}, {name} stands at {now} if nothing more is learned."]
        labels = {row.indicator: row.label for row in self.rows}
        for row in self.rows[:3]:
            chance = words.chance(row.chance, row.chance_mcse)
            seen, silent = words.chance(row.if_seen, row.if_seen_mcse), words.chance(row.if_not, row.if_not_mcse)
            lines.append(
                f"{row.label}: the chance to see it by {words.day(self.until)} is {chance}; {name} would stand at "
                f"{seen} if it is seen, and at {silent} if somebody looks and it is not."
            )
        if self.companion and self.companion_gain is not None:
            lines.append(
                f"Watched together with {labels[self.companion]}, the first would teach "
                f"{words.bits(self.companion_gain)} instead of {words.bits(self.rows[0].gain)}."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an indicator, with the columns of `Watched`."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        return pd.DataFrame([asdict(row) for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            **asdict(self),
            **{name: getattr(self, name).isoformat() for name in ("date", "as_of", "until")},
            "rows": [asdict(row) for row in self.rows],
            "left_out": dict(self.left_out),
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }


def watch_list(question: Question, found: Posterior, entries: Sequence[Entry], weeks: int) -> WatchList:
    """Say what each indicator would teach if somebody watched for it through the coming ``weeks``.

    Raises
    ------
    InputError
        If ``weeks`` is less than 1 or more than the weeks to the day that is asked about.

    """
    if not 1 <= weeks <= question.weeks:
        msg = f"to watch through {weeks} weeks: give 1 to {question.weeks}, for the forecast looks no farther"
        raise InputError(msg)
    space, as_of = question.space, found.evidence.as_of
    until = as_of + dt.timedelta(weeks=weeks)
    silence = _silence(space, entries, as_of, until)
    look = _Look(question, found, silence, until)
    open_ = [k for k in range(len(space.indicators)) if (silence.what[:, 3] == k).any()]
    alone = {k: look.unseen([k]) for k in open_}
    rows = sorted((look.row(k, alone[k]) for k in open_), key=lambda row: -row.gain)
    companion, both = None, None
    if len(rows) > 1:
        first = space.indicators.index(rows[0].indicator)
        gains = {k: look.gain_of_two(alone[first], alone[k], look.unseen([first, k])) for k in open_ if k != first}
        best = max(gains, key=gains.__getitem__)
        companion, both = space.indicators[best], gains[best]
    return WatchList(
        model=space.spec.name,
        outcome=question.outcome,
        weeks=question.weeks,
        date=question.date,
        as_of=as_of,
        until=until,
        now=float(look.outcome @ look.weights),
        now_mcse=look.error(look.outcome),
        rows=tuple(rows),
        companion=companion,
        companion_gain=both,
        left_out=tuple((name, OVER) for k, name in enumerate(space.indicators) if k not in open_),
        trust=found.trust,
    )


def _silence(space: StateSpace, entries: Sequence[Entry], as_of: dt.date, until: dt.date) -> Cells:
    """Cells of the steps from ``as_of`` to ``until`` in which everybody looks and nothing is seen."""
    first = as_of + dt.timedelta(days=1)
    look = with_id(Coverage(indicator="*", from_=first, to=until, reported_on=as_of, source="imagined"))
    # what is known has happened, so a date that is exact to the month says nothing of the rest of that month
    known = [replace(row, precision="day") if isinstance(row, Observation) else row for row in entries]
    evidence = compile_evidence(space, known, as_of, [look])
    return steps_between(evidence.cells, step_days(space, as_of).size, evidence.steps)


def _advance(found: Posterior, silence: Cells, indicators: Sequence[int]) -> Evaluation:
    """Take the present states through the steps of ``silence``, in which only ``indicators`` are watched for."""
    here = np.isin(silence.what[:, 3], indicators)
    cells = silence._replace(what=silence.what[here], value=silence.value[here], observed=silence.observed[here])
    return evaluate(found.anchor.blocks, cells, start=found.evaluation.states)


class _Look:
    """Draws at ``as_of``, and what they say of silence up to ``until``; (S,) arrays are one number a draw."""

    def __init__(self, question: Question, found: Posterior, silence: Cells, until: dt.date) -> None:
        self._question = question
        self._found = found
        self._silence = silence
        self._until = until
        self.weights = found.weights.values
        self.outcome = self._read(_advance(found, silence, []))

    def _read(self, ahead: Evaluation) -> Floats:
        return self._question.read(self._found.anchor.blocks, np.nan_to_num(ahead.states), self._until)[0]

    def unseen(self, indicators: Sequence[int]) -> tuple[Floats, Floats]:
        """Probability that none of the indicators is seen, and of that together with the outcome; both (S,)."""
        ahead = _advance(self._found, self._silence, indicators)
        mass = np.exp(ahead.log_likelihood)
        return mass, mass * self._read(ahead)

    def error(self, values: Floats) -> float:
        """Monte Carlo standard error of a weighted mean of (S,) values."""
        moved = self.weights * (values - values @ self.weights)
        return math.sqrt(float(np.square(moved).sum()) / self._found.anchor.efficiency)

    def row(self, indicator: int, unseen: tuple[Floats, Floats]) -> Watched:
        """Say what one indicator would teach."""
        space = self._question.space
        name = space.indicators[indicator]
        spec = space.spec.indicators[name]
        none, both = unseen
        a, b, c = (float(part @ self.weights) for part in (both, none, self.outcome))
        seen, silent = _ratio(c - a, 1 - b), _ratio(a, b)
        # errors by linearisation; the slope of the gain follows from that of the entropies
        lean_seen, lean_silent = _log_odds(seen), _log_odds(silent)
        slopes = (
            (lean_seen - lean_silent) * both
            + (math.log2(max(1 - silent, TINY)) - math.log2(max(1 - seen, TINY))) * none
            + (_log_odds(c) - lean_seen) * self.outcome
        )
        return Watched(
            indicator=name,
            label=spec.label,
            stage=spec.stage,
            chance=1 - b,
            chance_mcse=self.error(none),
            if_seen=seen,
            if_seen_mcse=self.error((self.outcome - both) - seen * (1 - none)) / max(1 - b, TINY),
            if_not=silent,
            if_not_mcse=self.error(both - silent * none) / max(b, TINY),
            gain=_information([(a, b), (c - a, 1 - b)]),
            gain_mcse=self.error(slopes),
        )

    def gain_of_two(
        self, one: tuple[Floats, Floats], other: tuple[Floats, Floats], neither: tuple[Floats, Floats]
    ) -> float:
        """Bits that two indicators together would teach."""
        n1, n2, n12 = (float(part[0] @ self.weights) for part in (one, other, neither))
        a1, a2, a12 = (float(part[1] @ self.weights) for part in (one, other, neither))
        c = float(self.outcome @ self.weights)
        return _information(
            [(a12, n12), (a1 - a12, n1 - n12), (a2 - a12, n2 - n12), (c - a1 - a2 + a12, 1 - n1 - n2 + n12)]
        )


def _ratio(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0


def _log_odds(p: float) -> float:
    return math.log2(max(1 - p, TINY)) - math.log2(max(p, TINY))


def _entropy(p: float) -> float:
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


def _information(cases: Sequence[tuple[float, float]]) -> float:
    """Bits about an outcome from exclusive cases, each (probability with the outcome, probability)."""
    total = math.fsum(part for part, _ in cases)
    left = math.fsum(whole * _entropy(_ratio(part, whole)) for part, whole in cases if whole > 0)
    return max(_entropy(_ratio(total, 1.0)) - left, 0.0)


# Indicator forecasts.


@dataclass(frozen=True)
class Sightings:
    """How often each indicator should be seen in each coming week by one who always looks, if the theory is right.

    ``expected`` (W, I) are expectations in each of the model's weeks (``weeks`` are their last days; the first and the
    last may be cut), ``chance`` (W, I) the probability to be seen at all in the week; ``total``,
    ``low`` and ``high`` (I,) are the expected number in all weeks and its 90 % predictive interval, ``ever`` (I,) the
    probability to be seen at all. One-offs are seen once at most.
    """

    model: str
    as_of: dt.date
    weeks: tuple[dt.date, ...]
    indicators: tuple[str, ...]
    labels: Mapping[str, str]
    expected: Floats
    chance: Floats
    total: Floats
    low: Floats
    high: Floats
    ever: Floats
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """The likeliest sightings in words."""
        order = np.argsort(-self.ever, kind="stable")[:3]
        last = words.day(self.weeks[-1])
        return tuple(
            f"{self.labels[self.indicators[k]]}: {words.chance(float(self.ever[k]))} likely to be seen by {last}, "
            f"{self.total[k]:.2g} times expected ({self.low[k]:g} to {self.high[k]:g})."
            for k in order
        )

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an indicator and week; columns indicator, week (its last day), expected, chance."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [
            {"indicator": name, "week": week, "expected": self.expected[w, k], "chance": self.chance[w, k]}
            for k, name in enumerate(self.indicators)
            for w, week in enumerate(self.weeks)
        ]
        return pd.DataFrame(rows).astype({"week": "datetime64[s]"})

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "weeks": [week.isoformat() for week in self.weeks],
            "indicators": {
                name: {
                    "label": self.labels[name],
                    **{part: float(getattr(self, part)[k]) for part in ("total", "low", "high", "ever")},
                    **{part: getattr(self, part)[:, k].tolist() for part in ("expected", "chance")},
                }
                for k, name in enumerate(self.indicators)
            },
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }


def expect_sightings(found: Posterior, entries: Sequence[Entry], weeks: int) -> Sightings:
    """Say how often each indicator should be seen in the coming ``weeks`` by one who always looks.

    All is exact given the draws but the intervals, which come from one simulated future of each.

    Raises
    ------
    InputError
        If ``weeks`` is less than 1.

    """
    if weeks < 1:
        msg = f"to look {weeks} weeks ahead: give at least 1"
        raise InputError(msg)
    space, as_of = found.space, found.evidence.as_of
    silence = _silence(space, entries, as_of, as_of + dt.timedelta(weeks=weeks))
    names = [name for k, name in enumerate(space.indicators) if (silence.what[:, 3] == k).any()]
    chosen = [space.indicators.index(name) for name in names]
    expected, chance = _each_step(found, silence, chosen)
    ever = np.array([1 - found.weights.values @ _unseen(found, silence, [k]) for k in chosen])
    for column, (k, name) in enumerate(zip(chosen, names, strict=True)):
        if not space.spec.indicators[name].repeats:
            by = [
                1 - found.weights.values @ _unseen(found, steps_between(silence, 0, last + 1), [k])
                for last in range(silence.years.size)
            ]
            expected[:, column] = chance[:, column] = np.diff(by, prepend=0.0)
    totals = _futures(found, silence)[:, chosen]
    once = [not space.spec.indicators[name].repeats for name in names]
    totals[:, once] = np.minimum(totals[:, once], 1)
    low, high = np.array([_quantiles(totals[:, k], found.weights.values) for k in range(len(names))]).reshape(-1, 2).T
    ends = np.cumsum(silence.years * DAYS_PER_YEAR).round().astype(int)
    return Sightings(
        model=space.spec.name,
        as_of=as_of,
        weeks=tuple(as_of + dt.timedelta(days=int(end)) for end in ends),
        indicators=tuple(names),
        labels={name: space.spec.indicators[name].label for name in names},
        expected=expected,
        chance=chance,
        total=expected.sum(axis=0),
        low=low,
        high=high,
        ever=ever,
        trust=found.trust,
    )


def _unseen(found: Posterior, silence: Cells, indicators: Sequence[int]) -> Floats:
    """(S,) probability under each draw that none of the indicators is seen."""
    return np.exp(_advance(found, silence, indicators).log_likelihood)


def _each_step(found: Posterior, silence: Cells, chosen: Sequence[int]) -> tuple[Floats, Floats]:
    """(W, I) expected number of sightings in each step, and the probability of any."""
    space, draws, weights = found.space, found.anchor.blocks.draws, found.weights.values
    nothing = silence._replace(what=silence.what[:0], value=silence.value[:0], observed=silence.observed[:0])
    path = evaluate(found.anchor.blocks, nothing, path="filtered", start=found.evaluation.states).path
    assert path is not None  # noqa: S101 - asked for
    joint = np.nan_to_num(path).reshape(*path.shape[:2], *space.sizes)
    expected = np.empty((silence.years.size, len(chosen)))
    chance = np.empty_like(expected)
    for column, k in enumerate(chosen):
        others = tuple(2 + stage for stage in range(len(space.sizes)) if stage != space.indicator_stage[k])
        states = joint.sum(axis=others)  # (S, W, n)
        rate = np.exp(draws.log_lambda[:, space.emission_offset[k] : space.emission_offset[k + 1]])
        events = rate[:, None] * silence.years[:, None]
        expected[:, column] = weights @ (states * events).sum(axis=2)
        chance[:, column] = weights @ (states * -np.expm1(-events)).sum(axis=2)
    return expected, chance


def _futures(found: Posterior, silence: Cells) -> NDArray[np.int64]:
    """(S, I) how often each indicator is seen in one simulated future of each draw."""
    chain, draws = chain_of(found.space), found.anchor.blocks.draws
    rng = np.random.default_rng(SEED)
    now = np.nan_to_num(found.evaluation.now)
    now[now.sum(axis=1) == 0] = 1.0  # draws that cannot explain the evidence: they have no weight
    joint = choose(rng, now)
    states = np.stack(np.unravel_index(joint, tuple(found.space.sizes)), axis=1)
    path = simulate_paths(rng, chain, silence.years, draws.log_rate, states)
    return simulate_counts(rng, chain, found.space.indicator_stage, silence.years, draws.log_lambda, path).sum(axis=1)


def _quantiles(values: NDArray[np.int64], weights: Floats) -> tuple[float, float]:
    """Give the ends of the 90 % interval of a weighted discrete distribution."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    low, high = (values[order][min(int(np.searchsorted(share, q)), values.size - 1)] for q in (LOW, HIGH))
    return float(low), float(high)

"""How often each indicator should be seen in the weeks ahead if the theory is right, and what will be counted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.answers.coming_counts import channels_ahead
from forecast.answers.watch import SEED, error_of
from forecast.base import prose
from forecast.base.clock import DAYS_PER_YEAR
from forecast.base.errors import InputError
from forecast.base.shown import Shown, ShownTable
from forecast.engine.arrays import without_cells
from forecast.engine.filtering import evaluate
from forecast.engine.many import unseen
from forecast.engine.simulate import choose, simulate_counts, simulate_paths
from forecast.evidence.hypothetical import imagined_silence
from forecast.quantities.estimate import FORMAT, Trust
from forecast.quantities.shares import quantiles
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.answers.coming_counts import ChannelAhead
    from forecast.engine.arrays import Cells, Floats
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry


# Indicator forecasts.


@dataclass(frozen=True, repr=False)
class Sightings(Shown):
    """How often each indicator should be seen in each coming week by one who always looks, if the theory is right.

    ``expected`` (W, I) are expectations in each of the model's weeks (``weeks`` are their last days; the first and the
    last may be cut), ``chance`` (W, I) the probability to be seen at all in the week. Of the number in all weeks
    ``total`` (I,) is the expectation, which a few draws with high rates can lift above anything likely, ``median``,
    ``low`` and ``high`` (I,) are the median and the 90 % predictive interval; ``ever`` (I,) is the probability to be
    seen at all, with its Monte Carlo error. One-offs are seen once at most. ``channels`` are the counts to come in
    the next week of channels that were counted before.
    """

    model: str
    as_of: dt.date
    weeks: tuple[dt.date, ...]
    indicators: tuple[str, ...]
    labels: Mapping[str, str]
    expected: Floats
    chance: Floats
    total: Floats
    median: Floats
    low: Floats
    high: Floats
    ever: Floats
    ever_mcse: Floats
    trust: Trust
    channels: tuple[ChannelAhead, ...] = ()

    @property
    def _likeliest(self) -> list[int]:
        return np.argsort(-self.ever, kind="stable").tolist()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The likeliest sightings in words."""
        last = prose.day(self.weeks[-1])
        return tuple(
            f"{self.labels[self.indicators[k]]}: {prose.chance(float(self.ever[k]), float(self.ever_mcse[k]))} likely "
            f"to be seen by {last}, {self.low[k]:.0f} to {self.high[k]:.0f} times (median {self.median[k]:.0f})."
            for k in self._likeliest[:3]
        ) + tuple(
            f"“{row.label}”: {row.expected.low:,} to {row.expected.high:,} are to be counted from "
            f"{prose.day(row.first)} to {prose.day(row.last)} (mean "
            f"{row.expected.mean:,.0f}), in a volume of {row.exposure:,g}."
            for row in self.channels
        )

    def _shown_table(self) -> ShownTable:
        """Show the likeliest first, in all weeks together."""
        rows = [
            [
                self.labels[self.indicators[k]],
                prose.figure(float(self.ever[k]), float(self.ever_mcse[k])),
                f"{self.median[k]:.0f} ({self.low[k]:.0f}–{self.high[k]:.0f})",
            ]
            for k in self._likeliest
        ]
        rows += [
            [
                f"{row.label}, counted {prose.day(row.first)} to {prose.day(row.last)}",
                prose.figure(row.expected.any),
                f"{row.expected.median:,} ({row.expected.low:,}–{row.expected.high:,})",
            ]
            for row in self.channels
        ]
        return ShownTable(["", "seen at all", "times"], rows)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an indicator and week; columns indicator, week (its last day), expected, chance.

        Where channels were counted, one row for each with its name as the indicator, and columns low, high: the 90 %
        interval of its count.
        """
        rows: list[dict[str, Any]] = [
            {"indicator": name, "week": week, "expected": self.expected[w, k], "chance": self.chance[w, k]}
            for k, name in enumerate(self.indicators)
            for w, week in enumerate(self.weeks)
        ]
        rows += [
            {"indicator": row.channel, "week": row.last, "expected": row.expected.mean, "chance": row.expected.any,
             "low": row.expected.low, "high": row.expected.high}
            for row in self.channels
        ]  # fmt: skip
        return base.frame(rows, ["week"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types; ``channels`` only where one was counted."""
        counted = {"channels": {row.channel: row.plain() for row in self.channels}} if self.channels else {}
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "weeks": [week.isoformat() for week in self.weeks],
            "indicators": {
                name: {
                    "label": self.labels[name],
                    **{
                        part: float(getattr(self, part)[k])
                        for part in ("total", "median", "low", "high", "ever", "ever_mcse")
                    },
                    **{part: getattr(self, part)[:, k].tolist() for part in ("expected", "chance")},
                }
                for k, name in enumerate(self.indicators)
            },
            **counted,
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
    silence = imagined_silence(space, entries, as_of, as_of + dt.timedelta(weeks=weeks))
    names = [name for k, name in enumerate(space.indicators) if (silence.what[:, 3] == k).any()]
    chosen = [space.indicators.index(name) for name in names]
    expected, chance = _each_step(found, silence, chosen)
    blocks, weights = found.anchor.blocks, found.weights.values
    never, by = np.zeros((0, blocks.size)), np.zeros((0, silence.years.size))
    if chosen:
        nothing = np.zeros_like(found.evaluation.states)
        cases = np.array(chosen, dtype=np.int64)[:, None]
        never, _, by = unseen(blocks, silence, cases, found.evaluation.states, nothing, weights)
    ever = 1 - never @ weights
    for column, name in enumerate(names):
        if not space.spec.indicators[name].repeats:
            expected[:, column] = chance[:, column] = np.diff(1 - by[column], prepend=0.0)
    totals = _futures(found, silence)[:, chosen]
    once = [not space.spec.indicators[name].repeats for name in names]
    totals[:, once] = np.minimum(totals[:, once], 1)
    each = np.array([quantiles(totals[:, k], found.weights.values) for k in range(len(names))])
    low, median, high = each.reshape(-1, 3).T
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
        median=median,
        low=low,
        high=high,
        ever=ever,
        ever_mcse=np.array([error_of(found, part) for part in never]),
        trust=found.trust,
        channels=channels_ahead(found, entries),
    )


def _each_step(found: Posterior, silence: Cells, chosen: Sequence[int]) -> tuple[Floats, Floats]:
    """(W, I) expected number of sightings in each step, and the probability of any."""
    space, draws, weights = found.space, found.anchor.blocks.draws, found.weights.values
    path = evaluate(found.anchor.blocks, without_cells(silence), path="filtered", start=found.evaluation.states).path
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

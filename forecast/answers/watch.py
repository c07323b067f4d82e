"""What to watch next: indicators and channels ranked by what looking at each would teach about an outcome."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.answers.coming_counts import coming_counts
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.shown import Shown
from forecast.engine.blocks import joined
from forecast.engine.many import unseen
from forecast.evidence.hypothetical import imagined_silence
from forecast.quantities.estimate import FORMAT, Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from forecast.answers.coming_counts import ComingCount
    from forecast.answers.target import Question
    from forecast.engine.arrays import Cells, Floats
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry


SEED = 1
TINY = 1e-300
TOLD_CHANNELS = 2
OVER = "it has happened already and is not expected again"
BEYOND = "its next week ends behind the day that is asked about"


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
class WatchedChannel:
    """One channel: the count that its next week, ``first`` to ``last``, lets one expect, and what it would teach.

    ``expected`` is its mean, ``quiet`` and ``loud`` are its quantiles at 5 and 95 %, ``if_quiet`` and ``if_loud`` the
    forecast if it comes out so, all of a week with the usual ``exposure``. ``gain`` is the expected information of the
    count, whatever it is, in bits. Errors are Monte Carlo standard errors.
    """

    channel: str
    label: str
    stage: str
    first: dt.date
    last: dt.date
    exposure: float
    expected: float
    quiet: int
    loud: int
    if_quiet: float
    if_quiet_mcse: float
    if_loud: float
    if_loud_mcse: float
    gain: float
    gain_mcse: float

    def plain(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}


@dataclass(frozen=True, repr=False)
class WatchList(Shown):
    """Indicators by what watching for them until ``until`` would teach about ``outcome`` on ``date``.

    ``now`` is the probability if nobody looks. ``companion`` is the indicator that adds most to the first one, and
    ``companion_gain`` what both together would teach. ``channels`` are those that were counted before, by what their
    next week's count would teach. ``left_out`` names indicators and channels that need no watching, and why.
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
    channels: tuple[WatchedChannel, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The top of the list in words."""
        name = prose.spoken(self.outcome)
        now = prose.chance(self.now, self.now_mcse)
        lines = [f"For {prose.day(self.date)}, {name} stands at {now} if nothing more is learned."]
        labels = {row.indicator: row.label for row in self.rows}
        for row in self.rows[:3]:
            chance = prose.chance(row.chance, row.chance_mcse)
            seen, silent = prose.chance(row.if_seen, row.if_seen_mcse), prose.chance(row.if_not, row.if_not_mcse)
            if seen == silent or abs(row.if_seen - row.if_not) < prose.LEAST:
                lines.append(f"{row.label}: whether it is seen or not would hardly move {name}.")
                continue
            lines.append(
                f"{row.label}: the chance to see it by {prose.day(self.until)} is {chance}; {name} would stand at "
                f"{seen} if it is seen, and at {silent} if somebody looks and it is not."
            )
        if self.companion and self.companion_gain is not None:
            lines.append(
                f"Watched together with {labels[self.companion]}, the first would teach "
                f"{prose.bits(self.companion_gain)} instead of {prose.bits(self.rows[0].gain)}."
            )
        return (*lines, *(self._told(row) for row in self.channels[:TOLD_CHANNELS]))

    def _told(self, row: WatchedChannel) -> str:
        """Say what a channel's next week would teach."""
        name, label = prose.spoken(self.outcome), f"“{row.label}”"
        week = f"the week from {prose.day(row.first)} to {prose.day(row.last)}"
        quiet, loud = prose.chance(row.if_quiet, row.if_quiet_mcse), prose.chance(row.if_loud, row.if_loud_mcse)
        if quiet == loud or abs(row.if_quiet - row.if_loud) < prose.LEAST:
            return f"{label}: what is counted in {week} would hardly move {name}."
        return (
            f"{label}: {row.quiet:,} to {row.loud:,} are to be expected in {week}; {name} would stand at {quiet} if it "
            f"is {row.quiet:,}, and at {loud} if it is {row.loud:,}. The count would teach {prose.bits(row.gain)}."
        )

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an indicator, with the columns of `Watched`."""
        return base.frame(map(asdict, self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types; ``channels`` only where one was counted."""
        content = {
            "format": FORMAT,
            **asdict(self),
            **{name: getattr(self, name).isoformat() for name in ("date", "as_of", "until")},
            "rows": [asdict(row) for row in self.rows],
            "channels": [row.plain() for row in self.channels],
            "left_out": dict(self.left_out),
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }
        return content if self.channels else {key: part for key, part in content.items() if key != "channels"}


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
    silence = imagined_silence(space, entries, as_of, until)
    look = _Look(question, found, silence, until)
    open_ = [k for k in range(len(space.indicators)) if (silence.what[:, 3] == k).any()]
    alone = dict(zip(open_, look.unseen([[k] for k in open_]), strict=True))
    rows = sorted((look.row(k, alone[k]) for k in open_), key=lambda row: -row.gain)
    companion, both = None, None
    if len(rows) > 1:
        first = space.indicators.index(rows[0].indicator)
        others = [k for k in open_ if k != first]
        pairs = zip(others, look.unseen([[first, k] for k in others]), strict=True)
        gains = {k: look.gain_of_two(alone[first], alone[k], neither) for k, neither in pairs}
        best = max(gains, key=gains.__getitem__)
        companion, both = space.indicators[best], gains[best]
    coming = coming_counts(found, entries)
    channels = [look.channel(one) for one in coming if one.until <= question.date]
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
        left_out=(
            *((name, OVER) for k, name in enumerate(space.indicators) if k not in open_),
            *((one.row.channel, BEYOND) for one in coming if one.until > question.date),
        ),
        trust=found.trust,
        channels=tuple(sorted(channels, key=lambda row: -row.gain)),
    )


def error_of(found: Posterior, values: Floats) -> float:
    """Monte Carlo standard error of the mean of (S,) values under the draws of a posterior."""
    weights = found.weights.values
    moved = weights * (values - values @ weights)
    return math.sqrt(float(np.square(moved).sum()) / found.anchor.efficiency)


class _Look:
    """Draws at ``as_of``, and what they say of silence up to ``until``; (S,) arrays are one number a draw."""

    def __init__(self, question: Question, found: Posterior, silence: Cells, until: dt.date) -> None:
        self._question = question
        self._found = found
        self._silence = silence
        self._value = question.value(found.anchor.blocks, until)
        self.weights = found.weights.values
        self.outcome = self.unseen([[-1]])[0][1]

    def unseen(self, watched: Sequence[Sequence[int]]) -> list[tuple[Floats, Floats]]:
        """For each of several sets of indicators: P(none of them is seen), and P(that and the outcome); both (S,)."""
        if not watched:
            return []
        cases = np.array(watched, dtype=np.int64)
        found = self._found
        mass, both, _ = unseen(
            found.anchor.blocks, self._silence, cases, found.evaluation.states, self._value, self.weights
        )
        return list(zip(mass, both, strict=True))

    def error(self, values: Floats) -> float:
        """Monte Carlo standard error of a weighted mean of (S,) values."""
        return error_of(self._found, values)

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

    def channel(self, coming: ComingCount) -> WatchedChannel:
        """Say what the next count of one channel would teach."""
        blocks = self._found.anchor.blocks
        value = joined(self._question.value(blocks, coming.until), blocks.size)
        both = coming.grouped(coming.joint * value)  # (S, G) the probability of the states and the outcome
        outcome = both.sum(axis=1)
        c = float(outcome @ self.weights)
        gain, slopes = 0.0, _log_odds(c) * outcome
        bins: list[tuple[Floats, Floats, Floats]] = []
        for first, width, densities, (chance, with_outcome) in coming.bins(both):
            told = np.clip(with_outcome / np.maximum(chance, TINY), 0.0, 1.0)
            yes, no = _log2(told), _log2(1.0 - told)
            gain += float(chance @ (told * (yes - _log2(c)) + (1.0 - told) * (no - _log2(1.0 - c))))
            slopes -= (both * (densities @ (no - yes)) - coming.share * (densities @ no)).sum(axis=1)
            bins.append((first, width, chance))
        week, row, space = coming.expected(bins), coming.row, self._question.space
        (quiet, quiet_mcse), (loud, loud_mcse) = (self._if_counted(coming, both, n) for n in (week.low, week.high))
        return WatchedChannel(
            channel=row.channel,
            label=space.spec.channels[row.channel].label,
            stage=space.spec.channels[row.channel].stage,
            first=row.from_,
            last=row.to,
            exposure=row.exposure,
            expected=week.mean,
            quiet=week.low,
            loud=week.high,
            if_quiet=quiet,
            if_quiet_mcse=quiet_mcse,
            if_loud=loud,
            if_loud_mcse=loud_mcse,
            gain=max(gain, 0.0),
            gain_mcse=self.error(slopes),
        )

    def _if_counted(self, coming: ComingCount, both: Floats, count: int) -> tuple[float, float]:
        """Probability of the outcome if so many are counted, and its error."""
        density, (chance, with_outcome) = coming.densities(np.array([float(count)]), both)
        found = _ratio(float(with_outcome[0]), float(chance[0]))
        moved = ((both - found * coming.share) * density[:, :, 0]).sum(axis=1)
        return found, self.error(moved) / max(float(chance[0]), TINY)

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


def _log2(p: Floats | float) -> Floats:
    return np.log2(np.maximum(p, TINY))


def _entropy(p: float) -> float:
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


def _information(cases: Sequence[tuple[float, float]]) -> float:
    """Bits about an outcome from exclusive cases, each (probability with the outcome, probability)."""
    total = math.fsum(part for part, _ in cases)
    left = math.fsum(whole * _entropy(_ratio(part, whole)) for part, whole in cases if whole > 0)
    return max(_entropy(_ratio(total, 1.0)) - left, 0.0)

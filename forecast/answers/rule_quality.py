"""How well each rule follows its outcome: sensitivity and false alarms in simulated worlds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from forecast.answers.rule_futures import KINDS, Future, Kept, Kind, at_and_by
from forecast.base import prose
from forecast.engine.simulate import simulate_start
from forecast.quantities.from_draws import RAREST
from forecast.theory.outcomes import exclude_each_other
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from forecast.engine.arrays import Floats
    from forecast.inference.reweighting import Posterior


HALF_A_YEAR = 26  # weeks
LEAD = 52  # weeks that simulated worlds run before a question is asked of them


@dataclass(frozen=True)
class Share:
    """A share of simulated paths, with its Monte Carlo error."""

    mean: float
    mcse: float


@dataclass(frozen=True)
class RuleErrors:
    """How well a rule follows its outcome: on the last day of so many weeks ("at"), or on any day of them ("by").

    ``sensitivity`` is the probability that it is met where the outcome holds then, ``false_alarms`` where the outcome
    does not. Either is None where its condition is less likely than 1 %.
    """

    outcome: str
    kind: Kind
    horizon_weeks: int
    sensitivity: Share | None
    false_alarms: Share | None


@dataclass(frozen=True)
class MetTogether:
    """How often the rules of two outcomes that exclude each other are met on one day: "at" or "by", as `RuleErrors`.

    ``share`` is ``both`` over the probability that at least one of them is met; None where that is below 1 %.
    """

    outcomes: tuple[str, str]
    kind: Kind
    horizon_weeks: int
    both: Share
    share: Share | None


@dataclass(frozen=True)
class RuleQuality:
    """What simulated worlds say of every rule, and of every two whose outcomes exclude each other."""

    errors: tuple[RuleErrors, ...]
    together: tuple[MetTogether, ...]


def rule_quality(found: Posterior, *, paths: int, seed: int) -> RuleQuality:
    """Say how well each rule follows its outcome, by simulation from the model's start under every draw.

    Paths begin as the model does and run for a year, or for the longest window of a rule, before the question is
    asked: what a window holds by then belongs to the path. No row counts, so that this is what is known of the rules
    and not of the present. Each event is a story, and none is missed.
    """
    space, kept = found.space, Kept.of(found, paths)
    outcomes = space.spec.outcomes
    lead = max([LEAD, *(rule.within_weeks or 0 for row in outcomes.values() for rule in row.resolves)])
    horizons = sorted(space.spec.model.horizons_weeks)
    future = Future(space, kept.draws, lead + max(horizons))
    pairs = [
        (one, other)
        for one, other in combinations(outcomes, 2)
        if exclude_each_other(outcomes[one].states, outcomes[other].states)
    ]
    rng = np.random.default_rng(seed)
    says_so, held, true = (np.zeros((2, len(outcomes), len(horizons), kept.rows.size)) for _ in range(3))
    both, either = (np.zeros((2, len(pairs), len(horizons), kept.rows.size)) for _ in range(2))
    for _ in range(kept.times):
        future.run(rng, simulate_start(rng, chain_of(space), kept.draws.start))
        told = {name: future.met(name)[:, 7 * lead :] for name in outcomes}
        for k, name in enumerate(outcomes):
            says, is_so = (at_and_by(days, horizons) for days in (told[name], future.held(name)[:, 7 * lead :]))
            says_so[:, k] += says
            held[:, k] += is_so
            true[:, k] += says & is_so
        for k, (one, other) in enumerate(pairs):
            both[:, k] += at_and_by(told[one] & told[other], horizons)
            either[:, k] += at_and_by(told[one] | told[other], horizons)
    asked: list[tuple[int, Kind, int, int]] = [
        (what, kind, h, week) for what, kind in enumerate(KINDS) for h, week in enumerate(horizons)
    ]
    every = np.full(kept.rows.size, float(kept.times))
    errors = [
        RuleErrors(
            name, kind, week,
            _share(kept, true[what, k, h], held[what, k, h]),
            _share(kept, (says_so - true)[what, k, h], every - held[what, k, h]),
        )
        for k, name in enumerate(outcomes) for what, kind, h, week in asked
    ]  # fmt: skip
    together = [
        MetTogether(
            pair, kind, week,
            Share(*kept.ratio(both[what, k, h], every)),
            _share(kept, both[what, k, h], either[what, k, h]),
        )
        for k, pair in enumerate(pairs) for what, kind, h, week in asked
    ]  # fmt: skip
    return RuleQuality(tuple(errors), tuple(together))


def _share(kept: Kept, part: Floats, whole: Floats) -> Share | None:
    """Share of ``part`` (S,) in ``whole`` (S,); None where the whole is too rare."""
    rare = kept.weights @ whole < RAREST * kept.times
    return None if rare else Share(*kept.ratio(part, whole))


def quality_sentences(quality: RuleQuality, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Say of each outcome how well its rule follows it half a year ahead, and how often two rules contradict."""
    weeks = _usual({row.horizon_weeks for row in quality.errors})
    by = {(row.outcome, row.kind): row for row in quality.errors if row.horizon_weeks == weeks}
    found: list[str] = []
    for name, label in labels.items():
        at, ever = by[name, "at"], by[name, "by"]
        found.append(
            f"{label}: on days on which it holds the rule is met on {_said(at.sensitivity)}, on others on "
            f"{_said(at.false_alarms)}. Within {prose.count(weeks, 'week')} the rule is met with "
            f"{_said(ever.sensitivity)} if it holds on some day of them, "
            f"and with {_said(ever.false_alarms)} if on none."
        )
    pairs = [row for row in quality.together if (row.kind, row.horizon_weeks) == ("at", weeks)]
    if pairs:
        told = [
            f"{' and '.join(map(prose.spoken, row.outcomes))} on {prose.chance(row.both.mean, row.both.mcse)} of days"
            for row in pairs
        ]
        found.append(f"Outcomes exclude each other, but their rules can be met together: {prose.listed(told)}.")
    return tuple(found)


def _usual(horizons: Collection[int]) -> int:
    """Give the longest horizon up to half a year, or else the shortest."""
    return max((week for week in horizons if week <= HALF_A_YEAR), default=min(horizons))


def _said(share: Share | None) -> str:
    return prose.chance(share.mean, share.mcse) if share else prose.TOO_RARE

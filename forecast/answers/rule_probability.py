"""How likely the rule of each outcome is to be met, by simulation of what will be told."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.answers.rule_futures import KINDS, Future, Kept, Kind, Known, at_and_by
from forecast.answers.rule_quality import RuleQuality, quality_sentences, rule_quality
from forecast.base.shown import Shown
from forecast.engine.simulate import choose
from forecast.evidence.hypothetical import closed_one_offs
from forecast.evidence.resolution_rules import met
from forecast.quantities.estimate import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Trust


PATHS = 16_000  # simulated in all, as many from each draw
SEED = 1


@dataclass(frozen=True)
class RuleProbability:
    """Probability that a rule is met on ``date`` ("at"), or on at least one day behind ``as_of`` up to then ("by")."""

    outcome: str
    kind: Kind
    horizon_weeks: int
    date: dt.date
    mean: float
    mcse: float


@dataclass(frozen=True, repr=False)
class Rules(Shown):
    """How likely each rule is to be met, and whether it is ``met_now``, as of the day of the forecast.

    ``prior`` says the same in the same order by the theory alone: under draws of the prior, and without any row.
    ``quality`` says, in the same order, how well the rules follow their outcomes under the forecast's draws, whatever
    is so at present.
    """

    model: str
    as_of: dt.date
    rows: tuple[RuleProbability, ...]
    prior: tuple[RuleProbability, ...]
    quality: RuleQuality
    met_now: Mapping[str, bool]
    labels: Mapping[str, str]
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say in words how well the rules follow their outcomes."""
        return quality_sentences(self.quality, self.labels)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: a row a probability, with prior, sensitivity, false_alarms (None: too rare to say) and met_now."""
        rows = [
            {
                **asdict(row),
                "prior": alone.mean,
                "sensitivity": of.sensitivity.mean if of.sensitivity else None,
                "false_alarms": of.false_alarms.mean if of.false_alarms else None,
                "met_now": self.met_now[row.outcome],
            }
            for row, alone, of in zip(self.rows, self.prior, self.quality.errors, strict=True)
        ]
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "rows": [
                {
                    "outcome": row.outcome,
                    "kind": row.kind,
                    "horizon_weeks": row.horizon_weeks,
                    "date": row.date.isoformat(),
                    "estimate": {"mean": row.mean, "mcse": row.mcse},
                    "prior": alone.mean,
                    "sensitivity": of.sensitivity and asdict(of.sensitivity),
                    "false_alarms": of.false_alarms and asdict(of.false_alarms),
                    "met_now": self.met_now[row.outcome],
                }
                for row, alone, of in zip(self.rows, self.prior, self.quality.errors, strict=True)
            ],
            "together": [asdict(row) | {"outcomes": list(row.outcomes)} for row in self.quality.together],
            "sentences": list(self.sentences),
            "trust": self.trust.to_dict(),
        }


def find_rules(found: Posterior, entries: Iterable[Entry], alone: Posterior) -> Rules:
    """Say of every rule whether it is met now and how likely it is to be met at the model's horizons.

    ``alone`` are draws of the prior under evidence as of the same day that holds no row.
    """
    entries, spec, as_of = tuple(entries), found.space.spec, found.evidence.as_of
    return Rules(
        model=spec.name,
        as_of=as_of,
        rows=rule_probabilities(found, entries, seed=SEED),
        prior=rule_probabilities(alone, (), seed=SEED),
        quality=rule_quality(found, paths=PATHS // 2, seed=SEED),
        labels={name: row.label for name, row in spec.outcomes.items()},
        met_now={name: met(found.space, entries, name, as_of) for name in spec.outcomes},
        trust=found.trust,
    )


def rule_probabilities(found: Posterior, entries: Iterable[Entry], *, seed: int) -> tuple[RuleProbability, ...]:
    """Simulate what can be seen under every draw, and count how often each rule is met; at each horizon of the model.

    From each draw hidden paths run on from its present states, in steps that count from ``as_of``, and under them
    events of the indicators that rules name, as seen by one who always looks: each is a story of its own. The stories
    of ``entries``, the rows as known on the day of the forecast, count with them by day while they are in the window.
    """
    entries, space, as_of = tuple(entries), found.space, found.evidence.as_of
    kept = Kept.of(found, PATHS)
    horizons = sorted(space.spec.model.horizons_weeks)
    known = Known(as_of, entries, closed_one_offs(space, entries, as_of))
    future = Future(space, kept.draws, max(horizons), known)
    rng = np.random.default_rng(seed)
    hits = np.zeros((2, len(space.spec.outcomes), len(horizons), kept.rows.size))
    for _ in range(kept.times):
        future.run(rng, np.stack(np.unravel_index(choose(rng, found.evaluation.now[kept.rows]), space.sizes), axis=1))
        for k, name in enumerate(space.spec.outcomes):
            hits[:, k] += at_and_by(future.met(name), horizons)
    every = np.full(kept.rows.size, float(kept.times))
    return tuple(
        RuleProbability(
            name,
            kind,
            week,
            as_of + dt.timedelta(weeks=week),
            *kept.ratio(hits[what, k, h], every),
        )
        for k, name in enumerate(space.spec.outcomes)
        for what, kind in enumerate(KINDS)
        for h, week in enumerate(horizons)
    )

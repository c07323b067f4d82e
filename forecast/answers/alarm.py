"""Conflict alarm: whether a model is being contradicted by what it did not expect.

The score of the last weeks is the log-probability of what was observed in them under the draws of before; how rare a
score as low is comes from futures simulated under the same draws. A model may be wrong without an alarm, where what was
observed could hardly have spoken against it.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.shown import Shown
from forecast.engine.arrays import steps_between
from forecast.engine.blocks import Blocks, Draws, split
from forecast.engine.many import likelihoods
from forecast.engine.simulate import choose, simulate_reports
from forecast.inference.trust import Measured, gate_side
from forecast.quantities.estimate import FORMAT, Trust
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from forecast.engine.arrays import Cells, Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior


WEEKS = 8  # steps that are scored together
LIMIT = 0.017  # one false alarm in two years of weekly checks (0.0171 ± 0.0023): docs/alarm.md
UNUSUAL = 0.1
UNTRUSTED = "This comes from draws that failed their checks and may be wrong"
DRAWS = 1000  # of which the predictive distribution is made
FUTURES = 1000
SEED = 1
SAME = 1e-9  # scores nearer than this are the same: what could be observed is often discrete


@dataclass(frozen=True, repr=False)
class Alarm(Shown):
    """How surprising the last weeks were: ``tail`` is the mid-p probability of a score as low as ``score`` (in nats).

    ``expected`` is the mean score of simulated weeks, ``since`` the day behind which observations were scored,
    ``cells`` how many there were. It rings where ``tail`` is below `LIMIT`, once in two years if the model is right.
    """

    model: str
    as_of: dt.date
    since: dt.date
    weeks: int
    cells: int
    score: float
    expected: float
    tail: float
    trust: Trust

    @property
    def rings(self) -> bool:
        """Whether the model is being contradicted."""
        return self.tail < LIMIT

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words; an alarm, or its silence, from draws that failed their checks says so."""
        span = f"Since {prose.day(self.since)}"
        if not self.cells:
            return (f"{span}, nothing was observed that could contradict the model.",)
        seldom = prose.chance(self.tail)
        doubt = () if self.trust.trusted else (f"{UNTRUSTED}: {'; '.join(self.trust.reasons)}.",)
        if self.rings:
            told = (
                f"Alarm: since {prose.day(self.since)}, what was observed contradicts the model: {seldom} of its "
                "futures were as surprising."
            )
            return (
                told,
                "Do not rely on its numbers before the reason is known.",
                *doubt,
            )
        if self.tail < UNUSUAL:
            told = f"{span}, what was observed is unusual, but no alarm: {seldom} of its futures were as surprising."
        else:
            told = f"{span}, nothing contradicts the model: {seldom} of its futures were as surprising."
        return (told, *doubt)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row; columns as_of, since, weeks, cells, score, expected, tail, rings."""
        row = {name: value for name, value in asdict(self).items() if name not in {"model", "trust"}}
        return base.frame([{**row, "rings": self.rings}], ["as_of", "since"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            **asdict(self),
            "as_of": self.as_of.isoformat(),
            "since": self.since.isoformat(),
            "rings": self.rings,
            "limit": LIMIT,
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Alarm:
        """Read what `to_dict` gave."""
        given: dict[str, Any] = {name: content[name] for name in cls.__dataclass_fields__}
        given.update({name: dt.date.fromisoformat(given[name]) for name in ("as_of", "since")})
        given["trust"] = Trust.from_dict(given["trust"])
        return cls(**given)


def raise_alarm(before: Posterior, evidence: Evidence) -> Alarm:
    """Score what ``evidence`` holds behind the last step of ``before``, the posterior of some weeks ago.

    Raises
    ------
    InputError
        If ``evidence`` does not reach behind it.

    """
    first, last = before.evidence.steps, evidence.steps
    if last <= first:
        msg = f"as of {evidence.as_of}: no week has passed since {before.evidence.as_of}; there is nothing to score"
        raise InputError(msg)
    cells = steps_between(evidence.cells, first, last)
    rng = np.random.default_rng(SEED)
    score, expected, tail = 0.0, 0.0, Measured(0.5, 0.0)
    if cells.what.size:
        score, expected, tail = tail_of(before, cells, rng)
    return Alarm(
        model=before.space.spec.name,
        as_of=evidence.as_of,
        since=before.evidence.as_of,
        weeks=last - first,
        cells=len(cells.what),
        score=score,
        expected=expected,
        tail=tail.mean,
        trust=gate_side(before.anchor, before.weights, tail, LIMIT, "the tail"),
    )


def tail_of(before: Posterior, cells: Cells, rng: np.random.Generator) -> tuple[float, float, Measured]:
    """Score of ``cells``, mean score of simulated ones, and the mid-p probability of a score as low.

    Futures of one draw go together, so that the error of the probability is that of clusters, of which half a one more
    may lie on the other side.
    """
    chain, draws = chain_of(before.space), before.anchor.blocks.draws
    rows = rng.choice(draws.size, size=DRAWS, p=before.weights.values)
    blocks = Blocks(chain, Draws(*(np.ascontiguousarray(part[rows]) for part in draws)))
    now = before.evaluation.now[rows]
    start = split(now)
    futures = rng.integers(DRAWS, size=FUTURES)
    states = np.stack(np.unravel_index(choose(rng, now[futures]), tuple(chain.sizes)), axis=1)
    reports = simulate_reports(
        rng, chain, cells, blocks.draws.log_rate[futures], blocks.draws.log_lambda[futures], states
    )
    score = float(_scores(likelihoods(blocks, cells, cells.observed[None], start))[0])
    distinct, which = np.unique(reports, axis=0, return_inverse=True)  # in a few quiet weeks ten of a thousand
    others = _scores(likelihoods(blocks, cells, distinct, start))[which]
    same = np.abs(others - score) <= SAME * max(1.0, abs(score))
    lower = np.where(same, 0.5, others < score)
    together, sizes = np.bincount(rows[futures], lower - lower.mean()), np.bincount(rows[futures])
    half = 0.5 * float(np.square(sizes).sum()) / FUTURES  # of a cluster, in futures
    error = math.sqrt((float(np.square(together).sum()) + half**2) / before.anchor.efficiency) / FUTURES
    return score, float(others.mean()), Measured(float(lower.mean()), error)


def _scores(each: Floats) -> Floats:
    """(F,) log predictive probabilities from (F, S) of draws, which count alike: they were chosen by their weights."""
    top = each.max(axis=1)
    base = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # what no draw can explain
        return base + np.log(np.exp(each - base[:, None]).mean(axis=1))

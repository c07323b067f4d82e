"""Forecast of a mixture of posteriors: draws of all parts, weighted by each part's share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.quantities.forecast import Forecast
from forecast.quantities.from_draws import Answers, estimates, sayable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.engine.arrays import Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.quantities.estimate import Trust


class MixturePart(NamedTuple):
    """One component of a mixture."""

    answers: Answers
    weights: Floats
    anchor: Anchor
    trust: Trust


def pool(
    name: str, model_hash: str, evidence: Evidence, parts: Sequence[MixturePart], shares: Sequence[float]
) -> Forecast:
    """Give the forecast of a mixture: the draws of every part end to end, weighted by its share."""
    names = [key for key in parts[0].answers.names if all(key in part.answers.names for part in parts)]
    rows = [[part.answers.names.index(key) for key in names] for part in parts]
    answer = Answers(
        tuple(names),
        np.concatenate([part.answers.part[row] for part, row in zip(parts, rows, strict=True)], axis=1),
        np.concatenate([part.answers.whole[row] for part, row in zip(parts, rows, strict=True)], axis=1),
    )
    weights = np.concatenate([share * part.weights for part, share in zip(parts, shares, strict=True)])
    copies = len(parts) if len({id(part.anchor) for part in parts}) == 1 else 1
    heard = [part.trust for part, share in zip(parts, shares, strict=True) if share > 0]
    return Forecast(
        model=name,
        as_of=evidence.as_of,
        model_hash=model_hash,
        evidence=evidence.hash,
        quantities=estimates(sayable(answer, weights), weights, min(part.anchor.efficiency for part in parts), copies),
        trust=next((trust for trust in heard if not trust.trusted), heard[0]),
    )

"""The reference model and its rivals on the history, as `forecast compare` sets them side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from docs.builder.places import MODEL
from docs.builder.rivals import family
from forecast.inference.model import Model
from forecast.record.history_scores import set_side_by_side

if TYPE_CHECKING:
    from pathlib import Path

EFFECTS = "relations.victory_"  # what the rivals differ in


def rivals_on_history(folder: Path) -> dict[str, Any]:
    """Score each model of the family on the history; draws of prior × history are kept in ``folder``."""
    models = {spec.name: Model(spec) for spec in family(MODEL)}
    scores = {name: model.left_out(folder) for name, model in models.items()}
    units = next(iter(scores.values()))
    return {
        "versions": {name: model.spec.hash for name, model in models.items()},
        "effects": {name: _effects(model, folder) for name, model in models.items()},
        **set_side_by_side({unit: {name: found[unit] for name, found in scores.items()} for unit in units}).to_dict(),
    }


def _effects(model: Model, folder: Path) -> dict[str, dict[str, Any]]:
    """Give of each effect of a victory its quantiles with the history, and its deviation over that of the prior."""
    kept = model.kept_prior(1, folder, model.evidence((), model.spec.model.start))
    effects = np.empty((0, 0)) if kept.shared is None else kept.shared.effect
    return {
        name: {
            "quantiles": np.exp(np.quantile(values, [0.05, 0.5, 0.95])).tolist(),
            "narrowing": kept.narrowing[name],
        }
        for name, values in zip(model.space.effects, effects.T, strict=True)
        if name.startswith(EFFECTS)
    }

"""A small world whose priors are changed: the text of its file, and its draws moved by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import oracle
from oracle import derived
from worlds import draw_values, draws_of, model_text, moving_of, small_world

from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.inference.shifted_prior import moved
from forecast.ledger.admiralty import credibility
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Moved
    from forecast.ledger.rows import Coverage, Entry, Observation
    from forecast.theory.spec import ModelSpec

Values = dict[str, "np.ndarray | float"]
Interval = tuple[float, float]
COPIES = 20
INTERVAL_90 = 3.2897  # width of the standard normal's central 90 % interval, to the digits of the design


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


def edited(text: str, intervals: Mapping[str, Interval]) -> str:
    """Write other intervals into the text of a model file, by key."""
    for key, (low, high) in intervals.items():
        parts = key.split(".", 3)
        if key == "priors.diagnosticity":
            head, field = r"\[priors\.diagnosticity\]\n", "times"
        elif parts[0] == "priors":
            head, field = rf"\[priors\.classes\.{parts[2]}\]\n", "per_year"
        elif parts[2] == "effects":
            head, field = rf"\[stages\.{parts[1]}\.effects\.{parts[3]}\]\n(?:[^\[\n].*\n|\n)*?", "times"
        else:
            a, b = parts[3].split(">")
            head = rf'\[\[stages\.{parts[1]}\.transitions\]\]\nfrom = "{a}"\nto = "{b}"\n'
            field = "per_year"
        text, count = re.subn(rf"({head}){field} = \[[^\]]*\]", rf"\g<1>{field} = [{low!r}, {high!r}]", text)
        assert count == 1, key
    return text


def normal(interval: Interval) -> tuple[float, float]:
    """Mean and standard deviation on the log scale."""
    low, high = np.log(interval)
    return (low + high) / 2, (high - low) / INTERVAL_90


def moved_values(spec: ModelSpec, values: Values, intervals: Mapping[str, Interval]) -> Values:
    """Move one draw by hand: as many prior standard deviations from the changed middle as it was from the old one."""
    keys: dict[str, tuple[str, int, Interval]] = {}
    n = {"eta": 0, "delta": 0, "mu": 0}

    def add(kind: str, key: str, interval: Interval) -> None:
        keys[key] = kind, n[kind], interval
        n[kind] += 1

    for name, stage in spec.stages.items():
        for move in stage.transitions:
            add("eta", f"stages.{name}.transitions.{move.from_}>{move.to}", move.per_year)
        for label, effect in stage.effects.items():
            add("delta", f"stages.{name}.effects.{label}", effect.times)
    for name, row in spec.priors.classes.items():
        add("mu", f"priors.classes.{name}", row.per_year)
    found: Values = {key: np.array(value, copy=True) for key, value in values.items()}
    for key, interval in intervals.items():
        if key == "priors.diagnosticity":
            assert spec.priors.diagnosticity is not None
            (mean, sd), (new_mean, new_sd) = normal(spec.priors.diagnosticity.times), normal(interval)
            found["kappa"] = float(np.exp(new_mean + (np.log(values["kappa"]) - mean) / sd * new_sd))
            continue
        kind, k, old = keys[key]
        (mean, sd), (new_mean, new_sd) = normal(old), normal(interval)
        found[kind][k] = new_mean + (values[kind][k] - mean) / sd * new_sd
    return found


class Scene:
    """A small world with a few draws, each many times, reweighted to its rows: by the engine and by the oracle."""

    def __init__(self, seed: int, distinct: int = 2, *, own: bool = False) -> None:
        """Draw near the prior; ``own`` gives the anchor evidence of its own."""
        world = small_world(seed)
        self.text = model_text(np.random.default_rng(seed))
        self.spec = parse_spec(self.text, where="world")
        self.space = StateSpace(self.spec)
        self.rest: tuple[Sequence[Observation], Sequence[Coverage], dt.date, object]
        self.rest = world.rows, world.coverage, world.as_of, w
        self.entries: tuple[Entry, ...] = (*world.rows, *world.coverage)
        rng = np.random.default_rng(1000 + seed)
        self.values = [draw_values(self.spec, rng) for _ in range(distinct)]
        for one in self.values:
            one["zeta"] = 0.3 * one["zeta"]
        turns = np.arange(COPIES * distinct) % distinct
        draws = draws_of(self.space, [derived(self.spec, one) for one in self.values])
        copies = Draws(*(part[turns] for part in draws))
        half = compile_evidence(self.space, self.entries[::2], world.as_of)
        self.own = (world.rows, world.coverage) if own else None
        if own:
            kept = set(self.entries[::2])
            self.own = [r for r in world.rows if r in kept], [c for c in world.coverage if c in kept]
        self.anchor = Anchor(self.space, "a", lambda: copies, cells=half.cells if own else None)
        everything = moving_of(self.spec, self.values)
        self.parameters = type(everything)(
            {key: part[turns] for key, part in everything.values.items()},
            everything.grade[turns],
            everything.departure[turns],
            everything.history,
            everything.history_log_rate[turns],
            everything.counted[turns],
        )

    @property
    def possible(self) -> bool:
        """Whether both evidences can have happened."""
        ends = [self.rest] if self.own is None else [self.rest, (*self.own, *self.rest[2:])]
        return all(
            np.isfinite(oracle.log_likelihood(self.spec, derived(self.spec, one), *rest))
            for rest in ends
            for one in self.values
        )

    def found(self) -> Posterior:
        """Reweight."""
        return reweigh(self.anchor, compile_evidence(self.space, self.entries, self.rest[2]))

    def moved(self, intervals: Mapping[str, Interval]) -> Moved:
        """Move by the engine."""
        return moved(self.found(), self.parameters, self.entries, intervals)

    def wanted(self, intervals: Mapping[str, Interval]) -> tuple[ModelSpec, list[oracle.Parameters], np.ndarray]:
        """Move by hand: the changed model, its draws, and (S,) log ratios by the oracle."""
        changed = parse_spec(edited(self.text, intervals), where="changed")
        there = [derived(changed, moved_values(self.spec, one, intervals)) for one in self.values]
        ratios = np.array([oracle.log_likelihood(changed, p, *self.rest) for p in there])
        if self.own is not None:
            rest = (*self.own, *self.rest[2:])
            ratios -= [oracle.log_likelihood(self.spec, derived(self.spec, one), *rest) for one in self.values]
        return changed, there, ratios

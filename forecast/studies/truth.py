"""Parameters of a simulated world, drawn from the prior and read as docs/method.md says.

Plain loops over names: nothing here is shared with the PyMC model, which it is to check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.evidence.spell_timelines import read_spells
from forecast.theory.indicators import GRADES
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.engine.arrays import Floats
    from forecast.theory.spec import ModelSpec


@dataclass(frozen=True)
class Truth:
    """The parameters of a world: ``values`` by the names and in the order that the PyMC model gives them."""

    spec: ModelSpec
    values: Mapping[str, Floats]

    def rate(self, stage: str, from_: str, to: str, upstream: Mapping[str, str], unit: str | None = None) -> float:
        """Rate per year of a transition while the stages upstream are in these phases; 0 where there is none.

        ``unit`` is one of the history; the model's own by default.
        """
        log_rate, transition, effect = -math.inf, 0, 0
        for name, content in self.spec.stages.items():
            for move in content.transitions:
                leads = from_ in content.phases_of(move.from_) and to == content.phases_of(move.to)[0]
                if name == stage and leads:
                    log_rate = float(self.values["transition_log_rate"][transition])
                transition += 1
            for row in content.effects.values():
                meets = all(is_among(self.spec, key, upstream.get(key), names) for key, names in row.when.items())
                ends = is_among(self.spec, name, from_, [row.from_]) and is_among(self.spec, name, to, [row.to])
                if name == stage and ends and meets:
                    log_rate += float(self.values["effect_log_times"][effect])
                effect += 1
        return math.exp(log_rate + self._departure(stage, unit))

    def ways(self, stage: str, now: str, upstream: Mapping[str, str], unit: str | None = None) -> dict[str, float]:
        """Rates per year of all transitions out of a phase, by the phase that they lead to; see `rate`."""
        phases = self.spec.stages[stage].all_phases
        return {to: self.rate(stage, now, to, upstream, unit) for to in phases if to != now}

    def _departure(self, stage: str, unit: str | None) -> float:
        """Give what the log rates of a unit depart from those of its stage."""
        content = self.spec.stages[stage]
        if content.units is None or stage not in self._units:
            return 0.0
        names = [f"{name}.{one}" for name, some in self._units.items() for one in some]
        spread = math.exp(self.values["unit_log_spread"][list(self._units).index(stage)])
        return spread * float(self.values["unit_offset"][names.index(f"{stage}.{unit or content.units.own}")])

    @cached_property
    def _units(self) -> dict[str, list[str]]:
        return units_of(self.spec)

    def intensity(self, indicator: str, phase: str) -> float:
        """Rate per year at which an indicator occurs in a phase of its stage."""
        row, values = self.spec.indicators[indicator], self.values
        i, c = list(self.spec.indicators).index(indicator), list(self.spec.priors.classes).index(row.class_)
        log_rate = values["class_log_rate"][c] + math.exp(values["class_log_spread"][c]) * values["indicator_offset"][i]
        if is_among(self.spec, row.stage, phase, row.points_to):
            grade = 0.0
            for k in range(GRADES.index(row.grade) + 1):
                below = self.spec.priors.grades.medians[k - 1] if k else 1.0
                grade += 2 * math.log(self.spec.priors.grades.medians[k] / below) * values["grade_increment"][k]
            scale = values["diagnosticity"][0] if "diagnosticity" in values else 1.0
            log_rate += scale * grade * math.exp(values["departure_scale"][0] * values["indicator_departure"][i])
        return math.exp(log_rate)

    def counted(self, channel: str, phase: str) -> tuple[float, float]:
        """Give the rate for each unit of exposure at which a channel counts in a phase, and its dispersion."""
        row, values = self.spec.channels[channel], self.values
        k, c = list(self.spec.channels).index(channel), list(self.spec.priors.channels).index(row.class_)
        log_rate = float(values["channel_log_rate"][k])
        if is_among(self.spec, row.stage, phase, row.points_to):
            departure = self.spec.priors.departure.scale * values["channel_departure"][k]
            contrast = math.exp(values["channel_class_log_contrast"][c] + departure)
            log_rate += math.log(getattr(self.spec.priors.grades, row.grade)) * contrast
        return math.exp(log_rate), math.exp(values["channel_log_dispersion"][k])

    def start(self, stage: str) -> Floats:
        """(n,) probabilities of a stage's phases before the first step."""
        content = self.spec.stages[stage]
        drawn = dict(zip(content.start_phases, self.values.get(f"start_{stage}", np.ones(1)), strict=True))
        return np.array([drawn.get(phase, 0.0) for phase in content.all_phases])


def units_of(spec: ModelSpec) -> dict[str, list[str]]:
    """Give the units of each stage that has a history, the model's own among them, by name."""
    told = {(spell.stage, spell.unit) for spell in read_spells(spec).usable}
    return {
        name: sorted({content.units.own, *(unit for stage, unit in told if stage == name)})
        for name, content in spec.stages.items()
        if content.units is not None and name in {stage for stage, _ in told}
    }


def is_among(spec: ModelSpec, stage: str, phase: str | None, names: Sequence[str]) -> bool:
    """Whether a phase is one of some states and phases."""
    return any(phase in spec.stages[stage].phases_of(name) for name in names)


def draw_truth(spec: ModelSpec, rng: np.random.Generator) -> Truth:
    """Draw every parameter from its prior."""

    def normal(intervals: Sequence[tuple[float, float]]) -> Floats:
        return np.array([rng.normal(*log_normal(interval)) for interval in intervals])

    stages, classes, grades = spec.stages.values(), spec.priors.classes.values(), spec.priors.grades
    values = {
        "transition_log_rate": normal([move.per_year for stage in stages for move in stage.transitions]),
        "effect_log_times": normal([effect.times for stage in stages for effect in stage.effects.values()]),
        "class_log_rate": normal([row.per_year for row in classes]),
        "class_log_spread": normal([row.spread for row in classes]),
        "indicator_offset": rng.standard_normal(len(spec.indicators)),
        "indicator_departure": rng.standard_normal(len(spec.indicators)),
        "grade_increment": rng.beta(grades.concentration, grades.concentration, len(GRADES)),
        "departure_scale": np.abs(rng.normal(0.0, spec.priors.departure.scale, 1)),
    }
    if spec.priors.diagnosticity is not None:
        values["diagnosticity"] = np.exp(normal([spec.priors.diagnosticity.times]))
    if spec.channels:
        counted, count = spec.priors.channels.values(), len(spec.channels)
        values["channel_class_log_rate"] = normal([row.per_volume for row in counted])
        values["channel_class_log_spread"] = normal([row.spread for row in counted])
        values["channel_class_log_contrast"] = normal([row.contrast for row in counted])
        of_class = [list(spec.priors.channels).index(row.class_) for row in spec.channels.values()]
        spread = np.exp(values["channel_class_log_spread"][of_class])
        values["channel_log_rate"] = rng.normal(values["channel_class_log_rate"][of_class], spread)
        values["channel_departure"] = rng.standard_normal(count)
        values["channel_log_dispersion"] = normal([row.dispersion for row in spec.channels.values()])
    for name, stage in spec.stages.items():
        weights = list(stage.start_phases.values())
        if len(weights) > 1:
            values[f"start_{name}"] = rng.dirichlet(weights)
    if units := units_of(spec):
        values["unit_log_spread"] = normal([row.spread for name in units if (row := spec.stages[name].units)])
        values["unit_offset"] = rng.standard_normal(sum(map(len, units.values())))
    return Truth(spec, values)

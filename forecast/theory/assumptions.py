"""Assumptions of a model file by key: listed, and exchanged for others."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from forecast.base.errors import FaultsError, InputError, nearest
from forecast.base.prose import spoken
from forecast.theory.indicators import GRADES
from forecast.theory.tables import NO_BASIS
from forecast.theory.values import LEAST, MOST, SCALE, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from forecast.theory.channels import Channel, ChannelClass
    from forecast.theory.indicators import ClassPrior, Indicator
    from forecast.theory.outcomes import Outcome
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Stage, Transition
    from forecast.theory.tables import Basis
    from forecast.theory.values import Interval


DIAGNOSTICITY = "priors.diagnosticity"
CHANNELS, CONTRAST = "priors.channels.", ".contrast"
PRIORS = {  # entries that have no name of their own
    "priors.grades": "How much likelier each grade makes an indicator",
    "priors.departure": "How far an indicator lies from its grade",
    DIAGNOSTICITY: "How far the grades are right",
}


def bases(spec: ModelSpec) -> Iterator[tuple[str, Basis]]:
    """Every basis of the model with the dotted key of the entry it belongs to, in the order of the file."""
    for name, stage in spec.stages.items():
        entries: list[tuple[str, tuple[Basis, ...]]] = [(f"stages.{name}", stage.basis)]
        entries += [(_transition_key(name, move), move.basis) for move in stage.transitions]
        entries += [(f"stages.{name}.effects.{label}", effect.basis) for label, effect in stage.effects.items()]
        yield from ((key, basis) for key, found in entries for basis in found)
    tables: list[tuple[str, Mapping[str, Indicator | Channel | Outcome | ClassPrior | ChannelClass]]] = [
        ("indicators", spec.indicators), ("channels", spec.channels), ("outcomes", spec.outcomes),
        ("priors.classes", spec.priors.classes), ("priors.channels", spec.priors.channels if spec.channels else {}),
    ]  # fmt: skip
    yield from (
        (f"{table}.{name}", basis) for table, rows in tables for name, row in rows.items() for basis in row.basis
    )
    yield from (("priors.grades", basis) for basis in spec.priors.grades.basis)
    yield from (("priors.departure", basis) for basis in spec.priors.departure.basis)
    if spec.priors.diagnosticity is not None:
        yield from ((DIAGNOSTICITY, basis) for basis in spec.priors.diagnosticity.basis)
    yield from ((f"experts.{expert.name}", basis) for expert in spec.experts for basis in expert.basis)


def without_reason(spec: ModelSpec) -> list[str]:
    """Dotted keys of the entries that the file gives no basis."""
    priors = spec.priors.model_fields_set if "priors" in spec.model_fields_set else set[str]()
    return [
        key
        for key, basis in bases(spec)
        if basis == NO_BASIS[0] and (not key.startswith("priors.") or key.split(".")[1] in priors)
    ]


def assumption_label(spec: ModelSpec, key: str) -> str:  # noqa: PLR0911 - one for each table
    """Call an entry of the model file by its label and not by its dotted key: ``Peace talks: stalled to advancing``."""
    table, _, rest = key.partition(".")
    name, _, entry = rest.partition(".")
    if table == "stages":
        words = entry.removeprefix("transitions.").removeprefix("effects.").replace(">", " to ")
        return f"{spec.stages[name].label}{': ' if words else ''}{spoken(words)}"
    if table == "indicators":
        return spec.indicators[rest].label
    if table == "channels":
        return spec.channels[rest].label
    if key.startswith(CHANNELS):
        if key.endswith(CONTRAST):
            return f"How far the grades of channels of the class “{spoken(entry.removesuffix(CONTRAST))}” are right"
        return f"How much channels of the class “{spoken(entry)}” count, for each unit of volume"
    if table == "outcomes":
        return spec.outcomes[rest].label
    if table == "experts":
        return f"The expert “{spoken(rest)}”"
    return PRIORS.get(key) or f"How often indicators of the class “{spoken(entry)}” happen, per year"


# Other numbers in the same model.


def _transition_key(stage: str, move: Transition) -> str:
    return f"stages.{stage}.transitions.{move.from_}>{move.to}"


def assumptions(spec: ModelSpec) -> dict[str, Interval]:
    """Every 90 % interval that may be varied, by dotted key, in the order of the file.

    Rates of transitions (per year; ``stages.peace.transitions.stalled>advancing``), multipliers of effects
    (``stages.relations.effects.<name>``), typical rates of classes (per year; ``priors.classes.<name>``), the scale of
    the grades if the model has one (``priors.diagnosticity``), and of channels, if it has any, what a class counts (for
    each unit of exposure; ``priors.channels.<name>``) and how far its grades are right (the same and ``.contrast``).
    """
    found: dict[str, Interval] = {}
    for name, stage in spec.stages.items():
        found |= {_transition_key(name, move): move.per_year for move in stage.transitions}
        found |= {f"stages.{name}.effects.{label}": effect.times for label, effect in stage.effects.items()}
    found |= {f"priors.classes.{name}": row.per_year for name, row in spec.priors.classes.items()}
    scale = spec.priors.diagnosticity
    if scale is not None:
        found[DIAGNOSTICITY] = scale.times
    for name, row in spec.priors.channels.items() if spec.channels else ():
        found |= {f"{CHANNELS}{name}": row.per_volume, f"{CHANNELS}{name}{CONTRAST}": row.contrast}
    return found


def with_intervals(spec: ModelSpec, intervals: Mapping[str, tuple[float, float]]) -> ModelSpec:
    """Give ``spec`` with some 90 % intervals replaced; the keys are those of `assumptions`.

    Raises
    ------
    InputError
        If a key is unknown or an interval is none; all faults are listed.

    """
    known = assumptions(spec)
    faults = list(_interval_faults(intervals, known))
    if faults:
        where = f"intervals for model {spec.name!r}"
        raise FaultsError(where, faults)
    new = known | {key: (float(low), float(high)) for key, (low, high) in intervals.items()}
    classes = {
        name: row.model_copy(update={"per_year": new[f"priors.classes.{name}"]})
        for name, row in spec.priors.classes.items()
    }
    stages = {name: _with_rates(name, stage, new) for name, stage in spec.stages.items()}
    scale = spec.priors.diagnosticity
    if scale is not None:
        scale = scale.model_copy(update={"times": new[DIAGNOSTICITY]})
    channels = {
        name: row.model_copy(
            update={"per_volume": new[f"{CHANNELS}{name}"], "contrast": new[f"{CHANNELS}{name}{CONTRAST}"]}
        )
        for name, row in (spec.priors.channels.items() if spec.channels else ())
    }
    updates = {"classes": classes, "diagnosticity": scale} | ({"channels": channels} if channels else {})
    priors = spec.priors.model_copy(update=updates)
    return spec.model_copy(update={"stages": stages, "priors": priors})


def _interval_faults(intervals: Mapping[str, tuple[float, float]], known: Mapping[str, Interval]) -> Iterator[str]:
    for key, interval in intervals.items():
        if key not in known:
            yield f"{key}: is not an assumption of this model; {nearest(key, known)}"
            continue
        try:
            ordered(interval, SCALE if key == DIAGNOSTICITY or key.endswith(CONTRAST) else (LEAST, MOST))
        except ValueError as error:
            yield f"{key}: {error}"


def _with_rates(name: str, stage: Stage, new: Mapping[str, Interval]) -> Stage:
    transitions = tuple(
        move.model_copy(update={"per_year": new[_transition_key(name, move)]}) for move in stage.transitions
    )
    effects = {
        label: effect.model_copy(update={"times": new[f"stages.{name}.effects.{label}"]})
        for label, effect in stage.effects.items()
    }
    return stage.model_copy(update={"transitions": transitions, "effects": effects})


def with_grades(spec: ModelSpec, medians: tuple[float, float, float, float]) -> ModelSpec:
    """Give ``spec`` with other prior medians of the grades' multipliers, in the order of `GRADES`.

    Raises
    ------
    InputError
        If they do not increase strictly from above 1.

    """
    if not all(low < high for low, high in pairwise((1, *medians, math.inf))):
        msg = f"grades of model {spec.name!r}: they increase strictly from above 1, got {list(medians)}"
        raise InputError(msg)
    grades = spec.priors.grades.model_copy(
        update={grade: float(value) for grade, value in zip(GRADES, medians, strict=True)}
    )
    return spec.model_copy(update={"priors": spec.priors.model_copy(update={"grades": grades})})

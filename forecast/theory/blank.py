"""A model file to begin with: small, commented, good as it is, with guesses where the theory has to go."""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from forecast.base.errors import FaultsError, brief
from forecast.base.prose import spoken
from forecast.theory.values import NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

YEAR = dt.timedelta(days=365)


def blank_model(name: str, stages: Mapping[str, Sequence[str]], today: dt.date) -> str:
    """Write a model file for ``stages``, first to last, each with its states in the order in which they come.

    It starts a year before ``today``, so that what has been seen since can be recorded. Each stage moves from state to
    state and back, the last state of the stage before hastens its first move, each state has an indicator, and each
    state of the last stage but the first is an outcome.

    Raises
    ------
    FaultsError
        If a name is none or given twice, or a stage has fewer than two states; all faults are listed.

    """
    if faults := list(_faults(name, stages)):
        where = "a new model"
        raise FaultsError(where, faults)
    before: tuple[str, str] | None = None
    parts = [_header(name, stages, today)]
    for stage, states in stages.items():
        parts.append(_stage(stage, states, before))
        before = stage, states[-1]
    parts.append(
        "# What shows in which state a stage is. `forecast observe` records one; grade is weak, moderate, strong or\n"
        "# decisive. Name real events, several for a state: a summit, a strike, a rate above a line. What one row\n"
        "# tells depends on the other indicators of its stage too: `forecast check` says how much it is.\n"
    )
    parts += [_indicator(stage, state) for stage, states in stages.items() for state in states]
    parts.append(
        "# What the forecast is of. The rule by which the world answers follows from the indicators unless `resolves`\n"
        "# gives another; `frozen` is the day on which you last changed the outcome or its rule.\n"
    )
    last, states = list(stages.items())[-1]
    parts += [_outcome(last, state, today) for state in states[1:]]
    return "\n".join(parts)


def _faults(name: str, stages: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield from _name_faults("the model", [name])
    yield from stage_name_faults(list(stages))
    for stage, states in stages.items():
        yield from state_faults(stage, states)


def stage_name_faults(stages: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with the names of the stages."""
    if not stages:
        yield "it has no stage; name one or more, each with its states"
    yield from _name_faults("a stage", stages)
    if len(set(stages)) < len(stages):
        yield "a stage is named twice"


def state_faults(stage: str, states: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with the states of a stage."""
    yield from _name_faults(f"stage {stage!r}", states)
    if len(states) < 2:  # noqa: PLR2004 - one state never changes
        yield f"stage {stage!r}: has {len(states) or 'no'} state{'' if len(states) == 1 else 's'}; give two or more"
    if len(set(states)) < len(states):
        yield f"stage {stage!r}: names a state twice"


def _name_faults(what: str, names: Sequence[str]) -> Iterator[str]:
    for given in names:
        if not re.fullmatch(NAME_PATTERN, given):
            yield f"{what}: {brief(given)} is not a name; use lower-case letters, digits and _, a letter first"


def _header(name: str, stages: Mapping[str, Sequence[str]], today: dt.date) -> str:
    return f"""\
#:schema ./model.schema.json
# A theory: {" -> ".join(map(spoken, stages))}.
#
# It runs as it is, on guesses. Put your own numbers and events in their place, top down, and run `forecast check`.
# Every pair of numbers is a 90 % interval. An entry says why it is as it is with a line such as
#   basis = [{{ note = "Twice in the last ten years" }}]
# Keys that are not written here have defaults; model.schema.json beside this file explains them all.

[model]
name = "{name}"
title = "{spoken(name).capitalize()}"
description = "Say in a sentence or two what leads to what, and why."
start = {today - YEAR}  # the first day of the model; no evidence is older
horizons_weeks = [4, 13, 26, 52]
"""


def _stage(stage: str, states: Sequence[str], before: tuple[str, str] | None) -> str:
    moves = [
        f'  {{ from = "{one}", to = "{other}", per_year = [0.2, 2] }},'
        for pair in pairwise(states)
        for one, other in (pair, pair[::-1])
    ]
    lines = [
        f"[stages.{stage}]",
        f'label = "{spoken(stage).capitalize()}"',
        f"states = [{', '.join(f'"{state}"' for state in states)}]",
        "transitions = [  # rates per year: at 2 it waits half a year on average",
        *moves,
        "]",
        "",
    ]
    if before is not None:
        lines += [
            f"# An example, to be replaced: while {spoken(before[0])} is {spoken(before[1])}, this move is so many",
            "# times faster; 1 is no effect. Put the state that really hastens it into `when` and the name.",
            f"[stages.{stage}.effects.{before[0]}_{before[1]}_hastens]",
            f'from = "{states[0]}"',
            f'to = "{states[1]}"',
            f'when = {{ {before[0]} = ["{before[1]}"] }}',
            "times = [1, 4]",
            "",
        ]
    return "\n".join(lines)


def _indicator(stage: str, state: str) -> str:
    return f"""\
[indicators.{stage}_{state}_reported]
label = "{spoken(stage).capitalize()}: {spoken(state)} is reported"
stage = "{stage}"
points_to = ["{state}"]
grade = "moderate"
signs = [{{ what = "Say what one would see or read" }}]
"""


def _outcome(stage: str, state: str, today: dt.date) -> str:
    return f"""\
[outcomes.{stage}_{state}]
label = "{spoken(stage).capitalize()}: {spoken(state)}"
states = {{ {stage} = ["{state}"] }}
frozen = {today}
"""

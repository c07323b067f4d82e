"""The cascade of a model as a Mermaid flow chart: stages, moves, and the effects of conditions on them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from docs.builder.entries import median, meets, number

if TYPE_CHECKING:
    from docs.builder.entries import Conditions
    from forecast.theory.spec import ModelSpec


def mermaid(spec: ModelSpec) -> str:
    """Draw stages, moves and effects as a Mermaid flow chart."""
    lines = ["flowchart TB"]
    for name, stage in spec.stages.items():
        lines.append(f'  subgraph {name}_stage["{_quoted(stage.label)}"]')
        lines += [f'    {name}_{state}(["{_quoted(state.replace("_", " "))}"])' for state in stage.states]
        lines += [
            f'    {name}_{move.from_} -->|"{number(median(move.per_year))}"| {name}_{move.to}'
            for move in stage.transitions
        ]
        lines.append("  end")
    whens: list[Conditions] = []
    pulls: dict[tuple[str, str], list[str]] = {}
    for name, stage in spec.stages.items():
        for effect in stage.effects.values():
            if effect.when not in whens:
                whens.append(effect.when)
            here = pulls.setdefault((_node(effect.when, whens), f"{name}_{effect.to}"), [])
            here.append(f"×{number(median(effect.times))} from {effect.from_.replace('_', ' ')}")
    lines += _condition_lines(spec, whens)
    lines += [f'  {node} -.->|"{"<br>".join(map(_quoted, texts))}"| {to}' for (node, to), texts in pulls.items()]
    conditions = [_node(when, whens) for when in whens if not _single(when)]
    lines += ["  classDef condition stroke-dasharray: 4 3", f"  class {','.join(conditions)} condition"]
    return "\n".join(lines[: None if conditions else -2])


def _quoted(text: str) -> str:
    return html.escape(text)


def _single(when: Conditions) -> bool:
    return [len(states) for states in when.values()] == [1]


def _node(when: Conditions, whens: list[Conditions]) -> str:
    """Name the node of a condition: the state itself where the condition is one state."""
    if _single(when):
        ((stage, (state,)),) = when.items()
        return f"{stage}_{state}"
    return f"condition_{whens.index(when)}"


def _condition_lines(spec: ModelSpec, whens: list[Conditions]) -> list[str]:
    """Draw conditions of several states, each joined to what it consists of: states, or a smaller condition."""
    lines = []
    for when in whens:
        if _single(when):
            continue
        label = next((row.label for row in spec.outcomes.values() if row.states == when), meets(when))
        node = _node(when, whens)
        lines.append(f'  {node}{{{{"{_quoted(label)}"}}}}')
        rest = dict(when)
        for other in whens:
            if other != when and not _single(other) and other.items() <= rest.items():
                lines.append(f"  {_node(other, whens)} -.- {node}")
                rest = {stage: states for stage, states in rest.items() if stage not in other}
        lines += [f"  {stage}_{state} -.- {node}" for stage, states in rest.items() for state in states]
    return lines

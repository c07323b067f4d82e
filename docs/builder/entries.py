"""Entries of a model file in words: numbers and intervals, states and conditions, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from docs.builder.markdown import plain
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from forecast.theory.tables import Basis

    Conditions = Mapping[str, tuple[str, ...]]


def number(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def interval(pair: tuple[float, float]) -> str:
    """Write a 90 % interval."""
    return f"{number(pair[0])} to {number(pair[1])}"


def median(pair: tuple[float, float]) -> float:
    """Median of the log-normal with this 90 % interval."""
    return float(np.exp(log_normal(pair)[0]))


def names(states: Iterable[str]) -> str:
    """List states in words."""
    return " or ".join(state.replace("_", " ") for state in states)


def basis(rows: Iterable[Basis]) -> str:
    """Write every basis of an entry: kind, quote, source, note."""
    return "<br>".join(_basis(row) for row in rows)


def _basis(row: Basis) -> str:
    text = f"*{row.kind}*"
    if row.quote:
        text += f": “{plain(row.quote)}”" if row.kind == "article" else f": {plain(row.quote)}"
    if row.source and row.source != row.kind:
        text += f" ({plain(row.source)})"
    if row.note:
        join = ":" if not row.quote else "" if text.endswith((".”", "!”", "?”")) else "."
        text += f"{join} {plain(row.note)}"
    return text


def meets(when: Conditions) -> str:
    """Write a condition on stages: ``peace: fresh deal or settled deal; victory: secured``."""
    return plain("; ".join(f"{stage}: {names(states)}" for stage, states in when.items()))

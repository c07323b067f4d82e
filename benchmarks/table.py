"""One table of what was measured: this package, others in the same run, the limit, and the last release.

The last release's figures lie in ``released.json``, as ``python -m benchmarks.run table --json`` printed them. They are
of another day, perhaps of another machine: what compares is the ratio to others, which they hold too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

RELEASED = Path(__file__).parent / "released.json"
PEERS = ("PyMC", "NumPyro", "scan", "hmmlearn", "dynamax")


class Row(NamedTuple):
    """A figure: what it is, its unit, where it stands in what was measured, there too those of others and the limit."""

    what: str
    unit: str
    own: str
    others: dict[str, str]
    limit: str | None = None
    scale: float = 1.0  # of its unit in the unit that was measured


ROWS = (
    Row("value and gradient of a draw", "µs", "gradient.op_us", {"scan": "gradient.scan_us"}),
    Row(
        "4,000 draws x 56 weeks x 18 states", "ms", "evaluate.evaluate",
        {"hmmlearn": "evaluate.hmmlearn", "dynamax": "evaluate.dynamax"}, "evaluate.limit", 1e3,
    ),
    Row("update with one row more, warm", "s", "update.update", {"PyMC": "update.pymc_refit"}),
    Row("fit, its density compiled", "s", "fit.in_process.second fit", {"PyMC": "update.pymc_refit"}),
    Row("fit, cold process", "s", "fit.forecast.wall_s", {"NumPyro": "fit.numpyro.wall_s"}),
    Row("run of a new project", "s", "report.warm_cache.wall_s", {}),
    Row("the same, nothing compiled", "s", "report.empty_cache.wall_s", {}),
    Row("run with one row more", "s", "report.one_new_row.wall_s", {}),
    Row("its peak of memory", "MB", "report.one_new_row.peak_mb", {}),
    *(Row(f"`{name}`, cold", "s", f"cli.{name}.wall_s", {}) for name in ("show", "update", "what-if", "alarm")),
    Row("worlds of a study a minute, one core", "", "studies.worlds_a_minute_alone", {}),
    *(Row(f"{name} at 5,000 issues", "s", f"archive.5000 issues.{name}", {}) for name in ("resolve", "score")),
)  # fmt: skip


def value(found: dict[str, Any], where: str | None) -> float | None:
    """Look a figure up by its dotted name; None where it was not measured."""
    inside: Any = found
    for part in (where or "").split("."):
        inside = inside.get(part) if isinstance(inside, dict) else None
    return inside


def shown(number: float | None, scale: float = 1.0) -> str:
    """Write a figure with three digits; nothing where there is none."""
    if number is None:
        return ""
    return f"{number * scale:,.0f}" if number * scale >= 100 else f"{number * scale:#.3g}".rstrip(".")


def table(found: dict[str, Any]) -> list[str]:
    """Lay out the figures that were measured, a line each, with the ratio to what the last release took."""
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    heads = ["", "unit", "forecast", *PEERS, "limit", released["release"], "now/then"]
    rows = [heads]
    for row in ROWS:
        own, then = value(found, row.own), value(released["figures"], row.own)
        if own is not None:
            measured = (own, *(value(found, row.others.get(peer)) for peer in PEERS), value(found, row.limit), then)
            ratio = shown(own / then) if then else ""
            rows.append([row.what, row.unit, *(shown(one, row.scale) for one in measured), ratio])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

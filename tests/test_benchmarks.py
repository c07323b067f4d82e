"""The table of benchmarks: this package, others, the limit and the last release, a line for each figure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import table
from benchmarks.run import PARTS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_table_is_of_parts_that_can_be_run() -> None:
    """Each figure is of a part that there is, others are those of its columns, and most stand in the last release."""
    figures = json.loads(table.RELEASED.read_text(encoding="utf-8"))["figures"]
    assert {row.own.partition(".")[0] for row in table.ROWS} <= set(PARTS)
    assert {peer for row in table.ROWS for peer in row.others} <= set(table.PEERS)
    assert len([row for row in table.ROWS if table.value(figures, row.own)]) > len(table.ROWS) // 2


def test_figures_stand_beside_others_and_the_last_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not measured has no line; a unit may be another than that of the measurement."""
    released = {"release": "0.0.1", "figures": {"evaluate": {"evaluate": 0.010}, "update": {"update": 1.0}}}
    path = tmp_path / "released.json"
    path.write_text(json.dumps(released), encoding="utf-8")
    monkeypatch.setattr(table, "RELEASED", path)
    evaluate = {"evaluate": 0.005, "hmmlearn": 0.0761, "dynamax": 0.25, "limit": 0.00125}
    heads, line = table.table({"evaluate": evaluate, "cli": {}})
    assert heads.split()[1:] == ["forecast", *table.PEERS, "limit", "0.0.1", "now/then"]
    assert line.split("weeks x 18 states")[1].split() == ["ms", "5.00", "76.1", "250", "1.25", "10.0", "0.500"]

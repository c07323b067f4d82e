"""A million rows are taken in within the memory of a small machine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from projects import PROGRAM, environment, fresh

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 1_000_000
START = dt.date(2025, 1, 1)


@pytest.mark.slow
def test_a_million_rows_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    """All of them are recorded by `forecast import`, whose process never held 10⁹ bytes."""
    root = fresh(tmp_path)
    with (root / "rows.csv").open("w", encoding="utf-8") as file:
        file.write("indicator,state,date,source,grade,story,note\n")
        for k in range(ROWS):
            file.write(f"cyberattack,,{START + dt.timedelta(k % 365)},Wire {k % 1000},B2,,told as number {k}\n")
    with (root / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*PROGRAM, "import", "rows.csv"], cwd=root, env=environment(), stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    told = (root / "said.txt").read_text(encoding="utf-8")
    assert process.returncode == 0, told[-2000:]
    assert f"recorded: {ROWS:,} rows" in told
    assert used.ru_maxrss * 1024 < 1e9, f"{used.ru_maxrss * 1024 / 1e6:,.0f} MB"

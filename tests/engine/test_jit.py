"""Kernels are compiled once on a machine, however many processes want them at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import sys, time
from pathlib import Path

from forecast.engine.jit import kernel


@kernel
def half(x):
    return 0.5 * x


@kernel
def quarter(x):
    return half(half(x))


here = Path(__file__).parent
(here / sys.argv[1]).touch()
while len(list(here.glob("ready-*"))) < 2:
    time.sleep(0.001)
assert quarter(8.0) == 2.0
print(sum(sum(one.stats.cache_misses.values()) for one in (half, quarter)))
"""


def test_two_processes_compile_a_kernel_once(tmp_path: Path) -> None:
    """Of two that want the same kernels at the same moment one compiles each of them, and the other reads it."""
    (tmp_path / "kernels.py").write_text(MODULE, encoding="utf-8")
    started = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "kernels.py"), f"ready-{k}"], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kept")},
        )
        for k in range(2)
    ]  # fmt: skip
    told = [one.communicate(timeout=120)[0] for one in started]
    assert [one.returncode for one in started] == [0, 0]
    assert sum(map(int, told)) == 2

"""Tiny worlds that a worker process computes without importing the engine."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def toy(world: int) -> dict[str, np.ndarray]:
    """Compute a tiny world."""
    return {"x": np.random.default_rng([1, world]).random(3)}


def die_once(folder: Path, world: int) -> dict[str, np.ndarray]:
    """Kill the worker at world 2, the first time; leave a mark of who made which world."""
    flag = folder / f"died-{world}"
    if world == 2 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"made-{world}-{os.getpid()}").touch()
    return toy(world)

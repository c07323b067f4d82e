"""How the cost of `evaluate` grows with draws and with weeks, and what it needs beside its input.

Prints one JSON object: seconds (best of the rounds) and microseconds per draw and week, which stay about the same where
the cost is linear; and the growth of the peak memory of the process while the largest case is evaluated.
"""

from __future__ import annotations

import json
import resource
import time

from benchmarks.synthetic import DRAWS, STEPS, problem
from forecast.engine.blocks import Blocks
from forecast.engine.filtering import evaluate

ROUNDS = 7


def main() -> None:
    """Time, print."""
    found: dict[str, float] = {}
    for draws, steps in ((1000, STEPS), (DRAWS, STEPS), (20_000, STEPS), (DRAWS, 250), (DRAWS, 1000)):
        chain, values, cells = problem(draws, steps)
        blocks = Blocks(chain, values)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        evaluate(blocks, cells)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        best = float("inf")
        for _ in range(ROUNDS):
            began = time.perf_counter()
            evaluate(blocks, cells)
            best = min(best, time.perf_counter() - began)
        key = f"{draws} draws, {steps} weeks"
        found |= {f"{key}: ms": 1e3 * best, f"{key}: ns per draw and week": 1e9 * best / draws / steps}
        found[f"{key}: MB more at the peak"] = grown
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Worlds of a study, alone and on Dask: how many a minute, what a second worker gives, and what Dask costs.

It prints one JSON object; with ``alone`` or a number of workers it measures that way alone, in a process of its own,
which it starts with one processor for each worker, so that what a second one gives is a second
processor's. Every process has compiled what it needs before the clock starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from forecast.inference.settings import Settings
from forecast.studies.calibrate import study_spec
from forecast.studies.run import about, run_worlds, work_of
from forecast.studies.workers import PROCESSORS, connect

WORLDS = 12
ROUNDS = 2
WARM = 10_000  # number of a world that is not timed


def measured(workers: int | None) -> float:
    """Give the seconds that `WORLDS` worlds take: without Dask, or with so many workers."""
    spec = study_spec()
    work = work_of("sbc", spec, Settings(), 1)
    if workers is None:
        work(WARM)
        began = time.perf_counter()
        for world in range(WORLDS):
            work(world)
        return time.perf_counter() - began
    with connect(workers, None) as client, tempfile.TemporaryDirectory() as folder:
        addresses = list(client.scheduler_info()["workers"])
        client.gather([client.submit(work, WARM, workers=[one], pure=False) for one in addresses])
        began = time.perf_counter()
        run_worlds(Path(folder), about("sbc", spec, Settings(), 1), work, WORLDS, lambda: nullcontext(client))
        return time.perf_counter() - began


def main() -> None:
    """Alternate the ways, each in its own process."""
    if len(sys.argv) > 1:
        print(measured(None if sys.argv[1] == "alone" else int(sys.argv[1])))
        return
    ways = {"alone": "1", "1": "1", "2": "2"}  # processors
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, processors in ways.items():
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.studies", way], check=True, capture_output=True, text=True,
                env={**os.environ, PROCESSORS: processors},
            )  # fmt: skip
            seconds[way].append(float(done.stdout.splitlines()[-1]))
    alone, one, two = (min(seconds[way]) for way in ways)
    found = {
        "worlds_a_minute_alone": 60 * WORLDS / alone,
        "worlds_a_minute_1_worker": 60 * WORLDS / one,
        "worlds_a_minute_2_workers": 60 * WORLDS / two,
        "speed_up_of_a_second_worker": one / two,
        "overhead_of_dask_percent": 100 * (one / alone - 1),
    }
    for way, values in seconds.items():
        found |= {f"seconds_{way}_round_{k + 1}": value for k, value in enumerate(values)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Load on the service: ``python -m benchmarks.service [--project FOLDER] [--rates 1 5 20 50] [--seconds 20]``.

Starts `forecast serve` on the reference model, and asks from this process at each rate. Requests come at their times
whatever becomes of those before them (an open loop), and the time of each counts from when it was due, so that a wait
in line is seen. Of ten requests seven read (the forecast, the part of the page with the outcomes, the log), two suppose
something that nobody has supposed before, and one records a row. Prints a table: the middle, the 95th and the 99th of a
hundred by kind (ms), the processor time of the server by request, and its memory. ``--project`` names a folder in which
a forecast was issued today; it is copied. Without it one is made, which takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import numpy as np
import psutil

import forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM = [sys.executable, "-c", "from forecast.cli import main; main()"]
API = "/api/v1/models/russia_azerbaijan"
LATE = 60.0  # seconds after which a request is given up
GOAL = 150.0  # ms: the 95th of a hundred updates without a fit, at 20 requests a second


class Asked(NamedTuple):
    """A request: its kind, how it is sent, and when after the start it is due (s)."""

    kind: str
    due: float
    send: Callable[[httpx.AsyncClient], object]


class Load:
    """Makes requests; no supposition and no row comes twice, whatever the rate."""

    def __init__(self, indicators: Sequence[str], token: str, today: dt.date) -> None:
        """Ask about indicators, and write with a token."""
        self._rng = random.Random(20260108)  # noqa: S311
        self._indicators = indicators
        self._headers = {"authorization": f"Bearer {token}"}
        self._today = today
        self._made = 0

    def _read(self) -> tuple[str, Callable[[httpx.AsyncClient], object]]:
        kind, path = self._rng.choice(
            [("forecast", f"{API}/forecast"), ("now", "/part/now?model=russia_azerbaijan"), ("log", f"{API}/log")]
        )
        return kind, lambda client: client.get(path, headers=self._headers)

    def _what_if(self) -> tuple[str, Callable[[httpx.AsyncClient], object]]:
        seen = self._rng.sample(self._indicators, 2)
        on = self._today - dt.timedelta(days=self._rng.randrange(300))
        body = {"seen": [f"{one}@{on}" for one in seen], "grade": self._rng.choice(["A1", "B2", "C3"])}
        return "what-if", lambda client: client.post(f"{API}/what-if", json=body, headers=self._headers)

    def _record(self) -> tuple[str, Callable[[httpx.AsyncClient], object]]:
        self._made += 1
        day = self._today - dt.timedelta(days=self._rng.randrange(60))
        body = {
            "indicator": self._rng.choice(self._indicators), "date": str(day), "source": f"load {self._made}",
            "grade": "F6", "story": "load",
        }  # fmt: skip
        return "record", lambda client: client.post(f"{API}/observations", json=body, headers=self._headers)

    def requests(self, rate: float, seconds: float) -> list[Asked]:
        """Give the requests of so many seconds, at random times (Poisson)."""
        found, due = [], 0.0
        while (due := due + self._rng.expovariate(rate)) < seconds:
            kind, send = self._rng.choices((self._read, self._what_if, self._record), (7, 2, 1))[0]()
            found.append(Asked(kind, due, send))
        return found


class Result(NamedTuple):
    """What became of the requests of one rate: times (ms) by kind, refusals by status, costs of the server."""

    times: dict[str, list[float]]
    refused: Counter[str]
    cpu_s: float
    wall_s: float
    rss_mb: float


async def ask(address: str, requests: Sequence[Asked], server: psutil.Process) -> Result:
    """Send requests at their times."""
    times: dict[str, list[float]] = {}
    refused: Counter[str] = Counter()
    peak = 0.0
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with httpx.AsyncClient(base_url=address, timeout=LATE, limits=limits) as client:
        before, began = server.cpu_times(), time.perf_counter()

        async def one(asked: Asked) -> None:
            await asyncio.sleep(asked.due - (time.perf_counter() - began))
            try:
                status = str((await asked.send(client)).status_code)
            except httpx.HTTPError as error:
                status = type(error).__name__
            times.setdefault(asked.kind, []).append((time.perf_counter() - began - asked.due) * 1000)
            if not status.startswith("2"):
                refused[status] += 1

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, server.memory_info().rss / 2**20)
                await asyncio.sleep(0.2)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*map(one, requests))
        watching.cancel()
        after = server.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return Result(times, refused, spent, time.perf_counter() - began, peak)


async def costs(address: str, load: Load, server: psutil.Process, rounds: int) -> dict[str, float]:
    """Give the processor time (ms) of a request of each kind that is asked by itself, `now` after a row too."""
    found: dict[str, list[float]] = {}
    async with httpx.AsyncClient(base_url=address, timeout=LATE) as client:
        for asked in sorted(load.requests(50, rounds), key=lambda one: one.kind):
            before = server.cpu_times()
            await asked.send(client)
            await asyncio.sleep(0.05)
            after = server.cpu_times()
            found.setdefault(asked.kind, []).append((after.user + after.system - before.user - before.system) * 1000)
    return {kind: float(np.mean(values)) for kind, values in found.items()}


def laid_out(folder: Path, given: Path | None) -> Path:
    """Give a project with a forecast of today."""
    root = folder / "project"
    if given:
        shutil.copytree(given, root)
    else:
        forecast.init(root)
        subprocess.run([*PROGRAM, "run"], cwd=root, check=True, stdout=subprocess.DEVNULL)
    return root


def lines(rate: float, result: Result) -> list[str]:
    """Lay out what came of a rate."""
    found = []
    every = [one for values in result.times.values() for one in values]
    for kind, values in [*sorted(result.times.items()), ("all", every)]:
        middle, high, highest = np.percentile(values, [50, 95, 99])
        found.append(f"{rate:>6g}  {kind:<9} {len(values):>5}  {middle:>8.0f} {high:>8.0f} {highest:>8.0f}")
    count = len(every)
    found[-1] += (
        f"   processor {result.cpu_s / result.wall_s * 100:.0f} %, {result.cpu_s / count * 1000:.0f} ms a request, "
        f"memory {result.rss_mb:.0f} MB, refused {dict(result.refused) or 0}"
    )
    return found


def main() -> None:
    """Serve, ask at each rate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path)
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 5, 20, 50])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=2, help="seconds' worth of requests asked one by one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = laid_out(Path(place), arguments.project)
        now = dt.datetime.now(dt.UTC)
        project = forecast.open(root)
        indicators = list(project.model().spec.indicators)
        token = project.ledger.tokens.make("load", "write", now)[1]
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0", "--no-worker"], cwd=root, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None  # noqa: S101 - it is piped
            address = process.stdout.readline().split()[2].rstrip("/")
            server = psutil.Process(process.pid)
            load = Load(indicators, token, now.date())
            with httpx.Client(base_url=address, timeout=600) as client:
                began = time.perf_counter()
                client.get(f"{API}/forecast").raise_for_status()
                print(f"first forecast after {time.perf_counter() - began:.1f} s", flush=True)
                while client.get(f"{API}/forecast").json()["rests_on"]["alarm"]["state"] == "pending":
                    time.sleep(1)
            print("processor ms a request, one by one:", end=" ", flush=True)
            alone = asyncio.run(costs(address, load, server, arguments.rounds))
            print(", ".join(f"{kind} {value:.0f}" for kind, value in sorted(alone.items())), flush=True)
            load_now = ", ".join(f"{one:.1f}" for one in os.getloadavg())
            print(f"{os.cpu_count()} cores, load of the machine {load_now}; times in ms", flush=True)
            print(f"{'rate/s':>6}  {'kind':<9} {'count':>5}  {'middle':>8} {'95th':>8} {'99th':>8}", flush=True)
            for rate in arguments.rates:
                result = asyncio.run(ask(address, load.requests(rate, arguments.seconds), server))
                print("\n".join(lines(rate, result)), flush=True)
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    main()

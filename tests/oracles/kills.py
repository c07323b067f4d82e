"""Runs of a small project, killed at random moments and between archive and report; what each left, as JSON lines.

Run ``python tests/oracles/kills.py PROJECT AT-RANDOM BETWEEN SEED`` on a copy of a project that may be changed. Each
run is a fork of this process, which has loaded all modules, so that kills fall on work and not on imports.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from projects import archived, call
from year import SHORT, START

from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.ledger.issued import Issued

FILES = 8
STUCK = 300  # seconds after which a run that nobody killed is stopped, which is a fault
SAMPLED = 10  # every so many runs make a fit
# Loaded before the forks. Nothing of it is run before, as a fork has none of the threads that would be needed again.
LOADED = ("nutpie", "pymc", "vl_convert", "altair", "forecast.inference.sampler", "forecast.report.page")


def job(root: Path, number: int, as_of: dt.date) -> int:
    """Do the main job as of a day of its own; gives its exit code."""
    refit = "always" if number % SAMPLED == 0 else "never"
    return call("run", "--as-of", str(as_of), "--refit", refit, *SHORT, cwd=root).code


@contextlib.contextmanager
def dying(left: int) -> Iterator[None]:
    """Die once the forecast is archived and ``left`` files have been put in place."""
    archive, replace = SqliteLedger.archive, Path.replace
    armed: list[int] = []

    def archiving(self: SqliteLedger, issued: Issued) -> Issued:
        armed.append(left)
        return archive(self, issued)

    def put(self: Path, target: Path) -> Path:
        if armed:
            if not armed[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            armed[0] -= 1
        return replace(self, target)

    with mock.patch.object(SqliteLedger, "archive", archiving), mock.patch.object(Path, "replace", put):
        yield


def killed(root: Path, number: int, as_of: dt.date, *, after: float | None, left: int | None) -> bool:
    """Run in a fork that is killed ``after`` seconds, or dies with ``left`` files in place; tells whether it was."""
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(STUCK)
        try:
            with contextlib.nullcontext() if left is None else dying(left):
                code = job(root, number, as_of)
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def shown(root: Path, issued: Issued) -> Any:
    """Give the report data of an issue as they are in its folder; none if they are not there."""
    path = root / "reports" / issued.model / str(issued.as_of) / "forecast.json"
    return json.loads(path.read_bytes()) if path.exists() else None


def faults(root: Path, before: tuple[Issued, ...]) -> list[str]:
    """Name what is lost, doubled or half visible after a kill."""
    found = list(SqliteLedger(root / "data" / "ledger.db").verify())
    issues = archived(root)
    found += ["an issue is lost or changed"] * (issues[: len(before)] != before)
    found += ["more than one issue of one run"] * (len(issues) > len(before) + 1)
    found += [f"{day} is doubled" for day, count in Counter(row.as_of for row in issues).items() if count > 1]
    for issued in issues:
        folder = root / "reports" / issued.model / str(issued.as_of)
        if (data := shown(root, issued)) is not None:
            found += [f"{issued.as_of} shows other data"] * (data != json.loads(issued.content))
            found += [
                f"{issued.as_of} lacks {name}" for name in ("report.html", "report.md") if not (folder / name).exists()
            ]
        elif issued != issues[-1]:
            found.append(f"{issued.as_of} has no report")
    known = {str(row.as_of) for row in issues}
    found += [
        f"{path.parent.name} is shown and was not issued"
        for path in root.glob("reports/tiny/*/forecast.json") if path.parent.name not in known
    ]  # fmt: skip
    index = root / "reports" / "index.html"
    links = re.findall(r'href="([^"#:]+\.html)"', index.read_text(encoding="utf-8")) if index.exists() else []
    found += [f"the index leads to {link}" for link in links if not (root / "reports" / link).exists()]
    return found


def main() -> None:
    """Kill runs, and let the last one be."""
    root, at_random, between = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(int(sys.argv[4]))
    for name in LOADED:
        importlib.import_module(name)
    began = time.monotonic()
    assert not killed(root, 1, START + dt.timedelta(days=1), after=None, left=None)
    spent = time.monotonic() - began
    for number, in_place in enumerate(rng.permutation([True] * between + [False] * at_random)):
        as_of, before = START + dt.timedelta(days=2 + number), archived(root)
        left = int(rng.integers(FILES)) if in_place else None
        after = None if in_place else float(rng.uniform(0, spent))
        while not (done := killed(root, number, as_of, after=after, left=left)) and after:
            after /= 2  # it was quicker than it was to be killed; the same day again
        new = archived(root)[len(before) :]
        told = {
            "killed": done, "left": left, "issued": len(new), "shown": bool(new) and shown(root, new[0]) is not None,
            "faults": faults(root, before),
        }  # fmt: skip
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    before = archived(root)
    as_of = START + dt.timedelta(days=2 + at_random + between)
    ended = not killed(root, 1, as_of, after=None, left=None)
    rest = [str(path) for path in root.glob("reports/**/.*") if path.is_file()]
    whole = all(shown(root, row) == json.loads(row.content) for row in archived(root))
    told = {"ended": ended, "faults": faults(root, before) + rest, "whole": whole, "issues": len(archived(root))}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads of libraries that were loaded before the forks may not end


if __name__ == "__main__":
    main()

"""A simulated year of a scheduled job: 52 weekly runs on a growing ledger, with everything that goes wrong in one.

Run ``.venv/bin/python tests/year.py FOLDER`` for a year in a new folder, which stays there to be looked at.
"""

from __future__ import annotations

import argparse
import datetime as dt
import errno
import functools
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np
from forking import run_forked
from projects import PROGRAM, archived, call, environment, made_once
from small_models import BASIS, TINY

import forecast

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from projects import Done

    from forecast.ledger.issued import Issued

WEEKS = 52
START = dt.date(2025, 1, 8)
SHORT = ("--draws", "2000", "--tune", "200", "--chains", "2", "--accept-bad-fit")
MODEL = "models/tiny.toml"
DRAWN = "forecast.report.page.all_charts"  # what draws the pictures of a report
KILLED = -signal.SIGKILL
RENDERED_AGAIN = 9  # of how many issues one is rendered again at the end
COMPILED = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import year; year.compile_small()"
LATEST_KILL = 4.0  # seconds after the start of a run that takes about as long

DYING = """
import os, signal, sys
from pathlib import Path

replace, left = Path.replace, [int(sys.argv.pop(1))]

def put(self, target):
    if self.suffix == ".draft":
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
    return replace(self, target)

Path.replace = put
from forecast.cli import main
main()
"""

EFFECT = f"""
[stages.far.effects.tension]
from = "low"
to = "high"
when = {{ near = ["tense"] }}
times = [1.5, 4]
{BASIS}
"""


def compile_small() -> None:
    """Compile the small model."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        model = forecast.open(folder).model("tiny")
        model.sampler(model.evidence((), START))


class Week(NamedTuple):
    """What came of one week's run: its exit code, the issues that were there right after it, and what went wrong."""

    as_of: dt.date
    code: int
    issues: int
    incident: str


def lay_out(root: Path) -> None:
    """Make a project with a small model, whose fits are quick, and an empty ledger."""
    (root / "models").mkdir(parents=True)
    (root / MODEL).write_text(TINY + EFFECT, encoding="utf-8")


def _issue(folder: Path) -> None:
    root = folder / "project"
    lay_out(root)
    done = call("observe", "shot", "--date", str(START), "--source", "Press", "--grade", "B2", cwd=root)
    assert done.code == 0, done.err
    with mock.patch(DRAWN, pictures()):  # whoever asks first may leave them out
        assert run(root, START).code == 0


def pictures() -> object:
    """Give what draws the pictures of a report."""
    from forecast.report.sections.all_sections import all_charts  # noqa: PLC0415 - slow to import

    return all_charts


@functools.cache
def issued_tiny() -> Path:
    """Make a project of the small model with one short fit and one issue; it is only copied."""
    return made_once("tiny", _issue) / "project"


def leave_out_pictures(patch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports, for tests that look at none: to draw them is most of a short run."""
    patch.setattr(DRAWN, lambda _: {})


def run(root: Path, as_of: dt.date, *options: str) -> Done:
    """Run the job as of a day."""
    return call("run", "--as-of", str(as_of), *SHORT, *options, cwd=root)


def observe(root: Path, as_of: dt.date, rng: np.random.Generator) -> None:
    """Record what was seen in the week before a day."""
    what = rng.choice(["shot", "march", "flood"])
    day = as_of - dt.timedelta(days=int(rng.integers(1, 7)))
    done = call("observe", what, "--date", str(day), "--source", "Press", "--grade", "B2", cwd=root)
    assert done.code == 0, done.err


# What goes wrong. Each gives the exit code of the run.


def broken_model(root: Path, as_of: dt.date) -> int:
    """Save half a model file, and mend it after the run."""
    path = root / MODEL
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) // 2], encoding="utf-8")
    done = run(root, as_of)
    path.write_text(text, encoding="utf-8")
    return done.code


def broken_template(root: Path, as_of: dt.date) -> int:
    """Save half a template, and take it away after the run."""
    path = root / "reports" / "templates" / "report.html.jinja"
    path.parent.mkdir()
    path.write_text("{{ model.title ", encoding="utf-8")
    done = run(root, as_of)
    path.unlink()
    path.parent.rmdir()
    return done.code


def disk_full(root: Path, as_of: dt.date) -> int:
    """Run while the disk takes no report."""
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch("forecast.base.files.os.fsync", side_effect=full):
        return run(root, as_of).code


def busy(root: Path, as_of: dt.date) -> int:
    """Run while another run is under way."""
    with forecast.open(root).locked():
        return run(root, as_of).code


def out_of_time(root: Path, as_of: dt.date) -> int:
    """Run for longer than is allowed."""
    return run(root, as_of, "--timeout", "0.05").code


def repeated(root: Path, as_of: dt.date) -> int:
    """Call the job twice."""
    first, second = run(root, as_of), run(root, as_of)
    assert "nothing new to issue" in second.out
    return first.code or second.code


def killed_in_place(root: Path, as_of: dt.date, count: int) -> int:
    """Kill the run when its forecast is issued, and ``count`` files of the report are in place."""
    command = [sys.executable, "-c", DYING, str(count), "run", "--as-of", str(as_of), *SHORT]
    return run_forked(command, cwd=root, env=environment(), first=COMPILED).returncode


def killed(root: Path, as_of: dt.date, when: Callable[[float], bool]) -> int:
    """Kill the run as soon as ``when`` is true of the seconds since its start."""
    command = [*PROGRAM, "run", "--as-of", str(as_of), *SHORT]
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            if when(time.monotonic() - began):
                process.kill()
                break
            time.sleep(0.0005)
    return process.returncode


def drafts(root: Path) -> list[Path]:
    """List the hidden files in the reports' folders."""
    return [path for path in root.glob("reports/**/.*") if path.is_file()]


FAILING: dict[int, tuple[Callable[[Path, dt.date], int], int]] = {
    6: (broken_model, 2),
    14: (disk_full, 2),
    19: (busy, 4),
    27: (out_of_time, 124),
    33: (broken_template, 2),
    41: (disk_full, 2),
}
REPEATED = (10, 30)
KILLED_AT_RANDOM = (8, 16, 23, 36, 44, 48)
KILLED_WHILE_WRITING = (12, 39)
KILLED_IN_PLACE = {25: 0, 49: 1}  # by how many files were in place


def simulate(root: Path, rng: np.random.Generator) -> list[Week]:
    """Live through a year in a new project at ``root``."""
    lay_out(root)
    return _live(root, rng)


def _live(root: Path, rng: np.random.Generator) -> list[Week]:
    weeks: list[Week] = []
    for week in range(WEEKS):
        as_of = START + dt.timedelta(weeks=week)
        observe(root, as_of, rng)
        incident = ""
        if week in FAILING:
            fail, expected = FAILING[week]
            code, incident = fail(root, as_of), fail.__name__
            assert code == expected, (week, incident, code)
        elif week in REPEATED:
            code, incident = repeated(root, as_of), "repeated"
        elif week in KILLED_AT_RANDOM:
            limit = rng.uniform(0.2, LATEST_KILL)
            code, incident = (
                killed(root, as_of, lambda spent, limit=limit: spent > limit),
                f"killed after {limit:.1f} s",
            )
        elif week in KILLED_WHILE_WRITING:
            code, incident = killed(root, as_of, lambda _: bool(drafts(root))), "killed while writing"
        elif week in KILLED_IN_PLACE:
            code, incident = killed_in_place(root, as_of, KILLED_IN_PLACE[week]), "killed after the issue"
            assert archived(root)[-1].as_of == as_of
        else:
            done = run(root, as_of)
            code = done.code
            assert code == 0, done.err
            check_last(root, as_of)
        weeks.append(Week(as_of, code, sum(row.as_of == as_of for row in archived(root)), incident))
    return weeks


def check_last(root: Path, as_of: dt.date) -> None:
    """After a run that went well its report is whole, that of its issue, and nothing is left lying about."""
    issued = archived(root)[-1]
    assert issued.as_of == as_of
    assert json.loads((folder_of(root, issued) / "forecast.json").read_bytes()) == json.loads(issued.content)
    assert not drafts(root)


def folder_of(root: Path, issued: Issued) -> Path:
    """Give the folder of a report."""
    return root / "reports" / issued.model / str(issued.as_of)


def check_year(root: Path, weeks: list[Week]) -> None:
    """No issue is lost or doubled, the archive is in order, and every report on disk is whole and that of its issue."""
    issues = archived(root)
    dates = [row.as_of for row in issues]
    assert dates == [week.as_of for week in weeks if week.issues]
    assert all(week.issues == (week.code == 0) for week in weeks if week.code != KILLED)
    assert [row.seq for row in issues] == list(range(1, len(issues) + 1))
    watermarks = [row.watermark for row in issues]
    assert watermarks == sorted(set(watermarks))
    assert all(json.loads(row.content)["forecast"]["as_of"] == str(row.as_of) for row in issues)
    assert {path.name for path in (root / "reports" / "tiny").iterdir() if path.is_dir()} >= set(map(str, dates))
    killed = {week.as_of for week in weeks if week.code == KILLED}
    for issued in issues:
        assert json.loads((folder_of(root, issued) / "forecast.json").read_bytes()) == json.loads(issued.content)
        if issued.as_of in killed or issued.seq % RENDERED_AGAIN == 0:
            check_files(root, issued)
    check_log(root, weeks)


def check_files(root: Path, issued: Issued) -> None:
    """Render a report again from the archive: it has the same files with the same bytes."""
    folder = folder_of(root, issued)
    shown = {path.name: path.read_bytes() for path in folder.iterdir()}
    forecast.open(root).write_report(json.loads(issued.content))
    assert shown == {path.name: path.read_bytes() for path in folder.iterdir()}, folder


def check_log(root: Path, weeks: list[Week]) -> None:
    """Every line of the log is an object; each run has an end with its exit code, but for those that were killed."""
    lines = [json.loads(line) for line in (root / "reports" / "run.log").read_text(encoding="utf-8").splitlines()]
    ends = {line["as_of"]: line["exit_code"] for line in lines if line["event"] == "end"}
    assert ends == {str(week.as_of): week.code for week in weeks if week.code != KILLED}


def main() -> None:
    """Live through a year, check it, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder that is not there yet")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    weeks = simulate(given.folder.resolve(), np.random.default_rng(given.seed))
    check_year(given.folder.resolve(), weeks)
    for week in weeks:
        if week.incident:
            sys.stdout.write(f"{week.as_of}  {week.incident}: exit code {week.code}, issues {week.issues}\n")
    issues = sum(week.issues for week in weeks)
    sys.stdout.write(f"{issues} issues of {WEEKS} weeks; {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()

"""What an unattended run promises: one at a time, in time, logged, whole files, and units that schedulers take."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from croniter import croniter
from needs import require
from projects import archived, call, environment, strict_json
from year import SHORT, START, check_year, folder_of, issued_tiny, killed_in_place, run, simulate

import forecast
from forecast.base import files as publish
from forecast.base.errors import BusyError, InputError, OutOfTimeError
from forecast.jobs import log as schedule
from forecast.jobs.log import RunLog
from forecast.jobs.notices import find_moves, read_notices
from forecast.jobs.scheduler_units import Job, cron_line, github_files, systemd_files
from forecast.jobs.timeout import time_limit
from forecast.ledger.issued import Issued

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np

BIN = Path(sys.executable).parent
NEXT = START + dt.timedelta(weeks=1)
NOW = dt.datetime(2026, 1, 9, 6, tzinfo=dt.UTC)
HOLDER = """
import sys, time, forecast
with forecast.open(sys.argv[1]).locked():
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy that may be changed."""
    return Path(shutil.copytree(issued_tiny(), tmp_path / "project"))


@pytest.fixture
def holder(root: Path) -> Generator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def observe(root: Path, what: str, day: dt.date) -> None:
    """Record a sighting."""
    done = call("observe", what, "--date", str(day), "--source", "Press", "--grade", "B2", cwd=root)
    assert done.code == 0, done.err


def lines(root: Path) -> list[dict[str, Any]]:
    """Read the log."""
    return [strict_json(line) for line in (root / "reports" / "run.log").read_text(encoding="utf-8").splitlines()]


def shown(root: Path) -> dict[str, bytes]:
    """Give the files of the reports, hidden ones too."""
    folder = root / "reports" / "tiny"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# One run at a time.


def test_a_second_run_gives_way_at_once(root: Path, holder: subprocess.Popen[str]) -> None:
    """While another process holds the lock a run ends at once with 4, says who holds it, and changes nothing."""
    before = shown(root)
    done = run(root, NEXT)
    assert done.code == 4
    path = re.escape(str(root / "reports" / "run.lock"))
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    told = rf"forecast: {path}: another run holds the lock \(process {holder.pid}, since {since}\); try again .*\n"
    assert re.fullmatch(told, done.err)
    assert done.out == ""
    assert shown(root) == before
    assert len(archived(root)) == 1
    assert lines(root)[-1]["exit_code"] == 4
    assert lines(root)[-1]["seconds"] < 1


def test_the_lock_of_a_killed_process_does_not_block(root: Path, holder: subprocess.Popen[str]) -> None:
    """As soon as its holder is killed, the lock is free, though its file is still there."""
    holder.kill()
    holder.wait()
    assert (root / "reports" / "run.lock").read_text()
    assert run(root, START).code == 0


def test_an_unknown_holder_is_no_error(root: Path, holder: subprocess.Popen[str]) -> None:
    """Where the lock's file does not say who holds it, the message leaves that out."""
    assert holder.poll() is None
    (root / "reports" / "run.lock").write_text("{")
    assert "holds the lock; try again" in run(root, NEXT).err


def test_the_lock_holds_between_projects_and_threads_but_not_within(root: Path) -> None:
    """One project may take its lock twice; another of the same folder may not, nor may another thread."""
    project, caught = forecast.open(root), []

    def try_it() -> None:
        try:
            with project.locked():
                pass
        except BusyError as error:
            caught.append(error)

    with project.locked(), project.locked():
        with pytest.raises(BusyError), forecast.open(root).locked():
            pass
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    with forecast.open(root).locked():
        assert len(caught) == 1


def test_programs_hold_the_lock_too(root: Path, holder: subprocess.Popen[str]) -> None:
    """`Project.run` and `Project.write_report` hold the same lock as the command."""
    assert holder.poll() is None
    project = forecast.open(root)
    with pytest.raises(BusyError):
        project.run(project.model(), START, None, now=NOW)  # type: ignore[arg-type]
    with pytest.raises(BusyError):
        project.write_report(project.track_record.latest())


def test_a_lock_that_cannot_be_made_is_said(root: Path) -> None:
    """A folder where the lock's file should be is one clear error."""
    (root / "reports" / "run.lock").unlink()
    (root / "reports" / "run.lock").mkdir()
    done = run(root, START)
    assert done.code == 2
    assert "run.lock: cannot be locked" in done.err


# In time.


def test_a_run_that_takes_too_long_is_stopped(root: Path) -> None:
    """After --timeout a run that samples stops with 124, says so, and leaves nothing behind; later it works."""
    before = shown(root)
    observe(root, "flood", START)
    began = time.monotonic()
    options = ("--draws", "2000000", "--refit", "always", "--timeout", "8")
    done = run(root, START, *options)
    assert done.code == 124
    assert 8 <= time.monotonic() - began < 40
    assert done.err == "forecast: the run took longer than --timeout 8 s and was stopped; nothing was issued\n"
    assert shown(root) == before
    assert len(archived(root)) == 1
    assert not list(root.glob("data/*/fits/.*"))
    assert {key: lines(root)[-1][key] for key in ("exit_code", "issued", "model")} == {
        "exit_code": 124, "issued": None, "model": "tiny",
    }  # fmt: skip
    assert run(root, START).code == 0


def test_time_does_not_matter_once_the_forecast_is_issued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If time runs out while the report is put in place, the run is ended as if it had not."""
    observe(root, "flood", START)
    monkeypatch.setattr(publish, "_settle", lambda _: signal.raise_signal(signal.SIGALRM))
    done = run(root, START, "--timeout", "500")
    assert (done.code, done.err) == (0, "")
    assert len(archived(root)) == 2


def test_time_matters_until_the_forecast_is_issued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If time runs out while the report is being written, nothing is issued and the last report stays."""
    before = shown(root)
    observe(root, "flood", START)
    monkeypatch.setattr(publish, "_write", lambda *_: signal.raise_signal(signal.SIGALRM))
    assert run(root, START, "--timeout", "500").code == 124
    assert shown(root) == before
    assert len(archived(root)) == 1


def test_the_limit_passes_through_what_catches_exceptions() -> None:
    """Code that goes on after any `Exception` is stopped all the same, and the alarm is off afterwards."""
    before = signal.getsignal(signal.SIGALRM)

    def stubborn() -> None:
        for _ in range(100):
            with contextlib.suppress(Exception):
                time.sleep(0.05)

    with pytest.raises(OutOfTimeError), time_limit(0.05):
        stubborn()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9"])
def test_a_limit_that_is_none_is_refused(seconds: str, root: Path) -> None:
    """A limit that is no number of seconds above 0 is refused before anything is done."""
    done = run(root, NEXT, "--timeout", seconds)
    assert done.code == 2
    assert "give seconds above 0" in done.err


# The log.


def test_every_run_is_logged(root: Path) -> None:
    """A run writes its beginning and its end, one JSON object a line."""
    assert run(root, START).code == 0
    assert call("run", "--as-of", "nonsense", cwd=root).code == 2
    first, same, bad = (lines(root)[k] for k in (1, 3, 5))
    assert [line["event"] for line in lines(root)] == ["start", "end"] * 3
    (issued,) = archived(root)
    assert {"time", "event", "model", "as_of", "exit_code", "issued", "seconds", "fit", "message"} == set(first)
    assert (first["model"], first["as_of"], first["exit_code"], first["issued"]) == ("tiny", str(START), 0, issued.seq)
    assert (same["issued"], same["fit"], same["message"]) == ("same", issued.fit, None)
    assert first["seconds"] > same["seconds"] > 0
    assert (bad["exit_code"], bad["issued"], bad["as_of"]) == (2, None, "nonsense")
    assert "is not a date" in bad["message"]
    assert dt.datetime.fromisoformat(bad["time"]).utcoffset() == dt.timedelta(0)


def test_what_nobody_expected_is_logged_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is in the log, with exit code 1, and goes on its way."""

    def broken(*_: object, **__: object) -> None:
        msg = "a fault \ud800"
        raise RuntimeError(msg)

    monkeypatch.setattr(forecast.Project, "run", broken)
    with pytest.raises(RuntimeError):
        run(root, START)
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["message"]) == (1, "a fault \ud800")


def test_the_log_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full log is put aside when a run begins, a few old ones are kept, and no line is cut."""
    monkeypatch.setattr(schedule, "LOG_BYTES", 1000)
    log = RunLog(tmp_path / "run.log", lambda: NOW, {"model": "tiny", "as_of": "2026-01-09"})
    for k in range(100):
        log.add("start", rotate=True, number=k)
        log.add("end", number=k)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["run.log", "run.log.1", "run.log.2", "run.log.3"]
    found = [json.loads(line) for path in reversed(files) for line in path.read_text().splitlines()]
    assert [line["number"] for line in found] == [k for k in range(100) for _ in range(2)][-len(found) :]
    assert all(path.stat().st_size < 1200 for path in files)


def test_half_a_line_stays_alone(tmp_path: Path) -> None:
    """After a line that a killed run left half written the next one begins on its own."""
    path = tmp_path / "run.log"
    path.write_text('{"time": "2026-01')
    RunLog(path, lambda: NOW, {}).add("start")
    half, whole = path.read_text().splitlines()
    assert half == '{"time": "2026-01'
    assert json.loads(whole)["event"] == "start"


def test_a_log_that_cannot_be_written_is_no_failure(root: Path) -> None:
    """A folder where the log should be stops nothing and says nothing."""
    (root / "reports" / "run.log").unlink()
    (root / "reports" / "run.log").mkdir()
    done = run(root, START)
    assert (done.code, done.err) == (0, "")


# Whole files.


def test_files_are_replaced_in_order_and_old_ones_go_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New files take their places one by one in their order, and what is no longer part of the report goes after."""
    seen: list[str] = []
    replace, unlink = Path.replace, Path.unlink
    monkeypatch.setattr(Path, "replace", lambda self, to: (seen.append(f"put {to.name}"), replace(self, to))[1])
    monkeypatch.setattr(
        Path,
        "unlink",
        lambda self, **o: (seen.append(f"drop {self.name}") if self.exists() else None, unlink(self, **o)),
    )
    for name in ("a.svg", "b.svg", "notes.txt"):
        (tmp_path / name).write_text("old")
    files = {"report.md": b"one", "b.svg": b"two", "forecast.json": b"three"}
    with publish.published(tmp_path, files, ("*.svg", "report.*", "forecast.json")):
        assert (tmp_path / "b.svg").read_text() == "old"
        assert not seen
    assert seen == ["put report.md", "put b.svg", "put forecast.json", "drop a.svg"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {**files, "notes.txt": b"old"}


@pytest.mark.parametrize("error", [InputError("x"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, error: BaseException) -> None:
    """If the forecast is not issued, no file is replaced and no draft stays."""
    (tmp_path / "report.md").write_text("old")
    with pytest.raises(type(error)), publish.published(tmp_path, {"report.md": b"new"}):
        raise error
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_what_killed_runs_left_is_removed(root: Path) -> None:
    """Drafts of reports and parts of fits of dead processes go with the next run; other hidden files stay."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, fits = int(gone.stdout), root / "data" / "tiny" / "fits"
    left = [
        root / "reports" / "tiny" / str(START) / ".report.md.12.draft",
        root / "reports" / "tiny" / ".moved.txt.12.draft",
        fits / f".abc.{dead}.part",
    ]
    kept = [root / "reports" / "tiny" / ".hidden", fits / f".abc.{os.getppid()}.part"]
    for path in left + kept:
        path.write_text("half")
    assert run(root, START).code == 0
    assert [path for path in left + kept if path.exists()] == kept


@pytest.mark.parametrize("count", [0, 1])
def test_a_report_that_was_issued_but_not_put_in_place_is_put_there(root: Path, count: int) -> None:
    """A run killed between the archive and the folder leaves an issue whose report the next run writes, of any date."""
    observe(root, "march", NEXT)
    assert killed_in_place(root, NEXT, count) == -signal.SIGKILL
    issued = archived(root)[-1]
    folder = folder_of(root, issued)
    assert issued.as_of == NEXT
    assert not (folder / "forecast.json").exists()
    assert any(folder.glob(".*.draft"))
    assert run(root, START).code == 0
    assert json.loads((folder / "forecast.json").read_bytes()) == json.loads(issued.content)
    assert (folder / "report.md").exists()
    assert not any(folder.glob(".*"))
    assert len(archived(root)) == 2


def test_a_faulty_template_of_the_index_is_found_before_anything_is_issued(root: Path) -> None:
    """The list of all issues is written last, but a fault in its template stops the run first."""
    (root / "reports" / "templates").mkdir()
    (root / "reports" / "templates" / "index.html.jinja").write_text("{{ ")
    observe(root, "march", NEXT)
    done = run(root, NEXT)
    assert done.code == 2
    assert "index.html.jinja" in done.err
    assert len(archived(root)) == 1


def test_a_report_that_cannot_be_put_in_place_stops_no_run(root: Path) -> None:
    """What is wrong with the report of another day is no reason not to run today."""
    observe(root, "march", NEXT)
    assert killed_in_place(root, NEXT, 0) == -signal.SIGKILL
    shutil.rmtree(root / "reports" / "tiny" / str(NEXT))
    (root / "reports" / "tiny" / str(NEXT)).write_text("in the way")
    assert run(root, START).code == 0


# What has moved.


def content(as_of: dt.date, at: dict[int, float], outcome: str = "tension", now: float = 0.1) -> str:
    """Build what the archive holds of a forecast: probabilities by days ahead."""

    def row(kind: str, day: int, mean: float) -> dict[str, Any]:
        estimate = {"mean": mean, "low": mean / 2, "high": (1 + mean) / 2, "mcse": 0.001}
        date = str(as_of + dt.timedelta(days=day))
        weeks = day // 7 or None
        return {"outcome": outcome, "kind": kind, "date": date, "horizon_weeks": weeks, "estimate": estimate}

    rows = [row("already", 0, now), *(row("at", day, mean) for day, mean in at.items())]
    return json.dumps({"forecast": {"quantities": rows}})


def issue(seq: int, as_of: dt.date, at: dict[int, float], **changes: Any) -> Issued:
    """Build an issue."""
    return Issued(
        seq=seq, model="tiny", as_of=as_of, issued_at=NOW, evidence_hash="", model_hash="", fit="", watermark=1,
        content=content(as_of, at, **changes),
    )  # fmt: skip


def moved(points: float, *issues: Issued) -> str | None:
    """Say what moved with the last of some issues."""
    return find_moves(read_notices([f"tension:{points}"], ["tension"]), issues[-1], issues)


DAY = dt.date(2026, 1, 8)


def test_the_greatest_move_is_said_in_one_line() -> None:
    """Of all horizons that moved enough the greatest is named, with its date, both numbers and both days."""
    old = issue(1, DAY, {28: 0.2, 182: 0.19})
    new = issue(2, DAY, {28: 0.25, 182: 0.31})
    wanted = "2026-01-08 tension on 9 Jul 2026 rose by 12 points to 31% (was 19% on 2026-01-08)"
    assert moved(12, old, new) == wanted
    assert moved(12.1, old, new) is None
    assert moved(3, new, dataclasses.replace(old, seq=3)) == wanted.replace("rose", "fell").replace(
        "31% (was 19%", "19% (was 31%"
    )


def test_an_earlier_issue_is_read_between_its_horizons() -> None:
    """The same calendar date is compared: between horizons in log-odds, and not beyond the last."""
    week = dt.timedelta(weeks=1)
    old = issue(1, DAY, {28: 0.2, 84: 0.8})
    middle = issue(2, DAY + week, {49: 0.5, 84: 0.99})  # 56 days after DAY, half-way in log-odds; then beyond
    assert moved(0.001, old, middle) is None
    told = moved(1, old, issue(2, DAY + week, {49: 0.515}))
    assert told == "2026-01-15 tension on 5 Mar 2026 rose by 2 points to 52% (was 50% on 2026-01-08)"
    before_the_first = moved(1, old, issue(2, DAY + week, {7: 0.5}))
    assert before_the_first is not None
    assert "was 14% on" in before_the_first  # half-way from 10 % now to 20 % at 28 days, in log-odds


def test_the_issue_before_is_that_of_the_latest_earlier_date() -> None:
    """A back-dated issue in between is not compared with, and a repeated run compares with what it did at first."""
    first, back = issue(1, DAY, {28: 0.2}), issue(2, DAY - dt.timedelta(days=30), {56: 0.9})
    new = issue(3, DAY + dt.timedelta(days=1), {27: 0.4})
    told = moved(10, first, back, new)
    assert told is not None
    assert "by 20 points" in told
    assert (
        find_moves(read_notices(["tension:10"], ["tension"]), new, (first, back, new, issue(4, DAY, {28: 0.4}))) == told
    )
    assert moved(0.1, first) is None
    assert moved(0.1, first, back) is None


def test_several_outcomes_stand_in_one_line() -> None:
    """Each outcome that moved enough has its part; one that the earlier issue did not know has none."""
    old, new = issue(1, DAY, {28: 0.2}), issue(2, DAY, {28: 0.4})
    other = [json.loads(content(DAY, {28: mean}, outcome="war"))["forecast"]["quantities"] for mean in (0.5, 0.3)]
    texts = [json.loads(row.content) for row in (old, new)]
    for text, rows in zip(texts, other, strict=True):
        text["forecast"]["quantities"] += rows
    old, new = (dataclasses.replace(row, content=json.dumps(text)) for row, text in zip((old, new), texts, strict=True))
    notices = read_notices(["tension:5", "war:20", "peace:1"], ["tension", "war", "peace"])
    told = find_moves(notices, new, (old, new))
    assert told is not None
    assert "\n" not in told
    assert re.findall(r"(\w+) on 5 Feb 2026 (\w+) by 20 points", told) == [("tension", "rose"), ("war", "fell")]


@pytest.mark.parametrize("text", ["tension", "tension:", "tension:0", "tension:-3", "tension:nan", "tension:101", ":5"])
def test_a_faulty_notice_is_refused(text: str) -> None:
    """What is no outcome with a number of points above 0 is refused with an example."""
    with pytest.raises(InputError, match=r"--notify-if .* such as tension:10"):
        read_notices([text], ["tension", "war"])


def test_a_move_is_told_by_the_exit_code_and_a_file(root: Path) -> None:
    """A run after which an outcome moved ends with 10 and leaves word, however often it is called; then it goes."""
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    notify = ("--notify-if", "tension:0.5")
    done = run(root, NEXT, *notify)
    assert done.code == 10
    assert done.err == ""
    assert re.fullmatch(
        rf"{NEXT} tension on \d+ \w+ 2025 rose by [\d.]+ points to \d+% \(was \d+% on {START}\)\n", word.read_text()
    )
    assert done.out.endswith(f"\nmoved: {word.read_text()}")
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["moved"]) == (10, word.read_text().strip())
    before = word.read_bytes()
    again = run(root, NEXT, *notify, "--json")
    assert again.code == 10
    assert strict_json(again.out)["forecast"]["as_of"] == str(NEXT)
    assert word.read_bytes() == before
    assert len(archived(root)) == 2
    assert run(root, NEXT, "--notify-if", "tension:100").code == 0
    assert not word.exists()


def test_the_first_issue_has_nothing_to_compare_with(root: Path) -> None:
    """Without an earlier issue a notice gives 0 and no file."""
    done = run(root, START, "--notify-if", "tension:0.0001")
    assert done.code == 0
    assert not (root / "reports" / "tiny" / "moved.txt").exists()


def test_a_ringing_alarm_is_hidden_nowhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the terminal of every command, the log, the notify file and the JSON, with an exit code if asked for."""
    monkeypatch.setattr("forecast.answers.alarm.LIMIT", 1.1)  # it always rings
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    done = run(root, NEXT, "--notify-if", "alarm")
    assert (done.code, done.err) == (11, "")
    report = strict_json(call("show", "--json", cwd=root).out)
    told = " ".join(report["alarm"]["sentences"])
    assert report["alarm"]["rings"] is True
    assert told.startswith("Alarm: since ")
    assert word.read_text() == f"{NEXT} {told}\n"
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["alarm"]) == (11, f"{NEXT} {told}")
    day = ("--as-of", str(NEXT))
    for command in (("run", *day), ("update", *day), ("show",)):
        shown_ = call(*command, cwd=root).out
        assert shown_.startswith("Alarm: since "), command
        assert told in " ".join(shown_.split())
    assert "Alarm: since " in call("update", *day, "--json", cwd=root).err
    assert "Alarm: since " in (root / "reports" / "index.html").read_text(encoding="utf-8")


def test_an_alarm_that_nobody_asked_about_does_not_change_the_exit_code(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another notice it stands in the file and before what moved, which has its code; alone it is 11."""
    monkeypatch.setattr("forecast.answers.alarm.LIMIT", 1.1)
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    assert run(root, NEXT, "--notify-if", "tension:100").code == 0
    assert word.read_text().startswith(f"{NEXT} Alarm: since ")
    assert run(root, NEXT, "--notify-if", "tension:0.5").code == 10
    assert [line.split()[1] for line in word.read_text().splitlines()] == ["Alarm:", "tension"]
    assert run(root, NEXT, "--notify-if", "tension:0.5", "--notify-if", "alarm").code == 11
    assert run(root, NEXT).code == 0


def test_silence_is_no_notice(root: Path) -> None:
    """Who asks about the alarm gets 0 and no file while it does not ring."""
    assert run(root, START, "--notify-if", "alarm").code == 0
    assert not (root / "reports" / "tiny" / "moved.txt").exists()
    assert "alarm" not in lines(root)[-1]


def test_report_and_command_give_one_alarm(root: Path) -> None:
    """The tail that was issued is what `forecast alarm` says of the same evidence, whatever draws are at hand now."""
    observe(root, "shot", NEXT)
    assert run(root, NEXT).code == 0
    issued = strict_json(call("show", "--json", cwd=root).out)["alarm"]
    weeks = ("--weeks", str(issued["weeks"]))
    for refit in ("auto", "never"):
        asked = strict_json(call("alarm", *weeks, "--as-of", str(NEXT), "--refit", refit, "--json", cwd=root).out)
        assert asked == issued


@pytest.mark.parametrize(("text", "told"), [("tensoin:5", "did you mean 'tension'"), ("tension:0", "above 0")])
def test_a_wrong_notice_stops_a_run_before_it_begins(root: Path, text: str, told: str) -> None:
    """An unknown outcome or a bad number is bad input, and nothing is issued."""
    done = run(root, NEXT, "--notify-if", text)
    assert done.code == 2
    assert told in done.err
    assert len(archived(root)) == 1


# Units for schedulers.


@pytest.fixture
def odd(root: Path, tmp_path: Path) -> Path:
    """Move the project to a folder with a name that every scheduler reads in its own way."""
    return Path(shutil.move(root, tmp_path / "50 %h $HOME 'quoted\" #1"))


def printed(root: Path, *arguments: str, **variables: str) -> str:
    """Print a unit as a user does."""
    done = subprocess.run(
        [str(BIN / "forecast"), "schedule", *arguments], cwd=root, env=environment(**variables), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def runs(command: list[str], root: Path, **variables: str) -> None:
    """Run the command of a unit, as of the day that is issued, from a place far from the project."""
    done = subprocess.run(
        command, cwd="/", env=environment(**variables), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing new to issue" in done.stdout
    assert lines(root)[-1]["issued"] == "same"


SAME_DAY = ("--as-of", str(START), *SHORT)


def from_crontab(line: str) -> tuple[str, str]:
    """Read a line as cron does: five fields, and a command in which only an escaped percent sign is one."""
    fields, command = re.fullmatch(r"((?:\S+ ){4}\S+) (.*)\n", line).groups()  # type: ignore[union-attr]
    assert not re.search(r"(?<!\\)%", command)
    return fields, command.replace(r"\%", "%")


def test_cron_runs_the_command_once_a_day(odd: Path) -> None:
    """Where the clock shows UTC the line names the time, and its command runs as it stands."""
    line = printed(odd, "cron", "--at", "05:07", "--notify-if", "tension:3", "--timeout", "500", TZ="UTC")
    fields, command = from_crontab(line)
    times = croniter(fields, dt.datetime(2026, 1, 9, tzinfo=dt.UTC))
    assert [times.get_next(dt.datetime) for _ in range(2)] == [
        dt.datetime(2026, 1, day, 5, 7, tzinfo=dt.UTC) for day in (9, 10)
    ]
    assert shlex.split(command)[0] == str(BIN / "forecast")
    assert shlex.split(command)[-4:] == ["--notify-if", "tension:3", "--timeout", "500"]
    runs(["sh", "-c", f"{command} {shlex.join(SAME_DAY)}"], odd)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_cron_in_another_time_zone_waits_for_utc(odd: Path, tmp_path: Path, zone: str) -> None:
    """Where the clock shows another time the line looks every quarter of an hour whether it is time in UTC."""
    fields, command = from_crontab(printed(odd, "cron", "--at", "05:07", TZ=zone))
    assert croniter.is_valid(fields)
    assert fields == "7,22,37,52 * * * *"
    assert command.startswith('test "$(date -u +%H:%M)" != 05:07 || ')
    if zone == "Asia/Kathmandu":
        date = tmp_path / "bin" / "date"
        date.parent.mkdir()
        for now, out in (("05:22", ""), ("05:07", "Usage")):
            date.write_text(f"#!/bin/sh\n[ \"$*\" = '-u +%H:%M' ] && echo {now}\n")
            date.chmod(0o755)
            path = f"{date.parent}:{os.environ['PATH']}"
            done = subprocess.run(
                ["/bin/sh", "-c", f"{command} --help"],
                env=environment(PATH=path),
                capture_output=True,
                text=True,
                check=True,
            )
            assert bool(done.stdout) == bool(out)
            assert out in done.stdout


def exec_start(unit: str) -> list[str]:
    """Read the command of a service as systemd does: after the colon only quotes and percent signs are special."""
    (line,) = re.findall(r"^ExecStart=:(.*)$", unit, flags=re.MULTILINE)
    return [word.replace("%%", "%") for word in shlex.split(line)]


type Analyze = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def analyze() -> Analyze:
    """Ask systemd, where there is one."""
    program = require("systemd-analyze")
    return lambda *arguments: subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_systemd_takes_the_units_and_their_command_runs(odd: Path, tmp_path: Path, analyze: Analyze) -> None:
    """No fault is found by systemd in service and timer, it reads the time as meant, and the command runs."""
    folder = tmp_path / "units"
    options = ("--at", "05:07", "--notify-if", "tension:3", "--timeout", "500")
    files = printed(odd, "systemd", *options, "--output", str(folder)).splitlines()
    assert [Path(file).suffix for file in files] == [".service", ".timer"]
    service, timer = (folder / Path(file).name for file in files)
    done = analyze("verify", "--man=no", str(service), str(timer))
    assert (done.returncode, done.stderr) == (0, "")
    (when,) = re.findall(r"^OnCalendar=(.*)$", timer.read_text(), flags=re.MULTILINE)
    assert "05:07:00 UTC" in analyze("calendar", "--base-time=2026-01-09 00:00:00 UTC", when).stdout
    unit = service.read_text()
    assert exec_start(unit)[-4:] == ["--notify-if", "tension:3", "--timeout", "500"]
    assert "TimeoutStartSec=560\n" in unit
    runs([*exec_start(unit), *SAME_DAY], odd)
    both = printed(odd, "systemd", *options)
    assert both == f"# {service.name}\n{unit}\n# {timer.name}\n{timer.read_text()}"


def test_systemd_would_notice_a_fault(tmp_path: Path, analyze: Analyze) -> None:
    """The check of the units is one: a program that is not there is a fault."""
    job = Job((str(tmp_path / "no program"),), tmp_path, "tiny", (), dt.time(6))
    ((name, text), _) = systemd_files(job, "root").items()
    (tmp_path / name).write_text(text)
    assert analyze("verify", "--man=no", str(tmp_path / name)).returncode != 0


@pytest.mark.parametrize(("folder", "private"), [("srv", "yes"), ("tmp", "no"), ("var/tmp", "no")])
def test_systemd_hides_no_folder_that_is_needed(folder: str, private: str) -> None:
    """A project among temporary files is not hidden from its own job."""
    unit = systemd_files(Job(("/usr/bin/forecast",), Path("/", folder, "x"), "tiny", (), dt.time(6)), "me")
    assert f"PrivateTmp={private}\n" in unit["forecast-x.service"]


def check_workflow(path: Path) -> int:
    """Hold a workflow against the schema of GitHub's workflows."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def git(*arguments: str, cwd: Path) -> str:
    """Run git."""
    names = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *names, *arguments], cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_github_takes_the_workflow_and_its_steps_run(odd: Path, tmp_path: Path) -> None:
    """The workflow fits GitHub's schema; its steps run the project and push report and archive, not the lock."""
    work, far = tmp_path / "work", tmp_path / "far.git"
    work.mkdir()
    git("init", "--bare", str(far), cwd=tmp_path)
    git("init", cwd=work)
    git("remote", "add", "origin", str(far), cwd=work)
    root = Path(shutil.move(odd, work / odd.name))
    (work / ".gitignore").write_text("ledger.db*\nfits/\nreports/\n")
    git("add", ".", cwd=work)
    git("commit", "--message", "project", cwd=work)
    git("push", "--set-upstream", "origin", "HEAD", cwd=work)
    path = tmp_path / "forecast.yml"
    path.write_text(printed(root, "github", "--at", "05:07", "--notify-if", "tension:3", "--timeout", "500"))
    assert check_workflow(path) == 0
    workflow = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - `on` stays a word
    fields = workflow["on"]["schedule"][0]["cron"]
    assert croniter(fields, dt.datetime(2026, 1, 9, tzinfo=dt.UTC)).get_next(dt.datetime).strftime("%H:%M") == "05:07"
    steps = {step.get("name", step.get("uses")): step for step in workflow["jobs"]["forecast"]["steps"]}
    out = tmp_path / "out"
    for name in ("Forecast", "Keep the report and the archive"):
        script = steps[name]["run"]
        if name == "Forecast":
            assert "--notify-if tension:3 --timeout 500" in script
            script = script.replace(" || code=$?", f" {shlex.join(SAME_DAY)} || code=$?")
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=work, capture_output=True, text=True, check=False,  # noqa: S607
            env=environment(GITHUB_OUTPUT=str(out), PATH=f"{BIN}:{os.environ['PATH']}"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert out.read_text() == "code=0\n"
    kept = git("-c", "core.quotePath=off", "ls-tree", "-r", "-z", "--name-only", "main", cwd=far).split("\0")
    names = {str(Path(name).relative_to(root.name)) for name in kept if name.startswith(root.name)}
    assert {"data/ledger.db", "reports/run.log", f"reports/tiny/{START}/forecast.json"} <= names
    assert "reports/run.lock" not in names


def test_github_would_notice_a_fault(tmp_path: Path) -> None:
    """The check of the workflow is one: a misspelt key is a fault."""
    job = Job(("forecast",), tmp_path, "tiny", (), dt.time(6))
    (text,) = github_files(job, None).values()
    (tmp_path / "bad.yml").write_text(text.replace("runs-on", "run-on"))
    assert check_workflow(tmp_path / "bad.yml") != 0


def test_github_installs_what_is_pinned(tmp_path: Path) -> None:
    """Next to the source its pins are used; elsewhere the versions of what decides the draws."""
    job = Job(("forecast",), tmp_path, "tiny", (), dt.time(6), timeout=3600)
    (text,) = github_files(job, None).values()
    assert re.search(
        r"pip install scenario-cascade==\S+ pymc==\S+ pytensor==\S+ nutpie==\S+ numba==\S+ numpy==\S+$",
        text,
        re.MULTILINE,
    )
    for name in ("pins.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    (text,) = github_files(job, None).values()
    assert "pip install --constraint pins.txt .\n" in text
    assert "timeout-minutes: 75\n" in text


@pytest.mark.parametrize("name", ["line\nbreak", "back\\slash", "bell\a"])
def test_a_name_that_a_unit_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    """What would end a line or means different things to different crons is refused."""
    with pytest.raises(InputError, match="cannot stand in a unit of cron"):
        cron_line(Job(("forecast",), tmp_path / name, "tiny", (), dt.time(6)), utc=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("cron", "--at", "24:00"), "is no time of day"),
        (("cron", "--at", "6:00"), "is no time of day"),
        (("cron", "--notify-if", "tensoin:5"), "did you mean 'tension'"),
        (("systemd", "--timeout", "0"), "give seconds above 0"),
        (("cron", "--output", "x"), "--output is for systemd and github"),
    ],
)
def test_a_unit_that_could_not_run_is_not_printed(root: Path, arguments: tuple[str, ...], told: str) -> None:
    """What a run would refuse, or no scheduler can do, is refused when the unit is asked for."""
    done = call("schedule", *arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_units_as_json(root: Path, tmp_path: Path) -> None:
    """`--json` gives the files by name, and where they were written."""
    given = strict_json(call("schedule", "systemd", "--json", "--model", "tiny", cwd=root).out)
    assert given["folder"] is None
    assert sorted(given["files"]) == ["forecast-project.service", "forecast-project.timer"]
    assert '"--model" "tiny"' in given["files"]["forecast-project.service"]
    written = strict_json(call("schedule", "github", "--json", "-o", str(tmp_path / "flows"), cwd=root).out)
    assert (tmp_path / "flows" / "forecast-project.yml").read_text() == written["files"]["forecast-project.yml"]


# A year.


@pytest.mark.slow
def test_a_simulated_year(tmp_path: Path, rng: np.random.Generator) -> None:
    """In 52 weekly runs, with all that goes wrong in a year, no issue is lost or doubled and all files are whole."""
    weeks = simulate(tmp_path / "year", rng)
    check_year(tmp_path / "year", weeks)
    incidents = {week.incident for week in weeks if not week.incident.startswith("killed after")}
    assert incidents >= {"broken_model", "broken_template", "disk_full", "busy", "out_of_time", "repeated"}
    good = sum(not week.incident or week.incident == "repeated" for week in weeks)
    assert good == 36
    killed_but_issued = sum(week.issues for week in weeks if week.code == -signal.SIGKILL)
    assert len(archived(tmp_path / "year")) == good + killed_but_issued
    assert killed_but_issued >= 2

"""One run at a time."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from projects import archived
from unattended import NEXT, NOW, lines, shown
from year import START, run

import forecast
from forecast.base.errors import BusyError

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("no_pictures")


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

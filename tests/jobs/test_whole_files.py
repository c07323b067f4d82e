"""Files of reports are whole, whatever is killed or fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from projects import archived
from unattended import NEXT, observe
from year import START, folder_of, killed_in_place, run

from forecast.base import files as publish
from forecast.base.errors import InputError


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


@pytest.mark.usefixtures("no_pictures")
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


@pytest.mark.usefixtures("no_pictures")
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


@pytest.mark.usefixtures("no_pictures")
def test_a_faulty_template_of_the_index_is_found_before_anything_is_issued(root: Path) -> None:
    """The list of all issues is written last, but a fault in its template stops the run first."""
    (root / "reports" / "templates").mkdir()
    (root / "reports" / "templates" / "index.html.jinja").write_text("{{ ")
    observe(root, "march", NEXT)
    done = run(root, NEXT)
    assert done.code == 2
    assert "index.html.jinja" in done.err
    assert len(archived(root)) == 1


@pytest.mark.usefixtures("no_pictures")
def test_a_report_that_cannot_be_put_in_place_stops_no_run(root: Path) -> None:
    """What is wrong with the report of another day is no reason not to run today."""
    observe(root, "march", NEXT)
    assert killed_in_place(root, NEXT, 0) == -signal.SIGKILL
    shutil.rmtree(root / "reports" / "tiny" / str(NEXT))
    (root / "reports" / "tiny" / str(NEXT)).write_text("in the way")
    assert run(root, START).code == 0

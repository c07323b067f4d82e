"""`forecast verify`: whatever was done to ledger, archive, fits or reports is noticed, and said with a remedy."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest
from projects import call, strict_json
from tampering import flipped, flips, repacked, tampered
from unattended import NEXT, observe
from year import START, issued_tiny, run

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT = f"reports/tiny/{START}/forecast.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a project with an issue, its fit and its report, and a row that was recorded later."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    shutil.copy(ledger_of(root), tmp_path / "older.db")
    observe(root, "march", NEXT)
    return root


def ledger_of(root: Path) -> Path:
    """Give the ledger's file."""
    return root / "data" / "ledger.db"


def _older_copy(root: Path) -> None:
    shutil.copy(root.with_name("older.db"), ledger_of(root))


def _deleted_row(root: Path) -> None:
    with tampered(ledger_of(root)) as raw:
        raw.execute("DELETE FROM entries WHERE seq = 1")


def _changed_issue(root: Path) -> None:
    with tampered(ledger_of(root)) as raw:
        repacked(raw, "Two stages", "Six stages", 1)


def _emptied(root: Path) -> None:
    ledger_of(root).write_bytes(b"")


def _emptied_with_its_head(root: Path) -> None:
    _emptied(root)
    Path(f"{ledger_of(root)}.head").unlink()


def _guards_dropped(root: Path) -> None:
    with closing(sqlite3.connect(ledger_of(root))) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.commit()


TAMPERINGS = {
    "an older copy put back": (_older_copy, "ledger.db.head knows of"),
    "a deleted row": (_deleted_row, "is not what was written"),
    "a changed issue": (_changed_issue, "row 1 of forecasts is not what was written"),
    "an emptied file": (_emptied, "is empty, but"),
    "an emptied file without its head": (
        _emptied_with_its_head,
        f"is empty, but reports/tiny/{START} was issued from it",
    ),
    "guards dropped": (_guards_dropped, "the trigger entries_no_delete is missing"),
}


def test_a_sound_project_is_said_to_be_sound(root: Path) -> None:
    """Rows, issues, fits and reports are counted, and nothing is changed by looking."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = call("verify", cwd=root)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("all is as it was written\n")
    told = strict_json(call("verify", "--json", cwd=root).out)
    assert (told["head"]["links"], told["issues"], told["fits"], told["reports"]) == (4, 1, 2, 1), "a fit and the prior"
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_done_to_a_ledger_is_noticed_by_verify_and_run(name: str, root: Path) -> None:
    """Both refuse with exit code 2 and one message; what is there stays as it is, and nothing is issued from it."""
    tamper, told = TAMPERINGS[name]
    tamper(root)
    content = ledger_of(root).read_bytes()
    for done in (call("verify", cwd=root), run(root, NEXT)):
        assert (done.code, done.out) == (2, "")
        assert told in " ".join(done.err.split())
        assert "Traceback" not in done.err
    assert ledger_of(root).read_bytes() == content


def _report_changed(root: Path) -> None:
    path = root / REPORT
    path.write_text(path.read_text(encoding="utf-8").replace("Two stages", "Six stages"), encoding="utf-8")


def _fit_flipped(root: Path) -> None:
    (path,) = (path for path in root.glob("data/tiny/fits/*.nc") if not path.name.startswith("prior-"))
    content = path.read_bytes()
    path.write_bytes(flipped(content, 8 * (len(content) // 2) + 3))


def _report_of_nobody(root: Path) -> None:
    shutil.copytree((root / REPORT).parent, root / "reports" / "tiny" / str(NEXT))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_report_changed, f"{REPORT}: is not what the archive holds; write it again: forecast report --model tiny"),
        (_fit_flipped, ".nc"),
        (_report_of_nobody, f"reports/tiny/{NEXT}: the archive knows nothing of this report"),
    ],
)
def test_what_lies_beside_the_ledger_is_held_against_it(root: Path, tamper: Callable[[Path], None], told: str) -> None:
    """A fit is read whole; a report is what the archive holds, and of an issue that is there."""
    tamper(root)
    done = call("verify", cwd=root)
    assert done.code == 2
    assert told in " ".join(done.err.split())


def _as_of_before_digests(path: Path) -> None:
    """Write a fit again as older versions did: without digests, in the file and behind it."""
    path.write_bytes(path.read_bytes()[:-71])
    with h5py.File(path, "r+") as file:
        del file.attrs["about_sha256"]


def test_a_fit_of_an_older_version_is_named_and_is_no_fault(root: Path) -> None:
    """It has no digest to be held against; what is damaged in it is a fault all the same."""
    (path,) = (path for path in root.glob("data/tiny/fits/*.nc") if not path.name.startswith("prior-"))
    _as_of_before_digests(path)
    done = call("verify", cwd=root)
    assert (done.code, done.err) == (0, "")
    told = "of an older version, without a digest; delete them, and what is needed is made again:"
    assert f"  {told}\n    {path.relative_to(root)}\n" in done.out
    assert done.out.endswith("all that has a digest is as it was written\n")
    assert strict_json(call("verify", "--json", cwd=root).out)["older"] == [str(path.relative_to(root))]
    with h5py.File(path) as file:
        offset = next(part.id.get_chunk_info(0).byte_offset for part in file.values() if part.chunks)
    content = bytearray(path.read_bytes())
    content[offset] ^= 4
    path.write_bytes(content)
    done = call("verify", cwd=root)
    assert (done.code, f"{path.relative_to(root)}: is not a readable fit" in done.err) == (2, True)


def test_a_fit_that_lost_its_digest_is_no_older_one(root: Path) -> None:
    """What a version with digests wrote says so within, so that a shortened file is a fault."""
    (path,) = (path for path in root.glob("data/tiny/fits/*.nc") if not path.name.startswith("prior-"))
    path.write_bytes(path.read_bytes()[:-71])
    done = call("verify", cwd=root)
    assert (done.code, f"{path.relative_to(root)}: its digest is missing or another" in done.err) == (2, True)


@pytest.mark.parametrize("count", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_every_flipped_bit_of_a_ledger_is_noticed(count: int, root: Path) -> None:
    """Wherever it lies, the exit code is 2 and the message has no traceback; afterwards all is sound again."""
    for bit in flips(ledger_of(root), count, random.Random(count)):  # noqa: S311 - no secret
        done = call("verify", cwd=root)
        assert (done.code, done.out) == (2, ""), f"bit {bit} went unnoticed"
        assert "Traceback" not in done.err
    assert call("verify", cwd=root).code == 0

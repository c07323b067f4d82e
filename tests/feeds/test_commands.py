"""The commands: a feed is added, listed, pulled, verified, and its suggestions are decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from coded_events import GDELT, MONDAY, Coded, gdelt_week
from projects import MODEL, call, fresh, strict_json

if TYPE_CHECKING:
    from pathlib import Path

CHANNEL = """
[channels.hostility]
label = "Made-up hostility"
stage = "relations"
points_to = ["confrontation"]
class = "news"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with a channel and a feed of a week."""
    root = fresh(tmp_path)
    with (root / MODEL).open("a", encoding="utf-8") as file:
        file.write(CHANNEL)
    for path in (root / "data" / "russia_azerbaijan" / "feeds").glob("*.toml"):
        path.unlink()
    _feeds(root).mkdir(exist_ok=True)
    (_feeds(root) / "coded.toml").write_text(GDELT, encoding="utf-8")
    events = [Coded(1, "20251201"), Coded(2, "20251201", code="163", link="https://example.org/ban")]
    gdelt_week(_feeds(root) / "files", MONDAY, events)
    return root


def _feeds(root: Path) -> Path:
    return root / "data" / "russia_azerbaijan" / "feeds"


def test_a_week_is_pulled_and_told(project: Path) -> None:
    """A dry run prints the counts and records nothing; the pull records them; list and verify say how old that is."""
    dry = call("feed", "pull", "--dry-run", cwd=project)
    assert dry.code == 0, dry.err
    assert "coded: 7 new files, 0 known, 0 refused; 9 rows read, 2 events kept" in dry.out
    assert f"hostility\t{MONDAY}\t1\t9\t2025-12-07" in dry.out
    done = call("feed", "pull", "coded", cwd=project)
    assert "Recorded 7 delivery rows, 0 in place of earlier ones." in done.out
    assert "1 suggestion to decide: `forecast feed suggest coded`." in done.out
    (again,) = strict_json(call("feed", "pull", "--json", cwd=project).out)
    assert (again["known"], again["new"], again["recorded"]) == (7, [], {})
    listed = call("feed", "list", cwd=project)
    assert "coded\tgdelt\tfiles\t1\t2025-12-07\t" in listed.out
    assert "dead or late" in listed.out
    verified = call("feed", "verify", cwd=project)
    assert "it is dead or late, and what came since is not known" in " ".join(verified.out.split())
    assert strict_json(call("feed", "verify", "--json", cwd=project).out)[0]["complete_weeks"] == 1


def test_a_suggestion_is_accepted_or_rejected(project: Path) -> None:
    """Grade and story are asked for; the row says who coded it; nothing waits afterwards."""
    call("feed", "pull", cwd=project)
    assert "https://example.org/ban" in call("feed", "suggest", cwd=project).out
    bare = call("feed", "suggest", "coded", "--accept", "2", cwd=project)
    assert (bare.code, "takes its --grade and its --story" in bare.err) == (2, True)
    done = call("feed", "suggest", "coded", "--accept", "2", "--grade", "C3", "--story", "the_ban", cwd=project)
    assert done.out == "recorded: entry_ban-coded-2\n"
    assert call("feed", "suggest", cwd=project).out == "No suggestion waits for a decision.\n"
    assert "entry_ban" in call("log", "--limit", "1", cwd=project).out
    missing = call("feed", "suggest", "coded", "--reject", "2", "--reason", "no", cwd=project)
    assert "no suggestion waits under '2'" in missing.err
    unnamed = call("feed", "suggest", "--reject", "2", "--reason", "no", cwd=project)
    assert "one event of one feed at a time" in unnamed.err


def test_a_feed_is_added_and_its_faults_are_told(project: Path) -> None:
    """A new feed file says what to choose; until then the list names what is lacking, and others are listed."""
    added = call("feed", "add", "plain", "mine", "--from", "~/mine", cwd=project)
    assert added.out.startswith("data/russia_azerbaijan/feeds/mine.toml\n")
    assert call("feed", "add", "plain", "mine", "--from", "x", cwd=project).code == 2
    listed = call("feed", "list", cwd=project)
    assert listed.code == 0
    assert "coded\t" in listed.out
    assert "[channels] or [sightings]: without either, nothing would be read" in listed.err
    pulled = call("feed", "pull", cwd=project)
    assert (pulled.code, "coded: 7 new files" in pulled.out) == (0, True)
    assert "without either, nothing would be read" in pulled.err
    assert call("feed", "pull", "mine", cwd=project).code == 2
    assert "there is no feed 'codet'; did you mean 'coded'?" in call("feed", "pull", "codet", cwd=project).err


def test_a_channel_that_no_model_has_is_a_fault(project: Path) -> None:
    """It is told with its line before anything is read."""
    path = _feeds(project) / "coded.toml"
    path.write_text(GDELT.replace("channels.hostility", "channels.hostilty"), encoding="utf-8")
    done = call("feed", "pull", cwd=project)
    assert done.code == 2
    assert "coded.toml:10: channels.hostilty: no model of this dataset has such a channel; did you mean" in done.err
    assert not (_feeds(project) / "coded").exists()


def test_a_project_without_feeds_says_how_to_get_one(tmp_path: Path) -> None:
    """List and pull say what to do."""
    root = fresh(tmp_path)
    for path in _feeds(root).glob("*.toml"):
        path.unlink()
    assert call("feed", "list", cwd=root).out == "There is no feed yet; `forecast feed add` writes the file of one.\n"
    assert "`forecast feed add` writes the file of one" in call("feed", "pull", cwd=root).err


def test_a_refused_file_is_told_by_the_exit_code_and_stops_no_other(project: Path) -> None:
    """The good files are taken in, what was refused is named, and the exit code is that of bad input."""
    bad = _feeds(project) / "files" / "20251208.export.CSV.zip"
    bad.write_bytes(b"PK\x03\x04 cut off")
    for arguments in (("--dry-run",), (), ("--json",)):
        done = call("feed", "pull", *arguments, cwd=project)
        assert done.code == 2
        assert "1 file refused (coded: 20251208.export.CSV.zip)" in " ".join(done.err.split())
    (told,) = strict_json(done.out)
    assert (told["known"], [row["file"] for row in told["refused"]]) == (7, [bad.name])
    assert strict_json(call("feed", "verify", "--json", cwd=project).out)[0]["complete_weeks"] == 1
    bad.unlink()
    assert call("feed", "pull", cwd=project).code == 0

"""A history's file is read whole or refused with every fault."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import LedgerError
from forecast.ledger.history import read_history

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 1, 8)
HEAD = "unit,stage,state,from,to,boundary,conditions,source,url,grade,note\n"
GOOD = "away,mood,calm|tense,2020-01-01,2020-03-01,,,Wire,,B2,quiet\n"


def read(path: Path, text: str) -> list[str]:
    """Give the faults of a file."""
    (path / "history.csv").write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        read_history(path / "history.csv", TODAY)
    return caught.value.faults


def test_a_row_says_what_stands_in_it(tmp_path: Path) -> None:
    """Columns may come in any order and case; what is optional may be absent."""
    text = "Grade,SOURCE,Unit,stage,State,FROM,to,conditions,colour\n"
    text += "B2,Wire,away,mood,open,2020-03-01,,backing.given; mood2.high,red\n"
    text += "B2,Wire,away,mood,calm | tense,2020-01-01,2020-03-01,,\n"
    (tmp_path / "history.csv").write_text(text, encoding="utf-8")
    notices: list[str] = []
    first, second = read_history(tmp_path / "history.csv", TODAY, notices.append)
    assert (first.states, first.from_, first.to) == (("calm", "tense"), dt.date(2020, 1, 1), dt.date(2020, 3, 1))
    assert (second.boundary, second.conditions, second.to) == ("day", (("backing", "given"), ("mood2", "high")), None)
    assert "'colour'" in notices[0]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",mood,calm,2020-01-01,,,,Wire,,B2,", "unit: is blank"),
        ("away,mood,calm,2020-02-30,,,,Wire,,B2,", "from: 2020-02-30 is a day that does not exist; the month ends"),
        ("away,mood,calm,01/02/2020,,,,Wire,,B2,", "from: '01/02/2020' is not a date; write YYYY-MM-DD"),
        ("away,mood,calm,2020-02-03,2020-02-03,,,Wire,,B2,", "to: 2020-02-03 is not after from, 2020-02-03"),
        ("away,mood,calm,2026-02-03,,,,Wire,,B2,", "from: 2026-02-03 is in the future"),
        ("away,mood,calm,2020-02-03,,week,,Wire,,B2,", "boundary: 'week' is not allowed"),
        ("away,mood,calm,2020-02-03,,,backing,Wire,,B2,", "conditions: 'backing' is not like"),
        ("away,mood,calm||open,2020-02-03,,,,Wire,,B2,", "state: 'calm||open' has an empty part"),
        ("away,mood,calm,2020-02-03,,,,Wire,,Z9,", "grade: 'Z9' is not an Admiralty grade"),
        ("away,mood,calm,2020-02-03,,,,#N/A,,B2,", "source: '#N/A' is a placeholder"),
        ("away,mood,calm,2020-02-03,,,,Wire,www.x.org,B2,", "url: 'www.x.org' is not a web address"),
        ("away,mood,calm,2020-02-03,,,Wire,,B2,", "has 10 cells, the header has 11"),
    ],
)
def test_each_fault_names_its_line_and_column(tmp_path: Path, row: str, fault: str) -> None:
    """The faulty row is on line 3."""
    assert read(tmp_path, HEAD + GOOD + row + "\n")[0].startswith(f"history.csv:3: {fault}")


def test_faults_come_all_at_once(tmp_path: Path) -> None:
    """Two faulty rows give two faults, and a missing column is named alone."""
    faulty = "away,mood,calm,2020-02-31,,,,Wire,,B2,\n"
    assert len(read(tmp_path, HEAD + faulty + GOOD + faulty)) == 2
    (missing,) = read(tmp_path, HEAD.replace("stage,", "") + "away,calm,2020-01-01,,,,Wire,,B2,\n")
    assert missing.startswith("history.csv:1: column 'stage' is missing")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("open,2020-02-01,2020-04-01", "begins on 2020-02-01, but the spell of line 2 ends on 2020-03-01"),
        ("tense,2020-03-01,2020-04-01", "state: tense and calm|tense of line 2 share a state"),
    ],
)
def test_spells_of_a_unit_follow_each_other(tmp_path: Path, row: str, fault: str) -> None:
    """They do not overlap, and change to the same states or to quite others."""
    (found,) = read(tmp_path, f"{HEAD}{GOOD}away,mood,{row},,,Wire,,B2,\n")
    assert found.startswith(f"history.csv:3: unit 'away': {fault}")


def test_what_is_still_so_is_the_last(tmp_path: Path) -> None:
    """A spell without an end cannot be followed by another; another unit's may."""
    still = GOOD.replace("2020-03-01", "")
    (found,) = read(tmp_path, f"{HEAD}{still}away,mood,open,2021-01-01,,,,Wire,,B2,\n")
    assert "the spell of line 2 has no end" in found
    (tmp_path / "history.csv").write_text(HEAD + still + still.replace("away", "elsewhere"), encoding="utf-8")
    assert len(read_history(tmp_path / "history.csv", TODAY)) == 2

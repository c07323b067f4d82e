"""What a project says of rows that correct others, and of days where the caller is."""

from __future__ import annotations

import csv
import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest
from projects import call, fresh, strict_json

import forecast
from forecast.base.clock import local_day
from forecast.base.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 1, 8, 21, 30, tzinfo=dt.UTC)
CELLS = {"indicator": "presidents_meeting", "date": "2026-01-07", "source": "Press service", "grade": "A1"}


def test_an_unknown_id_is_a_fault(tmp_path: Path) -> None:
    """A slip in `--id` adds no evidence beside the row that was meant; the right id corrects it."""
    forecast.init(tmp_path)
    project = forecast.open(tmp_path)
    model = project.model()
    (row_id,) = project.observe(model, CELLS, "observation", now=NOW).new
    for wrong in (row_id[:-1], "nothing"):
        with pytest.raises(InputError, match=f"there is no row '{wrong}'"):
            project.observe(model, CELLS | {"id": wrong, "grade": "B2"}, "observation", now=NOW)
    assert project.observe(model, CELLS | {"id": row_id, "grade": "B2"}, "observation", now=NOW).superseded == (row_id,)


def test_a_row_says_who_coded_it(tmp_path: Path) -> None:
    """Recorded by a program and confirmed by hand: a correction replaces the whole row, and the log tells both."""
    root = fresh(tmp_path)
    observe = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Press service", "--grade", "C3")
    named = ("--coded-by", "GDELT", "--language", "az")
    (row_id,) = strict_json(call(*observe, *named, "--json", cwd=root).out)["new"]
    assert call("export", "rows.csv", cwd=root).code == 0
    with (root / "rows.csv").open(encoding="utf-8", newline="") as file:
        (found,) = (row for row in csv.DictReader(file) if row["id"] == row_id)
    assert (found["coded_by"], found["language"]) == ("GDELT", "az")
    assert strict_json(call("import", "rows.csv", "--json", cwd=root).out)["superseded"] == []
    assert call(*observe, "--language", "az", "--id", row_id, cwd=root).code == 0
    told = [row["summary"] for row in strict_json(call("log", "-n", "2", "--json", cwd=root).out)]
    assert [text.partition("C3, ")[2] for text in told] == ["Press service (az)", "Press service (az), coded by GDELT"]
    done = call(*observe, "--language", "Azerbaijani", cwd=root)
    assert done.code == 2
    assert "language: 'Azerbaijani' is not a language tag; write one such as en, ru or az-Latn" in done.err


def test_sources_are_listed_with_a_total(tmp_path: Path) -> None:
    """A line each, those with most rows first, in a terminal and as JSON; an empty ledger says what to do."""
    root = fresh(tmp_path)
    observe = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Wire", "--grade", "C3")
    assert call(*observe, "--coded-by", "GDELT", "--language", "az", cwd=root).code == 0
    found = strict_json(call("sources", "--json", cwd=root).out)
    counts = [row["rows"] for row in found["sources"]]
    assert counts == sorted(counts, reverse=True)
    assert found["total"]["rows"] == sum(counts) > 30
    assert (found["total"]["machine_coded"], found["total"]["languages"]) == (1, ["az"])
    done = call("sources", cwd=root, columns=200)
    head, *lines, last = done.out.splitlines()
    assert head.split("  ")[0] == "source"
    assert len(lines) == len(found["sources"])
    (line,) = (line for line in lines if line.startswith("Wire"))
    assert line.split() == ["Wire", "1", "1", "C3", "2026-01-07", "2026-01-07", "az", "1"]
    assert last.split()[:4] == ["together,", str(len(lines)), "sources", str(sum(counts))]


def test_without_rows_there_are_no_sources(tmp_path: Path) -> None:
    """That is said in a sentence, and JSON has a total of nothing."""
    root = fresh(tmp_path)
    for path in root.glob("data/*/*.csv"):
        path.unlink()
    assert call("sources", cwd=root).out.startswith("No source has told anything yet; see `forecast observe`")
    assert strict_json(call("sources", "--json", cwd=root).out)["total"]["rows"] == 0


@pytest.mark.parametrize(("zone", "day"), [("UTC0", 8), ("XXX-4", 9), ("XXX+5", 8)])
def test_today_is_the_callers_day(monkeypatch: pytest.MonkeyPatch, zone: str, day: int) -> None:
    """East of Greenwich it is tomorrow already when it is late in UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        assert local_day(NOW) == dt.date(2026, 1, day)
    time.tzset()

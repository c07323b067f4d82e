"""The index page: models, issues, lines; and inert text."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from places import TEMPLATES

from forecast.base.errors import InputError
from forecast.ledger.issued import Issued
from forecast.report.index import HEIGHT, WIDTH, index_data, render_index

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '<script>alert(1)</script> & "quotes"'


def issued(day: int, chance: float, *, model: str = "plain", seq: int = 1, title: str = "Plain") -> Issued:
    """Make one issue, with as much of a report as the page reads."""
    as_of = dt.date(2026, 1, day)
    report: dict[str, Any] = {
        "model": {"name": model, "title": title, "outcomes": {"war": {"label": title}}, "stages": {}},
        "lead_weeks": 26,
        "headline": {"sentences": [f"{title} {day}."]},
        "forecast": {
            "quantities": [
                {"outcome": "war", "kind": "at", "given": None, "horizon_weeks": weeks, "estimate": {"mean": p}}
                for weeks, p in ((4, 0.9), (26, chance))
            ]
        },
    }
    return Issued(
        seq=seq, model=model, as_of=as_of, issued_at=dt.datetime(2026, 2, day, tzinfo=dt.UTC), evidence_hash="e",
        model_hash="m", fit="f", watermark=1, content=json.dumps(report),
    )  # fmt: skip


def test_the_latest_comes_first_and_the_last_of_a_date_counts() -> None:
    """Models by their latest issue, issues from the latest back; one line for each outcome, at the lead's horizon."""
    rows = [issued(5, 0.5), issued(3, 0.25), issued(5, 1.0, seq=3), issued(7, 0.0, model="rival", title="Rival")]
    rival, plain = index_data(rows)
    assert (rival["name"], plain["name"]) == ("rival", "plain")
    assert [issue["as_of"] for issue in plain["issues"]] == ["2026-01-05", "2026-01-03"]
    assert [issue["headline"] for issue in plain["issues"]] == ["Plain 5.", "Plain 3."]
    (line,) = plain["outcomes"]
    assert line["points"] == f"0.0,{HEIGHT * 0.75:.1f} {WIDTH:.1f},0.0"
    assert line["now"] == "100%"
    assert rival["outcomes"][0]["points"] == f"0.0,{HEIGHT:.1f} {WIDTH:.1f},{HEIGHT:.1f}"


def test_links_lead_to_the_reports_and_text_is_inert() -> None:
    """Every link is that of an issue; titles and labels are text, whatever they hold."""
    page = render_index(index_data([issued(5, 0.5, title=HOSTILE)]), [TEMPLATES])
    assert re.findall(r'href="([^"]*)"', page) == ["plain/2026-01-05/report.html"]
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 2
    assert page == render_index(index_data([issued(5, 0.5, title=HOSTILE)]), [TEMPLATES])


def test_a_faulty_template_is_named(tmp_path: Path) -> None:
    """The message says which, and what to do."""
    (tmp_path / "index.html.jinja").write_text("{{ nothing }}", encoding="utf-8")
    with pytest.raises(InputError, match=r"index\.html\.jinja: the template is faulty .*mend it, or delete it"):
        render_index([], [tmp_path, TEMPLATES])

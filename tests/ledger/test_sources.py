"""What each source has told, summed up."""

from __future__ import annotations

import json

from entries import day, sighting, watch

from forecast.ledger.sources import by_source, tally


def test_rows_are_summed_by_source() -> None:
    """Those with most rows come first, then by name; stories are counted as rules count them, grades best first."""
    rows = [
        sighting("1", story="raid", grade="C3", language="ru"),
        sighting("2", story="raid", grade="A1", language="az", date=day(1, 5)),
        sighting("3", story="raid", distinct=True, grade="F6", language="ru", coded_by="GDELT", date=day(6, 1)),
        sighting("4", grade="E5"),
        sighting("5", source="Report", coded_by="assistant"),
        sighting("6", source="Axios"),
        watch(source="our own reading"),
    ]
    found = by_source(rows)
    assert list(found) == ["APA", "Axios", "Report"]
    assert found["APA"].to_dict() == {
        "rows": 4, "stories": 3, "grades": ["A1", "C3", "E5", "F6"], "first": "2025-01-05", "newest": "2025-06-01",
        "languages": ["az", "ru"], "machine_coded": 1,
    }  # fmt: skip
    assert [(one.rows, one.machine_coded, one.languages) for one in found.values()][1:] == [(1, 0, ()), (1, 1, ())]
    assert by_source([watch()]) == {}


def test_a_story_of_two_sources_is_one_together() -> None:
    """So a total is not the sum of its lines."""
    rows = [sighting("1", story="raid"), sighting("2", story="raid", source="Report")]
    assert [one.stories for one in by_source(rows).values()] == [1, 1]
    assert tally(rows).stories == 1


def test_no_rows_come_to_nothing() -> None:
    """There is no first day then."""
    found = json.loads(json.dumps(tally([]).to_dict()))
    assert (found["rows"], found["first"], found["newest"], found["grades"]) == (0, None, None, [])

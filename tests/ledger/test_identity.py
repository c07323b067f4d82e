"""One event is one row unless somebody says otherwise, and one key has one spelling."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from entries import NOW, day, sighting

from forecast.base.errors import LedgerError
from forecast.ledger.check import Reading, Row, Vocabulary, check_entries
from forecast.ledger.files import import_file
from forecast.ledger.keys import clean_key
from forecast.ledger.rows import make_id
from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = Vocabulary({"cyberattack": ("Cyberattacks from Russia",)}, {}, dt.date(2024, 12, 1), dt.date(2026, 1, 8))
CELLS = {"id": "", "indicator": "cyberattack", "state": "", "date": "2025-02-20", "source": "APA", "grade": "B2"}


def row(line: int = 2, **changes: str) -> Row:
    """One row of a file, with changes."""
    return Row(file="rows.csv", line=line, kind="observation", cells=CELLS | changes)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Open an empty ledger."""
    return SqliteLedger.open(tmp_path / "ledger.db")


def test_equal_rows_are_not_one_silently() -> None:
    """Without ids they are a fault, with --same they are one, and with an id they are one and that is said."""
    with pytest.raises(LedgerError, match="lines 2 and 5 are the same: give ids if they are two events, or say --same"):
        check_entries([row(2), row(5)], VOCABULARY)
    told: list[str] = []
    assert len(check_entries([row(2), row(5)], VOCABULARY, Reading(same=True), told.append)) == 1
    assert len(check_entries([row(2, id="a"), row(5, id="a")], VOCABULARY, None, told.append)) == 1
    assert len(told) == 2
    assert len(check_entries([row(2, id="a"), row(5, id="b")], VOCABULARY)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"note": "."},
        {"grade": "A1"},
        {"source": "apa"},
        {"source": "APA."},
        {"url": "https://x.org/"},
        {"reported_on": day(3, 1)},
    ],
)
def test_a_retyped_row_is_named_with_the_first(ledger: SqliteLedger, changes: dict[str, object]) -> None:
    """Same indicator, date and source: both ids and the way out are said; `distinct` says it is another event."""
    ledger.add("d", [sighting("a")], now=NOW)
    notice = ledger.add("d", [sighting("b", **changes)], now=NOW).notices[0]
    assert notice.startswith("b says what a says")
    assert "retract b and correct a by its id, else say so with --distinct" in notice
    assert not any("says what" in said for said in ledger.add("d", [sighting("c", distinct=True)], now=NOW).notices)


@pytest.mark.parametrize("changes", [{"date": day(2, 19)}, {"source": "Report"}, {"indicator": "entry_ban"}])
def test_other_rows_are_not_named(ledger: SqliteLedger, changes: dict[str, object]) -> None:
    """Another day, source or indicator is another event, and so a correction is none."""
    ledger.add("d", [sighting("first")], now=NOW)
    assert ledger.add("d", [sighting("second", **changes)], now=NOW).notices == ()
    assert ledger.add("d", [sighting("first", grade="A1")], now=NOW).notices == ()


def test_rows_that_share_a_made_up_id_are_two_rows() -> None:
    """Two of thousands of rows of a day share six digits, by chance: both are kept, whatever the rest is."""
    rows = [row(k + 2, note=str(k)) for k in range(9_000)]
    found = check_entries(rows, VOCABULARY)
    assert len({make_id(entry) for entry in found}) < len(rows), "the premise: some ids collide"
    assert len({entry.id for entry in found}) == len(rows)


def test_a_correction_shows_as_one(ledger: SqliteLedger) -> None:
    """The log tells it from a new row, and from one that comes back after it was withdrawn."""
    for grade in ("B2", "A1"):
        ledger.add("d", [sighting("a", grade=grade)], now=NOW)
    ledger.retract("d", "a", reason="false", now=NOW)
    ledger.add("d", [sighting("a")], now=NOW)
    assert [record.action for record in ledger.log("d")] == ["add", "retract", "correct", "add"]
    assert [record.action for record in ledger.log("d", 3)] == ["add", "retract", "correct"]


def test_states_of_one_day_that_contradict_are_said(ledger: SqliteLedger) -> None:
    """Both are named in the order in which they were reported."""
    first = sighting("z", indicator=None, state="peace.deal", reported_on=day(2, 20))
    (notice,) = ledger.add("d", [sighting("a", indicator=None, state="peace.none"), first], now=NOW).notices
    assert "peace.deal (z), then peace.none (a)" in notice


@pytest.mark.parametrize(
    "text", ["Baku\u0301 x", "  Bak\u00fa x", "Bak\u00fa\u00a0x", "Bak\u00fa \t x", "Bak\u200b\u00fa x"]
)
def test_a_key_has_one_spelling(text: str) -> None:
    """Composed, without invisible characters, blanks folded."""
    spelled = clean_key(text)
    (found,) = check_entries([row(source=text)], VOCABULARY)
    assert found.source == spelled == "Bak\u00fa x"


@pytest.mark.parametrize(
    ("known", "new"),
    [("raid-one", "Raid-One"), ("border raid", "border riad"), ("raid", "r\u0430id"), ("raid", "raids")],
)
def test_keys_that_look_alike_are_warned(ledger: SqliteLedger, known: str, new: str) -> None:
    """Another case, one letter, another script: both spellings are named."""
    ledger.add("d", [sighting("1", story=known)], now=NOW)
    notices = ledger.add("d", [sighting("2", story=new, date=day(2, 21))], now=NOW).notices
    assert notices == (f"story {new!r} looks like {known!r}; if they are the same, write both in one way",)


@pytest.mark.parametrize(
    "text",
    ["#N/A", "#N/A N/A", "#REF!", "#¡REF!", "#ЗНАЧ!", "nan", "-NaN", "-1.#IND", "1.#QNAN", "None", "(none)", "[null]",
     "<NA>", "n.a", "N.A.", "(blank)", "not available", "TBA", "-", "–", "***", "[]", '""', "?!"],
)  # fmt: skip
def test_a_placeholder_is_a_fault_of_its_cell(text: str) -> None:
    """What programs and people write where nothing is known joins no events into one story."""
    with pytest.raises(LedgerError, match=r"rows.csv:2: story: .* stands for nothing"):
        check_entries([row(story=text)], VOCABULARY)


@pytest.mark.parametrize(
    "text", ["Nana", "No. 1", "-5", "raid (blank)", "NATO", "Nonesuch", "#raid", "🚀", "1.#INDIA 2"]
)
def test_a_word_that_only_begins_like_a_placeholder_is_none(text: str) -> None:
    """Names are kept, whatever stands within them."""
    (found,) = check_entries([row(story=text)], VOCABULARY)
    assert found.story == text  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("order", "text"), [("dmy", "25/03/2025"), ("mdy", "3/25/2025"), ("ymd", "2025.3.25"), ("dmy", "2025-03-25")]
)
def test_days_are_read_as_asked(order: str, text: str) -> None:
    """The order is said, never guessed; ISO days are always read."""
    (found,) = check_entries([row(date=text)], VOCABULARY, Reading(dates=order))
    assert found == sighting(found.id, date=day(3, 25), reported_on=day(3, 25), url="")
    if "-" not in text:
        with pytest.raises(LedgerError, match="import it with --dates dmy, mdy or ymd"):
            check_entries([row(date=text)], VOCABULARY)


@pytest.mark.parametrize(("count", "more"), [(50, ""), (51, "and 1 more"), (3000, "and 2,950 more")])
def test_at_most_fifty_faults_are_printed(count: int, more: str) -> None:
    """The rest is counted, and all of them are kept."""
    with pytest.raises(LedgerError) as caught:
        check_entries([row(k + 2, grade="Z9") for k in range(count)], VOCABULARY)
    assert len(caught.value.faults) == count
    assert str(caught.value).count("grade: 'Z9'") == 50
    assert more in str(caught.value)


@pytest.mark.parametrize("renamed", ["note", "url", "coded_by", "story"])
def test_a_row_whose_file_has_lost_a_column_is_already_there(
    ledger: SqliteLedger, tmp_path: Path, renamed: str
) -> None:
    """A column that is not read any more, for its name has changed, makes no second row; the column is named."""
    header = "indicator,state,date,source,url,grade,story,note,coded_by"
    rows = ["cyberattack,,2025-02-20,APA,https://x.org/1,B2,a,first,GDELT",
            "cyberattack,,2025-02-21,APA,https://x.org/2,B2,b,second,GDELT"]  # fmt: skip
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    first = import_file(ledger, "d", path, VOCABULARY, NOW)
    assert len(first.new) == 2
    names = ["remarks" if name == renamed else name for name in header.split(",")]
    more = "cyberattack,,2025-02-22,APA,https://x.org/3,B2,c,third,GDELT"
    path.write_text("\n".join([",".join(names), *rows, more]), encoding="utf-8")
    again = import_file(ledger, "d", path, VOCABULARY, NOW)
    assert (again.unchanged, len(again.new), again.superseded) == (first.new, 1, ())
    said = [line for line in again.notices if "already there" in line]
    assert len(said) == 1
    assert said[0].startswith("rows.csv: 2 rows are on record with columns that this file lacks (")
    assert renamed in said[0]


def test_a_row_that_could_be_either_of_two_on_record_is_new(ledger: SqliteLedger) -> None:
    """Two that only their notes tell apart are two events; a row without a note is neither."""
    ledger.add("d", [sighting("a", note="one"), sighting("b", note="two", distinct=False)], now=NOW)
    recorded = ledger.entries("d")
    cells = {name: cell for name, cell in CELLS.items() if name != "note"} | {"date": str(recorded[0].date)}
    (found,) = check_entries(
        [Row(file="rows.csv", line=2, kind="observation", cells=cells)], VOCABULARY, Reading(recorded=lambda: recorded)
    )
    assert found.id not in {"a", "b"}


@pytest.mark.parametrize("named", ["note", "url", "coded_by", "story", "language"])
def test_a_row_whose_file_has_got_a_column_is_completed(ledger: SqliteLedger, tmp_path: Path, named: str) -> None:
    """A column that was not read at first is added to the rows on record and makes no second ones, and that is said."""
    header = "indicator,state,date,source,url,grade,story,note,coded_by,language"
    rows = ["cyberattack,,2025-02-20,APA,https://x.org/1,B2,a,first,GDELT,az",
            "cyberattack,,2025-02-21,APA,https://x.org/2,B2,b,second,GDELT,ru"]  # fmt: skip
    path = tmp_path / "rows.csv"
    names = ["remarks" if name == named else name for name in header.split(",")]
    path.write_text("\n".join([",".join(names), *rows]), encoding="utf-8")
    first = import_file(ledger, "d", path, VOCABULARY, NOW)
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    again = import_file(ledger, "d", path, VOCABULARY, NOW)
    assert (again.new, again.superseded) == ((), first.new)
    assert any(line.startswith("rows.csv: 2 rows complete as many on record") for line in again.notices)
    kept = {row.id: getattr(row, named) for row in ledger.entries("d")}
    assert kept.keys() == {*first.new}
    assert all(kept.values())
    third = import_file(ledger, "d", path, VOCABULARY, NOW)
    assert (third.new, third.superseded) == ((), ())


@pytest.mark.parametrize(
    ("beside", "more"),
    [
        ({}, {"distinct": "yes"}),  # an analyst says that it is another event
        ({"note": "other"}, {}),  # what is on record says something else
        ({"id": "mine"}, {}),  # that row has an id that somebody gave
        ({}, {"grade": "A1"}),
    ],
)
def test_a_row_that_says_something_else_completes_none(
    ledger: SqliteLedger, beside: dict[str, str], more: dict[str, str]
) -> None:
    """Only what was imported without an id, and is blank where the new row differs, is completed."""
    ledger.add("d", check_entries([row(**beside)], VOCABULARY), now=NOW)
    reading = Reading(recorded=lambda: ledger.entries("d"))
    added = ledger.add("d", check_entries([row(note="said", **more)], VOCABULARY, reading), now=NOW)
    assert len(added.new) == 1
    assert len(ledger.entries("d")) == 2


def test_a_file_that_holds_both_rows_completes_neither() -> None:
    """The row on record stands in the file too, or two rows fit it: they are other events."""
    recorded = tuple(check_entries([row()], VOCABULARY))
    reading = Reading(recorded=lambda: recorded)
    both = check_entries([row(2, note="second"), row(3)], VOCABULARY, reading)
    assert len({entry.id for entry in both} | {recorded[0].id}) == 2
    two = check_entries([row(2, note="second"), row(3, note="third")], VOCABULARY, reading)
    assert recorded[0].id not in {entry.id for entry in two}

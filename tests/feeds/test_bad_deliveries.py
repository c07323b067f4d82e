"""Bad deliveries: each gets a clear message, and nothing of it is taken in."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import TYPE_CHECKING

import pytest
from coded_events import (
    ACLED,
    ACLED_COLUMNS,
    GDELT,
    MONDAY,
    NOW,
    PLAIN,
    POLECAT,
    POLECAT_COLUMNS,
    TODAY,
    UCDP,
    UCDP_COLUMNS,
    Coded,
    acled_row,
    csv_content,
    export,
    feed_of,
    gdelt_content,
    polecat_row,
    tsv_content,
    ucdp_row,
    zipped,
)

from forecast.base.errors import InputError
from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.feeds.deliveries import Intake

STAMP = "20251201001500"
CANDIDATE = "GEDEvent_v25_0_11.csv"
WEEKLY = "events-2025-12-01-2025-12-07.txt"
NAME = f"{STAMP}.export.CSV.zip"
EVENTS = [Coded(1, "20251201"), Coded(2, "20251201")]
INNER = gdelt_content(EVENTS, STAMP)
WHOLE = zipped(INNER, "a.CSV")
UCDP_ROWS = csv_content(UCDP_COLUMNS, [ucdp_row(k, "2025-11-03") for k in range(3)])
ACLED_ROWS = csv_content(ACLED_COLUMNS, [acled_row("UKR1", "2025-12-01", notes="Straße")])
POLECAT_ROWS = tsv_content(POLECAT_COLUMNS, [polecat_row("e1", "2025-12-02")])


def taken(text: str, folder: Path, files: dict[str, bytes]) -> tuple[Intake, Store]:
    """Lay files down and take them in."""
    (folder / "files").mkdir(parents=True)
    for name, content in files.items():
        (folder / "files" / name).write_bytes(content)
    store = Store(folder / "store")
    return take_in(store, feed_of(text, folder), listed_files(folder / "files"), NOW, TODAY), store


BAD = {
    "a truncated zip": (GDELT, NAME, WHOLE[:-40], "is truncated or damaged"),
    "a damaged zip": (GDELT, NAME, WHOLE[:60] + b"\0\0\0\0" + WHOLE[64:], "is truncated or damaged"),
    "a truncated gzip": (UCDP, "a.csv.gz", gzip.compress(UCDP_ROWS)[:-9], "is truncated or damaged"),
    "a table that breaks off": (GDELT, f"{STAMP}.export.CSV", INNER[:-9], "is truncated: its last line, 2, has no end"),
    "a table with tabs that breaks off": (
        POLECAT, WEEKLY, POLECAT_ROWS[:-20], "its last line, 2, breaks off after",
    ),
    "a CSV file that breaks off in a text": (UCDP, CANDIDATE, UCDP_ROWS[:-3], "unexpected end of data"),
    "a CSV file that breaks off at a comma": (UCDP, CANDIDATE, UCDP_ROWS[:-8], "its last line breaks off"),
    "a file that is zipped twice": (GDELT, NAME, zipped(WHOLE, NAME), "is packed twice"),
    "a gzipped zip": (GDELT, NAME, gzip.compress(WHOLE), "is packed twice"),
    "columns of GDELT 1.0": (
        GDELT, NAME, zipped(b"\t".join([b"1"] * 58) + b"\n", "a"), "it has 58 columns, a GDELT 2.0 table of events",
    ),
    "columns of another source": (UCDP, CANDIDATE, ACLED_ROWS, "it lacks the columns id, type_of_violence"),
    "a page of a web site": (POLECAT, WEEKLY, b"<html>\n", "is not a POLECAT table of events"),
    "rows of another width": (
        POLECAT, WEEKLY, POLECAT_ROWS.splitlines()[0] + b"\n1\t2\n3\t4\n", "it has 2 columns",
    ),
    "Latin-1": (ACLED, "a.csv", ACLED_ROWS.decode().encode("latin-1"), "is not UTF-8 text (line 2, byte"),
    "UTF-16": (ACLED, "a.csv", ACLED_ROWS.decode().encode("utf-16"), "is UTF-16 text"),
    "a name without a moment": (GDELT, "export.CSV.zip", WHOLE, "is not named as a quarter of an hour is"),
    "mentions": (GDELT, f"{STAMP}.mentions.CSV.zip", WHOLE, "mentions and graphs are not read"),
    "yesterday's file under today's name": (
        GDELT, "20251202001500.export.CSV.zip", WHOLE, "its rows were added at 20251201001500: it is another file",
    ),
    "last month's release under this month's name": (
        UCDP, "GEDEvent_v25_0_12.csv", UCDP_ROWS, "is named for 2025-12-01 to 2025-12-31, but tells of 2025-11-03",
    ),
    "yesterday's table under today's name": (
        PLAIN, "day-2025-12-03.csv", b"when;what;who\n02.12.2025;march;a\n", "is named for 2025-12-03, but tells of",
    ),
    "a quarter of an hour without any event": (GDELT, NAME, zipped(b"", "a.CSV"), "is empty"),
    "no event and no day in the name": (PLAIN, "events.csv", b"when;what;who\n", "tells of no event, and its name of"),
    "days to come": (PLAIN, "day-2026-02-03.csv", b"when;what;who\n", "days that have not come"),
    "two files in one": (GDELT, NAME, b"", "holds 2 files"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_delivery_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    """It is named with what is wrong and what to do, nothing of it is kept, and its neighbours are taken in."""
    text, file, content, said = BAD[name]
    if name == "two files in one":
        content = _two_files()
    intake, store = taken(text, tmp_path, {file: content})
    (refused,) = intake.refused
    assert refused.file == file
    assert said in refused.why
    assert not intake.new
    assert not store.taken
    assert store.events().is_empty()
    assert not list(tmp_path.glob("store/*"))


def _two_files() -> bytes:
    import io  # noqa: PLC0415 - here alone
    import zipfile  # noqa: PLC0415

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a", INNER)
        archive.writestr("b", INNER)
    return target.getvalue()


def test_a_bad_file_does_not_keep_others_out(tmp_path: Path) -> None:
    """Of three files of a day the one that is damaged is refused; the others count."""
    files = {NAME: WHOLE, "20251201003000.export.CSV.zip": b"PK\x03\x04", "20251201004500.export.CSV.zip": b""}
    files["20251201004500.export.CSV.zip"] = zipped(gdelt_content([Coded(9, "20251201")], "20251201004500"), "x")
    intake, store = taken(GDELT, tmp_path, files)
    assert [one.file for one in intake.refused] == ["20251201003000.export.CSV.zip"]
    assert sorted(store.events()["id"]) == ["1", "2", "9"]


def test_a_duplicate_file_is_named_with_its_twin(tmp_path: Path) -> None:
    """The same content under another name is refused, and counts once."""
    release = {"GEDEvent_v25_0_11.csv": UCDP_ROWS, "GEDEvent_v25_0_11 (1).csv": UCDP_ROWS}
    intake, store = taken(UCDP, tmp_path, release)
    (refused,) = intake.refused
    assert refused.file == "GEDEvent_v25_0_11.csv"
    assert "has the very content of GEDEvent_v25_0_11 (1).csv, which tells of 2025-11-01 to 2025-11-30" in refused.why
    assert store.events().height == 3


def test_a_file_that_was_only_renamed_is_known(tmp_path: Path) -> None:
    """A file that lies there under another name of the same days is the one that was taken in."""
    _, store = taken(UCDP, tmp_path, {"GEDEvent_v25_0_11.csv": UCDP_ROWS})
    (tmp_path / "files" / "GEDEvent_v25_0_11.csv").rename(tmp_path / "files" / "ged_candidate_v25_0_11.csv")
    again = take_in(store, feed_of(UCDP, tmp_path), listed_files(tmp_path / "files"), NOW, TODAY)
    assert (again.known, again.new, again.refused) == (1, (), ())


def test_a_day_without_any_event_is_a_delivery(tmp_path: Path) -> None:
    """A table with its header alone, and its day in its name, proves that nothing was told of that day."""
    intake, store = taken(PLAIN, tmp_path, {"day-2025-12-02.csv": b"when;what;who\n"})
    (one,) = intake.new
    assert (one.read, one.kept, one.first, one.last) == (0, 0, dt.date(2025, 12, 2), dt.date(2025, 12, 2))
    assert one.notes == ("it tells of no event",)
    assert store.taken == intake.new


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Whoever mistypes the folder learns which one was looked for."""
    with pytest.raises(InputError, match="nowhere: cannot be listed"):
        listed_files(tmp_path / "nowhere")


def test_faulty_rows_lie_in_a_table_for_people(tmp_path: Path) -> None:
    """Rows that are kept aside can be read, with their file and line, and no spreadsheet runs them."""
    export(tmp_path / "files", STAMP, [Coded(1, "20251201"), Coded(2, "00251201")])
    store = Store(tmp_path / "store")
    take_in(store, feed_of(GDELT, tmp_path), listed_files(tmp_path / "files"), NOW, TODAY)
    store.finish()
    text = (tmp_path / "store" / "faulty.csv").read_text()
    assert f"{NAME},2,day 0025-12-01 lies before 1900,2\t00251201" in text
    assert MONDAY.isoformat() not in text

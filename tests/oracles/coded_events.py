"""Files of feeds, made up in the exact formats of their sources, and feed files that read them."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from forecast.feeds.feed_file import FeedFile, load_feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MONDAY = dt.date(2025, 12, 1)
NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
TODAY = NOW.date()
QUARTER = dt.timedelta(minutes=15)
GDELT = """
[feed]
kind = "gdelt"
title = "Made-up GDELT"
folder = "files"
license = "none"
may_lack = 0.99
[window]
from = 2025-12-01
[channels.hostility]
between = [["RUS", "AZE"]]
codes = ["11", "12"]
[sightings.entry_ban]
source = ["RUS"]
target = ["AZE"]
codes = ["163"]
"""


class Coded(NamedTuple):
    """One event of GDELT."""

    id: int
    day: str
    source: str = "RUS"
    target: str = "AZE"
    code: str = "112"
    added: str = ""
    link: str = "https://example.org/a"


def feed_of(text: str, folder: Path, name: str = "coded") -> FeedFile:
    """Write a feed file and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_feed(path)


def gdelt_line(event: Coded, stamp: str) -> str:
    """Give an event as one line of GDELT 2.0: 61 columns between tabs."""
    cells = [""] * 61
    cells[0], cells[1], cells[2], cells[3] = str(event.id), event.day, event.day[:6], event.day[:4]
    cells[4] = f"{event.day[:4]}.5000"
    cells[5] = cells[7] = event.source
    cells[6], cells[16] = "SIDE A", "SIDE B"
    cells[15] = cells[17] = event.target
    cells[25], cells[26], cells[27], cells[28], cells[29] = "1", event.code, event.code[:3], event.code[:2], "3"
    cells[30], cells[31], cells[32], cells[33], cells[34] = "-2.0", "10", "1", "10", "-1.5"
    cells[51], cells[52], cells[53], cells[58] = "1", "Azerbaijan", "AJ", "AJ"
    cells[59], cells[60] = event.added or stamp, event.link
    return "\t".join(cells)


def gdelt_content(events: Iterable[Coded], stamp: str) -> bytes:
    """Give a whole export, unpacked."""
    return "".join(f"{gdelt_line(event, stamp)}\n" for event in events).encode()


def zipped(content: bytes, name: str) -> bytes:
    """Pack a file; the same content gives the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()


def export(folder: Path, stamp: str, events: Iterable[Coded]) -> Path:
    """Write a quarter of an hour as GDELT does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stamp}.export.CSV.zip"
    path.write_bytes(zipped(gdelt_content(events, stamp), f"{stamp}.export.CSV"))
    return path


def gdelt_day(folder: Path, day: dt.date, events: Sequence[Coded] = (), slots: int = 1) -> None:
    """Write files of a day: an event of others in each, and ``events`` in the first."""
    moment = dt.datetime.combine(day, dt.time())
    for k in range(slots):
        stamp = f"{moment + k * QUARTER:%Y%m%d%H%M%S}"
        others = Coded(int(f"{day:%j}") * 10_000 + k, f"{day:%Y%m%d}", "USA", "CAN", "010")
        export(folder, stamp, [others, *(events if not k else ())])


def gdelt_week(folder: Path, monday: dt.date, events: Sequence[Coded] = (), slots: int = 1) -> None:
    """Write files of a week, with ``events`` on its Monday."""
    for k in range(7):
        gdelt_day(folder, monday + dt.timedelta(days=k), events if not k else (), slots)


UCDP_COLUMNS = (
    "id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_name", "dyad_name", "side_a",
    "side_b", "source_article", "source_original", "where_description", "country", "date_prec", "date_start",
    "date_end", "best", "high", "low",
)  # fmt: skip


def csv_content(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> bytes:
    """Give a CSV file with a header; what a row does not say is blank."""
    lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    return "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines).encode()


def ucdp_row(number: int, day: str, **other: object) -> dict[str, object]:
    """Give a made-up event of UCDP."""
    return {
        "id": number, "year": day[:4], "code_status": "Clear", "type_of_violence": 1, "date_prec": 1,
        "side_a": "Government of Russia (Soviet Union)", "side_b": "Government of Ukraine", "country": "Ukraine",
        "date_start": f"{day} 00:00:00.000", "date_end": f"{day} 00:00:00.000", "best": 3, "high": 4, "low": 2,
        "source_article": f"Made-up paper,{day},A town was shelled", "where_description": "a town",
    } | other  # fmt: skip


UCDP = """
[feed]
kind = "ucdp"
title = "Made-up UCDP"
folder = "files"
license = "none"
[window]
from = 2025-11-01
[channels.battles]
between = [["Government of Russia*", "Government of Ukraine"]]
codes = ["1"]
[sightings.mass_air_strikes]
places = ["Ukraine"]
least = 25
[coverage]
indicators = ["mass_air_strikes"]
"""
ACLED = """
[feed]
kind = "acled"
title = "Made-up ACLED"
folder = "files"
license = "none"
[window]
from = 2025-12-01
[channels.battles]
source = ["Military Forces of Russia*"]
codes = ["Explosions"]
"""
ACLED_COLUMNS = (
    "event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type", "sub_event_type", "actor1",
    "actor2", "iso", "country", "source", "notes", "fatalities", "timestamp",
)  # fmt: skip
POLECAT = """
[feed]
kind = "polecat"
title = "Made-up POLECAT"
folder = "files"
license = "none"
[window]
from = 2025-12-01
[channels.hostility]
between = [["RUS", "AZE"]]
codes = ["ACCUSE"]
"""
POLECAT_COLUMNS = (
    "Event ID", "Event Date", "Event Type", "Event Mode", "Intensity", "Quad Code", "Actor Name", "Actor Country",
    "Recipient Name", "Recipient Country", "Source", "Publication Date", "Country",
)  # fmt: skip
PLAIN = """
[feed]
kind = "plain"
title = "Made-up table"
folder = "files"
license = "none"
[window]
from = 2025-12-01
[columns]
day = "when"
code = "what"
source = "who"
dates = "%d.%m.%Y"
separator = ";"
[channels.marches]
source = ["a"]
"""


def acled_row(number: str, day: str, **other: object) -> dict[str, object]:
    """Give a made-up event of ACLED."""
    return {
        "event_id_cnty": number, "event_date": day, "year": 2025, "time_precision": 1,
        "event_type": "Explosions/Remote violence", "sub_event_type": "Air/drone strike",
        "actor1": "Military Forces of Russia (2000-)", "actor2": "Civilians (Ukraine)", "country": "Ukraine",
        "source": "Made-up paper", "notes": "A town was hit.", "fatalities": 0, "timestamp": 1764806400,
    } | other  # fmt: skip


def polecat_row(number: str, day: str, **other: object) -> dict[str, object]:
    """Give a made-up event of POLECAT."""
    return {
        "Event ID": number, "Event Date": day, "Event Type": "ACCUSE", "Event Mode": "disapprove", "Actor Name": "A",
        "Actor Country": "RUS", "Recipient Name": "B", "Recipient Country": "AZE", "Source": "Made-up paper",
        "Publication Date": "2025-12-03",
    } | other  # fmt: skip


def tsv_content(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> bytes:
    """Give a file with a header and tabs; what a row does not say is blank."""
    lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines).encode()

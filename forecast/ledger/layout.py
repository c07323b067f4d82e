"""Headers of files of rows: which line it is, which columns it names, and layouts of other people's data."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from forecast.base.errors import nearest
from forecast.base.prose import listed
from forecast.ledger.keys import FORMULA, UNSOLVED, clean_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from forecast.ledger.rows import Kind


COLUMNS: dict[Kind, tuple[str, ...]] = {
    "observation": (
        "id", "indicator", "state", "date", "precision", "reported_on", "source", "url", "grade", "story", "distinct",
        "note", "coded_by", "language",
    ),
    "coverage": ("id", "indicator", "from", "to", "reported_on", "source", "url", "note"),
    "count": ("id", "channel", "from", "to", "count", "exposure", "reported_on", "source", "delivery", "note"),
    "delivery": (
        "id", "feed", "file", "digest", "from", "to", "read", "kept", "faulty", "repeated", "reported_on", "note",
    ),
}  # fmt: skip
OPTIONAL = {
    "id", "precision", "reported_on", "url", "story", "distinct", "note", "coded_by", "language", "delivery",
}  # fmt: skip
EITHER = {"observation": ("indicator", "state")}  # columns of which a row fills one: a file may lack the other
KNOWN = frozenset(name for names in COLUMNS.values() for name in names)
SEARCHED = 20  # lines among which the header may stand
TELLING = 3  # known columns that make a line the header
SEEN = 20  # columns of a file that a message names
CLOSE = 0.75  # how alike the name of a column is to one that is missing, to be taken for a slip


class Header(NamedTuple):
    """What a header says: the column in each place (blank for one that is not read), and what is wrong with it."""

    kind: Kind
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    faults: tuple[str, ...]


def folded(name: str) -> str:
    """Spell the name of a column as we do: ``Reported on`` is ``reported_on``."""
    return re.sub(r"[\s\-]+", "_", clean_key(name).casefold())


def width_fault(cells: list[str], width: int) -> str:
    """Say that a row has not as many cells as the header, ``width``; blank if it has, or blank ones beyond."""
    if len(cells) >= width and not any(cells[width:]):
        return ""
    return f"has {len(cells)} cells, the header has {width}; check its commas and quotes"


def known_columns(names: Iterable[str]) -> int:
    """How many of ours a line names."""
    return len(KNOWN & {folded(name) for name in names})


def find_header(
    lines: Iterator[tuple[int, list[str]]],
) -> tuple[list[tuple[int, list[str]]], tuple[int, list[str]] | None]:
    """Take lines up to the header and give those above it, and the header; the first line if none looks like one.

    The lines after the header are left in ``lines``, so they are only looked at where the first is no header.
    """
    first = next(lines, None)
    if first is None or known_columns(first[1]) >= TELLING or foreign_layout("", first[1]):
        return [], first
    above = [first]
    for _ in range(SEARCHED - 1):
        line = next(lines, None)
        if line is None:
            break
        if known_columns(line[1]) >= TELLING or foreign_layout("", line[1]):
            return above, line
        above.append(line)
    return [], first


def read_header(names: list[str]) -> Header:
    """Read a header: case, blanks and unknown columns do not matter, but for one that is near to a missing one."""
    given = [folded(name) for name in names]
    while given and not given[-1]:
        del given[-1]
    kind = _kind(set(given))
    columns = COLUMNS[kind]
    faults: list[str] = []
    ignored: list[str] = []
    for name, raw in zip(given, names, strict=False):
        if name in columns or not name or raw == FORMULA:
            continue
        absent = [column for column in columns if column not in given]
        if difflib.get_close_matches(name, absent, n=1, cutoff=CLOSE):
            faults.append(f"there is no column {raw.strip()[:80]!r}; {nearest(name, absent)}")
        else:
            ignored.append(raw.strip())
    faults += [
        f"the name of column {k + 1} is {UNSOLVED}" for k, raw in enumerate(names[: len(given)]) if raw == FORMULA
    ]
    faults += [f"column {name!r} is given twice" for name in columns if given.count(name) > 1]
    if fault := _missing(kind, given, names):
        faults.append(fault)
    return Header(kind, tuple(name if name in columns else "" for name in given), tuple(ignored), tuple(faults))


def _missing(kind: Kind, given: Sequence[str], names: Sequence[str]) -> str:
    """Say which columns a file lacks, which it has and which it needs; blank if it lacks none."""
    either = EITHER.get(kind, ())
    single = [(name,) for name in COLUMNS[kind] if name not in OPTIONAL and name not in either]
    needed = [either, *single] if either else single
    missing = [" or ".join(map(repr, one)) for one in needed if not set(one) & set(given)]
    if not missing:
        return ""
    are = f"column {missing[0]} is" if len(missing) == 1 else f"columns {listed(missing)} are"
    seen = [repr(name.strip()[:80]) for name in names if name.strip() and name != FORMULA]
    seen = [*seen[:SEEN], f"{len(seen) - SEEN:,} more"] if len(seen) > SEEN else seen
    return f"{are} missing; there are {listed(seen)}, and rows need {listed([' or '.join(one) for one in needed])}"


def _kind(given: set[str]) -> Kind:
    """Say of which kind of rows a header's columns are."""
    if "channel" in given:
        return "count"
    if {"feed", "digest"} <= given:
        return "delivery"
    return "coverage" if {"from", "to"} & given else "observation"


# Other people's layouts.

LAYOUTS = (
    ("ACLED", "an ACLED export", {"event_id_cnty", "event_date", "event_type"}),
    ("ACLED", "an ACLED export", {"event_id_cnty", "sub_event_type", "actor1"}),
    ("ACLED", "an ACLED export", {"data_id", "event_date", "event_type", "actor1"}),
    ("ACLED", "an ACLED table of counts", {"sub_event_type", "disorder_type", "events"}),
    ("UCDP", "UCDP's Georeferenced Event Dataset", {"type_of_violence", "side_a", "date_start"}),
    ("UCDP", "a UCDP list of conflicts", {"conflict_id", "side_a", "intensity_level"}),
    ("UCDP", "a UCDP list of dyads", {"dyad_id", "conflict_id", "side_a"}),
    ("UCDP", "a UCDP list of deaths in battle", {"conflict_id", "bd_best"}),
    ("UCDP", "a UCDP list of dyads", {"dyad_id", "conflict_id", "side_a_name"}),
    ("UCDP", "a UCDP list of actors", {"conflict_id", "actor_id", "actor_name"}),
    ("GDELT", "a GDELT table of events", {"globaleventid", "sqldate"}),
    ("GDELT", "a GDELT table of mentions", {"globaleventid", "mentiontimedate"}),
    ("GDELT", "a GDELT knowledge graph", {"gkgrecordid", "v2themes"}),
)
GDELT_FILE = re.compile(r"\d{8}(?:\d{6})?(?:\.translation)?\.(export|mentions|gkg)\.csv", re.IGNORECASE)
GDELT_EVENTS = range(57, 62)  # columns of its event tables, which have no header
GDELT_MENTIONS = range(14, 17)
GDELT_GRAPH = range(27, 28)


def foreign_layout(file: str, cells: list[str]) -> str:
    """Say whose layout the first line of a file has, and how its events become rows; blank if it is none we know."""
    names = {folded(cell) for cell in cells}
    found = next((what for _, what, columns in LAYOUTS if columns <= names), "")
    number = re.compile(r"\d{8,}")
    first = [cell.strip() for cell in cells[:3]]
    if not found and len(cells) in GDELT_EVENTS and first[0].isdigit() and re.fullmatch(r"(19|20)\d{6}", first[1]):
        found = "a GDELT table of events"
    elif not found and len(cells) in GDELT_MENTIONS and first[0].isdigit() and all(map(number.fullmatch, first[1:3])):
        found = "a GDELT table of mentions"
    elif (
        not found
        and len(cells) in GDELT_GRAPH
        and re.fullmatch(r"\d{14}-T?\d+", first[0])
        and first[0][:14] == first[1]
    ):
        found = "a GDELT knowledge graph"
    elif not found and GDELT_FILE.fullmatch(file) and not names & {"indicator", "state"}:
        found = "a GDELT table"
    if not found:
        return ""
    return (
        f"this is {found}: its lines are events, and none says which indicator of the model it is a sighting of; choose"
        " those that are, write them to a file with the columns indicator, state, date, source and grade, and read that"
        " with `forecast import FILE`"
    )

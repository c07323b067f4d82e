"""Reports of other versions: the parts that this one cannot read are left out, and the report says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import listed, on_day, spoken
from forecast.report.sections.all_sections import CHARTS, TABLES
from forecast.report.sections.matrix import matrix_tables

if TYPE_CHECKING:
    from collections.abc import Mapping


UNREADABLE = (LookupError, TypeError, AttributeError)  # what a part that lacks something, or is something else, raises
NEEDED = ("forecast", "path")  # without these there is no report


def readable(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give report data without the parts that this version cannot show, and a note that names them.

    Data of this version are given as they are.
    """
    lost: dict[str, None] = {}
    for part, make in (*CHARTS, *TABLES.values(), ("matrix", lambda data: matrix_tables(data["matrix"]))):
        if part in NEEDED or not data.get(part):
            continue
        try:
            make(data)
        except UNREADABLE:
            lost[part] = None
    if not lost:
        return data
    names = listed([f"“{spoken(part)}”" for part in lost])
    note = (
        f"Left out for lack of what this version of the program reads there: {names}. What was archived of it is in "
        f"forecast.json; {_issuer(data)} shows it."
    )
    return {**data, **dict.fromkeys(lost), "notes": [*data["notes"], note]}


def _issuer(data: Mapping[str, Any]) -> str:
    """Name the version that issued a report."""
    version = (data.get("fit") or {}).get("versions", {}).get("scenario-cascade", "")
    when = f", of {on_day(data['issued_at'][:10])}" if data.get("issued_at") else ""
    return f"the version that issued it (scenario-cascade {version or 'of unknown number'}{when})"

"""Tidy frames from rows; apart, because pandas is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


DAY = "datetime64[s]"


def frame(
    rows: Iterable[Any], days: Iterable[str] = (), columns: Sequence[str] | None = None, **types: str
) -> pd.DataFrame:
    """Frame of rows (mappings, or sequences with ``columns``); columns ``days`` hold dates, others have ``types``."""
    return pd.DataFrame(list(rows), columns=None if columns is None else list(columns)).astype(
        dict.fromkeys(days, DAY) | types
    )


def stacked(parts: Mapping[str, pd.DataFrame], column: str) -> pd.DataFrame:
    """Frames under each other, with the name of each in a last ``column``."""
    return pd.concat([part.assign(**{column: name}) for name, part in parts.items()], ignore_index=True)


def cell_text(value: Any) -> str:  # noqa: ANN401 - whatever a frame holds
    """Text of a cell: ISO dates and times, nothing for what is missing."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat() if value.tz else value.date().isoformat()
    return "" if pd.isna(value) else str(value)

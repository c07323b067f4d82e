"""Errors: one base; each message says where, what was found and what to do."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np


SHOWN_FAULTS = 50
OFFERED = 3  # names that are called as what was given
ALIKE = 0.6  # of the letters of two names, in parts in which they differ, for one to be meant by the other
LONGEST_QUOTE = 60  # characters of a value in a message
EXIT_CODES = {  # of every command; documents take them from here
    0: "done",
    2: "usage or bad input; nothing was changed (`forecast feed pull`: by the files that were refused)",
    3: "the numbers cannot be trusted: a fit failed its checks, or a new fit was needed and forbidden",
    4: "busy: another run is under way, or another process holds the ledger",
    10: "done, and an outcome moved by as much as `--notify-if` asked",
    11: "done, and the alarm rings: what was observed contradicts the model (`--notify-if alarm`)",
    124: "stopped after `--timeout` seconds; nothing was issued",
    130: "interrupted",
}


DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ForecastError(Exception):
    """Base of every error this package raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 2


class InputError(ForecastError):
    """Something the user gave cannot be used; nothing was changed."""


class ImpossibleError(InputError):
    """The evidence cannot have happened under any draw of a model."""


class FaultsError(InputError):
    """Bad input with every fault listed at once.

    ``faults`` holds one line each: key, what was found, what is allowed; ``places`` may say where each stands, as
    ``file:line``. The message has the first 50 and counts the rest.
    """

    def __init__(self, where: str, faults: Sequence[str], places: Sequence[str] = ()) -> None:
        """Build the message from ``where`` (usually a file) and at least one fault."""
        self.where = where
        self.faults = tuple(faults)
        self.places = tuple(places)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults):,} faults"
        more = len(self.faults) - SHOWN_FAULTS
        rest = [f"… and {more:,} more; mend these first"] if more > 0 else []
        shown = [": ".join(parts) for parts in zip(self.places, self.faults, strict=True)] if places else self.faults
        super().__init__("\n  ".join([f"{where}: {count}", *shown[:SHOWN_FAULTS], *rest]))


class ModelFileError(FaultsError):
    """A model file that cannot be used, with every fault, its dotted key and its line."""


class LedgerError(FaultsError):
    """Rows that cannot be taken in, with every faulty row, or a ledger that cannot be opened."""


class UntrustworthyError(ForecastError):
    """The numbers cannot be trusted (a fit that failed its checks); nothing was published."""

    exit_code = 3


class BusyError(ForecastError):
    """Another process holds what is needed; try again later."""

    exit_code = 4


class OutOfTimeError(ForecastError):
    """What was asked took longer than it was allowed to; nothing was published."""

    exit_code = 124


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Say what would have been allowed instead of ``name``, the nearest spelling first.

    Of dotted names, such as ``hospitals.calm``, those count that begin as ``name`` does, or whose last part it is.
    """
    known = sorted(allowed)
    if called := [one for one in known if one.rpartition(".")[2] == name != one]:
        return f"did you mean {' or '.join(map(repr, called[:OFFERED]))}?"
    known = _below(name, known)
    spelled = difflib.get_close_matches(name, known, n=len(known) or 1, cutoff=0.6)
    close = next((one for one in spelled if _near(name, one)), None)
    if close is not None:
        return f"did you mean {close!r}?"
    if not known:
        return "none is defined"
    return "allowed: " + ", ".join(known[:12]) + (", …" if len(known) > 12 else "")  # noqa: PLR2004


def nearest_row(row_id: str, known: Iterable[str]) -> str:
    """Say which few ids of rows are near to one that is unknown, of thousands; or where they are shown."""
    close = difflib.get_close_matches(row_id, list(known), n=OFFERED, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else "`forecast log` shows the ids."


def _below(name: str, known: list[str]) -> list[str]:
    """Keep the names below the longest part of a dotted ``name`` that has any; all if none has."""
    above = name
    while above:
        above = above.rpartition(".")[0]
        if found := [one for one in known if above and one.startswith(f"{above}.")]:
            return found
    return known


def _near(name: str, other: str) -> bool:
    """Whether two names are alike in the parts in which they differ: ``wards_full`` is not near ``wards_calm``."""
    mine, others = re.split(r"[._]", name), re.split(r"[._]", other)
    for end in (0, -1):
        while mine and others and mine[end] == others[end]:
            del mine[end], others[end]
    if not mine or not others:
        return True
    pairs = zip(mine, others, strict=True) if len(mine) == len(others) else [("_".join(mine), "_".join(others))]
    return all(difflib.SequenceMatcher(None, *pair).ratio() >= ALIKE for pair in pairs)


def plain(number: float) -> str:
    """Write a limit without an exponent."""
    return f"{number:,.6f}".rstrip("0").rstrip(".")


def brief(value: object) -> str:
    """Write a value as a message can quote it; a number of many digits by their count."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {int(value.bit_length() * math.log10(2)) + 1:,} digits"
    try:
        text = repr(value)
    except ValueError:  # a number of many digits within
        return f"a {'list' if isinstance(value, list) else 'table'} with a number of too many digits"
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 3] + "…"


def read_date(value: dt.date | np.datetime64 | str, what: str) -> dt.date:
    """Give the day of a date, or read it from text; ``what`` says in the message whose it is.

    A moment (`datetime`, `Timestamp`, `datetime64`) is the day on which it lies, where it says that it is.

    Raises
    ------
    InputError
        If it is no day of the calendar, or written otherwise than as 2026-01-08.

    """
    day: Any = value
    if not isinstance(value, dt.date | str):
        day = value.astype("datetime64[D]").item()  # None for what is no time
    elif isinstance(value, dt.datetime):
        day = value.date() if value == value else None  # noqa: PLR0124 - pandas' NaT is no time, and not itself
    elif isinstance(value, str):
        try:
            day = dt.date.fromisoformat(value) if DAY.fullmatch(value) else None
        except ValueError:
            msg = f"{what} {value!r} is not a date: there is no such day; write one of the calendar, as 2026-01-08"
            raise InputError(msg) from None
    if not isinstance(day, dt.date):
        msg = f"{what} {value!r} is not a date; write it as 2026-01-08"
        raise InputError(msg)
    return day

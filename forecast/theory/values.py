"""What a value of a model file may be: names, texts, days, numbers and 90 % intervals, each with its range."""

from __future__ import annotations

import datetime as dt
import math
from contextlib import suppress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from forecast.base.errors import DAY, brief, plain

QUOTE_WORDS = 25
NORMAL_90 = 3.2897  # width of a standard normal's central 90 % interval
LEAST, MOST = 1e-6, 1e6  # of rates per year and multipliers: wider would overflow where several meet
SPREAD = (1e-3, 10.0)  # of log rates within a class
SCALE = (0.01, 10.0)  # of the logarithms of the grades
MOST_WEEKS = 520  # ten years
LONGEST_LAG = 3650  # days
EARLIEST, LATEST = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
LONGEST_NAME = 100
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
NAME_SCHEMA = {"type": "string", "pattern": NAME_PATTERN, "maxLength": LONGEST_NAME}
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Label = Annotated[
    Text,
    Field(description="The name in words, for people. Without it: the key in words.", examples=["Hospitals are full"]),
]
Weeks = Annotated[int, Field(strict=True, ge=1, le=MOST_WEEKS)]
Weight = Annotated[float, Field(strict=True, ge=1e-3, le=MOST)]
Multiplier = Annotated[float, Field(strict=True, gt=1, le=MOST)]


def ordered(interval: object, within: tuple[float, float] = (LEAST, MOST)) -> tuple[float, float]:
    """Check that an interval is two numbers in order, both ``within`` a range."""
    match interval:
        case [int() | float() as low, int() | float() as high] if not {type(low), type(high)} & {bool}:
            pass
        case _:
            msg = f"needs two numbers, [lo, hi], got {brief(interval)}"
            raise ValueError(msg)
    if not 0 < low < high < math.inf:
        msg = f"a 90 % interval needs 0 < lo < hi, got [{brief(low)}, {brief(high)}]"
        raise ValueError(msg)
    if not within[0] <= low < high <= within[1]:
        msg = (
            f"a 90 % interval lies between {plain(within[0])} and {plain(within[1])}, got [{brief(low)}, {brief(high)}]"
        )
        raise ValueError(msg)
    return float(low), float(high)


def _day(value: object) -> dt.date:
    """Take a date, or one in quotation marks; a number or a time of day would be taken for one as well."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    with suppress(ValueError):
        if isinstance(value, str) and DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
    msg = f"needs a date of the calendar, such as 2026-01-08, got {brief(value)}"
    raise ValueError(msg)


def modern(day: dt.date) -> dt.date:
    """Check that a day lies in the centuries of the calendar that the clock counts."""
    if not EARLIEST <= day <= LATEST:
        msg = f"needs a date between {EARLIEST} and {LATEST}, got {day}"
        raise ValueError(msg)
    return day


def _two_numbers(within: tuple[float, float]) -> WithJsonSchema:
    """Say it in a JSON schema that editors of older drafts know as well."""
    number = {"type": "number", "minimum": within[0], "maximum": within[1]}
    return WithJsonSchema({"type": "array", "items": number, "minItems": 2, "maxItems": 2})


Interval = Annotated[tuple[float, float], BeforeValidator(ordered), _two_numbers((LEAST, MOST))]
Spread = Annotated[
    tuple[float, float], BeforeValidator(lambda interval: ordered(interval, SPREAD)), _two_numbers(SPREAD)
]
Scale = Annotated[tuple[float, float], BeforeValidator(lambda interval: ordered(interval, SCALE)), _two_numbers(SCALE)]
Day = Annotated[dt.date, BeforeValidator(_day)]


def log_normal(interval: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation, on the log scale, of the log-normal with this 90 % interval."""
    low, high = interval
    return (math.log(low) + math.log(high)) / 2, math.log(high / low) / NORMAL_90


def _short(quote: str) -> str:
    if len(quote.split()) > QUOTE_WORDS:
        msg = f"a quote points to its passage in at most {QUOTE_WORDS} words, this one has {len(quote.split())}"
        raise ValueError(msg)
    return quote


Quote = Annotated[Text, AfterValidator(_short)]

"""The file of a feed: where a source's files are, and which of its events count for which channel or indicator."""

from __future__ import annotations

import re
from contextlib import suppress
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, ValidationError, model_validator

from forecast.base import prose
from forecast.base.errors import FaultsError, InputError, brief, nearest
from forecast.base.toml_lines import key_lines
from forecast.base.toml_text import NotTomlError, place_in, read_bounded, read_toml
from forecast.theory.tables import Table
from forecast.theory.values import Day, Name, Text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

KindName = Literal["gdelt", "ucdp", "acled", "polecat", "plain"]
Every = Literal["15 minutes", "day", "week", "month", "release"]
ITEM = re.compile(r"[0-9]+(st|nd|rd|th)")  # as messages count the items of a list
LOCAL = {"localhost", "127.0.0.1", "::1"}
SLOTS = ("stamp", "date", "day", "year", "yy", "month", "m")  # parts of a moment that addresses may hold
DISTINCT: Mapping[Every, tuple[set[str], ...]] = {  # which of them tell the files of each pace apart
    "15 minutes": ({"stamp"},),
    "day": ({"day"}, {"date"}, {"stamp"}),
    "week": ({"day"}, {"date"}, {"stamp"}),
    "month": ({"year", "month"}, {"yy", "month"}, {"year", "m"}, {"yy", "m"}, {"day"}, {"date"}),
}
MOST_SELECTED = 500  # entries of a list


class Kind(NamedTuple):
    """What holds for a kind of source unless the file says otherwise.

    A source that ``adds`` tells of an event once; the others deliver anew all that they know of a span of days, and the
    newest delivery replaces what was said of its days.
    """

    title: str
    every: Every
    lag_days: int
    exposure: Literal["events", "weeks"]
    adds: bool
    looks: bool  # it looks systematically, so that its silence can be coverage


KINDS: Mapping[str, Kind] = {
    "gdelt": Kind("GDELT 2.0 events", "15 minutes", 1, exposure="events", adds=True, looks=False),
    "ucdp": Kind("UCDP GED and Candidate", "month", 20, exposure="weeks", adds=False, looks=True),
    "acled": Kind("ACLED export", "release", 7, exposure="weeks", adds=False, looks=True),
    "polecat": Kind("POLECAT", "week", 7, exposure="events", adds=True, looks=False),
    "plain": Kind("plain table", "day", 1, exposure="weeks", adds=True, looks=True),
}


class FeedFileError(FaultsError):
    """A feed file that cannot be used, with every fault, its dotted key and its line."""


Texts = Annotated[tuple[Text, ...], Field(min_length=1, max_length=MOST_SELECTED)]
Pair = tuple[Text, Text]


class Selection(Table):
    """Which events are meant: those that fit every key that is given.

    ``between`` holds pairs of actors, in either direction; ``source`` and ``target`` are who does it and to whom; an
    actor that ends in ``*`` is any that begins so. A code stands for all that begin with it. ``least`` is the smallest
    ``size``: articles of GDELT, deaths of UCDP and ACLED.
    """

    between: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=MOST_SELECTED)] | None = None
    source: Texts | None = None
    target: Texts | None = None
    codes: Texts | None = None
    places: Texts | None = None
    least: Annotated[int, Field(strict=True, ge=1)] | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _selective(self) -> Self:
        if not any((self.between, self.source, self.target, self.places)):
            msg = "selects every event there is; give `between`, `source`, `target` or `places`"
            raise ValueError(msg)
        return self


class Header(Table):
    """What a feed is and where its files are; what is not said is as `KINDS` has it."""

    kind: KindName
    title: Text
    folder: Text | None = None
    url: Text | None = None
    license: Text
    every: Every | None = None
    may_lack: Annotated[float, Field(ge=0, lt=1)] = 0.05
    lag_days: Annotated[int, Field(strict=True, ge=0, le=3650)] | None = None
    exposure: Literal["events", "weeks"] | None = None
    most_files: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 1000
    most_megabytes: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 1000

    @model_validator(mode="after")
    def _located(self) -> Self:
        if (self.folder is None) == (self.url is None):
            msg = "give one of `folder` (files that are there) and `url` (files to download)"
            raise ValueError(msg)
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
                msg = f"`url` needs an https address, got {brief(self.url)}"
                raise ValueError(msg)
        return self


class Window(Table):
    """Days that matter: nothing before ``from`` or after ``until`` is counted or downloaded."""

    from_: Annotated[Day, Field(alias="from")]
    until: Day | None = None


Column = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Columns(Table):
    """How the columns of a plain table map to an event; ``dates`` is how its days are written."""

    day: Column
    code: Column
    id: Column | None = None
    added: Column | None = None
    source: Column | None = None
    target: Column | None = None
    place: Column | None = None
    size: Column | None = None
    link: Column | None = None
    text: Column | None = None
    dates: Text = "%Y-%m-%d"
    separator: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","


class Watching(Table):
    """Indicators of which the source sees every event: with all its suggestions decided, a week of it is coverage."""

    indicators: Annotated[tuple[Name, ...], Field(min_length=1)]


class FeedFile(Table):
    """A feed: a source, and what its events are to the model."""

    feed: Header
    window: Window
    columns: Columns | None = None
    channels: dict[Name, Selection] = Field(default_factory=dict[Name, Selection])
    sightings: dict[Name, Selection] = Field(default_factory=dict[Name, Selection])
    coverage: Watching | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = self.feed.kind
        if (self.columns is None) == (kind == "plain"):
            msg = f"[columns]: {'a plain table needs it' if kind == 'plain' else f'{kind} has columns of its own'}"
            raise ValueError(msg)
        if not self.channels and not self.sightings:
            msg = "[channels] or [sightings]: without either, nothing would be read"
            raise ValueError(msg)
        if self.feed.url is not None:
            self._require_slots(self.feed.url)
        if self.coverage and not KINDS[kind].looks:
            msg = f"[coverage]: {kind} counts what is in the news, and its silence shows nothing; leave the table out"
            raise ValueError(msg)
        if self.coverage and (lacking := [n for n in self.coverage.indicators if n not in self.sightings]):
            msg = f"[coverage]: say under [sightings.{lacking[0]}] what the source would show of it"
            raise ValueError(msg)
        return self

    def _require_slots(self, url: str) -> None:
        """Make sure that a template gives every file its own address."""
        if self.every == "release":
            msg = "feed.url: releases come under names of their own; download them and give their `folder`"
            raise ValueError(msg)
        found = {name for _, name, _, _ in Formatter().parse(url) if name is not None}
        if unknown := sorted(found - set(SLOTS)):
            msg = f"feed.url: {{{unknown[0]}}} is no part of a moment; {nearest(unknown[0], SLOTS)}"
            raise ValueError(msg)
        if not any(needed <= found for needed in DISTINCT[self.every]):
            ways = " or ".join("".join(f"{{{name}}}" for name in sorted(needed)) for needed in DISTINCT[self.every])
            msg = f"feed.url: a file comes every {self.every}, so its address needs {ways}"
            raise ValueError(msg)

    @property
    def kind(self) -> Kind:
        """What holds for its kind of source."""
        return KINDS[self.feed.kind]

    @property
    def every(self) -> Every:
        """How often a file comes."""
        return self.feed.every or self.kind.every

    @property
    def lag_days(self) -> int:
        """Days after which the source has told of a day."""
        return self.kind.lag_days if self.feed.lag_days is None else self.feed.lag_days

    @property
    def exposure(self) -> Literal["events", "weeks"]:
        """What counts are held against: all events of the week, or 1 for each week."""
        return self.feed.exposure or self.kind.exposure

    @property
    def selections(self) -> tuple[Selection, ...]:
        """Every selection of the file."""
        return (*self.channels.values(), *self.sightings.values())


def load_feed(path: Path) -> FeedFile:
    """Read a feed file; `FeedFileError` with every fault if it has any."""
    try:
        text = read_bounded(path)
        tables = read_toml(text)
    except OSError as error:
        raise FeedFileError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except NotTomlError as error:
        raise FeedFileError(str(path), [str(error)], [place_in(path, error)] if error.line else ()) from error
    except ValueError as error:
        raise FeedFileError(str(path), [str(error)]) from error
    try:
        return FeedFile.model_validate(tables)
    except ValidationError as error:
        faults = list(dict.fromkeys(_fault(item) for item in error.errors()))
    raise _faulty(path, text, faults)


def require_channels(path: Path, feed: FeedFile, channels: Collection[str], indicators: Collection[str]) -> None:
    """Make sure that models of the dataset know every channel and indicator of a feed; `FeedFileError` if not."""
    faults = [
        f"channels.{name}: no model of this dataset has such a channel; {nearest(name, channels)}"
        for name in feed.channels
        if name not in channels
    ]
    faults += [
        f"sightings.{name}: no model of this dataset has such an indicator; {nearest(name, indicators)}"
        for name in feed.sightings
        if name not in indicators
    ]
    if faults:
        raise _faulty(path, read_bounded(path), faults)


def require_own_channels(feeds: Mapping[str, FeedFile]) -> None:
    """Make sure that no channel is counted by two feeds, of which the second would take the place of the first."""
    owner: dict[str, str] = {}
    for name, feed in feeds.items():
        for channel in feed.channels:
            if (other := owner.setdefault(channel, name)) != name:
                msg = (
                    f"channels.{channel}: is counted by the feeds {other!r} and {name!r}, and a week has one count;"
                    " give one of them a channel of its own"
                )
                raise InputError(msg)


def feed_files(folder: Path) -> dict[str, Path]:
    """Feed files in the folder of a dataset's feeds, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def downloads(folder: Path) -> bool:
    """Whether a feed in the folder downloads its files; one whose file has faults does not."""
    for path in feed_files(folder).values():
        with suppress(InputError):
            if load_feed(path).feed.url is not None:
                return True
    return False


def find_feed(folder: Path, name: str) -> Path:
    """Give the file of a feed; `InputError` if there is none."""
    files = feed_files(folder)
    if name not in files:
        msg = f"{folder}: there is no feed {name!r}; {nearest(name, files)}"
        raise InputError(msg)
    return files[name]


def _faulty(path: Path, text: str, faults: list[str]) -> FeedFileError:
    """Give the faults of a file that holds ``text``, each with its line."""
    lines = {".".join(place): line for place, line in key_lines(text).items()}
    return FeedFileError(str(path), faults, [f"{path}:{_line(fault, lines)}" for fault in faults])


def _line(fault: str, lines: Mapping[str, int]) -> int:
    """Line of the key of a fault, or of the table that should hold it."""
    key = fault.partition(": ")[0].strip("[]").split(".")
    key = [str(int(part[:-2]) - 1) if ITEM.fullmatch(part) else part for part in key]
    return next((lines[".".join(key[:n])] for n in range(len(key), 0, -1) if ".".join(key[:n]) in lines), 1)


TABLES: Mapping[tuple[str, ...], type[Table]] = {
    (): FeedFile, ("feed",): Header, ("window",): Window, ("columns",): Columns, ("coverage",): Watching,
    ("channels",): Selection, ("sightings",): Selection,
}  # fmt: skip


def _fault(item: ErrorDetails) -> str:
    place = tuple(str(part) for part in item["loc"] if part != "[key]")
    key = prose.dotted(part for part in item["loc"] if part != "[key]")
    match item["type"]:
        case "missing":
            return f"{key}: is missing"
        case "extra_forbidden":
            table = TABLES[place[:1] if place[1:] else ()]
            known = [field.alias or name for name, field in table.model_fields.items()]
            return f"{key}: is not a known key; {nearest(key.rpartition('.')[2], known)}"
        case "literal_error":
            return f"{key}: {brief(item['input'])} is not allowed; use {item.get('ctx', {})['expected']}"
        case "string_pattern_mismatch":
            return f"{key}: {brief(item['input'])} is not a name; use lower-case letters, digits and _"
        case "value_error":
            said = str(item.get("ctx", {})["error"])
            return f"{key}: {said}" if key else said
        case _:
            return f"{key}: {_plain(item['msg'])}, got {brief(item['input'])}"


def _plain(message: str) -> str:
    """Say in the words of the file what pydantic says."""
    words: dict[str, Any] = {
        "Input should be a valid tuple": "needs a list in square brackets",
        "Input should be a valid string": "needs text in quotation marks",
        "Input should be a valid integer": "needs a whole number",
        "Input should be a valid number": "needs a number",
        "Input should be a valid dictionary or instance of": "needs a table",
        "Input should be": "needs to be",
    }
    return next(
        (
            said + message[len(start) :] * (start == "Input should be")
            for start, said in words.items()
            if message.startswith(start)
        ),
        message,
    )

"""What is kept of deliveries between pulls: their events that matter, ids of all, volumes by day, and faulty rows.

Deliveries of one day or one file form a group. Its JSON file names its other files and is written last, so that a group
is there as a whole or as it was; what a killed process left over is deleted by the next.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from forecast.base.errors import InputError
from forecast.base.files import make_folder, replace_file
from forecast.base.sanitise import csv_text, inert
from forecast.feeds.events import EVENTS, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


KEPT = {"delivery": pl.String, **EVENTS}
IDS = {"delivery": pl.String, "id": pl.String}
DAYS = ("first", "last", "reported_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file that was taken in; ``volume`` counts all its events by day and by the day of adding."""

    file: str
    digest: str
    bytes: int
    modified: int  # nanoseconds
    first: dt.date
    last: dt.date
    reported_on: dt.date
    read: int
    kept: int
    faulty: int
    repeated: int
    watched: str
    taken_at: str
    notes: tuple[str, ...] = ()
    volume: tuple[tuple[dt.date, dt.date, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON types."""
        content = asdict(self) | {name: getattr(self, name).isoformat() for name in DAYS}
        return content | {"volume": [[day.isoformat(), added.isoformat(), n] for day, added, n in self.volume]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Taken:
        """Read what `to_json` gave."""
        values: dict[str, Any] = {field.name: content[field.name] for field in fields(cls)}
        day = dt.date.fromisoformat
        values |= {name: day(values[name]) for name in DAYS}
        values["volume"] = tuple((day(a), day(b), n) for a, b, n in values["volume"])
        values["notes"] = tuple(values["notes"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that are kept together: their events that matter, the ids of all their events, and faulty rows."""

    taken: tuple[Taken, ...]
    events: pl.DataFrame
    ids: pl.DataFrame
    faults: tuple[tuple[str, Fault], ...]  # with the file


class _Index(NamedTuple):
    """What the JSON file of a group says; ``base`` begins the names of its other files."""

    base: str
    taken: tuple[Taken, ...]
    faults: tuple[tuple[str, Fault], ...]


class Store:
    """The folder of a feed. What is written goes ``aside`` where that is given, and the folder stays as it is."""

    def __init__(self, folder: Path, aside: Path | None = None) -> None:
        """Point at a folder, which may not be there yet."""
        self.folder = folder
        self.target = aside or folder

    @cached_property
    def _indexes(self) -> dict[str, _Index]:
        places = dict.fromkeys((self.folder, self.target))
        return {path.stem: _read_index(path) for place in places for path in sorted(place.glob("*.json"))}

    @property
    def groups(self) -> dict[str, tuple[Taken, ...]]:
        """Deliveries of each group."""
        return {name: index.taken for name, index in self._indexes.items() if index.taken}

    @property
    def taken(self) -> tuple[Taken, ...]:
        """Every delivery, in the order in which they were told."""
        every = (one for index in self._indexes.values() for one in index.taken)
        return tuple(sorted(every, key=lambda one: (one.reported_on, one.taken_at, one.file)))

    def events(self) -> pl.DataFrame:
        """Events of every delivery that matter, with the digest of the delivery."""
        return self._tables(self.groups, "events", KEPT)

    def ids(self, names: Iterable[str]) -> pl.DataFrame:
        """Ids of all events of some groups."""
        return self._tables(names, "ids", IDS)

    def group(self, name: str) -> Group:
        """Give a group; an empty one if there is none."""
        if not (index := self._indexes.get(name)) or not index.taken:
            return Group((), pl.DataFrame(schema=KEPT), pl.DataFrame(schema=IDS), ())
        return Group(index.taken, self._table(name, "events"), self._table(name, "ids"), index.faults)

    def write(self, name: str, group: Group) -> None:
        """Put a group in place of what it was."""
        make_folder(self.target)
        stamp = hashlib.sha256("".join(one.digest + one.watched + one.taken_at for one in group.taken).encode())
        base = f"{name}.{stamp.hexdigest()[:12]}"
        for what, frame in (("events", group.events), ("ids", group.ids)):
            packed = io.BytesIO()
            frame.write_parquet(packed, compression="zstd")
            replace_file(self.target / f"{base}.{what}.parquet", packed.getvalue())
        self._write_index(name, _Index(base, group.taken, group.faults))

    def drop(self, name: str) -> None:
        """Leave a group out from now on."""
        self._write_index(name, _Index("", (), ()))

    def finish(self) -> None:
        """Lay faulty rows in a table for people, and delete what no group names any more.

        That is what revisions and killed processes left over.
        """
        faults = [(name, fault) for index in self._indexes.values() for name, fault in index.faults]
        if faults:
            lines = [(name, str(fault.line), fault.why, inert(fault.row)) for name, fault in faults]
            text = csv_text([("file", "line", "fault", "row"), *lines])
            replace_file(self.target / "faulty.csv", text.encode("utf-8", "backslashreplace"))
        bases = {index.base for index in self._indexes.values()}
        for path in (*self.target.glob("*.parquet"), *self.target.glob(".*.draft")):
            if path.name.startswith(".") or path.name.rsplit(".", 2)[0] not in bases:
                with suppress(OSError):
                    path.unlink()

    def _write_index(self, name: str, index: _Index) -> None:
        content = {
            "base": index.base,
            "deliveries": [one.to_json() for one in index.taken],
            "faults": [[file, *fault] for file, fault in index.faults],
        }
        replace_file(self.target / f"{name}.json", json.dumps(content, ensure_ascii=False).encode())
        self._indexes[name] = index

    def _tables(self, names: Iterable[str], what: str, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
        frames = [self._table(name, what) for name in names]
        return pl.concat(frames) if frames else pl.DataFrame(schema=schema)

    def _table(self, name: str, what: str) -> pl.DataFrame:
        file = f"{self._indexes[name].base}.{what}.parquet"
        path = next((path for path in (self.target / file, self.folder / file) if path.exists()), self.folder / file)
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            again = f"delete {name}.json beside it, and `forecast feed pull` reads its files again"
            msg = f"{path}: cannot be read; {again}"
            raise InputError(msg) from error


def _read_index(path: Path) -> _Index:
    try:
        content = json.loads(path.read_bytes())
        taken = tuple(map(Taken.from_json, content["deliveries"]))
        faults = tuple((file, Fault(line, why, row)) for file, line, why, row in content["faults"])
        return _Index(content["base"], taken, faults)
    except (OSError, ValueError, LookupError, TypeError) as error:
        msg = f"{path}: cannot be read; delete it, and `forecast feed pull` reads its files again"
        raise InputError(msg) from error

"""Reading a model file: a `ModelSpec`, or every fault at once, each with its dotted key, file and line."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from forecast.base.errors import ModelFileError, brief, nearest, plain
from forecast.base.toml_text import NotTomlError, place_in, read_bounded, read_toml
from forecast.theory.channels import Channel, ChannelClass
from forecast.theory.extends import is_own, merged
from forecast.theory.faults import cross_faults, frozen_later
from forecast.theory.indicators import (
    ClassPrior,
    DeparturePrior,
    DiagnosticityPrior,
    GradePrior,
    Indicator,
    Priors,
    Sign,
)
from forecast.theory.outcomes import Conditional, Outcome, Rule
from forecast.theory.places import Located, located, place_of
from forecast.theory.spec import Expert, Header, ModelSpec
from forecast.theory.stages import Effect, Phases, Stage, Transition, Units
from forecast.theory.tables import Basis, Source
from forecast.theory.values import NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PHASES = TypeAdapter(Phases)
MOST_FAULTS = 1000  # found at one reading
STOOD_IN = {  # others speak of these, or of the entries that hold them
    (("outcomes",), ("frozen",)), *((("stages",), (key,)) for key in ("phases", "per_year", "times")),
}  # fmt: skip
EMPTY = (
    "is empty; a model has [model], [stages], [indicators] and [outcomes], and `forecast init DIR --blank` writes one"
    " to begin with"
)
MORE_FAULTS = f"the file: more than {MOST_FAULTS:,} faults; not all of them were looked for"


def load_spec(path: Path, today: dt.date | None = None) -> ModelSpec:
    """Read a model file, and the files that it extends; with ``today`` nothing in it may have been frozen later.

    Raises
    ------
    ModelFileError
        If the file cannot be read or has faults; all of them are listed, each with its dotted key and its line.

    """
    return _load(path, today)[0]


def parse_spec(text: str, *, where: str, name: str | None = None) -> ModelSpec:
    """Read a model that extends no other from TOML ``text``.

    ``where`` names it in messages, ``name`` is what it must be called.
    """
    raw = _tables(text, where)
    if "extends" in raw:
        raise ModelFileError(where, ["extends: only a file in a folder can extend another"])
    spec, faults = _validated(raw, [], name)
    if faults or spec is None:
        raise _with_places(where, faults, [located(where, text, faults)])
    return spec


def _load(path: Path, today: dt.date | None = None) -> tuple[ModelSpec, dict[str, Any]]:
    """Read a model file; its tables too, merged into those that it extends."""
    own = _read(path)
    if "extends" not in own:
        _named(own, path)
        faults = ["drop: only a file that `extends` another can leave something out"] if "drop" in own else []
        own.pop("drop", None)
        raw = own
    else:
        raw, faults = merged(_parent(path, own["extends"]), own)
        _named(raw, path)
    spec, faults = _validated(raw, faults, path.stem)
    if spec is not None and today is not None:
        said = {fault.partition(":")[0] for fault in faults}
        faults += [fault for key, fault in frozen_later(spec, today) if key not in said]
    if spec is None or faults:
        if "extends" in own:
            taken = f" (taken over from {own['extends']})"
            faults = [fault + taken * (not is_own(own, fault.partition(":")[0])) for fault in faults]
        files = [path.with_name(f"{name}.toml") for name in _chain(path)]
        raise _with_places(str(path), faults, [located(str(file), read_bounded(file), faults) for file in files])
    return spec, raw


def _named(raw: dict[str, Any], path: Path) -> None:
    """Take the name of the file for that of a model that gives none."""
    header = raw.setdefault("model", {})
    if isinstance(header, dict):
        header.setdefault("name", path.stem)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_bounded(path)
    except OSError as error:
        raise ModelFileError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ModelFileError(str(path), [str(error)]) from error
    return _tables(text, str(path))


def _tables(text: str, where: str) -> dict[str, Any]:
    try:
        tables = read_toml(text)
    except NotTomlError as error:
        raise ModelFileError(where, [str(error)], [place_in(where, error)] if error.line else ()) from error
    if not tables:
        raise ModelFileError(where, [EMPTY])
    return tables


def _parent(path: Path, name: object) -> dict[str, Any]:
    """Give the merged tables of the model that ``path`` extends; without it nothing else can be said of the file."""
    others = [file.stem for file in path.parent.glob("*.toml") if file.stem != path.stem]
    parent = path.parent / f"{name}.toml"
    if name == path.stem:
        fault = f"a model cannot extend itself; {nearest('', others)}"
    elif not isinstance(name, str) or name not in others:
        fault = f"there is no model {brief(name)} in {path.parent}; {nearest(brief(name), others)}"
    elif (circle := _chain(path))[-1] in circle[:-1]:
        fault = f"{' extends '.join(circle)}, which is a circle; one of them has to stand by itself"
    else:
        try:
            return _load(parent)[1]
        except ModelFileError as error:
            count = "a fault" if len(error.faults) == 1 else f"{len(error.faults)} faults"
            fault = f"{parent.name} has {count} of its own; mend that file first"
    raise ModelFileError(str(path), [f"extends: {fault}"])


def _chain(path: Path) -> list[str]:
    """Names from a model to what it extends, and so on, to the last or the first that comes again."""
    names = [path.stem]
    with suppress(ModelFileError):  # a file that cannot be read ends the chain; reading it as a parent says so
        while isinstance(name := _read(path).get("extends"), str):
            names.append(name)
            if name in names[:-1]:
                break
            path = path.with_name(f"{name}.toml")
    return names


def _with_places(where: str, faults: list[str], files: list[Located]) -> ModelFileError:
    """Build the error of a model file and what it extends, its faults in the order in which they stand there."""
    lines = {file.name: k for k, file in enumerate(files)}
    places = {fault: place_of(fault, files) for fault in faults}

    def order(fault: str) -> tuple[int, int]:
        name, _, line = places[fault][0].rpartition(":")
        return lines[name], int(line)

    ordered = sorted(faults, key=order)
    return ModelFileError(where, [places[fault][1] for fault in ordered], [places[fault][0] for fault in ordered])


def _validated(raw: dict[str, Any], faults: list[str], name: str | None) -> tuple[ModelSpec | None, list[str]]:
    """Validate whole tables, which are used up; ``faults`` are those known already, to which others are added."""
    spec, found, dropped = _parse_what_can_be(raw)
    faults = [*faults, *found]
    if spec is not None:
        whole = (fault for fault in cross_faults(spec, dropped) if not _is_below(fault.partition(": ")[0], dropped))
        across = list(islice(whole, MOST_FAULTS))
        faults = list(dict.fromkeys([*faults, *across, *[MORE_FAULTS] * (len(across) == MOST_FAULTS)]))
        if name is not None and spec.name != name and "model.name" not in {fault.partition(":")[0] for fault in found}:
            rename = f"rename the file to {spec.name}.toml"
            either = f'{rename}, or write name = "{name}"' if re.fullmatch(NAME_PATTERN, name) else rename
            faults.append(f"model.name: is {spec.name!r}, but the file is called {name!r}; {either}")
    return spec, faults


# Parsing: pydantic finds the faults of single entries; what has a fault is set aside so that the checks across entries
# still run on the rest, and one reading of the file names everything.


def _is_below(key: str, dropped: set[str]) -> bool:
    """Whether a dotted key is one of those that were set aside, or lies below one."""
    parts = key.split(".")
    return any(".".join(parts[:k]) in dropped for k in range(1, len(parts) + 1))


def _parse_what_can_be(raw: dict[str, Any]) -> tuple[ModelSpec | None, list[str], set[str]]:
    faults: list[str] = []
    dropped: set[str] = set()
    while True:
        try:
            return ModelSpec.model_validate(raw), list(dict.fromkeys(faults)), dropped
        except ValidationError as error:
            found = error.errors()
        if len(found) > MOST_FAULTS:
            faults += [_fault(_place(raw, item["loc"]), item) for item in found[:MOST_FAULTS]]
            return None, list(dict.fromkeys([*faults, MORE_FAULTS])), dropped
        found = [item for item in found if not _follows_from(item, found)]
        said = [item for item in found if not _was_emptied(item, dropped)]
        faults += [_fault(_place(raw, item["loc"]), item) for item in said]
        places = {item["loc"]: _entry(raw, item["loc"]) for item in found}
        if not all(place or _stand_in(raw, location) for location, place in places.items()):
            return None, list(dict.fromkeys(faults)), dropped
        for place in sorted({place for place in places.values() if place}, key=_removal_order, reverse=True):
            dropped.add(".".join(map(str, place)))
            with suppress(LookupError):  # it stood in what a stand-in replaced
                del _walk(raw, place[:-1])[place[-1]]


def _follows_from(item: Any, found: list[Any]) -> bool:  # noqa: ANN401 - pydantic's dict
    """Whether a list is too short, or a default cannot be told, only because something else has faults of its own."""
    size = len(item["loc"])
    return item["type"] == "default_factory_not_called" or (
        item["type"] == "too_short"
        and any(len(other["loc"]) > size and other["loc"][:size] == item["loc"] for other in found)
    )


def _was_emptied(item: Any, dropped: set[str]) -> bool:  # noqa: ANN401 - pydantic's dict
    """Whether a list or table is only too short because its faulty entries were set aside."""
    place = ".".join(map(str, item["loc"]))
    return item["type"] == "too_short" and any(entry.startswith(f"{place}.") for entry in dropped)


def _stand_in(raw: dict[str, Any], location: tuple[str | int, ...]) -> bool:
    """Put a good value in the place of a faulty one that has no default; say whether one is known."""
    match location:
        case ("model", "name" | "start" as key, *_) if isinstance(raw["model"], dict):
            raw["model"][key] = {"name": "stand_in", "start": dt.date(2000, 1, 1)}[key]
        case ("outcomes", str(name), "frozen", *_) if isinstance(raw["outcomes"].get(name), dict):
            raw["outcomes"][name]["frozen"] = dt.date(2000, 1, 1)
        case ("stages", str(name), "transitions" | "effects" as table, key, "per_year" | "times" as field, *_):
            entry = raw["stages"][name][table][key]
            if not isinstance(entry, dict):
                return False
            entry[field] = [1.0, 2.0]
        case ("stages", str(name), "phases", *_):
            raw["stages"][name]["phases"] = _sound_phases(raw["stages"][name]["phases"])
        case _:
            return False
    return True


def _sound_phases(phases: Any) -> dict[str, Any]:  # noqa: ANN401 - TOML
    """Keep what names phases as it should, so that whatever speaks of them is no fault."""
    rows = cast("dict[str, Any]", phases) if isinstance(phases, dict) else {}
    found: dict[str, Any] = {}
    for state, names in rows.items():
        with suppress(ValidationError):
            found |= PHASES.validate_python({state: names})
    return found


def _removal_order(place: tuple[str | int, ...]) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, part) if isinstance(part, int) else (1, part) for part in place)


def _walk(node: Any, place: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - TOML
    for part in place:
        node = node[part]
    return node


def _entry(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Find what to set aside for a fault: a key that has a default, or else the entry (an indicator, a source, …)."""
    entry = _entry_of(location)
    key = location[len(entry) : len(entry) + 1]
    if (entry[:1], key) in STOOD_IN:
        return None
    if _is_extra(raw, location):
        entry = location
    elif key and entry[:1] != ("conditionals",) and str(key[0]) in _optional_keys(entry):
        entry = (*entry, *key)
    elif len(entry) < 2 or (entry[0] == "stages" and len(entry) == 2):  # noqa: PLR2004
        return None  # no model can do without
    try:
        _walk(raw, entry)
    except (KeyError, IndexError, TypeError):
        return None
    return entry


def _entry_of(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Give the entry that a fault lies in: one of several in a table or list, or else one of the file's tables."""
    match location:
        case ("stages", str(), "transitions", int(), *_) | ("stages", str(), "effects", str(), *_):
            return location[:4]
        case ("priors", "classes" | "channels", str(), *_):
            return location[:3]
        case ("model" | "priors", _, *_):
            return location[:1]
        case (str(), str() | int(), *_):
            return location[:2]
        case _:
            return ()


def _is_extra(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> bool:
    try:
        _walk(raw, location)
    except (KeyError, IndexError, TypeError):
        return False
    return location[-1] not in _allowed_keys(location[:-1])


def _table(location: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Give what the table at ``location`` is; none where any name is allowed."""
    tables: dict[str, type[BaseModel]] = {
        "model": Header, "sources": Source, "stages": Stage, "transitions": Transition, "effects": Effect,
        "indicators": Indicator, "outcomes": Outcome, "conditionals": Conditional, "experts": Expert, "priors": Priors,
        "classes": ClassPrior, "grades": GradePrior, "departure": DeparturePrior,
        "diagnosticity": DiagnosticityPrior, "basis": Basis, "signs": Sign,
        "resolves": Rule, "units": Units, "channels": Channel,
    }  # fmt: skip
    single = {"model", "priors", "grades", "departure", "diagnosticity", "units"}
    if not location:
        return ModelSpec
    if (last := str(location[-1])) in single:
        return tables[last]
    above = str(location[-2]) if len(location) > 1 else ""
    if location[:2] == ("priors", "channels"):
        tables["channels"] = ChannelClass
    return None if above in single else tables.get(above)


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    """List the keys that the table at ``location`` may hold; empty where any name is allowed."""
    table = _table(location)
    return [*_keys(table), *["drop"] * (not location)] if table else []


def _optional_keys(location: tuple[str | int, ...]) -> set[str]:
    """List the keys that the table at ``location`` can do without."""
    fields = table.model_fields if (table := _table(location)) else {}
    return {field.alias or name for name, field in fields.items() if not field.is_required()}


def _keys(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _place(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Name a transition by its states where files are merged: a number would count in neither of them."""
    match location:
        case ("stages", str(stage), "transitions", int(k), *rest) if "extends" in raw:
            move: Any = raw["stages"][stage]["transitions"][k]
            match move:
                case {"from": str(before), "to": str(after)}:
                    return "stages", stage, "transitions", f"{before}>{after}", *rest
                case _:
                    pass
        case _:
            pass
    return location


def _fault(location: tuple[str | int, ...], item: Any) -> str:  # noqa: ANN401 - pydantic's dict
    key = ".".join(str(part) for part in location if part != "[key]")
    match item["type"]:
        case "missing":
            return f"{key}: is missing"
        case "extra_forbidden":
            return f"{key}: is not a known key; {nearest(str(location[-1]), _allowed_keys(location[:-1]))}"
        case "string_pattern_mismatch":
            return f"{key}: {brief(item['input'])} is not a name; use lower-case letters, digits and _"
        case "value_error":
            return f"{key}: {item['ctx']['error']}"
        case "literal_error":
            return f"{key}: {brief(item['input'])} is not allowed; use {item['ctx']['expected']}"
        case kind:
            return f"{key}: needs {_needed(kind, item.get('ctx', {}))}, got {brief(item['input'])}"


def _needed(kind: str, limits: Mapping[str, Any]) -> str:
    """Say what a value must be where pydantic finds that it is of another ``kind``."""
    bounds = {
        "greater_than": ("above", "gt"),
        "greater_than_equal": ("of at least", "ge"),
        "less_than_equal": ("of at most", "le"),
    }
    if kind in bounds:
        word, limit = bounds[kind]
        return f"a number {word} {plain(limits[limit])}"
    if kind in {"too_short", "too_long"}:
        word, limit = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        return f"at {word} {limits[limit]} {'entry' if limits[limit] == 1 else 'entries'}"
    if kind == "string_too_long":
        return f"at most {limits['max_length']} characters"
    return _NEEDED.get(kind) or _NEEDED.get(kind.partition("_")[0], f"another value ({kind})")


_NEEDED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotation marks",
    "string_too_short": "some text",
    "tuple": "a list in square brackets",
    "dict": "a table",
    "model": "a table",
}

"""Reading a model file: a `ModelSpec`, or every fault at once, each with its dotted key."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from forecast.errors import ModelFileError, nearest
from forecast.faults import cross_faults
from forecast.spec import (
    Basis,
    ClassPrior,
    Conditional,
    DeparturePrior,
    Effect,
    GradePrior,
    Header,
    Indicator,
    ModelSpec,
    Outcome,
    Priors,
    Rule,
    Sign,
    Source,
    Stage,
    Transition,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["load_spec", "parse_spec"]


def load_spec(path: Path) -> ModelSpec:
    """Read a model file.

    Raises
    ------
    ModelFileError
        If the file cannot be read or has faults; all of them are listed, each with its dotted key.

    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ModelFileError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ModelFileError(str(path), [f"is not UTF-8 text (byte {error.start}); save it as UTF-8"]) from error
    return parse_spec(text, where=str(path), name=path.stem)


def parse_spec(text: str, *, where: str, name: str | None = None) -> ModelSpec:
    """Read a model from TOML ``text``; ``where`` names it in messages, ``name`` is what it must be called."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelFileError(where, [f"is not valid TOML: {error}"]) from error
    spec, faults, dropped = _parse_what_can_be(raw)
    if spec is not None:
        faults += [fault for fault in cross_faults(spec, dropped) if fault not in faults]
        if name is not None and spec.name != name:
            faults.append(f"model.name: is {spec.name!r}, but the file is called {name!r}; they must agree")
    if faults or spec is None:
        raise ModelFileError(where, faults)
    return spec


# Parsing: pydantic finds the faults of single entries; entries with a fault are set aside so that the checks across
# entries still run on the rest, and one reading of the file names everything.


def _parse_what_can_be(raw: dict[str, Any]) -> tuple[ModelSpec | None, list[str], set[str]]:
    faults: list[str] = []
    dropped: set[str] = set()
    while True:
        try:
            return ModelSpec.model_validate(raw), list(dict.fromkeys(faults)), dropped
        except ValidationError as error:
            found = error.errors()
        found = [item for item in found if not _follows_from(item, found)]
        faults += [_fault(item["loc"], item) for item in found]
        places = {item["loc"]: _entry(raw, item["loc"]) for item in found}
        if not all(place or _stand_in(raw, location) for location, place in places.items()):
            return None, list(dict.fromkeys(faults)), dropped
        for place in sorted({place for place in places.values() if place}, key=_removal_order, reverse=True):
            dropped.add(".".join(map(str, place)))
            with suppress(IndexError):  # a stand-in list may be shorter
                del _walk(raw, place[:-1])[place[-1]]


def _follows_from(item: Any, found: list[Any]) -> bool:  # noqa: ANN401 - pydantic's dict
    """Whether a list is only too short because its items have faults of their own."""
    size = len(item["loc"])
    return item["type"] == "too_short" and any(
        len(other["loc"]) > size and other["loc"][:size] == item["loc"] for other in found
    )


def _stand_in(raw: dict[str, Any], location: tuple[str | int, ...]) -> bool:
    """Put a good value in the place of a faulty one that cannot be left out; say whether one is known."""
    basis = [{"kind": "judgement", "note": "stands in"}]
    grades = {"weak": 2.0, "moderate": 4.0, "strong": 10.0, "decisive": 30.0, "concentration": 4.0, "basis": basis}
    match location:
        case ("model", str(key), *_):
            header = {"name": "stand_in", "title": "-", "description": "-", "dataset": "stand_in", "step_days": 7}
            known = {**header, "start": "2000-01-01", "reporting_lag_days": 0, "horizons_weeks": [1]}
            if key not in known or not isinstance(raw["model"], dict):
                return False
            raw["model"][key] = known[key]
        case ("priors", "grades", *_):
            raw["priors"]["grades"] = grades
        case ("priors", "departure", *_):
            raw["priors"]["departure"] = {"scale": 0.3, "basis": basis}
        case ("stages", str(name), "label" | "basis" | "start" | "observable" | "describe" as key, *_):
            if not isinstance(raw["stages"].get(name), dict):
                return False
            states: Any = raw["stages"][name].get("states")
            start = dict.fromkeys(cast("list[str]", states), 1.0) if isinstance(states, list) else {}
            known = {"label": "-", "basis": basis, "start": start, "observable": [], "describe": {}}
            raw["stages"][name][key] = known[key]
        case _:
            return False
    return True


def _removal_order(place: tuple[str | int, ...]) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, part) if isinstance(part, int) else (1, part) for part in place)


def _walk(node: Any, place: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - TOML
    for part in place:
        node = node[part]
    return node


def _entry(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Find the removable entry (an indicator, an outcome, a transition, …) that a fault lies in."""
    match location:
        case ("stages", str(stage), "transitions", int(k), *_):
            entry: tuple[str | int, ...] = ("stages", stage, "transitions", k)
        case ("stages", str(stage), "effects", str(name), *_):
            entry = ("stages", stage, "effects", name)
        case ("indicators" | "outcomes" | "sources" as table, str(name), *_):
            entry = (table, name)
        case ("conditionals", int(k), *_):
            entry = ("conditionals", k)
        case ("priors", "classes", str(name), *_):
            entry = ("priors", "classes", name)
        case (*_, last) if isinstance(last, str) and _is_extra(raw, location):
            entry = location
        case _:
            return None
    try:
        _walk(raw, entry)
    except (KeyError, IndexError, TypeError):
        return None
    return entry


def _is_extra(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> bool:
    try:
        _walk(raw, location)
    except (KeyError, IndexError, TypeError):
        return False
    return location[-1] not in _allowed_keys(location[:-1])


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    """List the keys that the table at ``location`` may hold; empty where any name is allowed."""
    tables: dict[str, type[BaseModel]] = {
        "model": Header, "sources": Source, "stages": Stage, "transitions": Transition, "effects": Effect,
        "indicators": Indicator, "outcomes": Outcome, "conditionals": Conditional, "priors": Priors,
        "classes": ClassPrior, "grades": GradePrior, "departure": DeparturePrior, "basis": Basis, "signs": Sign,
        "resolves": Rule,
    }  # fmt: skip
    single = {"model", "priors", "grades", "departure"}
    if not location:
        return _keys(ModelSpec)
    last = location[-1]
    if last in single:
        return _keys(tables[str(last)])
    if len(location) > 1 and (table := tables.get(str(location[-2]))) and str(location[-2]) not in single:
        return _keys(table)
    return []


def _keys(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _fault(location: tuple[str | int, ...], item: Any) -> str:  # noqa: ANN401 - pydantic's dict
    key = ".".join(str(part) for part in location if part != "[key]")
    match item["type"]:
        case "missing":
            return f"{key}: is missing"
        case "extra_forbidden":
            return f"{key}: is not a known key; {nearest(str(location[-1]), _allowed_keys(location[:-1]))}"
        case "string_pattern_mismatch":
            return f"{key}: {item['input']!r} is not a name; use lower-case letters, digits and _"
        case "value_error":
            return f"{key}: {item['ctx']['error']}"
        case "literal_error":
            return f"{key}: {item['input']!r} is not allowed; use {item['ctx']['expected']}"
        case _:
            return f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, got {_brief(item['input'])}"


def _brief(value: Any) -> str:  # noqa: ANN401 - TOML
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004

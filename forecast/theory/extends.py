"""A model file that changes another: the tables of both merged into one, and what is wrong with the change.

Works on tables as TOML gives them, before anything is validated, so it takes nothing for granted about their types.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from forecast.base.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator


Table = dict[str, Any]
ANEW = ("name", "title", "description")  # what [model] of every file says for itself
WORDS = {"basis", "label", "signs", "describe", "resolution", "sources"}  # what may change for the same reason
OWN_BASIS = "changes a number or the structure, so it must give its own `basis`; the parent's speaks for the parent's"


def merged(parent: Table, own: Table) -> tuple[Table, list[str]]:
    """Merge the tables of a file into those of the file that it extends; neither is changed.

    ``parent`` is whole and without faults: its own ``extends`` has been followed. The merged tables may still have
    faults of their own, for validation to find. Given with them are the faults of the change itself: something
    dropped that is not there, a transition that is not said which or said twice, a change without a basis.
    """
    base = copy.deepcopy(parent)
    own = copy.deepcopy(own)
    for key in ("extends", "drop"):
        base.pop(key, None)
    base["model"].setdefault("dataset", base["model"]["name"])
    for key in ANEW:
        base["model"].pop(key, None)
    faults = list(_drop(base, own.pop("drop", [])))
    faults += _transition_faults(own)
    whole = _merge(base, own, ())
    before, kept, given = dict(_entries(parent)), dict(_entries(base)), dict(_entries(own))
    for key, entry in _entries(whole):
        if key in kept and "basis" not in given.get(key, {}) and _content(entry) != _content(before[key]):
            faults.append(f"{key}: {OWN_BASIS}")
    return whole, faults


def is_own(own: Table, key: str) -> bool:
    """Whether what stands at a dotted key was given by the file itself, and not by what it extends."""
    table = key.partition(".")[0]
    if table not in {"stages", "indicators", "channels", "outcomes", "priors", "conditionals", "experts"}:
        return True
    if table in {"conditionals", "experts"}:
        return table in own
    return any(f"{key}.".startswith(f"{entry}.") for entry, _ in _entries(own))


def _merge(base: Any, own: Any, place: tuple[str, ...]) -> Any:  # noqa: ANN401 - TOML
    """Merge tables deep, and transitions by the states that they lead from and to; anything else replaces."""
    if isinstance(base, dict) and isinstance(own, dict):
        old, new = cast("Table", base), cast("Table", own)
        changed = {key: _merge(old[key], value, (*place, key)) if key in old else value for key, value in new.items()}
        return {**old, **changed}
    match place:
        case ("stages", _, "transitions") if isinstance(own, list):
            return _merge_transitions(cast("list[Table]", base), _moves(own))
        case _:
            return own


def _merge_transitions(base: list[Table], own: list[Table]) -> list[Table]:
    found = {_pair(move): move for move in base}
    for move in own:
        found[_pair(move)] = {**found.get(_pair(move), {}), **move}
    return list(found.values())


def _moves(value: Any) -> list[Table]:  # noqa: ANN401 - TOML
    """Give the transitions that say which they are."""
    rows = cast("list[Any]", value) if isinstance(value, list) else []
    moves = [cast("Table", row) for row in rows if isinstance(row, dict)]
    return [move for move in moves if all(isinstance(state, str) for state in _pair(move))]


def _pair(move: Table) -> tuple[Any, Any]:
    return move.get("from"), move.get("to")


def _transition_faults(own: Table) -> Iterator[str]:
    for name, stage in _tables(own.get("stages")):
        moves: Any = stage.get("transitions", [])
        seen: set[Any] = set()
        for k, move in enumerate(cast("list[Any]", moves) if isinstance(moves, list) else []):
            at = f"stages.{name}.transitions.{k}"
            if not _moves([move]):
                yield f"{at}: which transition? give `from` and `to`, also where only the rate changes"
            elif (pair := _pair(move)) in seen:
                yield f"{at}: {pair[0]} to {pair[1]} is given twice"
            else:
                seen.add(pair)


def _tables(value: Any) -> Iterator[tuple[str, Table]]:  # noqa: ANN401 - TOML
    """Every table within a table, with its key."""
    if isinstance(value, dict):
        for key, item in cast("Table", value).items():
            if isinstance(item, dict):
                yield key, cast("Table", item)


# What carries a basis.


def _entries(raw: Table) -> Iterator[tuple[str, Table]]:
    """Every entry that gives a basis, with its dotted key; a stage's without what has keys of its own."""
    for name, stage in _tables(raw.get("stages")):
        at = f"stages.{name}"
        own = {key: value for key, value in stage.items() if key not in {"transitions", "effects"}}
        if own:
            yield at, own
        yield from ((f"{at}.transitions.{'>'.join(_pair(m))}", m) for m in _moves(stage.get("transitions")))
        yield from ((f"{at}.effects.{label}", effect) for label, effect in _tables(stage.get("effects")))
    for table in ("indicators", "channels", "outcomes"):
        yield from ((f"{table}.{name}", row) for name, row in _tables(raw.get(table)))
    for name, row in _tables(raw.get("priors")):
        rows = _tables(row) if name in {"classes", "channels"} else [(None, row)]
        yield from ((f"priors.{name}.{label}" if label else f"priors.{name}", entry) for label, entry in rows)


def _content(entry: Table) -> Table:
    return {key: value for key, value in entry.items() if key not in WORDS}


# What is left out.


def _drop(base: Table, dropped: Any) -> Iterator[str]:  # noqa: ANN401 - TOML
    """Remove what ``dropped`` names from ``base``; give the faults."""
    keys = cast("list[Any]", dropped) if isinstance(dropped, list) else None
    if keys is None or not all(isinstance(key, str) for key in keys):
        yield 'drop: is a list of dotted keys in quotation marks, such as ["indicators.entry_ban"]'
        return
    known = {key: (table, part) for key, table, part in _droppable(base, "")}
    for key in keys:
        if key not in known:
            yield f"drop: there is no {key!r} to leave out; {nearest(key, known)}"
    for key in dict.fromkeys(key for key in keys if key in known):
        table, part = known[key]
        if isinstance(table, list):
            cast("list[Any]", table).remove(part)
        else:
            del table[part]


def _droppable(table: Table, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Every key below ``table``, dotted, with the table or list it stands in and what it is there."""
    for key, value in table.items():
        yield f"{prefix}{key}", table, key
        if isinstance(value, dict):
            yield from _droppable(cast("Table", value), f"{prefix}{key}.")
        elif key == "transitions":
            yield from ((f"{prefix}{key}.{'>'.join(_pair(move))}", value, move) for move in value)

"""What a hub asks for: its `hub-config/tasks.json`, and rows laid out and checked by it.

A *round* collects the forecasts of one date. Each of its *model tasks* gives the values that the columns before the
probabilities (the *task ids*) may or must have, and the categories of its target: "Defining modeling tasks",
https://docs.hubverse.io/en/latest/quickstart-hub-admin/tasks-config.html.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from forecast.base import prose
from forecast.base.errors import FaultsError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


TASKS = Path("hub-config", "tasks.json")
DATES = frozenset({"reference_date", "origin_date", "forecast_date"})
ENDS = frozenset({"horizon", "target_date", "target_end_date"})
DAYS = {"day": 1, "week": 7}  # in a step of a horizon; months are of different lengths
PROBABILITIES = "pmf"
FORMAT = "csv"
NOT_APPLICABLE = "NA"
LISTED = 8  # values in a message


class Pmf(NamedTuple):
    """The probabilities of a target's categories on the day ``weeks`` after the forecast's date."""

    target: str
    weeks: int
    values: Mapping[str, float]


class HubTable(NamedTuple):
    """A file's header and rows as text, and what was left out because the hub does not ask for it."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left_out: tuple[str, ...] = ()


class _Part(BaseModel):
    """A part of the file; what else a hub writes there is its own affair."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Values(_Part):
    """The values that a column must have and those that it may have besides; no list is an empty one."""

    required: tuple[int | float | str | bool, ...] | None = None
    optional: tuple[int | float | str | bool, ...] | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """What must be there, as a file has it."""
        return tuple(map(str, self.required or ()))

    @property
    def allowed(self) -> tuple[str, ...]:
        """What may be there."""
        return self.needed + tuple(map(str, self.optional or ()))


class OutputType(_Part):
    """A way to state a forecast: the categories of a `pmf`, the levels of quantiles."""

    output_type_id: Values = Values()
    is_required: bool | None = None  # before version 4 of the schema nothing says

    @property
    def must(self) -> bool:
        """Whether a forecast of the task has to be stated in this way."""
        return bool(self.output_type_id.required) if self.is_required is None else self.is_required


class Target(_Part):
    """What is forecast: the column that names it and its name there, and the step of its horizons."""

    target_id: str
    target_keys: dict[str, str] | None = None
    time_unit: Literal["day", "week", "month"] = "week"

    @property
    def name(self) -> str:
        """Its name in a file, or its id where no column tells targets apart."""
        return next(iter((self.target_keys or {}).values()), self.target_id)


class ModelTask(_Part):
    """Targets that are forecast alike."""

    task_ids: dict[str, Values]
    output_type: dict[str, OutputType]
    target_metadata: tuple[Target, ...]

    def target(self, name: str) -> Target | None:
        """Give its target of that name, if there is one."""
        return next((target for target in self.target_metadata if target.name == name), None)


class Round(_Part):
    """The forecasts of one date, or of each date that the column ``round_id`` may have."""

    round_id_from_variable: bool
    round_id: str
    model_tasks: tuple[ModelTask, ...] = Field(min_length=1)
    derived_task_ids: tuple[str, ...] | None = None
    file_format: tuple[str, ...] | None = None

    def ids(self) -> tuple[str, ...]:
        """Give the dates, or names, that a file of this round may begin with."""
        if not self.round_id_from_variable:
            return (self.round_id,)
        return tuple(value for task in self.model_tasks for value in task.task_ids.get(self.round_id, Values()).allowed)


class HubTasks(_Part):
    """The rounds of a hub; the values of ``derived_task_ids`` follow from other columns and are not listed."""

    rounds: tuple[Round, ...]
    derived_task_ids: tuple[str, ...] | None = None


def read_tasks(hub: Path) -> HubTasks:
    """Read the tasks of the hub in the folder ``hub``.

    Raises
    ------
    InputError
        If there is no such file, or it is not what the hubverse's schema says.

    """
    path = hub / TASKS
    try:
        return HubTasks.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); give a hub's folder, which has {TASKS}"
        raise InputError(msg) from error
    except ValidationError as error:
        faults = [f"{prose.dotted(item['loc']) or 'the file'}: {item['msg']}" for item in error.errors()]
        raise FaultsError(str(path), faults) from error


def asked_rows(tasks: HubTasks, as_of: dt.date, location: str, pmfs: Sequence[Pmf]) -> HubTable | list[str]:
    """Lay a forecast as of ``as_of`` out as the hub has it, with what the hub asks for; or list why it cannot be."""
    days = {value for round_ in tasks.rounds for value in round_.ids()}
    found = next((row for row in tasks.rounds if str(as_of) in row.ids()), None)
    if found is None:
        return [f"rounds: none is of {as_of}; there is {_listed(sorted(days, reverse=True))}"]
    derived = frozenset({*(tasks.derived_task_ids or ()), *(found.derived_task_ids or ())})
    place = prose.dotted(("rounds", tasks.rounds.index(found)))
    faults: list[str] = []
    if found.file_format and FORMAT not in found.file_format:
        faults.append(f"{place}.file_format: takes {_listed(found.file_format)}; what is written here is {FORMAT}")
    columns = tuple(found.model_tasks[0].task_ids)
    rows: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    for k, task in enumerate(found.model_tasks):
        where = f"{place}.{prose.dotted(('model_tasks', k))}"
        if {*task.task_ids} != {*columns}:
            faults.append(f"{where}.task_ids: has {_listed(task.task_ids)}; the first task has {_listed(columns)}")
            continue
        part = _Filling(task, where, as_of, location, found.round_id, derived)
        taken = [pmf for pmf in pmfs if part.asks(pmf)]
        faults += part.faults(taken, _distinct(pmf.target for pmf in pmfs))
        for pmf in taken:
            cells = part.cells(pmf)
            rows[pmf.target, pmf.weeks] = [
                (*(cells[name] for name in columns), PROBABILITIES, category, str(value))
                for category, value in pmf.values.items()
            ]
    if not (rows or faults):
        wanted = _distinct(target.name for task in found.model_tasks for target in task.target_metadata)
        have = f"{_listed(_distinct(pmf.target for pmf in pmfs))} at {_listed(_distinct(p.weeks for p in pmfs))} weeks"
        faults.append(f"{place}: asks for nothing that is forecast, but for {_listed(wanted)}; the forecast has {have}")
    if faults:
        return list(dict.fromkeys(faults))
    header = (*columns, "output_type", "output_type_id", "value")
    return HubTable(header, [line for lines in rows.values() for line in lines], tuple(_left_out(pmfs, {*rows})))


class _Filling(NamedTuple):
    """A model task and what fills its columns."""

    task: ModelTask
    place: str
    as_of: dt.date
    location: str
    round_id: str
    derived: frozenset[str]

    def cells(self, pmf: Pmf) -> dict[str, str]:
        """Give what stands in each column; where nothing in a forecast tells, the only value that there is."""
        target, end = self.task.target(pmf.target), str(self.as_of + dt.timedelta(weeks=pmf.weeks))
        told = {
            **dict.fromkeys(self._of_round, str(self.as_of)),
            "location": self.location,
            "target_date": end,
            "target_end_date": end,
        }
        if target is not None:
            told |= dict.fromkeys(target.target_keys or (), target.name)
            told["horizon"] = str(pmf.weeks * 7 // DAYS[target.time_unit]) if target.time_unit in DAYS else ""
        return {
            name: told.get(name, next(iter(values.allowed), NOT_APPLICABLE))
            if values.allowed or name in self.derived
            else NOT_APPLICABLE
            for name, values in self.task.task_ids.items()
        }

    def asks(self, pmf: Pmf) -> bool:
        """Whether the task is about this target on that day."""
        if self.task.target(pmf.target) is None:
            return False
        cells = self.cells(pmf)
        days = (ENDS & {*cells}) - self.derived
        return all(cells[name] in (self.task.task_ids[name].allowed or (NOT_APPLICABLE,)) for name in days)

    def faults(self, taken: Sequence[Pmf], known: Sequence[str]) -> Iterator[str]:
        """List where what the task wants and what there is do not go together; ``known`` are the targets there are."""
        named = [target for target in self.task.target_metadata if target.name in known]
        if named:
            yield from self._kind_faults(named)
        if not taken:
            if self._is_required():
                wanted = _listed(target.name for target in self.task.target_metadata)
                have = "has it at other horizons" if named else f"has {_listed(known)}"
                yield f"{self.place}: requires {wanted}; the forecast {have}"
            return
        yield from self._category_faults(taken)
        rows = [self.cells(pmf) for pmf in taken]
        if len({tuple(row.values()) for row in rows}) < len(rows):
            weeks = _listed(_distinct(pmf.weeks for pmf in taken))
            yield f"{self.place}.task_ids: no column tells forecasts for {weeks} weeks apart; it needs horizon"
        for column, values in self.task.task_ids.items():
            if column not in self.derived:
                yield from self._column_faults(column, values, _distinct(row[column] for row in rows))

    def _kind_faults(self, named: Sequence[Target]) -> Iterator[str]:
        for target in named:
            if target.time_unit not in DAYS and "horizon" in self.task.task_ids:
                yield f"{self.place}: horizons of {target.name} are {target.time_unit}s; those of a forecast are weeks"
        where, types = f"{self.place}.output_type", self.task.output_type
        if PROBABILITIES not in types:
            yield f"{where}: takes {_listed(types)}; what is written here is {PROBABILITIES}"
        elif needed := [name for name, output in types.items() if name != PROBABILITIES and output.must]:
            yield f"{where}: requires {_listed(needed)} too; what is written here is {PROBABILITIES}"

    def _is_required(self) -> bool:
        """Whether a forecast without this task is incomplete: no column leaves the choice to who submits."""
        columns = [values for name, values in self.task.task_ids.items() if name not in self.derived | self._of_round]
        chosen = all(values.required or not values.optional for values in columns)
        return chosen and any(output.must for output in self.task.output_type.values())

    @property
    def _of_round(self) -> frozenset[str]:
        """The columns that have one value in a file: its date."""
        return DATES | {self.round_id}

    def _category_faults(self, taken: Sequence[Pmf]) -> Iterator[str]:
        if PROBABILITIES not in self.task.output_type:
            return
        wanted = self.task.output_type[PROBABILITIES].output_type_id
        for target, found in {pmf.target: tuple(pmf.values) for pmf in taken}.items():
            if {*found} - {*wanted.allowed} or {*wanted.needed} - {*found}:
                where = f"{self.place}.output_type.{PROBABILITIES}.output_type_id"
                yield f"{where}: has {_listed(wanted.allowed)}; the categories of {target} are {_listed(found)}"

    def _column_faults(self, column: str, values: Values, found: Sequence[str]) -> Iterator[str]:
        where = f"{self.place}.task_ids.{column}"
        keys = {key for target in self.task.target_metadata for key in target.target_keys or ()}
        if column not in self._of_round | ENDS | keys | {"location"} and len(values.allowed) > 1:
            yield f"{where}: may be {_listed(values.allowed)}; nothing in a forecast says which"
        elif extra := [value for value in found if value not in (values.allowed or (NOT_APPLICABLE,))]:
            remedy = "; choose with --location" if column == "location" else ""
            yield f"{where}: takes {_listed(values.allowed)}, not {_listed(extra)}{remedy}"
        elif column not in self._of_round and (lacking := [text for text in values.needed if text not in found]):
            yield f"{where}: requires {_listed(lacking)} too; the forecast has {_listed(found)}"


def _left_out(pmfs: Iterable[Pmf], kept: set[tuple[str, int]]) -> Iterator[str]:
    """Name what a hub does not ask for: whole targets, and horizons of others."""
    weeks: dict[str, list[int]] = {}
    for pmf in pmfs:
        if (pmf.target, pmf.weeks) not in kept:
            weeks.setdefault(pmf.target, []).append(pmf.weeks)
    for target, found in weeks.items():
        yield target if all(name != target for name, _ in kept) else f"{target} at {_listed(found)} weeks"


def _distinct[Value](values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))


def _listed(values: Iterable[object]) -> str:
    texts = [str(value) for value in values]
    if not texts:
        return "nothing"
    return prose.listed(texts) if len(texts) <= LISTED else ", ".join(texts[:LISTED]) + ", …"

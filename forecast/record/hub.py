"""The archive for other programs: forecasts as a hubverse hub takes them, and everything issued as one table.

A *hub* is a folder in which teams forecast the same things in one format, so that they can be scored and pooled. A file
holds one model's forecasts as of one date. The format, with the rules for names and for probabilities that sum to one:
"Model output", https://docs.hubverse.io/en/latest/user-guide/model-output.html.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base.errors import FaultsError, InputError
from forecast.base.files import make_folder, replace_file
from forecast.base.sanitise import csv_text
from forecast.record import hub_tasks
from forecast.record.hub_tasks import PROBABILITIES, HubTable, Pmf
from forecast.theory.exclusive import exclusive_sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.issued import Issue


HUB_COLUMNS = ("reference_date", "target", "horizon", "location", "output_type", "output_type_id", "value")
ABBREVIATION = r"[A-Za-z0-9_]+"
LOCATION = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
ROUNDING = 1e-9  # how far from one the sum of an exclusive set may be before it is normalised


class HubFile(NamedTuple):
    """A file that `write_hub` wrote, its forecast, whether that passed its checks, and what no hub asked for."""

    path: Path
    issued: Issue
    trusted: bool
    left_out: tuple[str, ...]


def write_hub(
    issues: Iterable[Issue], folder: Path, *, team: str, location: str = "global", hub: Path | None = None
) -> tuple[HubFile, ...]:
    """Write each forecast to ``model-output/<team>-<model>/<as of>-<team>-<model>.csv`` of a hub's ``folder``.

    A row is the probability (``pmf``) of one category of a target on the day ``horizon`` weeks after
    ``reference_date``. An exclusive set of outcomes is one target with the outcomes as its categories; any other
    outcome is a target of its own with the categories ``yes`` and ``no``. Columns, targets and horizons are those that
    the tasks of ``hub`` ask for, by default of ``folder``; where that has none, the columns are `HUB_COLUMNS` and
    everything is written. The same issues give the same bytes; each file is written whole or not at all, and no other
    file is touched.

    Raises
    ------
    InputError
        If a hub does not allow the name of the team, of a model or of the location, or its tasks ask for something else
        (nothing is written then), or the folder cannot be written.

    """
    issues = tuple(issues)
    _require_names(team, location, sorted({row.model for row in issues}))
    place = hub or folder
    tasks = hub_tasks.read_tasks(place) if hub or (folder / hub_tasks.TASKS).exists() else None
    written: list[tuple[HubFile, str]] = []
    faults: list[str] = []
    for issued in issues:
        content = issued.published.report
        model_id = f"{team}-{issued.model}"
        path = folder / "model-output" / model_id / f"{issued.as_of}-{model_id}.csv"
        pmfs = tuple(_pmfs(issued, content))
        table = (
            hub_tasks.asked_rows(tasks, issued.as_of, location, pmfs) if tasks else _all_rows(issued, location, pmfs)
        )
        if isinstance(table, list):
            faults += [f"{issued.model} as of {issued.as_of}: {fault}" for fault in table]
            continue
        file = HubFile(path, issued, content["forecast"]["trust"]["trusted"], table.left_out)
        written.append((file, csv_text([table.columns, *table.rows])))
    if faults:
        raise FaultsError(str(place / hub_tasks.TASKS), faults)
    for file, text in written:
        make_folder(file.path.parent)
        replace_file(file.path, text.encode())
    return tuple(file for file, _ in written)


def _require_names(team: str, location: str, models: Sequence[str]) -> None:
    allowed = "a hub allows letters (A to Z), digits and underscores"
    if not re.fullmatch(ABBREVIATION, team):
        msg = f"--team {team!r} cannot be the name of a team; {allowed}"
        raise InputError(msg)
    for name in models:
        if not re.fullmatch(ABBREVIATION, name):
            msg = f"{name!r} cannot be the name of a model; {allowed}; choose another with --model, or rename the file"
            raise InputError(msg)
    if not re.fullmatch(LOCATION, location):
        msg = f"--location {location!r} is no code; use letters, digits, and inside also . _ and -, such as global"
        raise InputError(msg)


def _pmfs(issued: Issue, content: Mapping[str, Any]) -> Iterator[Pmf]:
    at = {
        (row["outcome"], row["horizon_weeks"]): min(max(row["estimate"]["mean"], 0.0), 1.0)
        for row in content["forecast"]["quantities"]
        if row["kind"] == "at"
    }
    for target, outcomes in _targets(content["model"]).items():
        for weeks in sorted({weeks for _, weeks in at}):
            means = {name: at[name, weeks] for name in outcomes}
            values = _normalised(issued, means) if len(means) > 1 else _yes_or_no(*means.values())
            yield Pmf(target, weeks, values)


def _all_rows(issued: Issue, location: str, pmfs: Iterable[Pmf]) -> HubTable:
    rows = [
        (str(issued.as_of), pmf.target, str(pmf.weeks), location, PROBABILITIES, category, str(value))
        for pmf in pmfs
        for category, value in pmf.values.items()
    ]
    return HubTable(HUB_COLUMNS, rows)


def _yes_or_no(yes: float) -> dict[str, float]:
    return {"yes": yes, "no": 1 - yes}


def _normalised(issued: Issue, means: Mapping[str, float]) -> dict[str, float]:
    """Take off what rounding left: the sum is one to within a few units in the last place."""
    total = math.fsum(means.values())
    if abs(total - 1) > ROUNDING:
        where = f"issue {issued.seq}, {issued.model} as of {issued.as_of}"
        msg = f"{where}: {', '.join(means)} exclude each other and add up to {total:.6g}, not 1; leave it out (--since)"
        raise InputError(msg)
    return {name: mean / total for name, mean in means.items()}


def _targets(model: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Group the outcomes into targets, each outcome in one: exclusive sets first, then those that stand alone.

    A forecast that was issued before the states of outcomes were archived has no exclusive sets.
    """
    outcomes: Mapping[str, Mapping[str, Any]] = model["outcomes"]
    groups = exclusive_sets(model)
    targets: dict[str, tuple[str, ...]] = {}
    for group in groups:
        stages = {stage for name in group for stage in outcomes[name]["states"]}
        stage = stages.pop()
        plain = not stages and stage not in {*outcomes, *targets}
        targets[stage if plain else " or ".join(group)] = group
    grouped = {name for group in groups for name in group}
    return targets | {name: (name,) for name in outcomes if name not in grouped}

"""A hub's tasks: its columns, the targets and horizons that it asks for, and why a file would not pass."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hubdata
import pytest
from projects import archived, call, issued_once, strict_json

from forecast.base.errors import FaultsError, InputError
from forecast.record.hub import write_hub

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[2] / "docs" / "hub.md"
SCHEMA = "v6.0.0"  # of the hubverse, to which the hubs of these tests keep
RELATIONS = ["confrontation", "cooperation", "truce"]


def asked(target: str, categories: list[str], **task_ids: dict[str, Any]) -> dict[str, Any]:
    """Give a model task about one target, as a hub writes it; ``task_ids`` change columns or add some."""
    return {
        "task_ids": {
            "reference_date": {"required": None, "optional": ["2026-01-08"]},
            "target": {"required": [target], "optional": None},
            "horizon": {"required": None, "optional": [4, 13, 26, 52]},
            "location": {"required": ["global"], "optional": None},
            **task_ids,
        },
        "output_type": {
            "pmf": {
                "output_type_id": {"required": categories},
                "is_required": True,
                "value": {"type": "double", "minimum": 0, "maximum": 1},
            }
        },
        "target_metadata": [
            {
                "target_id": target, "target_name": target, "target_units": "state", "target_keys": {"target": target},
                "target_type": "nominal", "is_step_ahead": True, "time_unit": "week",
            }
        ],
    }  # fmt: skip


def hub_of(folder: Path, *model_tasks: dict[str, Any], **fields: Any) -> Path:
    """Lay out a hub with one round; ``fields`` are those of its tasks."""
    due = {"relative_to": "reference_date", "start": 0, "end": 2}
    round_ = {"round_id_from_variable": True, "round_id": "reference_date", "model_tasks": model_tasks}
    schema = f"https://raw.githubusercontent.com/hubverse-org/schemas/main/{SCHEMA}/tasks-schema.json"
    tasks = {"schema_version": schema, "rounds": [{**round_, "submissions_due": due}], **fields}
    (folder / "hub-config").mkdir(parents=True)
    (folder / "hub-config" / "tasks.json").write_text(json.dumps(tasks))
    admin = {"schema_version": schema, "name": "A hub", "file_format": ["csv"], "timezone": "UTC"}
    (folder / "hub-config" / "admin.json").write_text(json.dumps(admin))
    return folder


def written(hub: Path) -> list[dict[str, str]]:
    """Export the forecast that was issued once to a hub, and read the file back."""
    (file,) = write_hub(archived(issued_once()[0]), hub, team="us")
    with file.path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def faults(hub: Path) -> tuple[str, ...]:
    """Give what keeps the forecast from a hub, without the forecast's name; nothing is written."""
    with pytest.raises(FaultsError) as caught:
        write_hub(archived(issued_once()[0]), hub, team="us")
    assert caught.value.where == str(hub / "hub-config" / "tasks.json")
    assert not (hub / "model-output").exists()
    name = "russia_azerbaijan as of 2026-01-08: "
    assert all(fault.startswith(name) for fault in caught.value.faults)
    return tuple(fault.removeprefix(name) for fault in caught.value.faults)


def test_the_columns_are_the_task_ids_of_the_hub(tmp_path: Path) -> None:
    """They stand in its order; the end of the window follows from the horizon, a column of one value has that."""
    relations = asked(
        "relations",
        RELATIONS,
        target_end_date={"required": None, "optional": ["2026-04-09", "2026-07-09"]},
        scenario_id={"required": ["A"], "optional": None},
        age_group={"required": None, "optional": None},
    )
    rows = written(hub_of(tmp_path, relations))
    assert list(rows[0]) == [*relations["task_ids"], "output_type", "output_type_id", "value"]
    assert {(row["horizon"], row["target_end_date"]) for row in rows} == {("13", "2026-04-09"), ("26", "2026-07-09")}
    assert {(row["scenario_id"], row["age_group"], row["location"]) for row in rows} == {("A", "NA", "global")}
    assert [row["output_type_id"] for row in rows] == 2 * RELATIONS


def test_a_derived_column_needs_no_values(tmp_path: Path) -> None:
    """What the hub says follows from others is filled in and holds no horizon back."""
    nothing = {"required": None, "optional": None}
    hub = hub_of(tmp_path, asked("deal", ["yes", "no"], target_end_date=nothing), derived_task_ids=["target_end_date"])
    days = {(row["horizon"], row["target_end_date"]) for row in written(hub)}
    reference = dt.date(2026, 1, 8)
    assert days == {(str(weeks), str(reference + dt.timedelta(weeks=weeks))) for weeks in (4, 13, 26, 52)}


def test_horizons_count_what_the_hub_counts(tmp_path: Path) -> None:
    """In days a horizon of 4 weeks is 28; a hub's other names for the date and the target are kept."""
    deal = asked("deal", ["no", "yes"], horizon={"required": [28], "optional": [91]})
    deal["task_ids"]["origin_date"] = deal["task_ids"].pop("reference_date")
    deal["task_ids"]["goal"] = deal["task_ids"].pop("target")
    deal["target_metadata"][0] |= {"target_keys": {"goal": "deal"}, "time_unit": "day", "target_id": "d"}
    hub = hub_of(tmp_path, deal)
    tasks = json.loads((hub / "hub-config" / "tasks.json").read_text())
    tasks["rounds"][0]["round_id"] = "origin_date"
    (hub / "hub-config" / "tasks.json").write_text(json.dumps(tasks))
    rows = written(hub)
    assert {(row["origin_date"], row["goal"], row["horizon"]) for row in rows} == {
        ("2026-01-08", "deal", "28"),
        ("2026-01-08", "deal", "91"),
    }


def test_what_the_hub_does_not_ask_for_is_left_out_and_named(tmp_path: Path) -> None:
    """Targets and horizons besides those asked for would fail the hub's validation; the command says which."""
    hub = hub_of(tmp_path / "hub", asked("relations", RELATIONS, horizon={"required": [13], "optional": [26]}))
    arguments = ("export-hub", str(tmp_path / "mine"), "--hub", str(hub))
    done = call(*arguments, cwd=issued_once()[0])
    said = "left out, as the hub does not ask for it: relations at 4 and 52 weeks; deal; strategic_victory\n"
    assert done.code == 0
    assert said in done.out
    assert not (hub / "model-output").exists()
    (row,) = strict_json(call(*arguments, "--json", cwd=issued_once()[0]).out)
    assert row["left_out"] == ["relations at 4 and 52 weeks", "deal", "strategic_victory"]


def test_the_hubverse_reads_the_file(tmp_path: Path) -> None:
    """`hubdata` finds the columns with the types of the hub's tasks, and each set of categories adds up to one."""
    end = {"required": None, "optional": ["2026-02-05", "2026-04-09", "2026-07-09", "2027-01-07"]}
    tasks = [
        asked(name, categories, target_end_date=end)
        for name, categories in (("relations", RELATIONS), ("deal", ["yes", "no"]))
    ]
    hub = hub_of(tmp_path, *tasks)
    rows = written(hub)
    connection = hubdata.connect_hub(hub)
    table = connection.to_table()
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "reference_date": "date32[day]", "target": "string", "horizon": "int32", "location": "string",
        "target_end_date": "date32[day]", "output_type": "string", "output_type_id": "string", "value": "double",
        "model_id": "string",
    }  # fmt: skip
    assert len(table) == len(rows) == 4 * (3 + 2)
    frame = table.to_pandas()
    assert set(frame["model_id"]) == {"us-russia_azerbaijan"}
    assert frame.groupby(["target", "horizon"])["value"].sum().to_list() == pytest.approx([1.0] * 8, abs=1e-12)


def test_the_document_says_against_what_the_file_was_checked() -> None:
    """The version of the schema, and that of the hubverse's reader."""
    said = " ".join(DOCUMENT.read_text(encoding="utf-8").partition("### Checked against")[2].split())
    assert said.startswith(f"- **{SCHEMA}**")
    assert f"`hubdata` {version('hubdata')}," in said


def _set(*place: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(task: dict[str, Any]) -> None:
        node: Any = task
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value

    return change


QUANTILE = {"output_type_id": {"required": [0.5]}, "value": {"type": "double"}}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            _set("task_ids", "reference_date", "optional", value=["2026-01-15", "2026-01-01"]),
            "rounds: none is of 2026-01-08; there is 2026-01-15 and 2026-01-01",
        ),
        (
            _set("task_ids", "location", "required", value=["US"]),
            "rounds.1st.model_tasks.1st.task_ids.location: takes US, not global; choose with --location",
        ),
        (
            _set("task_ids", "location", value={"required": ["US"], "optional": ["global"]}),
            "rounds.1st.model_tasks.1st.task_ids.location: requires US too; the forecast has global",
        ),
        (
            _set("task_ids", "horizon", "required", value=[1, 2]),
            "rounds.1st.model_tasks.1st.task_ids.horizon: requires 1 and 2 too; the forecast has 4, 13, 26 and 52",
        ),
        (
            _set("task_ids", "scenario_id", value={"required": None, "optional": ["A", "B"]}),
            "rounds.1st.model_tasks.1st.task_ids.scenario_id: may be A and B; nothing in a forecast says which",
        ),
        (
            _set("output_type", "pmf", "output_type_id", "required", value=["war", "truce"]),
            (
                "rounds.1st.model_tasks.1st.output_type.pmf.output_type_id: has war and truce; "
                "the categories of relations are confrontation, cooperation and truce"
            ),
        ),
        (
            _set("output_type", "pmf", "output_type_id", "required", value=[*RELATIONS, "war"]),
            (
                "rounds.1st.model_tasks.1st.output_type.pmf.output_type_id: "
                "has confrontation, cooperation, truce and war; "
                "the categories of relations are confrontation, cooperation and truce"
            ),
        ),
        (
            _set("output_type", "quantile", value={**QUANTILE, "is_required": True}),
            "rounds.1st.model_tasks.1st.output_type: requires quantile too; what is written here is pmf",
        ),
        (
            _set("output_type", value={"quantile": QUANTILE}),
            "rounds.1st.model_tasks.1st.output_type: takes quantile; what is written here is pmf",
        ),
        (
            _set("target_metadata", 0, "time_unit", value="month"),
            "rounds.1st.model_tasks.1st: horizons of relations are months; those of a forecast are weeks",
        ),
        (
            _set("task_ids", "horizon", value={"required": None, "optional": [1, 2]}),
            (
                "rounds.1st: asks for nothing that is forecast, but for relations; "
                "the forecast has relations, deal and strategic_victory at 4, 13, 26 and 52 weeks"
            ),
        ),
        (
            _set("task_ids", "horizon", value={"required": [3], "optional": None}),
            "rounds.1st.model_tasks.1st: requires relations; the forecast has it at other horizons",
        ),
    ],
)
def test_what_would_not_pass_is_said(change: Callable[[dict[str, Any]], None], fault: str, tmp_path: Path) -> None:
    """Each fault names its place in the file, what the hub wants and what there is; no file is written."""
    task = asked("relations", RELATIONS)
    assert written(hub_of(tmp_path / "right", copy.deepcopy(task)))
    change(task)
    assert faults(hub_of(tmp_path / "wrong", task)) == (fault,)


def test_horizons_are_told_apart(tmp_path: Path) -> None:
    """A task without a column for the day would have several probabilities of the same thing."""
    task = asked("relations", RELATIONS)
    del task["task_ids"]["horizon"]
    told = "no column tells forecasts for 4, 13, 26 and 52 weeks apart; it needs horizon"
    assert faults(hub_of(tmp_path, task)) == (f"rounds.1st.model_tasks.1st.task_ids: {told}",)


def test_a_required_target_that_is_not_forecast_is_a_fault(tmp_path: Path) -> None:
    """A file without it fails the hub's validation; an optional one may be left alone."""
    relations, oil = asked("relations", RELATIONS), asked("oil", ["up", "down"])
    oil["task_ids"]["target"] = {"required": None, "optional": ["oil"]}
    assert written(hub_of(tmp_path / "optional", relations, oil))
    oil = asked("oil", ["up", "down"], horizon={"required": [4], "optional": None})
    hub = hub_of(tmp_path / "required", relations, oil)
    assert faults(hub) == (
        "rounds.1st.model_tasks.2nd: requires oil; the forecast has relations, deal and strategic_victory",
    )


def test_a_round_takes_csv_and_its_tasks_have_the_same_columns(tmp_path: Path) -> None:
    """What a hub's own validation would stumble over is said with its place."""
    relations, deal = (
        asked("relations", RELATIONS),
        asked("deal", ["yes", "no"], age={"required": None, "optional": []}),
    )
    hub = hub_of(tmp_path, relations, deal)
    path = hub / "hub-config" / "tasks.json"
    tasks = json.loads(path.read_text())
    tasks["rounds"][0]["file_format"] = ["parquet"]
    path.write_text(json.dumps(tasks))
    assert faults(hub) == (
        "rounds.1st.file_format: takes parquet; what is written here is csv",
        (
            "rounds.1st.model_tasks.2nd.task_ids: has reference_date, target, horizon, location and age; "
            "the first task has reference_date, target, horizon and location"
        ),
    )


def test_tasks_before_version_4_are_read(tmp_path: Path) -> None:
    """They do not say which output types are required, and split categories into required and optional ones."""
    task = asked("relations", RELATIONS)
    task["output_type"] = {
        "pmf": {"output_type_id": {"required": ["truce"], "optional": RELATIONS[:2]}, "value": {}},
        "quantile": {"output_type_id": {"required": None, "optional": [0.5]}, "value": {}},
    }
    assert {row["output_type_id"] for row in written(hub_of(tmp_path, task))} == {*RELATIONS}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tasks.json: cannot be read (No such file or directory); give a hub's folder, which has hub-config"),
        ("{", "tasks.json: 1 fault\n  the file: Invalid JSON"),
        ('{"rounds": [{"round_id": "x", "round_id_from_variable": false}]}', "rounds.1st.model_tasks: Field required"),
    ],
)
def test_a_file_that_is_none_of_a_hub_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    """A missing file, broken JSON and a missing part are one message with the place."""
    if content is not None:
        (tmp_path / "hub-config").mkdir()
        (tmp_path / "hub-config" / "tasks.json").write_text(content)
    with pytest.raises(InputError, match=re.escape(message)):
        write_hub(archived(issued_once()[0]), tmp_path / "mine", team="us", hub=tmp_path)
    assert not (tmp_path / "mine").exists()


def test_the_example_of_the_document_is_a_hub_that_takes_the_forecast(tmp_path: Path) -> None:
    """A hub that copies the part for `relations` gets a file of its three categories."""
    (text,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    rows = written(hub_of(tmp_path, json.loads(text)))
    assert {row["target"] for row in rows} == {"relations"}
    assert len(rows) == 4 * 3

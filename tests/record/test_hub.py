"""The archive for other programs: a hub's rules are kept, and the table holds what was issued."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
import math
import os
import re
import sys
import tempfile
from collections import defaultdict
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import AS_OF, MODEL, archived, call, fresh, issued_copy, issued_once, strict_json

import forecast
from forecast.base.errors import InputError
from forecast.base.sanitise import EXECUTED
from forecast.ledger.issued import Issued
from forecast.ledger.sqlite import SqliteLedger
from forecast.record.archive import ARCHIVE_TYPES, archive_table, last_issues, write_archive
from forecast.record.hub import HUB_COLUMNS, write_hub

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOBODY = 65534
NOW = dt.datetime(2026, 1, 9, 6, 30, 0, 123456, tzinfo=dt.UTC)
STAGES = {"war": ("on", "off"), "trade": ("open", "shut", "dear")}
FILE_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-([A-Za-z0-9_]+)-([A-Za-z0-9_]+)\.csv")  # hubValidations, parse_file_name
HOSTILE = ("", "my-team", "a b", "../x", "équipe", "=cmd", "a\n", "a.b", "a/b", "٣")
Row = dict[str, str]


def quantity(outcome: str, mean: float, kind: str = "at", weeks: int | None = 26, given: str | None = None) -> Any:
    """Give one row of a forecast as it is archived."""
    date = None if weeks is None else (AS_OF + dt.timedelta(weeks=weeks)).isoformat()
    estimate = {"mean": mean, "low": mean / 2, "high": (1 + mean) / 2, "mcse": 1e-05}
    return {
        "outcome": outcome, "kind": kind, "given": given, "horizon_weeks": weeks, "date": date, "estimate": estimate
    }  # fmt: skip


def issue(outcomes: Mapping[str, Any], quantities: Iterable[Any], *, trusted: bool = True, **fields: Any) -> Issued:
    """Make an issued forecast over `STAGES`; ``outcomes`` holds the states of each, None as before they were kept."""
    model = {
        "outcomes": {
            name: {"label": name} | ({"states": states} if states else {}) for name, states in outcomes.items()
        },
        "stages": {name: {"label": name, "states": list(states)} for name, states in STAGES.items()},
    }
    content = {"model": model, "forecast": {"quantities": list(quantities), "trust": {"trusted": trusted}}}
    given = {"seq": 1, "model": "doves", "as_of": AS_OF, "issued_at": NOW, "evidence_hash": "e1", "model_hash": "m1"}
    return Issued(**{**given, "fit": "f1", "watermark": 7, "content": json.dumps(content), **fields})


def simple(mean: float = 0.3, **fields: Any) -> Issued:
    """Give a forecast of one outcome."""
    return issue({"peace": {"war": ["off"]}}, [quantity("peace", mean)], **fields)


def validated(path: Path) -> list[Row]:
    """Read a file and hold it to the rules that a hub publishes for names, columns and probabilities."""
    name = FILE_NAME.fullmatch(path.name)
    assert name
    assert path.parent.name == f"{name[2]}-{name[3]}"
    assert path.parent.parent.name == "model-output"
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    assert rows
    assert set(rows[0]) == {*HUB_COLUMNS} >= {"output_type", "output_type_id", "value"}
    sums: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows:
        assert row["reference_date"] == name[1] == dt.date.fromisoformat(row["reference_date"]).isoformat()
        assert row["output_type"] == "pmf"
        assert int(row["horizon"]) > 0
        assert 0 <= float(row["value"]) <= 1
        sums[row["target"], row["horizon"], row["location"]].append(float(row["value"]))
    assert len({tuple(row[key] for key in HUB_COLUMNS[:-1]) for row in rows}) == len(rows)
    assert all(abs(math.fsum(values) - 1) <= 1e-12 and len(values) > 1 for values in sums.values())
    return rows


def categories(rows: list[Row]) -> dict[str, tuple[str, ...]]:
    """Give the categories of each target, in the order of the file."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row["target"], {})[row["output_type_id"]] = None
    return {target: tuple(names) for target, names in found.items()}


def exported(issued: Issued, folder: Path) -> list[Row]:
    """Write one forecast and read it back."""
    (file,) = write_hub([issued], folder, team="us")
    return validated(file.path)


def tree(folder: Path) -> dict[str, bytes]:
    """Give the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What was really issued.


def test_an_issued_forecast_keeps_the_rules_of_a_hub(tmp_path: Path) -> None:
    """Relations are one target with three categories, the overlapping outcomes are yes or no, at each horizon."""
    (issued,) = archived(issued_once()[0])
    rows = exported(issued, tmp_path)
    assert categories(rows) == {
        "relations": ("confrontation", "cooperation", "truce"),
        "deal": ("yes", "no"),
        "strategic_victory": ("yes", "no"),
    }
    at = {
        (row["outcome"], row["horizon_weeks"]): row["estimate"]["mean"]
        for row in json.loads(issued.content)["forecast"]["quantities"]
        if row["kind"] == "at"
    }
    assert len({weeks for _, weeks in at}) > 1
    shown = {
        (row["target"] if row["output_type_id"] == "yes" else row["output_type_id"], int(row["horizon"])): row["value"]
        for row in rows
        if row["output_type_id"] != "no"
    }
    assert {key: float(value) for key, value in shown.items()} == pytest.approx(at, abs=1e-12)


def test_a_forecast_from_before_states_were_archived_has_yes_and_no(tmp_path: Path) -> None:
    """Nothing is guessed: without the states of the outcomes each is a target of its own."""
    (issued,) = archived(issued_once()[0])
    content = json.loads(issued.content)
    for row in content["model"]["outcomes"].values():
        del row["states"]
    rows = exported(dataclasses.replace(issued, content=json.dumps(content)), tmp_path)
    assert categories(rows) == dict.fromkeys(content["model"]["outcomes"], ("yes", "no"))


# Targets.


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        ({"peace": {"war": ["off"]}, "fight": {"war": ["on"]}}, {"war": ("peace", "fight")}),
        ({"war": {"war": ["on"]}, "peace": {"war": ["off"]}}, {"war or peace": ("war", "peace")}),
        (
            {"all_well": {"war": ["off"], "trade": ["open"]}, "fight": {"war": ["on"]},
             "poor": {"trade": ["dear", "shut"]}, "poor_peace": {"war": ["off"], "trade": ["dear", "shut"]}},
            {"all_well or fight or poor_peace": ("all_well", "fight", "poor_peace"), "poor": ("yes", "no")},
        ),
        (
            {"peace": {"war": ["off"]}, "fight": {"war": ["on"]}, "calm": {"war": ["off"]}, "storm": {"war": ["on"]}},
            {"war": ("peace", "fight"), "calm or storm": ("calm", "storm")},
        ),
        ({"peace": {"war": ["off"]}, "free": {"trade": ["open"]}}, {"peace": ("yes", "no"), "free": ("yes", "no")}),
        ({"open": {"trade": ["open"]}, "shut": {"trade": ["shut"]}}, {"open": ("yes", "no"), "shut": ("yes", "no")}),
        ({"always": {"war": ["on", "off"]}}, {"always": ("yes", "no")}),
        ({"peace": {"war": ["off"]}, "fight": None}, {"peace": ("yes", "no"), "fight": ("yes", "no")}),
    ],
)  # fmt: skip
def test_an_exclusive_set_is_one_target(
    outcomes: dict[str, Any], wanted: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    """Outcomes of which exactly one holds are one target; those that overlap or leave a gap stand alone."""
    war, trade = {"on": 0.1, "off": 0.9}, {"open": 0.2, "shut": 0.3, "dear": 0.5}
    means = {
        name: math.prod(
            sum(chance[state] for state in (states or {"war": ["on"]}).get(stage, chance))
            for stage, chance in (("war", war), ("trade", trade))
        )
        for name, states in outcomes.items()
    }
    rows = exported(issue(outcomes, [quantity(name, mean) for name, mean in means.items()]), tmp_path)
    assert categories(rows) == wanted


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, float]]:
    """Outcomes over `STAGES` at random, and their probabilities under a random distribution of the joint states."""
    subsets = {name: st.lists(st.sampled_from(states), min_size=1, unique=True) for name, states in STAGES.items()}
    names = [f"o{k}" for k in range(draw(st.integers(1, 6)))]
    states = st.fixed_dictionaries({}, optional=subsets).filter(bool)
    outcomes = {name: draw(states) for name in names}
    joint = list(product(*STAGES.values()))
    weights = draw(st.lists(st.floats(1e-6, 1), min_size=len(joint), max_size=len(joint)))
    chance = {state: weight / sum(weights) for state, weight in zip(joint, weights, strict=True)}
    return outcomes, {name: sum(chance[state] for state in held(outcomes[name])) for name in names}


def held(states: Mapping[str, list[str]]) -> set[tuple[str, ...]]:
    """Name the joint states in which an outcome holds."""
    return {
        joint
        for joint in product(*STAGES.values())
        if all(state in states.get(stage, STAGES[stage]) for stage, state in zip(STAGES, joint, strict=True))
    }


@given(_worlds())
def test_targets_share_the_outcomes_among_them(world: tuple[dict[str, Any], dict[str, float]]) -> None:
    """Each outcome is in one target, exactly one category of a set holds in every state, and no set is overlooked."""
    outcomes, means = world
    with tempfile.TemporaryDirectory() as folder:
        rows = exported(issue(outcomes, [quantity(name, mean) for name, mean in means.items()]), Path(folder))
    found = categories(rows)
    alone = [target for target, names in found.items() if names == ("yes", "no")]
    sets = [names for target, names in found.items() if target not in alone]
    assert sorted([*alone, *(name for names in sets for name in names)]) == sorted(outcomes)
    joint = list(product(*STAGES.values()))
    for names in sets:
        assert all(sum(state in held(outcomes[name]) for name in names) == 1 for state in joint)
    for size in range(2, len(alone) + 1):
        for names in combinations(alone, size):
            assert any(sum(state in held(outcomes[name]) for name in names) != 1 for state in joint)


def test_only_the_day_itself_is_exported(tmp_path: Path) -> None:
    """Reached by, given and now are not what a horizon of the hub means."""
    others = [
        quantity("peace", 0.9, "reached"),
        quantity("peace", 0.8, "given", given="x"),
        quantity("peace", 0.7, "already", weeks=None),
        quantity("peace", 0.6, "after", given="x"),
    ]
    wanted = [quantity("peace", 0.3), quantity("peace", 0.2, weeks=4)]
    rows = exported(issue({"peace": {"war": ["off"]}}, [*others, *wanted]), tmp_path)
    assert [(row["horizon"], row["output_type_id"], float(row["value"])) for row in rows] == [
        ("4", "yes", 0.2), ("4", "no", 0.8), ("26", "yes", 0.3), ("26", "no", 0.7)
    ]  # fmt: skip


@pytest.mark.parametrize("mean", [1 + 2e-16, -1e-17, 0.0, 1.0, 1e-300])
def test_rounding_never_leaves_the_unit_interval(mean: float, tmp_path: Path) -> None:
    """A mean that rounding carried past 0 or 1 is exported as 0 or 1."""
    rows = exported(simple(mean), tmp_path)
    assert float(rows[0]["value"]) == min(max(mean, 0), 1)


def test_a_set_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    """Rounding is normalised away, a fault is not; nothing is written."""
    outcomes = {"peace": {"war": ["off"]}, "fight": {"war": ["on"]}}
    bad = issue(outcomes, [quantity("peace", 0.3), quantity("fight", 0.6)], seq=12)
    with pytest.raises(InputError, match=r"issue 12, doves as of 2026-01-08: peace, fight .* add up to 0\.9, not 1"):
        write_hub([simple(model="hawks"), bad], tmp_path, team="us")
    assert tree(tmp_path) == {}


# Which issues, and where.


def test_the_last_issue_of_each_date_and_model_is_chosen() -> None:
    """Of two issues of one date the later counts, whatever their dates of issue; model and date narrow the choice."""
    day = dt.timedelta(days=1)
    issues = [
        simple(seq=1),
        simple(seq=2, as_of=AS_OF + day),
        simple(seq=3, model="base"),
        simple(seq=4, issued_at=NOW - day),
        simple(seq=5, model="base", as_of=AS_OF - day),
    ]
    assert [row.seq for row in last_issues(issues)] == [5, 3, 4, 2]
    assert [row.seq for row in last_issues(issues, "doves")] == [4, 2]
    assert [row.seq for row in last_issues(issues, since=AS_OF)] == [3, 4, 2]
    assert [row.seq for row in last_issues(issues, "base", AS_OF)] == [3]
    for model, since, message in (
        ("hawks", None, "no forecast of a model 'hawks' has been issued; allowed: base, doves"),
        ("dove", None, "did you mean 'doves'?"),
        ("base", AS_OF + day, "no forecast as of 2026-01-09 or later has been issued; the last is as of 2026-01-08"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            last_issues(issues, model, since)


def test_writing_twice_gives_the_same_bytes_and_touches_nothing_else(tmp_path: Path) -> None:
    """Files of other teams, of the hub and of other dates stay; no draft is left behind."""
    others = (
        "hub-config/admin.json",
        "model-output/them-theirs/2026-01-08-them-theirs.csv",
        "model-output/us-doves/x.csv",
    )
    for name in others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"theirs: {name}")
    before = tree(tmp_path)
    issues = [simple(), simple(model="hawks"), simple(as_of=AS_OF - dt.timedelta(days=7))]
    written = write_hub(issues, tmp_path, team="us")
    first = tree(tmp_path)
    assert {name: first[name] for name in others} == before
    assert first.keys() - before.keys() == {
        "model-output/us-doves/2026-01-08-us-doves.csv",
        "model-output/us-doves/2026-01-01-us-doves.csv",
        "model-output/us-hawks/2026-01-08-us-hawks.csv",
    }
    assert [(file.path, file.issued) for file in written] == [
        (tmp_path / "model-output" / f"us-{row.model}" / f"{row.as_of}-us-{row.model}.csv", row) for row in issues
    ]
    write_hub(issues, tmp_path, team="us")
    assert tree(tmp_path) == first


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_no_hub_allows_is_refused(name: str, tmp_path: Path) -> None:
    """Teams and models have letters, digits and underscores; nothing is written anywhere."""
    for issues, team in (([simple()], name), ([simple(), simple(model=name)], "us")):
        with pytest.raises(InputError, match="a hub allows letters"):
            write_hub(issues, tmp_path / "hub", team=team)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("code", ["", "=1+1", "-x", "a b", "a,b", "é", "x\n"])
def test_a_location_is_a_code(code: str, tmp_path: Path) -> None:
    """What is no code is refused; codes as hubs use them are taken."""
    with pytest.raises(InputError, match="--location"):
        write_hub([simple()], tmp_path, team="us", location=code)
    for good in ("US", "06", "DE-BY", "global"):
        (file,) = write_hub([simple()], tmp_path, team="us", location=good)
        assert {row["location"] for row in validated(file.path)} == {good}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the way and missing permissions give one message with a remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"us-doves: cannot be made \(.*\); choose another place"):
        write_hub([simple()], tmp_path / "file", team="us")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model-output" / "us-doves"
        folder.mkdir(parents=True)
        Path(name).chmod(0o755)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(NOBODY)
            for act in (
                lambda: write_hub([simple()], Path(name), team="us"),
                lambda: write_archive(archive_table([simple()]), folder / "archive.csv"),
            ):
                with pytest.raises(InputError, match=r"cannot be written \(Permission denied\)"):
                    act()
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)
        assert tree(Path(name)) == {}


# The table.


def test_the_table_is_what_was_issued(tmp_path: Path) -> None:
    """`project.archive()` has one row an issue and quantity, with the numbers of the archived report, types and all."""
    root = issued_copy(tmp_path)
    (first,) = archived(root)
    SqliteLedger.open(root / "data" / "ledger.db").archive(
        dataclasses.replace(first, model="baku_hedges", watermark=99)
    )
    table = forecast.open(root).archive()
    assert table.dtypes.astype(str).to_dict() == ARCHIVE_TYPES
    issues = archived(root)
    assert table["issue"].unique().tolist() == [issued.seq for issued in issues]
    for issued in issues:
        part = table[table["issue"] == issued.seq]
        content = json.loads(issued.content)["forecast"]
        for name in ("model", "fit", "model_hash", "evidence_hash", "watermark", "issued_at"):
            assert part[name].unique().tolist() == [getattr(issued, name)]
        assert part["as_of"].dt.date.unique().tolist() == [issued.as_of]
        assert part["trusted"].unique().tolist() == [content["trust"]["trusted"]]
        records = part.astype(object).where(part.notna(), None).to_dict("records")
        rows = [
            {key: row[key] for key in ("outcome", "kind", "given", "horizon_weeks")}
            | {"date": row["date"].date().isoformat() if row["date"] else None}
            | {"estimate": {key: row[key] for key in ("mean", "low", "high", "mcse")}}
            for row in records
        ]
        assert rows == content["quantities"]


def test_an_archive_written_as_csv_reads_back_exactly(tmp_path: Path) -> None:
    """Numbers are the same to the last bit, missing values are empty, and writing again gives the same bytes."""
    table = archive_table(archived(issued_once()[0]))
    write_archive(table, tmp_path / "a.csv")
    types = {name: "string" if "64" in kind else kind for name, kind in ARCHIVE_TYPES.items()}
    again = pd.read_csv(tmp_path / "a.csv", dtype=types).astype(ARCHIVE_TYPES)
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    before = tree(tmp_path)
    write_archive(table, tmp_path / "a.csv")
    assert tree(tmp_path) == before


def test_parquet_keeps_every_type(tmp_path: Path) -> None:
    """What is read from Parquet is the table itself, and the same table gives the same bytes."""
    table = archive_table(archived(issued_once()[0]))
    for name in ("a.parquet", "b.PARQUET"):
        write_archive(table, tmp_path / name)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name), table, check_exact=True)
    assert len(set(tree(tmp_path).values())) == 1


@pytest.mark.parametrize("mark", [*EXECUTED, "'"])
def test_no_cell_of_the_csv_is_a_formula(mark: str, tmp_path: Path) -> None:
    """Text that a spreadsheet would run stands behind an apostrophe; negative and small numbers stay numbers."""
    text = f'{mark}cmd|"/c calc"!A1,\n'
    names = {"model": text, "model_hash": text, "fit": text, "evidence_hash": text, "watermark": -3}
    row = quantity(text, -0.25, "given", given=text)
    write_archive(archive_table([issue({}, [row], **names)]), tmp_path / "a.csv")
    (cells,) = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_bytes().decode(), newline=""))
    for column, cell in cells.items():
        if ARCHIVE_TYPES[column] == "string":
            own = {"kind": "given", "likelihood": 'estimative-language:likelihood-probability="almost-no-chance"'}
            assert cell == own.get(column, f"'{text}")
    assert (cells["mean"], cells["mcse"], cells["watermark"]) == ("-0.25", "1e-05", "-3")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing Parquet says what to install; CSV goes on working and a file that was there stays."""
    table = archive_table([simple()])
    (tmp_path / "a.parquet").write_text("old")
    monkeypatch.setitem(sys.modules, "pandas.io.parquet", None)  # where pandas looks for pyarrow
    with pytest.raises(InputError, match=re.escape("pip install 'scenario-cascade[parquet]', or use .csv")):
        write_archive(table, tmp_path / "a.parquet")
    write_archive(table, tmp_path / "a.csv")
    assert tree(tmp_path)["a.parquet"] == b"old"
    assert sorted(tree(tmp_path)) == ["a.csv", "a.parquet"]


def test_an_empty_table_has_its_types() -> None:
    """A project that has issued nothing gives no rows, with the columns and types of any other."""
    table = archive_table([])
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == ARCHIVE_TYPES


# Commands.


def test_export_hub_writes_what_was_asked_for(tmp_path: Path) -> None:
    """Two issues of one date, two models, a model and a first date: each call writes those files and says so."""
    root = issued_copy(tmp_path)
    (first,) = archived(root)
    ledger = SqliteLedger.open(root / "data" / "ledger.db")
    content = json.loads(first.content)
    content["forecast"]["trust"]["trusted"] = True
    for row in content["forecast"]["quantities"]:
        if (row["outcome"], row["kind"]) == ("deal", "at"):
            row["estimate"]["mean"] = 0.5
    later = dataclasses.replace(first, content=json.dumps(content))
    ledger.archive(later)
    ledger.archive(dataclasses.replace(later, model="baku_hedges", as_of=dt.date(2026, 1, 15)))
    done = call("export-hub", "hub", "--team", "us", cwd=root)
    assert done == (0, "2 forecasts in hub/model-output\n", "")
    paths = sorted((root / "hub").rglob("*.csv"))
    assert [path.name for path in paths] == ["2026-01-15-us-baku_hedges.csv", "2026-01-08-us-russia_azerbaijan.csv"]
    assert {row["value"] for row in validated(paths[1]) if row["target"] == "deal"} == {"0.5"}
    for arguments, names in (
        (("--model", "russia_azerbaijan"), ["2026-01-08-us-russia_azerbaijan.csv"]),
        (("--since", "2026-01-09"), ["2026-01-15-us-baku_hedges.csv"]),
    ):
        done = call("export-hub", "other", "--team", "us", *arguments, "--json", cwd=root)
        rows = strict_json(done.out)
        assert [Path(row["file"]).name for row in rows] == names
        assert all(row["trusted"] and {*row} == {"file", "model", "as_of", "trusted", "left_out"} for row in rows)
        assert all((root / row["file"]).exists() for row in rows)


def test_what_was_accepted_by_hand_is_said(tmp_path: Path) -> None:
    """A hub's format cannot say that checks failed, so the command does."""
    done = call("export-hub", str(tmp_path), cwd=issued_once()[0])
    assert done.code == 0
    assert "accepted by hand although checks failed: 1 forecast" in done.out


def test_the_archive_outlives_its_model_file(tmp_path: Path) -> None:
    """What was issued can be exported although its model file is gone or faulty."""
    root = issued_copy(tmp_path)
    (root / MODEL).write_text("not a model")
    assert call("export-hub", cwd=root).code == 0
    assert call("export-archive", "a.csv", cwd=root).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export-hub", "--team", "my-team"), "--team 'my-team' cannot be the name of a team"),
        (("export-hub", "--location", "=1"), "--location '=1' is no code"),
        (("export-hub", "--since", "soon"), "--since 'soon' is not a date"),
        (("export-hub", "--since", "2030-01-01"), "no forecast as of 2030-01-01 or later"),
        (("export-hub", "--model", "doves"), "no forecast of a model 'doves' has been issued"),
        (("export-hub", MODEL), "cannot be made (Not a directory)"),
        (("export-archive", "a.txt"), "'.txt' is not a format for the archive; use .csv or .parquet"),
        (("export-archive", "nowhere/a.csv"), "cannot be written"),
    ],
)
def test_wrong_input_is_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    """Each fault is one message on standard error, and nothing is written."""
    root = issued_once()[0]
    before = {path for path in root.rglob("*") if path.suffix not in {".db-shm", ".db-wal"}}
    done = call(*arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.split())
    assert {path for path in root.rglob("*") if path.suffix not in {".db-shm", ".db-wal"}} == before


@pytest.mark.parametrize(
    "arguments", [("export-hub", "hub"), ("export-archive", "a.csv"), ("export-archive", "a.parquet")]
)
def test_an_empty_archive_is_said_to_be_empty(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Before the first run there is nothing to export: exit code 2, the remedy, and no file."""
    root = fresh(tmp_path)
    done = call(*arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert "nothing has been issued yet; run `forecast run`" in done.err
    assert not (root / arguments[1]).exists()

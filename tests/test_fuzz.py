"""Whatever is given to a reader, it is read or refused with an error of this package, within seconds."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import openpyxl
import pytest
from modelfiles import vocabulary_of
from places import MODEL, REPORT, ROWS, TEMPLATES
from projects import call
from small_models import BASIS, TINY
from year import START, issued_tiny

from forecast.base.errors import ForecastError
from forecast.engine.arrays import Cells
from forecast.inference.fit_files import load_cells, load_record, read_whole
from forecast.ledger.check import check_entries
from forecast.ledger.files import read_rows
from forecast.project.project_file import read_project_file
from forecast.quantities.forecast import Forecast
from forecast.report.markdown import render_markdown
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 5  # of work, so that a machine that others use raises no alarm
HANGING = 60  # seconds by the clock
SEED = 13
ODD = (
    "", " ", "0", "-1", "1e999", "nan", "inf", "9" * 5000, "0x" + "f" * 5000, "1.9E+18", "#N/A", "#REF!", "=1+1",
    "\x00", "\x1b[31m", "\u202e", "\ufeff", "\u0301", "\U000e0041", "ﬁ", "Ⅸ", "é" * 300, "a" * 5000, '"', "'", '"""',
    ";", "\t", "\r", "\n", "\\", "{", "}", "[", "]", "[" * 400, "{" * 400, "(" * 400, "{{", "}}", "{%", "%}", "%s",
    "true", "null", "2026-01-08", "2026-02-30", "0000-00-00", "9999-12-31", "9999-12-31T23:59:59Z", "08.01.2026", "A1",
    "E5", "F6", "Z9", "peace.stalled", "*", "drop", "extends", "a.b.c", "..", "~", "-", "--", "--json", "--help", ",",
    "None", "{0}",
)  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    """Change a text in one to six places: cut, doubled, exchanged, or something odd put in."""
    for _ in range(rng.randint(1, 6)):
        a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + rng.choice((0, 1, 3, 20, 400)))
        match rng.randrange(6):
            case 0:
                text = text[:a] + text[b:]
            case 1:
                text = text[:a] + text[a:b] * rng.choice((2, 3, 50)) + text[b:]
            case 2:
                c = rng.randrange(len(text) + 1)
                text = text[:a] + text[c : c + b - a] + text[b:]
            case 3:
                text = text[:a] + chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) + text[b:]
            case _:
                text = text[:a] + rng.choice(ODD) + text[b:]
    return text


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def other_json(node: Any, rng: random.Random) -> Any:
    """Change a value of a JSON document somewhere."""
    if isinstance(node, dict | list) and node and rng.random() < 0.85:
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if rng.random() < 0.1:
            del node[key]
        else:
            node[key] = other_json(node[key], rng)
        return node
    return rng.choice((None, True, -1, 0, 1e308, float("nan"), 10**30, [], {}, [[]], {"a": 1}, *ODD))


# What is fuzzed: each gives a function that takes a generator of random numbers and reads one fuzzed input.

type Reader = Callable[[random.Random], object]


def csv_rows(folder: Path) -> Reader:
    """Rows as CSV."""
    lines = ROWS.read_text(encoding="utf-8").splitlines(keepends=True)
    vocabulary = vocabulary_of(load_spec(MODEL), START.replace(year=2027))
    path = folder / "rows.csv"

    def read(rng: random.Random) -> None:
        text = mutated(lines[0] + "".join(rng.sample(lines[1:], 3)), rng)
        content = text.encode("utf-8", "surrogatepass")
        path.write_bytes(flipped(content, rng) if content and rng.random() < 0.2 else content)
        check_entries(read_rows(path), vocabulary)

    return read


def workbooks(folder: Path) -> Reader:
    """Rows as a workbook, wrong in its sheet or in its bytes."""
    book = openpyxl.Workbook()
    book.active.title = "observations"
    for line in ("indicator state date source grade", "a. b 2026-01-08 c A1", "x y 46030 z #N/A"):
        book.active.append(line.split())
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path = folder / "rows.xlsx"

    def read(rng: random.Random) -> None:
        if rng.random() < 0.3:
            path.write_bytes(flipped(buffer.getvalue(), rng))
        else:
            name = rng.choice(("xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml", *parts))
            text = mutated(parts[name].decode(), rng)
            with zipfile.ZipFile(path, "w") as archive:
                for one, content in parts.items():
                    archive.writestr(one, text.encode("utf-8", "surrogatepass") if one == name else content)
        read_rows(path)

    return read


def model_files(folder: Path) -> Reader:
    """Model files, rivals and the project's own file."""
    rival = 'extends = "tiny"\ndrop = ["indicators.flood"]\n[model]\nname = "rival"\ntitle = "x"\ndescription = "x"\n'
    rival += '[stages.far.effects.odd]\nfrom = "low"\nto = "high"\nwhen = { near = ["tense"] }\ntimes = [1, 2]\n'
    rival += BASIS
    other = TINY.replace('name = "tiny"', 'name = "other"')
    bases = (other, "other"), (other, "other"), (rival, "rival"), ('model = "tiny"\n', "forecast")
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")

    def read(rng: random.Random) -> None:
        base, name = rng.choice(bases)
        (folder / f"{name}.toml").write_bytes(mutated(base, rng).encode("utf-8", "surrogatepass"))
        if name == "forecast":
            read_project_file(folder)
        else:
            StateSpace(load_spec(folder / f"{name}.toml"))

    return read


COMMANDS = (
    "observe shot --date 2025-01-20 --source wire --grade B2 --story one --note x --url https://example.org --id new",
    "observe near.tense --date 2025-01-20 --source wire --grade E5 --month --reported-on 2025-02-01 --distinct",
    "observe march --date 2025-01-20 --source wire --grade C3 --coded-by GDELT --language az",
    "cover shot --from 2025-01-05 --to 2025-01-20 --source wire",
    "retract gone --reason wrong --reported-on 2025-03-01",
    "import rows.csv --dates dmy --same",
    "export out.csv",
    "log --limit 3 --json",
    "sources --json",
    "show --model tiny --json",
    "check models/tiny.toml",
    "report --as-of 2025-01-08 --model tiny",
    "resolve tension --date 2025-01-15 --answer yes --reason x --url https://example.org/x --since 2025-01-08",
    "score --model tiny --output track.csv",
    "schedule cron --at 06:00 --timeout 60 --notify-if tension:5",
    "run --as-of 2999-01-01 --notify-if tension:5 --timeout 60",
    "what-if shot@2025-02-01 --not-seen march@2025-02-02 --as-of 2999-01-01",
    "export-hub hub --team me --since 2025-01-01",
    "export-archive archive.csv",
    "verify --json",
)


SAMPLING = {"run", "what-if"}  # unless they are as of a day to come
TAKEN = "id,indicator,state,date,source,grade\nnew,shot,,19.01.2025,wire,B2\ngone,march,,19.01.2025,wire,B2\n"


def commanded(folder: Path) -> Path:
    """Give a project that has an issue, and all that the commands name."""
    root = Path(shutil.copytree(issued_tiny(), folder / "project"))
    (root / "rows.csv").write_text(TAKEN, encoding="utf-8")
    call("import", "rows.csv", "--dates", "dmy", cwd=root)
    return root


def arguments(folder: Path) -> Reader:
    """Arguments of commands that do not sample."""
    root = commanded(folder)

    def read(rng: random.Random) -> None:
        words = rng.choice(COMMANDS).split()
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(1, len(words) + 1)
            odd = rng.choice((*ODD, mutated(rng.choice(words), rng))).replace("/", "").replace("..", "")
            if words[0] in SAMPLING and "2999" in (words[place - 1], words[place : place + 1]):
                continue
            words[place : place + rng.randint(0, 1)] = [odd]
        if words[0] in SAMPLING and "2999-01-01" not in words:
            return  # it could sample
        done = call(*words, cwd=root)
        assert done.code in {0, 2, 3, 4, 10, 11, 130}, (words, done)
        assert "Traceback" not in done.err, (words, done.err)

    return read


def notes_of_fits(folder: Path) -> Reader:
    """Read what a fit says about itself, and the bytes of its file."""
    fit = next(path for path in issued_tiny().glob("data/*/fits/*.nc") if not path.stem.startswith("prior-"))
    whole = fit.read_bytes()
    with h5py.File(fit) as file:
        about = json.loads(file.attrs["about"])
        cells = {name: file[f"evidence_{name}"][()] for name in Cells._fields}
    path = Path(shutil.copy(fit, folder / fit.name))
    small = folder / "small.nc"

    def read(rng: random.Random) -> None:
        if rng.random() < 0.02:
            path.write_bytes(flipped(whole, rng))
            read_whole(path)
            return
        text = json.dumps(other_json(json.loads(json.dumps(about)), rng))
        text = mutated(text, rng).replace("\0", "") if rng.random() < 0.3 else text
        with h5py.File(small, "w") as file:
            file.attrs["about"] = text
            file.attrs["about_sha256"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            for name, values in cells.items():
                file[f"evidence_{name}"] = values
        load_record(small)
        load_cells(small)

    return read


def archived(_: Path) -> Reader:
    """Forecasts as they are archived."""
    content = json.loads(REPORT.read_text(encoding="utf-8"))["forecast"]
    content["quantities"] = content["quantities"][:3]
    text = json.dumps(content)
    return lambda rng: Forecast.from_dict(other_json(json.loads(text), rng))


def templates(folder: Path) -> Reader:
    """Templates of a project."""
    data = json.loads(REPORT.read_text(encoding="utf-8"))
    text = "{% for row in forecast.quantities[:3] %}{{ row.estimate | spread }} {{ row.date | day }}{% endfor %}\n"
    text += "{% if lead %}{{ model.title | one_line }}{{ '%3d' % 3 }}{{ 'x' * 3 }}{% endif %}{# note #}"

    def read(rng: random.Random) -> None:
        (folder / "report.md.jinja").write_bytes(mutated(text, rng).encode("utf-8", "surrogatepass"))
        render_markdown(data, [folder, TEMPLATES])

    return read


SHARES = {csv_rows: 35, workbooks: 5, model_files: 25, arguments: 10, notes_of_fits: 10, archived: 10, templates: 5}


def worked_for() -> float:
    """Give the seconds for which this process and those that it started have worked."""
    return sum(os.times()[:4])


def fuzz(make: Callable[[Path], Reader], count: int, folder: Path, seed: int = SEED) -> list[tuple[int, str]]:
    """Give the numbers of inputs that ended in another error or took too long, with what happened."""
    folder.mkdir(parents=True, exist_ok=True)
    read, found = make(folder), []
    for number in range(count):
        began, worked = time.monotonic(), worked_for()
        try:
            with contextlib.suppress(ForecastError):
                read(random.Random(f"{make.__name__} {seed} {number}"))  # noqa: S311
        except Exception as error:  # noqa: BLE001 - all of them are what is looked for
            found.append((number, f"{type(error).__name__}: {str(error)[:200]}"))
        work, spent = worked_for() - worked, time.monotonic() - began
        if work > SECONDS or spent > HANGING:
            found.append((number, f"took {work:.1f} s of work in {spent:.1f} s"))
    return found


@pytest.mark.parametrize("make", SHARES.keys() - {arguments}, ids=lambda make: make.__name__)
def test_what_is_fuzzed_is_read_as_it_was(
    make: Callable[[Path], Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No input is refused before it is changed, so that what comes after a check is fuzzed too."""
    for name in ("mutated", "flipped", "other_json"):
        monkeypatch.setitem(globals(), name, lambda given, _: given)
    read = make(tmp_path)
    for number in range(30):
        read(random.Random(number))  # noqa: S311


def test_commands_that_are_fuzzed_are_done_as_they_were(tmp_path: Path) -> None:
    """No command is refused before its arguments are changed, but for those that would sample."""
    root = commanded(tmp_path)
    done = {line: call(*line.split(), cwd=root) for line in COMMANDS if line.partition(" ")[0] not in SAMPLING}
    assert {line: one.err for line, one in done.items() if one.code} == {}


@pytest.mark.filterwarnings("ignore")  # of libraries, about what they were given
@pytest.mark.parametrize("make", SHARES, ids=lambda make: make.__name__)
def test_some_fuzzed_inputs_are_read_or_refused(make: Callable[[Path], Reader], tmp_path: Path) -> None:
    """Of a few inputs of each kind none ends in another error."""
    assert not fuzz(make, 3 * SHARES[make], tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries, about what they were given
@pytest.mark.parametrize("make", SHARES, ids=lambda make: make.__name__)
def test_a_hundred_thousand_fuzzed_inputs_are_read_or_refused(make: Callable[[Path], Reader], tmp_path: Path) -> None:
    """Of 100,000 inputs in all none ends in another error, and none takes more than `SECONDS`."""
    assert not fuzz(make, 1000 * SHARES[make], tmp_path, SEED + 1)

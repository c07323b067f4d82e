"""What a long archive costs: ``python -m benchmarks.archive 300 5000`` makes one of so many issues and times readers.

The issues are made up from the report that tests keep: one a day (``--a-day`` for more) of the reference model, up to
the article's date, each with probabilities of its own and the rules of the model file. The questions that have closed
are answered first. Prints one table: processor seconds of each reader, and the size of the ledger per issue.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.reference import AS_OF, NOW, reference_project
from forecast import record
from forecast.ledger.issued import Issued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forecast.project.project import Project
    from forecast.theory.spec import ModelSpec

REPORT = Path(__file__).parents[1] / "tests" / "data" / "report.json"


def made_up(spec: ModelSpec, count: int, a_day: int) -> Iterator[Issued]:
    """Vary the report: dates move, probabilities are drawn anew, the rules are those of the model file."""
    whole, chosen = json.loads(REPORT.read_text(encoding="utf-8")), random.Random(1)  # noqa: S311 - made up
    for name, row in whole["model"]["outcomes"].items():
        rules = [rule.model_dump(mode="json", exclude_defaults=True) for rule in spec.outcomes[name].resolves]
        row |= {"resolves": rules, "frozen": "2012-01-01", "resolution": spec.outcomes[name].resolution}
    for k in range(count):
        as_of = AS_OF - dt.timedelta(days=(count - 1 - k) // a_day)
        issued_at = dt.datetime.combine(as_of, dt.time(12, k % a_day % 60), dt.UTC)
        data: dict[str, Any] = copy.deepcopy(whole)
        data["issued_at"], data["forecast"]["as_of"] = issued_at.isoformat(), as_of.isoformat()
        for row in (*data["forecast"]["quantities"], *data["rules"]):
            row["date"] = (as_of + dt.timedelta(weeks=row["horizon_weeks"] or 0)).isoformat()
            row["estimate"]["mean"] = chosen.uniform(0.01, 0.99)
        yield Issued(
            model=spec.name, as_of=as_of, issued_at=issued_at, evidence_hash=f"e{k}", model_hash=spec.hash,
            fit="made-up", watermark=k, content=json.dumps(data, ensure_ascii=False),
        )  # fmt: skip


def cpu(run: Callable[[], object]) -> float:
    """Give the processor time of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def timed(project: Project, count: int, a_day: int) -> dict[str, float]:
    """Make the archive, answer what has closed, and time each reader."""
    model = project.model()
    project.entries(model, now=NOW)
    for issued in made_up(model.spec, count, a_day):
        project.ledger.archive(issued)
    first = cpu(lambda: project.resolve(now=NOW))
    folder = project.root / "reports"
    found = {
        "first resolve": first,
        "resolve": cpu(lambda: project.resolve(now=NOW)),
        "score": cpu(project.score),
        "export-archive": cpu(lambda: record.write_archive(project.archive(), folder.parent / "archive.csv")),
        "index": cpu(project.reports.write_index),
        "log": cpu(lambda: project.ledger.log(model.spec.model.dataset)),
    }
    answers = len(project.ledger.resolutions())
    size = (project.root / "data" / "ledger.db").stat().st_size
    return {**found, "answers": answers, "kB an issue": size / 1000 / count}


def main() -> None:
    """Make, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("issues", type=int, nargs="*", default=[300, 5000])
    arguments.add_argument("--a-day", type=int, default=1, help="issues of one day, of which the last one counts")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = arguments.parse_args()
    table: dict[int, dict[str, float]] = {}
    for count in given.issues:
        with reference_project() as (project, _):
            table[count] = timed(project, count, given.a_day)
            print(f"{count} issues done", file=sys.stderr)
    if given.json:
        print(json.dumps({f"{count} issues": found for count, found in table.items()}))
        return
    print(f"{'seconds of processor time':28}" + "".join(f"{f'{count:,} issues':>16}" for count in table))
    for name in next(iter(table.values())):
        print(f"{name:28}" + "".join(f"{found[name]:16.2f}" for found in table.values()))


if __name__ == "__main__":
    main()

"""The case that every benchmark measures: the reference model with the article's rows, as of the article's date."""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry
    from forecast.project.project import Project

AS_OF = dt.date(2026, 1, 8)
NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)


class Reference(NamedTuple):
    """The model, the ledger's entries as of `AS_OF`, and the evidence compiled from them."""

    model: Model
    entries: Sequence[Entry]
    evidence: Evidence


@contextmanager
def reference_project() -> Iterator[tuple[Project, Model]]:
    """Lay out a project with the reference model in a folder of its own, which is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        forecast.init(root)
        project = forecast.open(root)
        yield project, project.model()


def reference() -> Reference:
    """Read the reference model and its evidence."""
    with reference_project() as (project, model):
        entries = project.entries(model, now=NOW, as_of=AS_OF)
        evidence = model.evidence(entries, AS_OF)
    return Reference(model, entries, evidence)


def seconds(run: Callable[[], object], rounds: int = 1) -> float:
    """Give the median time of a call."""
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    import sys

    import numpy as np

    np.savez(sys.argv[1], **reference().evidence.cells._asdict())

"""The case that every benchmark measures: the reference model with the article's rows, as of the article's date."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry

AS_OF = dt.date(2026, 1, 8)
NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)


class Reference(NamedTuple):
    """The model, the ledger's entries as of `AS_OF`, and the evidence compiled from them."""

    model: Model
    entries: Sequence[Entry]
    evidence: Evidence


def reference() -> Reference:
    """Read the reference model and its evidence in a folder of their own, which is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        forecast.init(root)
        project = forecast.open(root)
        model = project.model()
        entries = project.entries(model, now=NOW, as_of=AS_OF)
        evidence = model.evidence(entries, AS_OF)
    return Reference(model, entries, evidence)


if __name__ == "__main__":
    import sys

    import numpy as np

    np.savez(sys.argv[1], **reference().evidence.cells._asdict())

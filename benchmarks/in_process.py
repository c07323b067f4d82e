"""Two fits in one process, timed in parts: the second is under other evidence, one more row.

Prints one JSON object of seconds, and ``gradient_us``, the time of the whole log-density with its gradient.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from forecast.ledger.rows import Entry, Observation

CALLS = 2000
seconds: dict[str, float] = {}


@contextmanager
def timed(name: str) -> Generator[None]:
    """Record how long the block takes."""
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


def newest_sighting(entries: Sequence[Entry]) -> Observation:
    """Give the latest row of an indicator, to be repeated."""
    from forecast.ledger.rows import Observation  # noqa: PLC0415 - imports are timed

    rows = [row for row in entries if isinstance(row, Observation) and row.indicator is not None]
    return max(rows, key=lambda row: (row.date, row.id))


def main() -> None:
    """Fit twice, print."""
    whole = time.perf_counter()
    with timed("imports"):
        from arviz_stats.base import array_stats  # noqa: F401, PLC0415

        import forecast.inference.sampler  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from benchmarks.reference import AS_OF, NOW, reference  # noqa: PLC0415
    from forecast.inference.fit import fit_model  # noqa: PLC0415
    from forecast.inference.fit_files import save_fit  # noqa: PLC0415
    from forecast.inference.settings import Settings  # noqa: PLC0415

    with timed("model file, ledger, evidence"):
        model, entries, evidence = reference()
    with timed("statement of the pm.Model (once more than a fit needs)"):
        point = np.zeros(sum(np.size(part) for part in model.to_pymc(evidence).initial_point(0).values()))
    with timed("compilation"):
        sampler = forecast.inference.sampler.Sampler(model.space, evidence)
    settings = Settings()
    with timed("sampling and derived quantities"):
        sampler.sample(evidence, settings)
    with timed("fit: sampling, derived quantities, diagnostics"):
        fit = fit_model(model.space, evidence, sampler, settings, watermark=0, now=NOW)
    with timed("saving"), tempfile.TemporaryDirectory() as folder:
        save_fit(fit, Path(folder))
    row = newest_sighting(entries)
    more = replace(row, id="one-more", story="", distinct=True, date=AS_OF, reported_on=AS_OF)
    with timed("second fit"):
        other = model.evidence([*entries, more], AS_OF)
        fit_model(model.space, other, sampler, settings, watermark=0, now=NOW)
    if len(other.cell_names) != len(evidence.cell_names) + 1:
        message = "the added row made no cell"
        raise SystemExit(message)
    began = time.perf_counter()
    for _ in range(CALLS):
        sampler.log_density(evidence, point)
    seconds["gradient_us"] = (time.perf_counter() - began) / CALLS * 1e6
    seconds["whole process without interpreter start"] = time.perf_counter() - whole
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()

"""Questions to the reference model's forecast, warm, against asking the same by other means.

Prints one JSON object of seconds (medians) and ratios. The watch-list is set against a what-if for every indicator,
seen and not seen; the tornado against a new fit for each moved assumption (one is timed, with the compiled model
reused); the drivers against a new fit for each set of stories that was evaluated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import forecast
from benchmarks.reference import AS_OF, NOW, reference_project, seconds
from forecast.answers import drivers
from forecast.inference.fit import fit_model
from forecast.inference.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
ASSUMPTIONS = {"rate", "effect", "grade", "class"}


def warm(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Give the median time of a call, after one that is not timed."""
    run()
    return seconds(run, rounds)


def what_ifs(result: forecast.quantities.forecast.Forecast, indicators: list[str]) -> None:
    """Suppose every indicator seen and not seen."""
    for name in indicators:
        for seen, not_seen in (((f"{name}@2026-03-05",), {}), ((), {name: "2026-03-05"})):
            try:
                result.what_if(*seen, not_seen=not_seen, refit="never")
            except forecast.InputError:  # a one-off that has happened
                continue


def evaluations(run: Callable[[], object]) -> int:
    """Count the sets of stories that drivers evaluate."""
    found = 0
    reweigh = drivers.reweigh

    def counted(*arguments: object) -> object:
        nonlocal found
        found += 1
        return reweigh(*arguments)

    drivers.reweigh = counted
    try:
        run()
    finally:
        drivers.reweigh = reweigh
    return found


def main() -> None:
    """Measure and print."""
    with reference_project() as (project, model):
        result = project.update(model, as_of=AS_OF, now=NOW)
        evidence = model.evidence(project.entries(model, now=NOW, as_of=AS_OF), AS_OF)

        def weeks(since: str) -> Callable[[], object]:
            return lambda: result.drivers("confrontation", weeks=26, since=since)

        def tornado() -> list[object]:
            found = result.sensitivity("confrontation", weeks=26, refit="never").shifts
            return [row for row in found if row.kind in ASSUMPTIONS]

        sampler = model.sampler(evidence)
        fit = warm(lambda: fit_model(model.space, evidence, sampler, Settings(), watermark=0, now=NOW), 2)
        found: dict[str, float] = {
            "one fit, compiled": fit,
            "drivers, 19 days": warm(weeks("2025-12-20")),
            "drivers, 38 days": warm(weeks("2025-12-01")),
            "drivers, 99 days": warm(weeks("2025-10-01")),
            "watch-list": warm(lambda: result.watch("confrontation", weeks=26)),
            "what-if of every indicator": warm(lambda: what_ifs(result, list(model.spec.indicators)), 1),
            "sightings": warm(result.sightings),
            "sensitivity without fits": warm(tornado),
            "alarm": warm(result.alarm),
            "experts": warm(result.experts),
        }
        moves = tornado()
        found["moved assumptions"] = len(moves)
        found["of them behind the gate"] = sum(not row.trusted for row in moves)
        found["evaluations of drivers, 99 days"] = evaluations(weeks("2025-10-01"))
        found["what-ifs over the watch-list"] = found["what-if of every indicator"] / found["watch-list"]
        found["fits over the tornado"] = fit * len(moves) / found["sensitivity without fits"]
        found["fits over the drivers, 99 days"] = (
            fit * found["evaluations of drivers, 99 days"] / found["drivers, 99 days"]
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Compare updates with fits to the same evidence over many scenarios; writes ``docs/updates.md``.

Each scenario changes the evidence of the reference model. The update is what an anchor's draws give when they are
weighted (`reweigh`, whatever the gate says); the refit is NUTS on the very evidence. Two forecasts
agree if every probability lies within 4 Monte Carlo standard errors of the difference, or within 0.01 and 0.1 in
log-odds. It takes some ten minutes.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.reference import AS_OF, NOW, reference_project
from docs.builder.markdown import table
from docs.builder.places import DOCS
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.containment import contains
from forecast.inference.anchor import Anchor
from forecast.inference.fit import fit_model
from forecast.inference.reweighting import reweigh
from forecast.inference.settings import Settings
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.forecast import changes_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Change

ROUNDING = 1e-12
WRONG = 0.02  # an error that the gate has to catch
HEAD = """\
# Updates against fits

Written by `python -m benchmarks.updates`. Every row changes the evidence of the reference model as of 8 January 2026
(made-up rows; no later event is used) and compares the forecast from reweighted draws of an anchor with a fit to that
very evidence. *largest difference* is over all published probabilities; *agree* says whether every one of them lies
within 4 Monte Carlo standard errors of the difference, or within 0.01 and 0.1 in log-odds. *anchor* is the evidence
that the draws were made under: *all* is the article's rows as of 8 January, *October* what was known on 1 October 2025,
*prior* nothing. *adds* says whether the new evidence contains the anchor's. Measured with version {version} of the
reference model.

"""
COLUMNS = ("scenario", "anchor", "adds", "k-hat", "effective draws", "gate", "largest difference", "of", "agree")


@dataclass(frozen=True)
class Scenario:
    """Evidence that has changed."""

    name: str
    evidence: Evidence


def seen(name: str, day: str, grade: str = "A1", **more: object) -> Observation:
    """Make a sighting up."""
    date = dt.date.fromisoformat(day)
    values = {"date": date, "reported_on": date, "source": "Made up", "grade": grade, "id": f"{name}-{day}"} | more
    what = {"state": name} if "." in name else {"indicator": name}
    return Observation(**what, **values)  # type: ignore[arg-type]


def watched(name: str, first: str, last: str) -> Coverage:
    """Make coverage up."""
    return Coverage(
        id=f"watched-{name}-{first}", indicator=name, from_=dt.date.fromisoformat(first),
        to=dt.date.fromisoformat(last), reported_on=dt.date.fromisoformat(first), source="Made up",
    )  # fmt: skip


def scenarios(model: Model, rows: Sequence[Entry]) -> Iterator[Scenario]:
    """Give one row, many rows, quiet months, a deal, retractions, corrections, other dates."""

    def make(name: str, entries: Sequence[Entry], as_of: dt.date = AS_OF) -> Scenario:
        return Scenario(name, compile_evidence(model.space, entries, as_of))

    def without(*words: str) -> list[Entry]:
        return [row for row in rows if not any(word in row.id for word in words)]

    one = (
        "presidents_meeting", "cyberattack", "arms_purchase_from_russia", "talks_collapse", "moscow_accepts",
        "lethal_incident", "russia_strategic_agreement",
    )  # fmt: skip
    for name in one:
        yield make(f"one row: {name}", [*rows, seen(name, "2026-01-07")])
    yield make("one row of little credibility", [*rows, seen("presidents_meeting", "2026-01-07", "E5")])
    yield make("one row, a state assessed", [*rows, seen("relations.confrontation", "2026-01-07", "B2")])
    yield make(
        "the same event told again",
        [*rows, seen("presidents_meeting", "2026-01-06"), seen("presidents_meeting", "2026-01-07")],
    )
    three = [
        seen("presidents_meeting", "2026-01-05"),
        seen("moscow_accepts", "2026-01-06"),
        seen("cyberattack", "2026-01-07"),
    ]
    yield make("three rows", [*rows, *three])
    many = [seen(name, f"2026-01-0{1 + k % 7}", "B2") for k, name in enumerate(list(model.spec.indicators)[::5])]
    yield make(f"{len(many)} rows that contradict each other", [*rows, *many])
    cold = ("cyberattack", "lethal_incident", "arrests_in_russia", "entry_ban", "officials_voice_threat")
    yield make("cold week", [*rows, *(seen(n, "2026-01-06", "B2") for n in cold)])
    yield make("a week later, nothing new", rows, AS_OF + dt.timedelta(weeks=1))
    yield make("a month later, nothing new", rows, AS_OF + dt.timedelta(weeks=4))
    yield make("a quarter later, nothing new", rows, AS_OF + dt.timedelta(weeks=13))
    for weeks in (4, 13):
        as_of = AS_OF + dt.timedelta(weeks=weeks)
        quiet = watched("*", "2026-01-09", as_of.isoformat())
        yield make(f"{weeks} weeks watched in full, nothing seen", [*rows, quiet], as_of)
        told = [seen("presidents_meeting", "2026-01-20"), seen("cyberattack", "2026-01-22", "B2")]
        yield make(f"{weeks} weeks watched in full, two sightings", [*rows, quiet, *told], as_of)
    yield make(
        "presidents' meetings watched since October, as told",
        [*rows, watched("presidents_meeting", "2025-10-01", "2025-12-31")],
    )
    yield make("everything watched since 2025, as told", [*rows, watched("*", "2025-01-01", "2025-12-31")])
    deal = seen("peace.fresh_deal", "2026-01-07")
    yield make("a deal on record", [*rows, deal])
    yield make("a deal, and a month", [*rows, deal], AS_OF + dt.timedelta(weeks=4))
    yield make(
        "a deal that is broken after two weeks",
        [*rows, deal, seen("peace.stalled", "2026-01-21")],
        AS_OF + dt.timedelta(weeks=4),
    )
    newest = sorted((row for row in rows if isinstance(row, Observation)), key=lambda row: (row.date, row.id))
    for count in (1, 2, 4, 8):
        gone = {row.id for row in newest[-count:]}
        yield make(f"the newest {count} retracted", [row for row in rows if row.id not in gone])
    yield make("Dushanbe retracted", without("Dushanbe"))
    yield make("a row in the middle retracted", [row for row in rows if row.id != newest[len(newest) // 2].id])
    yield make("the newest row corrected to D4", [replace(r, grade="D4") if r is newest[-1] else r for r in rows])
    yield make(
        "every row one grade worse",
        [replace(r, grade=worse(r.grade)) if isinstance(r, Observation) else r for r in rows],
    )
    for weeks in (1, 4, 8, 13, 26):
        as_of = AS_OF - dt.timedelta(weeks=weeks)
        yield make(f"{weeks} weeks earlier", rows, as_of)


def worse(grade: str) -> str:
    """Lower the reliability of a grade."""
    return {"A": "B", "B": "C", "C": "D", "D": "E", "E": "E", "F": "F"}[grade[0]] + grade[1]


def describe(row: Change) -> str:
    """Say how two numbers disagree."""
    return f"**no**: {row}, {row.before.mean:.4f} → {row.after.mean:.4f}, error {row.mcse:.4f}"


def agrees(row: Change) -> bool:
    """Whether two numbers are the same, up to Monte Carlo error or what no reader would notice."""
    if abs(row.difference) <= 4 * row.mcse + ROUNDING:
        return True
    sides = (row.before.mean, row.after.mean)
    if min(sides) <= 0 or max(sides) >= 1:
        return False
    odds = [math.log(p / (1 - p)) for p in sides]
    return abs(row.difference) <= 0.01 and abs(odds[1] - odds[0]) <= 0.1


def main() -> None:
    """Fit every scenario, reweight, compare, write."""
    with reference_project() as (project, model):
        rows = project.entries(model, now=NOW)
        space = model.space
        base = compile_evidence(space, rows, AS_OF)
        sampler = model.sampler(base)

        def fit(evidence: Evidence) -> Anchor:
            made = fit_model(space, evidence, sampler, Settings(), watermark=0, now=NOW)
            return Anchor(
                space, made.id, lambda: made.draws, cells=evidence.cells, as_of=evidence.as_of,
                efficiency=made.diagnostics.efficiency, complaints=made.diagnostics.complaints(made.settings),
            )  # fmt: skip

        october = compile_evidence(space, rows, dt.date(2025, 10, 1))
        anchors = {"all": fit(base), "October": fit(october), "prior": model.prior(1, project.root, base)}
        lines: list[list[str]] = []
        compared: list[tuple[bool, bool, Change]] = []
        for scenario in scenarios(model, rows):
            truth = reweigh(fit(scenario.evidence), scenario.evidence).forecast()
            for name, anchor in anchors.items():
                found = reweigh(anchor, scenario.evidence).forecast()
                changes = changes_between(truth, found)
                worst = max(changes, key=lambda row: abs(row.difference))
                apart = [row for row in changes if not agrees(row)]
                adds = contains(scenario.evidence.cells, anchor.cells)
                compared.append((found.trust.trusted, not apart, worst))
                lines.append([
                    scenario.name, name, "yes" if adds else "no",
                    "" if found.trust.k_hat is None else f"{found.trust.k_hat:.2f}", f"{found.trust.ess:,.0f}",
                    "open" if found.trust.trusted else "shut", f"{worst.difference:+.4f}", str(worst),
                    "; ".join(map(describe, apart[:1])) or "yes",
                ])  # fmt: skip
    (DOCS / "updates.md").write_text(
        HEAD.format(version=model.spec.hash) + table(COLUMNS, lines) + tally(compared), encoding="utf-8"
    )


def tally(found: Sequence[tuple[bool, bool, Change]]) -> str:
    """Say how often the gate was right, from each comparison: gate open, all agree, the largest difference."""
    agree = [good for opened, good, _ in found if opened]
    missed = [worst for opened, _, worst in found if opened and abs(worst.difference) > WRONG]
    noise = sum(abs(worst.difference) <= 4 * worst.mcse for worst in missed)
    caught = [abs(worst.difference) > WRONG for opened, _, worst in found if not opened]
    wrong = len(missed) + sum(caught)
    return f"""
Of {len(found)} comparisons the gate was open in {len(agree)}. In {sum(agree)} of these all probabilities agree with the
fit's, in {len(agree) - sum(agree)} some do not.

Off by more than {WRONG} were {wrong}: the gate caught {sum(caught)} and missed {len(missed)}, of which {noise}
lie within 4 Monte Carlo standard errors of the fit. It was shut although nothing was off by more than {WRONG} in
{len(caught) - sum(caught)}.
"""


if __name__ == "__main__":
    main()

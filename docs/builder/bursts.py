"""``bursts.md``: what an agenda of the news does to a reading, from the figures of `benchmarks.bursts`."""

from __future__ import annotations

import json

from docs.builder.markdown import page, para, table
from docs.builder.places import ROOT

FIGURES = ROOT / "benchmarks" / "bursts" / "figures.json"
HEADER = ["news", "reading", "log score", "inside, %", "said, %", "surer than 90 %", "and right"]


def bursts_page() -> str:
    """Set out the study's figures."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = [
        [
            f"{scenario} ({part['kept']} worlds)",
            reading,
            f"{row['log score']:.2f} ± {row['log score error']:.2f}",
            f"{100 * row['inside 90 %']:.0f}",
            f"{100 * row['said']:.0f}",
            row["sure"],
            row["sure and right"],
        ]
        for scenario, part in found["scenarios"].items()
        for reading, row in part["readings"].items()
    ]
    return page(
        "News that comes in bursts",
        "the figures of `python -m benchmarks.bursts`",
        para(
            "A row tells which of all kinds of news was told, and the model reads it as if what is told were",
            "chosen by how often things happen alone. Newspapers have an agenda: what was written about yesterday",
            f"is written about today. Here {found['worlds']} worlds of half a year of the reference model are",
            "simulated for each kind of news. With an *agenda* each indicator is told of more or less often than",
            "it happens, by a factor that drifts (log standard deviation 1.5, forgotten within eight weeks) and",
            "knows of no state; *grades overstated* are worlds in which all grades are worth the root of what the",
            "file says. Each world is read in four ways: row by row as before, with episodes (`episode_days`),",
            "with the scale of all grades (`priors.diagnosticity`), and with both.",
        ),
        para(
            "*Inside*: how often the smallest set of states of relations that is said to have 90 % or more holds",
            "the true one at the end; *said*: what that set is said to have on average. A calibrated reading has",
            "both alike. The log score is that of the true state, with the standard error over worlds. Readings",
            f"weight {found['draws']:,} draws of the prior; worlds that leave fewer than ten draws to one of them",
            "are left out of all, so that the worlds kept are the less surprising ones and the loss is rather",
            "understated.",
        ),
        table(HEADER, rows),
    )

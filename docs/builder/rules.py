"""``rules.md``: how well the reference model's rules follow their outcomes, from the figures of `benchmarks.rules`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docs.builder.markdown import code, page, para, plain, table
from docs.builder.places import MODEL, ROOT, spec_of
from forecast.base.prose import listed, spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

FIGURES = ROOT / "benchmarks" / "rules" / "figures.json"
HORIZONS = (13, 26)
WANTED = 0.8
WHEN = {"at": "on the day", "by": "on some day of them"}


def figures() -> dict[str, Any]:
    """Give what `benchmarks.rules` has measured."""
    return json.loads(FIGURES.read_text(encoding="utf-8"))


def errors_of(found: Mapping[str, Any], outcome: str, kind: str, weeks: int) -> Mapping[str, Any]:
    """Give the sensitivity and the false alarms of a rule."""
    return next(
        row for row in found["errors"]
        if (row["outcome"], row["kind"], row["horizon_weeks"]) == (outcome, kind, weeks)
    )  # fmt: skip


def rules_page() -> str:
    """Set out the figures."""
    found, spec = figures(), spec_of(MODEL)
    return page(
        "Rules and the outcomes that they stand for",
        "the figures of `python -m benchmarks.rules`",
        para(
            "A forecast is about states that nobody sees; what is scored is whether a *rule* is met, which anybody can",
            "read off the rows. A score says something about the forecast only if the rule follows its outcome. So",
            "worlds are simulated from the model: parameters, a hidden path from the model's start, and all that",
            "happens on it. After a year a question is asked of each, and two shares are counted.",
        ),
        para(
            "*Sensitivity*: of the worlds in which the outcome holds, the share in which its rule is met. *False",
            "alarms*: of those in which it does not hold, the share in which the rule is met all the same. *On the",
            "day* compares both on the last day of so many weeks; *on some day of them* asks whether the outcome",
            "holds, and whether the rule is met, on any day of those weeks. Where an outcome has just ended, a rule",
            "that is still met counts as a false alarm. Nothing that happens is missed in these worlds; in a ledger",
            "that misses things rules are met less often.",
        ),
        para(
            f"The figures are of model version `{found['version']}` and of the rules in its file, which were chosen by",
            "them and by nothing else. Those of a forecast, under its own draws, stand in its report and in",
            "`forecast.json`, and `forecast rules` prints them. They are made anew by `python -m benchmarks.rules`.",
        ),
        "## Sensitivity and false alarms\n",
        para(
            "Under what the article's rows teach of the parameters (their posterior on 8 January 2026), and in",
            "brackets under the prior with its history alone. Bold is a sensitivity below 80 % or false alarms above",
            "20 %.",
        ),
        _errors(found),
        para(_missed(found)),
        "## Rules that contradict each other\n",
        para(
            "On no day can two of these outcomes hold. How often both rules are met: on a day 26 weeks ahead; and on",
            "at least one day of the 26 weeks, where resolving leaves that day to a person.",
        ),
        _together(found["evidence"]),
        "## Two coders of one chronology\n",
        para(
            f"A rule must not turn on one coder's choice. In {found['codings']['worlds']:,} worlds everything that",
            "happens, of every indicator of the vocabulary, is written down as rows. A second coder writes the same",
            "down otherwise: drops rows, dates them up to a week off, or names another indicator of the same stage",
            "that points to the same states, drawn evenly from the vocabulary. Both chronologies are read by the rules",
            "on the last day of the 26 weeks; the table gives the share of worlds in which the answer is the same, and",
            "in brackets how often the rule is met by the first and by the second.",
        ),
        _codings(found["codings"]["coders"], {name: row.label for name, row in spec.outcomes.items()}),
    )


def _errors(found: Mapping[str, Any]) -> str:
    rows: list[list[str]] = []
    for name in found["rules"]:
        for kind, when in WHEN.items():
            cells = [code(name), when]
            for key in ("sensitivity", "false_alarms"):
                for weeks in HORIZONS:
                    now, alone = (errors_of(found[of], name, kind, weeks)[key] for of in ("evidence", "prior"))
                    cells.append(f"{_share(now, key)} ({_bare(alone)})")
            rows.append(cells)
    heads = [f"{what}, {weeks} weeks" for what in ("sensitivity", "false alarms") for weeks in HORIZONS]
    return table(["rule of", "met", *heads], rows)


def _bare(share: Mapping[str, float] | None) -> str:
    return f"{share['mean']:.0%}" if share else "too rare"


def good(share: Mapping[str, float], key: str) -> bool:
    """Whether a share is as it should be: sensitivity above, or false alarms below, what is wanted."""
    shown = round(share["mean"], 2)
    return shown >= WANTED if key == "sensitivity" else shown <= round(1 - WANTED, 2)


def _share(share: Mapping[str, float] | None, key: str) -> str:
    return _bare(share) if share is None or good(share, key) else f"**{_bare(share)}**"


def _missed(found: Mapping[str, Any]) -> str:
    """Say in words where the rules fall short."""
    short: dict[str, list[str]] = {}
    for name in found["rules"]:
        for kind, when in WHEN.items():
            for key, word in (("sensitivity", "sensitivity"), ("false_alarms", "false alarms")):
                for weeks in HORIZONS:
                    share = errors_of(found["evidence"], name, kind, weeks)[key]
                    if share and not good(share, key):
                        told = f"{word} {share['mean']:.0%} ({when}, {weeks} weeks)"
                        short.setdefault(name, []).append(told)
    if not short:
        return "Every rule does as well as was wanted."
    told = "; ".join(f"{spoken(name)}: {listed(parts)}" for name, parts in short.items())
    return (
        f"Where 80 % and 20 % cannot be had together with the indicators there are: {told}. A few "
        "stories tip a balance by chance for some weeks, and on some day of half a year they often do; for a while it "
        "still tells of what has ended. Longer windows and more stories lower that, and the sensitivity with it "
        "([decisions](decisions.md))."
    )


def _together(found: Mapping[str, Any]) -> str:
    pairs = {tuple(row["outcomes"]) for row in found["together"]}
    by = {(tuple(row["outcomes"]), row["kind"], row["horizon_weeks"]): row for row in found["together"]}
    rows = [
        [
            " and ".join(map(code, pair)), _bare(by[pair, "at", 26]["both"]), _bare(by[pair, "at", 26]["share"]),
            _bare(by[pair, "by", 26]["both"]),
        ]
        for pair in sorted(pairs)
    ]  # fmt: skip
    heads = ["rules of", "both met on a day", "of days on which one is met", "both met on some day of 26 weeks"]
    return table(heads, rows)


def _codings(coders: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    rows = [
        [
            f"A second coder {plain(coder)}",
            *(f"{of[name]['agree']:.1%} ({of[name]['first']:.0%}, {of[name]['second']:.0%})" for name in labels),
        ]
        for coder, of in coders.items()
    ]
    return table(["", *map(code, labels)], rows)

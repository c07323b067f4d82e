"""Admiralty grades and the credibility that each stands for.

Credibility is the probability that what a row reports is so: reliability of source times credibility of news. A source
passes a true report on with its reliability, and the information itself holds with its credibility; both must. F and 6
mean "cannot be judged", not "bad": beside a judgement of the other they are even odds, so F stands above E and 6 level
with 4. F6 judges nothing, so it is 0: such a row is kept and shown, and is no evidence.
"""

from __future__ import annotations

from forecast.base.errors import InputError

RELIABILITY = {"A": 0.98, "B": 0.90, "C": 0.75, "D": 0.55, "E": 0.30, "F": 0.50}
INFORMATION = {"1": 0.98, "2": 0.90, "3": 0.75, "4": 0.50, "5": 0.20, "6": 0.50}
CREDIBILITY = {f"{s}{i}": round(a * b, 2) for s, a in RELIABILITY.items() for i, b in INFORMATION.items()}
UNJUDGED = "F6"
CREDIBILITY[UNJUDGED] = 0.0
CREDIBLE = 0.5  # from here on what a row reports is likelier so than not
CREDIBLE_ROW = f"a row of credibility {CREDIBLE:g} or more, such as C3 but not D3"


def credibility(grade: str) -> float:
    """Probability that a row of this Admiralty ``grade`` ("A1" to "F6") is true; `InputError` for anything else."""
    try:
        return CREDIBILITY[grade]
    except KeyError:
        msg = f"{grade!r} is not an Admiralty grade; give source A to F and information 1 to 6, such as B2"
        raise InputError(msg) from None


def machine_tags(grade: str) -> tuple[str, str]:
    """Give the tags of a ``grade`` in the MISP taxonomy `admiralty-scale`: of the source, and of the information."""
    return (
        f'admiralty-scale:source-reliability="{grade[0].lower()}"',
        f'admiralty-scale:information-credibility="{grade[1]}"',
    )

"""``credibility.md``: the table of credibilities and its reasons."""

from __future__ import annotations

from docs.builder.markdown import bullets, page, para, table
from docs.builder.places import MODEL
from forecast.base import prose
from forecast.engine.arrays import told
from forecast.ledger.admiralty import CREDIBILITY, INFORMATION, RELIABILITY
from forecast.theory.modelfile import load_spec

SOURCES = {
    "A": "completely reliable",
    "B": "usually reliable",
    "C": "fairly reliable",
    "D": "not usually reliable",
    "E": "unreliable",
    "F": "reliability cannot be judged",
}
NEWS = {
    "1": "confirmed by other sources",
    "2": "probably true",
    "3": "possibly true",
    "4": "doubtful",
    "5": "improbable",
    "6": "truth cannot be judged",
}


STATES = 3
HELD = 0.18  # probability of the state before the row
SHOWN = ("A1", "B2", "C2", "C3", "C4", "D4", "E5", "F6")


def pull(grade: str, times: float) -> float:
    """Odds by which a row moves a state that its indicator, seen ``times`` as often there, points to, out of three."""
    w, false = CREDIBILITY[grade], (times + STATES - 1) / STATES
    return told(w, times, false) / told(w, 1.0, false)


def _earlier(grade: str, times: float) -> float:
    """Give the same as the row was read before: F6 as a quarter, and false reports as rare as without the state."""
    w = CREDIBILITY[grade] or RELIABILITY[grade[0]] * INFORMATION[grade[1]]
    return told(w, times, 1.0) / told(w, 1.0, 1.0)


def _moved(odds: float) -> str:
    return prose.chance(odds * HELD / (odds * HELD + 1 - HELD))


def _pulls() -> str:
    grades = load_spec(MODEL).priors.grades
    rows = [
        [
            f"**{grade}**",
            f"{CREDIBILITY[grade]:.2f}",
            *(f"×{_earlier(grade, times):.1f}" for times in (grades.weak, grades.decisive)),
            _moved(_earlier(grade, grades.decisive)),
            *(f"×{pull(grade, times):.1f}" for times in (grades.weak, grades.decisive)),
            _moved(pull(grade, grades.decisive)),
        ]
        for grade in SHOWN
    ]
    earlier, now = (
        ("weak, earlier", "decisive, earlier", f"{HELD:.0%} became"),
        ("weak", "decisive", f"{HELD:.0%} becomes"),
    )
    return table(["grade", "*w*", *earlier, *now], rows)


def credibility_page() -> str:
    """Show the table of credibilities and why it is as it is."""
    grid = [[f"**{s}** {SOURCES[s]}", *(f"{CREDIBILITY[s + i]:.2f}" for i in NEWS)] for s in SOURCES]
    factors = [
        [f"{s} {SOURCES[s]}", f"{RELIABILITY[s]:.2f}", f"{i} {NEWS[i]}", f"{INFORMATION[i]:.2f}"]
        for s, i in zip(SOURCES, NEWS, strict=True)
    ]
    return page(
        "Credibility of a row",
        "the table in forecast/ledger/admiralty.py",
        para(
            "Every observation carries an Admiralty grade: a letter for the source and a digit for the information,",
            "judged apart. The grade gives the credibility *w*, the probability that what the row reports is so. How",
            "*w* enters the likelihood is in [the method](method.md).",
        ),
        table(["source and information", *(f"**{i}** {words}" for i, words in NEWS.items())], grid),
        "## Why these numbers\n",
        para(
            "The words of the system rank; they are not numbers. Here each letter and each digit gets a probability,",
            "and a grade gets the product: the source passes a true report on, *and* the information holds. The",
            "product treats the two as independent, which is what grading them apart asks for.",
        ),
        table(["source", "passes it on", "information", "holds"], factors),
        bullets(
            "Nothing reaches 1: even a confirmed report from the best source can be a mistake.",
            "F and 6 mean *cannot be judged*, not *bad*. Beside a judgement of the other they are even odds, so F"
            " stands above E and 6 level with 4.",
            "F6 judges neither: such a row is kept and shown, and is no evidence.",
            "A row with a small *w* says little. It never speaks against what it reports.",
            "A one-off indicator is closed, or opened again, only by a row with *w* of at least ½.",
            "The numbers are a convention of this package. They are fixed in the code and not learned: some thirty rows"
            " cannot teach thirty-six numbers.",
        ),
        "## How far a row moves a state\n",
        para(
            "Who grades a row does not know which state the world is in. So *w* is the probability that the row",
            "is true with every state of its stage equally likely, and false reports of an indicator are as",
            "frequent as true ones are on average over the states. If they were as rare as where the indicator",
            "does not belong, as in earlier versions, a doubtful report of a decisive indicator would vouch for",
            "itself: the event is hardly ever reported, so it must be true.",
        ),
        para(
            "The table shows by what factor one selective row multiplies the odds of the one state of three that its",
            f"indicator points to, at the prior medians, and what a decisive one makes of {HELD:.0%}.",
        ),
        _pulls(),
    )

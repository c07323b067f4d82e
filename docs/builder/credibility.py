"""``credibility.md``: the table of credibilities and its reasons."""

from __future__ import annotations

from docs.builder.markdown import bullets, page, para, table
from forecast.ledger.admiralty import CREDIBILITY, INFORMATION, RELIABILITY

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
            "F and 6 mean *cannot be judged*, not *bad*. They are even odds, so F stands above E and 6 level with 4.",
            "A row with a small *w* says little. It never speaks against what it reports.",
            "A one-off indicator is closed, or opened again, only by a row with *w* of at least ½.",
            "The numbers are a convention of this package. They are fixed in the code and not learned: some thirty rows"
            " cannot teach thirty-six numbers.",
        ),
    )

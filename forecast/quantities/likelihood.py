"""Words of estimative probability, as intelligence services exchange them: ICD 203's seven, and MISP's machine tags.

"Analytic Standards", Intelligence Community Directive 203, D.6.e(2)(a); the tags are those of the MISP taxonomy
`estimative-language`. Which term holds is said once, by `forecast.base.prose.term`.
"""

from __future__ import annotations

from forecast.base.prose import ICD203, LEAST_LIKELY, term

TERMS = {  # each with the least probability that it stands for
    words.replace(" ", "-"): least for least, words in (*ICD203, (0.0, LEAST_LIKELY))
}


def likelihood_of(probability: float) -> str:
    """Give the word for a probability, as the taxonomy spells it: ``roughly-even-chance``."""
    return term(probability).replace(" ", "-")


def likelihood_tag(probability: float) -> str:
    """Give the machine tag of a probability: ``estimative-language:likelihood-probability="likely"``."""
    return f'estimative-language:likelihood-probability="{likelihood_of(probability)}"'

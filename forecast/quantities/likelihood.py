"""Words of estimative probability, as intelligence services exchange them: ICD 203's seven, and MISP's machine tags.

"Analytic Standards", Intelligence Community Directive 203, D.6.e(2)(a); the tags are those of the MISP taxonomy
`estimative-language`. The words overlap at their ends; there the likelier one is taken, as the taxonomy's numbers do.
"""

from __future__ import annotations

TERMS = {  # each with the least probability that it stands for
    "almost-certain": 0.95,
    "very-likely": 0.80,
    "likely": 0.55,
    "roughly-even-chance": 0.45,
    "unlikely": 0.20,
    "very-unlikely": 0.05,
    "almost-no-chance": 0.0,
}


def likelihood_of(probability: float) -> str:
    """Give the word for a probability, as the taxonomy spells it: ``roughly-even-chance``."""
    return next((term for term, least in TERMS.items() if probability >= least), "almost-no-chance")  # a rounded 0


def likelihood_tag(probability: float) -> str:
    """Give the machine tag of a probability: ``estimative-language:likelihood-probability="likely"``."""
    return f'estimative-language:likelihood-probability="{likelihood_of(probability)}"'

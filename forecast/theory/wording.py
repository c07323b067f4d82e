"""Indicators found by words: those of a reader of news against keys, labels and signs."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from forecast.base.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from forecast.theory.indicators import Indicator
    from forecast.theory.spec import ModelSpec

    Words = tuple[str, ...]  # of one indicator: its label, then its signs with the passages that name them


SPELLING = 88  # per cent of letters that two keys share when one is the other, misspelled
ALIKE = 80  # per cent of letters that two forms of a word share
STEM, ENDING = 5, 3  # letters that two forms of a word begin with, and that may follow
FEW = 12  # as many can be listed
ENOUGH = 0.3  # of what a perfect match scores
OFFERED = 3
IN_SIGNS = 0.8  # what a word counts there; in key and label 1
EXCLUDED = 0.2  # in a sign that says what is not counted
NOT_COUNTED = "Not counted"
STOP_WORDS = {"a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"}


def words_of(indicator: Indicator) -> Words:
    """Label and signs of an indicator."""
    return indicator.label, *(f"{sign.what} {sign.quote or ''}".strip() for sign in indicator.signs)


def find_indicators(spec: ModelSpec, words: str = "", stage: str | None = None, state: str | None = None) -> list[str]:
    """Keys of the indicators that ``words`` are about, the best first; without words all, in the order of the file.

    ``stage`` keeps those of a stage, ``state`` those that point to a state or to a phase of it, such as ``truce`` or
    ``relations.truce``.

    Raises
    ------
    InputError
        If there is no such stage or state.

    """
    if stage is not None and stage not in spec.stages:
        msg = f"the model has no stage {stage!r}; {nearest(stage, spec.stages)}"
        raise InputError(msg)
    named = {
        f"{name}.{one}": {(name, phase) for phase in row.phases_of(one)}
        for name, row in spec.stages.items()
        for one in (*row.states, *row.all_phases)
    }
    wanted = {phase for one, phases in named.items() if state in {one, one.partition(".")[2]} for phase in phases}
    if state is not None and not wanted:
        msg = f"the model has no state {state!r}; {nearest(state, named)}"
        raise InputError(msg)
    rows = spec.indicators
    found = ranked(words, {key: words_of(row) for key, row in rows.items()}) if words.strip() else list(rows)
    return [
        key
        for key in found
        if stage in {None, rows[key].stage}
        and (
            state is None
            or wanted & {pair for one in rows[key].points_to for pair in named[f"{rows[key].stage}.{one}"]}
        )
    ]


def ranked(words: str, indicators: Mapping[str, Words]) -> list[str]:
    """Keys of the indicators that ``words`` are about, the best first.

    A word counts by how few indicators have it, in any of its forms; most in a key or a label.
    """
    from rapidfuzz import fuzz  # noqa: PLC0415 - slow to import, and only who looks for words needs it

    asked = _tokens(words)
    places = {key: _places(key, rows) for key, rows in indicators.items()}
    forms = {form for found in places.values() for form in found}
    score, most = dict.fromkeys(indicators, 0.0), 0.0
    for word in asked:
        letters = {form: fuzz.ratio(word, form) for form in forms}
        like = {form: part / 100 for form, part in letters.items() if part >= ALIKE or _one_stem(word, form)}
        best = {
            key: max((like[form] * weight for form, weight in found.items() if form in like), default=0.0)
            for key, found in places.items()
        }
        rarity = math.log((len(places) + 1) / (sum(value > 0 for value in best.values()) + 0.5))
        most += rarity
        for key, value in best.items():
            score[key] += rarity * value
    text = " ".join(asked)
    closeness = {key: fuzz.ratio(text, " ".join(_tokens(key))) for key in indicators}
    found = [key for key in indicators if score[key] > ENOUGH * most]
    return sorted(found, key=lambda key: (-score[key], -closeness[key]))


def suggested(name: str, indicators: Mapping[str, Words], *more: str, states: Iterable[str] = ()) -> str:
    """Say which indicator may have been meant by ``name``: one that is spelled alike, or those of alike meaning.

    ``more`` are names that are allowed beside them. Of ``states``, such as ``relations.truce``, one that is called
    ``name`` is offered first.
    """
    from rapidfuzz import fuzz, process  # noqa: PLC0415 - slow to import, and only a fault needs it

    spelled = process.extractOne(name, indicators.keys(), scorer=fuzz.ratio, score_cutoff=SPELLING)
    if spelled:
        return f"did you mean {spelled[0]!r}?"
    offered = [f"{state!r} (a state)" for state in states if state.partition(".")[2] == name]
    offered += [f"{key!r} ({indicators[key][0]})" for key in ranked(name, indicators)]
    if offered:
        *first, last = offered[:OFFERED]
        offers = f"{', '.join(first)} or {last}" if first else last
        return f"did you mean {offers}? `forecast indicators WORDS` finds others"
    if len(indicators) > FEW:
        return f"there are {len(indicators)}, and `forecast indicators WORDS` finds them by what they look like"
    return nearest(name, (*more, *indicators))


def _one_stem(word: str, form: str) -> bool:
    """Whether two words are one in two forms: expels and expelled."""
    from rapidfuzz.distance import Prefix  # noqa: PLC0415 - see `ranked`

    shared = Prefix.similarity(word, form)
    return shared >= STEM and max(len(word), len(form)) - shared <= ENDING


def _tokens(text: str) -> list[str]:
    found = re.findall(r"[^\W_]+", text.casefold())
    return [word for word in found if word not in STOP_WORDS] or found


def _places(key: str, words: Words) -> dict[str, float]:
    """Give each word of an indicator with what it counts."""
    found: dict[str, float] = {}
    label, *signs = words
    texts = [(key, 1.0), (label, 1.0)]
    texts += [(sign, EXCLUDED if sign.startswith(NOT_COUNTED) else IN_SIGNS) for sign in signs]
    for text, weight in texts:
        for word in _tokens(text):
            found[word] = max(found.get(word, 0.0), weight)
    return found

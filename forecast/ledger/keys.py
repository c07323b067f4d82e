"""Keys of rows (id, story, source, coder, indicator): one spelling, no placeholders, and pairs that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


KEYS = ("id", "indicator", "state", "source", "story", "coded_by", "language")
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def clean_key(text: str) -> str:
    """Spell a key in the one way it is kept: NFC, without characters that nobody sees, blanks folded to one space."""
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text
    text = text.replace("\u2800", " ").replace("\u3164", " ")
    seen = "".join(char for char in UNSEEN.sub("", text) if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", seen).strip())


# Placeholders.

FORMULA = "\0="  # a cell whose value was never worked out
UNSOLVED = "a formula without a stored value; save it in a spreadsheet, or type the value"

WORDS = {
    "nan", "none", "null", "nil", "nat", "na", "n/a", "n.a", "undefined", "n/d", "k.a", "н/д", "tbd", "tba", "xxx",
    "blank", "empty", "not available", "not applicable",
}  # fmt: skip
ERRORS = {"#n/a", "#na", "#n/a n/a", "#nv", "#n/d", "#n/b", "#h/d", "#н/д", "#yok", "#getting_data", "#busy"}
NO_NUMBER = re.compile(r"-?1\.#[A-Z]+", re.IGNORECASE)  # as C prints it: -1.#IND, 1.#QNAN
AROUND = "()[]{}<>\"'.-"
ERROR = re.compile(r"#¡?[A-ZА-ЯÇĞİÖŞÜÉÈÑ][A-ZА-ЯÇĞİÖŞÜÉÈÑ0-9/_ ]*[!?]|#+", re.IGNORECASE)


def is_error(text: str) -> bool:
    """Whether a text is what a spreadsheet shows where it has no value: ``#N/A``, ``#REF!``, ``#####``."""
    return text[:1] == "#" and (text.casefold() in ERRORS or ERROR.fullmatch(text) is not None)


def is_placeholder(text: str) -> bool:
    """Whether a text stands for nothing: an error of a spreadsheet, ``nan``, ``(None)`` and such words, or a ``-``."""
    if not text or is_error(text):
        return bool(text)
    if not any(map(str.isalnum, text)):
        return all(unicodedata.category(char)[0] in "PS" and unicodedata.category(char) != "So" for char in text)
    return NO_NUMBER.fullmatch(text) is not None or text.strip(AROUND).casefold() in WORDS


MONTHS = (  # as Excel writes them in English, German, French, Russian and Turkish, but for what ids begin with
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mär|mai|okt|dez|fév|avr|jui|aoû|déc"
    "|янв|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек|oca|şub|nis|haz|ağu|eyl|kas"
)
LETTERS = r"[^\W\d_]*"
MANGLED = re.compile(
    rf"\d+(?:[.,]\d+)?E[+-]?\d+|\d{{1,2}}[-. ]{{1,2}}(?:{MONTHS}){LETTERS}(?:[-. ]{{1,2}}\d{{2,4}})?"
    rf"|(?:{MONTHS}){LETTERS}[-. ]{{1,2}}\d{{1,4}}"
    r"|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}-\d{2}-\d{2}(?: [\d:]+)?",
    re.IGNORECASE,
)


def is_mangled(text: str) -> bool:
    """Whether an id looks like what a spreadsheet makes of one: a date (``3-Jan``) or a number (``1.9E+18``)."""
    return text[:1].isalnum() and MANGLED.fullmatch(text) is not None


# Look-alikes.

TWINS = str.maketrans(
    "авекмнорстухіјѕԁԛԝһӏαβεηικμνορτυχγωѵ0|",
    "abekmhopctyxijsdqwhlabenikuvoptuxywvol",
)
MANY = 20_000  # keys of a column from which on single letters are not compared, which takes memory
SHORTEST = 4  # letters of a word in which one letter may be a slip; shorter words number things


def look_alikes(new: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a new key and another (new or known) that a reader takes for the same, each new key at most once.

    Two keys look alike if they differ in case, marks, blanks, punctuation or in letters of another script, or in one
    letter of one word of at least four. Digits number things and may differ.
    """
    old, fresh = dict.fromkeys(known), dict.fromkeys(new)
    every = {**old, **fresh}
    slips = len(every) <= MANY
    first: dict[str, str] = {}
    near: dict[str, list[str]] = defaultdict(list)
    for key in every:
        alike = first.setdefault(skeleton(key), key)
        if alike == key and slips:
            for signature in _signatures(key):
                close = (one for one in near[signature] if one != key and _one_letter_apart(one, key))
                alike = next(close, alike)
                near[signature].append(key)
        if alike != key and key in fresh and key not in old:
            yield key, alike


@lru_cache(maxsize=2**15)
def skeleton(key: str) -> str:
    """Give a key without case, marks, blanks and punctuation, in Latin letters where they look the same."""
    plain = unicodedata.normalize("NFKD", key.casefold().replace("ı", "i"))
    return "".join(char for char in plain.translate(TWINS) if char.isalnum()) or key


def _words(key: str) -> list[str]:
    return re.findall(r"[^\W_]+", key.casefold())


def _signatures(key: str) -> Iterator[str]:
    """Give a text for each way to leave out one letter of one longer word; keys one letter apart share one."""
    words = _words(key)
    for k, word in enumerate(words):
        if len(word) < SHORTEST or not word.isalpha():
            continue
        before, after = " ".join(words[:k]), " ".join(words[k + 1 :])
        yield f"{before}|{word}|{after}"
        for i in range(len(word)):
            yield f"{before}|{word[:i]}{word[i + 1 :]}|{after}"


def _one_letter_apart(first: str, second: str) -> bool:
    """Whether two keys differ in one letter: changed, added, left out, or exchanged with the next."""
    pairs = [(a, b) for a, b in zip(_words(first), _words(second), strict=False) if a != b]
    if len(pairs) != 1 or len(_words(first)) != len(_words(second)):
        return False
    (one, other), *_ = pairs
    if not (one.isalpha() and other.isalpha()) or min(len(one), len(other)) < SHORTEST:
        return False
    if len(one) == len(other):
        apart = [k for k in range(len(one)) if one[k] != other[k]]
        swapped = len(apart) == 2 and apart[1] == apart[0] + 1  # noqa: PLR2004 - a pair
        return len(apart) == 1 or (swapped and one[apart[0]] == other[apart[1]] and one[apart[1]] == other[apart[0]])
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:k] + long[k + 1 :] == short for k in range(len(long)))

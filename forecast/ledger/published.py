"""The short part of a report, kept beside it: what is read of an issue without the whole report.

It is a text of three lines of JSON, and a line is parsed only where it is asked for: the ``model`` with its outcomes
and their rules, the probabilities that the rules are met, and of the rest the keys `REST`.
"""

from __future__ import annotations

import json
import zlib
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REST = ("forecast", "issued_at", "lead", "lead_weeks", "headline", "alarm")
LEVEL = 6  # of zlib: a report becomes a quarter to a fifth, and level 9 saves another hundredth


class RuleStated(NamedTuple):
    """What a report states of a rule: the ``probability`` that it is met; ``prior`` is None where none was kept."""

    outcome: str
    kind: str
    horizon_weeks: int
    date: str
    probability: float
    met_now: bool
    prior: float | None


class Published:
    """The short part of one report; it is read, and checked, when something of it is first asked for."""

    def __init__(self, read: Callable[[], str]) -> None:
        """Point at the text that ``read`` gives."""
        self._read = read

    @classmethod
    def of(cls, content: str) -> Published:
        """Take it from a whole report, given as JSON."""
        return cls(lambda: short_part(content))

    @cached_property
    def text(self) -> str:
        """All of it, as it is kept."""
        return self._read()

    @cached_property
    def _lines(self) -> Sequence[str]:
        return self.text.split("\n")

    @property
    def model_text(self) -> str:
        """The model as JSON, the same text for every issue of one version: what is made of it can be kept by it."""
        return self._lines[0]

    @property
    def model(self) -> Mapping[str, Any]:
        """The model with its outcomes and stages; it is shared among issues."""
        return _parsed(self.model_text) or {}

    @property
    def rules(self) -> list[RuleStated]:
        """What is stated of each rule; nothing in a report from before there were rules."""
        return [RuleStated(*row) for row in json.loads(self._lines[1])]

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """The keys that are kept, as the report has them, but for ``rules``."""
        return {"model": self.model, **json.loads(self._lines[2])}

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, Published) and self.text == other.text

    def __hash__(self) -> int:
        """Go by what it says."""
        return hash(self.text)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads(text)


def short_part(content: str) -> str:
    """Write the short part of a report; of what is none, or lacks a key, there is less."""
    report = _report(content)
    rest = {key: report[key] for key in REST if key in report}
    return "\n".join(
        json.dumps(part, ensure_ascii=False, separators=(",", ":"))
        for part in (report.get("model"), _rules(report), rest)
    )


def agrees(text: str, content: str) -> bool:
    """Whether a short part says of each key that it holds what the whole report says; a later version may hold more."""
    report = _report(content)
    try:
        model, rules, rest = map(json.loads, text.split("\n"))
        same = all(key in report and report[key] == value for key, value in rest.items())
        return same and model == report.get("model") and rules == _rules(report)
    except (ValueError, AttributeError):
        return False


def _report(content: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rules(report: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [
            row["outcome"], row["kind"], row["horizon_weeks"], row["date"], row["estimate"]["mean"], row["met_now"],
            row.get("prior"),
        ]
        for row in report.get("rules") or ()
    ]  # fmt: skip


def packed(text: str) -> bytes:
    """Compress a long text."""
    return zlib.compress(text.encode(), LEVEL)


def unpacked(content: str | None, data: bytes | None) -> str:
    """Give a long text that is kept as it is or compressed; `ValueError` if it is neither."""
    if data is None:
        if content is None:
            msg = "there is no text"
            raise ValueError(msg)
        return content
    try:
        return zlib.decompress(data).decode()
    except zlib.error as error:
        raise ValueError(str(error)) from error

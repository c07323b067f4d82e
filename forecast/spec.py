"""Model files: one TOML file states a theory; reading it gives a `ModelSpec` or every fault at once."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic needs it at run time
import hashlib
import json
import math
import tomllib
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from forecast.errors import ModelFileError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "GRADES",
    "Basis",
    "ClassPrior",
    "Conditional",
    "Effect",
    "GradePrior",
    "Indicator",
    "Interval",
    "ModelSpec",
    "Outcome",
    "Rule",
    "Sign",
    "Stage",
    "Transition",
    "load_spec",
    "parse_spec",
]

GRADES = ("weak", "moderate", "strong", "decisive")
QUOTE_WORDS = 25
NORMAL_90 = 3.2897  # width of a standard normal's central 90 % interval

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    if not (math.isfinite(high) and 0 < low < high):
        msg = f"a 90 % interval needs 0 < lo < hi, got [{low:g}, {high:g}]"
        raise ValueError(msg)
    return interval


Interval = Annotated[tuple[float, float], AfterValidator(_ordered)]


def log_normal(interval: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation, on the log scale, of the log-normal with this 90 % interval."""
    low, high = interval
    return (math.log(low) + math.log(high)) / 2, math.log(high / low) / NORMAL_90


def _short(quote: str) -> str:
    if len(quote.split()) > QUOTE_WORDS:
        msg = f"a quote points to its passage in at most {QUOTE_WORDS} words, this one has {len(quote.split())}"
        raise ValueError(msg)
    return quote


Quote = Annotated[Text, AfterValidator(_short)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Basis(_Table):
    """Why an entry is as it is: a passage of the article, a reference, or a judgement with its reason."""

    kind: Literal["article", "reference", "judgement"]
    source: Name | None = None
    quote: Quote | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "judgement":
            if not self.note:
                msg = "a judgement gives its reason in `note`"
                raise ValueError(msg)
        elif not (self.source and self.quote):
            msg = f"kind {self.kind!r} needs `source` (a key of [sources]) and `quote` (the passage or the row cited)"
            raise ValueError(msg)
        return self


Bases = Annotated[tuple[Basis, ...], Field(min_length=1)]


class Source(_Table):
    """A text that bases point to."""

    title: Text
    published: dt.date | None = None
    url: Text | None = None


class Transition(_Table):
    """A move of one stage from one state to another, with the 90 % interval of its rate per year."""

    from_: Name = Field(alias="from")
    to: Name
    per_year: Interval
    basis: Bases


class Effect(_Table):
    """A multiplier on one transition while the stages upstream are in the named states."""

    from_: Name = Field(alias="from")
    to: Name
    when: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    times: Interval
    basis: Bases


class Stage(_Table):
    """One link of the cascade: its states, how it starts and how it moves."""

    label: Text
    states: Annotated[tuple[Name, ...], Field(min_length=2)]
    describe: dict[Name, Text] = {}
    observable: tuple[Name, ...] = ()
    start: dict[Name, PositiveFloat] = Field(min_length=1)
    basis: Bases
    transitions: Annotated[tuple[Transition, ...], Field(min_length=1)]
    effects: dict[Name, Effect] = {}


class Sign(_Table):
    """What an indicator looks like in the world, with the passage that names it if there is one."""

    what: Text
    quote: Quote | None = None


class Indicator(_Table):
    """An observable kind of event of one stage, likelier in the states it points to."""

    label: Text
    stage: Name
    points_to: Annotated[tuple[Name, ...], Field(min_length=1)]
    grade: Literal["weak", "moderate", "strong", "decisive"]
    class_: Name = Field(alias="class")
    repeats: bool = True
    reset_by: Name | None = None
    signs: Annotated[tuple[Sign, ...], Field(min_length=1)]
    basis: Bases


class Rule(_Table):
    """One clause of a resolution: an observable on record, or enough distinct stories within a span."""

    observable: Name | None = None
    stories: PositiveInt | None = None
    of: tuple[Name, ...] = ()
    within_weeks: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        stories = (self.stories is not None, bool(self.of), self.within_weeks is not None)
        if self.observable is not None and any(stories):
            msg = "a clause names `observable` or `stories`, `of` and `within_weeks`, not both"
            raise ValueError(msg)
        if self.observable is None and not all(stories):
            msg = "the clause names nothing: give `observable`, or `stories`, `of` and `within_weeks` together"
            raise ValueError(msg)
        return self


class Outcome(_Table):
    """A named set of joint states with a frozen rule by which the world resolves it."""

    label: Text
    states: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    resolution: Text
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    resolves: Annotated[tuple[Rule, ...], Field(min_length=1)]
    frozen: dt.date
    basis: Bases


class Conditional(_Table):
    """A probability given another outcome: both at the horizon, or ``weeks`` after the other began."""

    outcome: Name
    given: Name | None = None
    given_no: Name | None = None
    after: Name | None = None
    weeks: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(part is not None for part in (self.given, self.given_no, self.after)) != 1:
            msg = "needs exactly one of `given`, `given_no` and `after`"
            raise ValueError(msg)
        if (self.after is None) != (self.weeks is None):
            msg = "`after` and `weeks` go together"
            raise ValueError(msg)
        return self

    @property
    def condition(self) -> str:
        """The condition in words: ``deal``, ``no deal`` or ``26 weeks after deal``."""
        if self.after is not None:
            return f"{self.weeks} weeks after {self.after}"
        return self.given or f"no {self.given_no}"


class ClassPrior(_Table):
    """Base rates of one class of indicators.

    ``per_year`` is the 90 % interval of the class's typical rate (exp μ), ``spread`` that of σ, the standard
    deviation of log rates within the class; both log-normal.
    """

    per_year: Interval
    spread: Interval
    basis: Bases


class GradePrior(_Table):
    """Multipliers of the four grades: prior medians, and how tightly the increments are held.

    Each increment on the log scale is 2 m Beta(c, c), with m the difference of the log medians and c the
    ``concentration``: symmetric about m, so the medians of the grades are exactly those given, and positive, so
    the order holds in every draw.
    """

    weak: float = Field(gt=1)
    moderate: float
    strong: float
    decisive: float
    concentration: float = Field(gt=1)
    basis: Bases

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        medians = self.medians
        if any(low >= high for low, high in pairwise(medians)):
            msg = f"grades increase strictly from weak to decisive, got {list(medians)}"
            raise ValueError(msg)
        return self

    @property
    def medians(self) -> tuple[float, float, float, float]:
        """Prior medians in the order of `GRADES`."""
        return self.weak, self.moderate, self.strong, self.decisive


class DeparturePrior(_Table):
    """How far an indicator departs from its grade: τ is half-normal with this ``scale`` (log of the log rate)."""

    scale: PositiveFloat
    basis: Bases


class Priors(_Table):
    """Priors shared by all indicators."""

    classes: dict[Name, ClassPrior] = Field(min_length=1)
    grades: GradePrior
    departure: DeparturePrior


class Header(_Table):
    """What the model is called, where its evidence lies, and its clock."""

    name: Name
    title: Text
    description: Text
    dataset: Name
    start: dt.date
    step_days: Literal[1, 7] = 7  # horizons are in weeks and must be whole steps
    reporting_lag_days: Annotated[int, Field(ge=0)]
    horizons_weeks: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class ModelSpec(_Table):
    """A theory as read from its model file; immutable, every name checked."""

    format: Literal[1]
    model: Header
    sources: dict[Name, Source]
    stages: dict[Name, Stage] = Field(min_length=1)
    indicators: dict[Name, Indicator] = Field(min_length=1)
    outcomes: dict[Name, Outcome] = Field(min_length=1)
    conditionals: tuple[Conditional, ...] = ()
    priors: Priors

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def hash(self) -> str:
        """Twelve hex digits over what the draws depend on: numbers and structure.

        Words (labels, signs, bases) and what is only read off the draws (outcomes, horizons) do not count, so
        mending a citation keeps every fit valid.
        """
        content = self.model_dump(mode="json", include={"format", "stages", "indicators", "priors"}, by_alias=True)
        clock = self.model_dump(mode="json", include={"model": {"dataset", "start", "step_days", "reporting_lag_days"}})
        canonical = json.dumps([_numbers_and_structure(content), clock], sort_keys=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


_WORDS = {"basis", "label", "signs", "describe"}


def _numbers_and_structure(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, dict):
        table = cast("dict[str, Any]", node)
        return {key: _numbers_and_structure(value) for key, value in table.items() if key not in _WORDS}
    if isinstance(node, list):
        return [_numbers_and_structure(value) for value in cast("list[Any]", node)]
    return node


def load_spec(path: Path) -> ModelSpec:
    """Read a model file.

    Raises
    ------
    ModelFileError
        If the file cannot be read or has faults; all of them are listed, each with its dotted key.

    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ModelFileError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ModelFileError(str(path), [f"is not UTF-8 text (byte {error.start}); save it as UTF-8"]) from error
    return parse_spec(text, where=str(path), name=path.stem)


def parse_spec(text: str, *, where: str, name: str | None = None) -> ModelSpec:
    """Read a model from TOML ``text``; ``where`` names it in messages, ``name`` is what it must be called."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelFileError(where, [f"is not valid TOML: {error}"]) from error
    spec, faults, dropped = _parse_what_can_be(raw)
    if spec is not None:
        faults += [fault for fault in _cross_faults(spec, dropped) if fault not in faults]
        if name is not None and spec.name != name:
            faults.append(f"model.name: is {spec.name!r}, but the file is called {name!r}; they must agree")
    if faults or spec is None:
        raise ModelFileError(where, faults)
    return spec


# Parsing: pydantic finds the faults of single entries; entries with a fault are set aside so that the checks across
# entries still run on the rest, and one reading of the file names everything.


def _parse_what_can_be(raw: dict[str, Any]) -> tuple[ModelSpec | None, list[str], set[str]]:
    faults: list[str] = []
    dropped: set[str] = set()
    while True:
        try:
            return ModelSpec.model_validate(raw), list(dict.fromkeys(faults)), dropped
        except ValidationError as error:
            found = error.errors()
        found = [item for item in found if not _follows_from(item, found)]
        faults += [_fault(item["loc"], item) for item in found]
        places = {item["loc"]: _entry(raw, item["loc"]) for item in found}
        if not all(place or _stand_in(raw, location) for location, place in places.items()):
            return None, list(dict.fromkeys(faults)), dropped
        for place in sorted({place for place in places.values() if place}, key=_removal_order, reverse=True):
            parent = _walk(raw, place[:-1])
            dropped.add(".".join(map(str, place)))
            del parent[place[-1]]


def _follows_from(item: Any, found: list[Any]) -> bool:  # noqa: ANN401 - pydantic's dict
    """Whether a list is only too short because its items have faults of their own."""
    size = len(item["loc"])
    return item["type"] == "too_short" and any(
        len(other["loc"]) > size and other["loc"][:size] == item["loc"] for other in found
    )


def _stand_in(raw: dict[str, Any], location: tuple[str | int, ...]) -> bool:
    """Put a good value in the place of a faulty one that cannot be left out; say whether one is known."""
    basis = [{"kind": "judgement", "note": "stands in"}]
    grades = {"weak": 2.0, "moderate": 4.0, "strong": 10.0, "decisive": 30.0, "concentration": 4.0, "basis": basis}
    match location:
        case ("model", str(key), *_):
            header = {"name": "stand_in", "title": "-", "description": "-", "dataset": "stand_in", "step_days": 7}
            known = {**header, "start": "2000-01-01", "reporting_lag_days": 0, "horizons_weeks": [1]}
            if key not in known or not isinstance(raw["model"], dict):
                return False
            raw["model"][key] = known[key]
        case ("priors", "grades", *_):
            raw["priors"]["grades"] = grades
        case ("priors", "departure", *_):
            raw["priors"]["departure"] = {"scale": 0.3, "basis": basis}
        case ("stages", str(name), "label" | "basis" | "start" | "observable" | "describe" as key, *_):
            states: Any = raw["stages"][name].get("states")
            start = dict.fromkeys(cast("list[str]", states), 1.0) if isinstance(states, list) else {}
            known = {"label": "-", "basis": basis, "start": start, "observable": [], "describe": {}}
            raw["stages"][name][key] = known[key]
        case _:
            return False
    return True


def _removal_order(place: tuple[str | int, ...]) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, part) if isinstance(part, int) else (1, part) for part in place)


def _walk(node: Any, place: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - TOML
    for part in place:
        node = node[part]
    return node


def _entry(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Find the removable entry (an indicator, an outcome, a transition, …) that a fault lies in."""
    match location:
        case ("stages", str(stage), "transitions", int(k), *_):
            entry: tuple[str | int, ...] = ("stages", stage, "transitions", k)
        case ("stages", str(stage), "effects", str(name), *_):
            entry = ("stages", stage, "effects", name)
        case ("indicators" | "outcomes" | "sources" as table, str(name), *_):
            entry = (table, name)
        case ("conditionals", int(k), *_):
            entry = ("conditionals", k)
        case ("priors", "classes", str(name), *_):
            entry = ("priors", "classes", name)
        case (*_, last) if isinstance(last, str) and _is_extra(raw, location):
            entry = location
        case _:
            return None
    try:
        _walk(raw, entry)
    except (KeyError, IndexError, TypeError):
        return None
    return entry


def _is_extra(raw: Mapping[str, Any], location: tuple[str | int, ...]) -> bool:
    try:
        _walk(raw, location)
    except (KeyError, IndexError, TypeError):
        return False
    return location[-1] not in _allowed_keys(location[:-1])


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    """List the keys that the table at ``location`` may hold; empty where any name is allowed."""
    tables: dict[str, type[_Table]] = {
        "model": Header, "sources": Source, "stages": Stage, "transitions": Transition, "effects": Effect,
        "indicators": Indicator, "outcomes": Outcome, "conditionals": Conditional, "priors": Priors,
        "classes": ClassPrior, "grades": GradePrior, "departure": DeparturePrior, "basis": Basis, "signs": Sign,
        "resolves": Rule,
    }  # fmt: skip
    single = {"model", "priors", "grades", "departure"}
    if not location:
        return _keys(ModelSpec)
    last = location[-1]
    if last in single:
        return _keys(tables[str(last)])
    if len(location) > 1 and (table := tables.get(str(location[-2]))) and str(location[-2]) not in single:
        return _keys(table)
    return []


def _keys(table: type[_Table]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _fault(location: tuple[str | int, ...], item: Any) -> str:  # noqa: ANN401 - pydantic's dict
    key = ".".join(str(part) for part in location if part != "[key]")
    match item["type"]:
        case "missing":
            return f"{key}: is missing"
        case "extra_forbidden":
            return f"{key}: is not a known key; {nearest(str(location[-1]), _allowed_keys(location[:-1]))}"
        case "string_pattern_mismatch":
            return f"{key}: {item['input']!r} is not a name; use lower-case letters, digits and _"
        case "value_error":
            return f"{key}: {item['ctx']['error']}"
        case "literal_error":
            return f"{key}: {item['input']!r} is not allowed; use {item['ctx']['expected']}"
        case _:
            return f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, got {_brief(item['input'])}"


def _brief(value: Any) -> str:  # noqa: ANN401 - TOML
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004


# Checks across entries.


def _cross_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, stage in spec.stages.items():
        yield from _stage_faults(spec, name, stage, any(part.startswith(f"stages.{name}.") for part in dropped))
    yield from _indicator_faults(spec, dropped)
    yield from _outcome_faults(spec, dropped)
    yield from _source_faults(spec, dropped)


def _unknown(key: str, kind: str, name: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> str:
    return f"{key}: there is no {kind} {name!r}; {nearest(name, allowed)}"


def _states_faults(key: str, states: tuple[str, ...], stage: str, allowed: tuple[str, ...]) -> Iterator[str]:
    for state in states:
        if state not in allowed:
            yield _unknown(key, f"state of stage {stage!r} called", state, allowed)
    if len(set(states)) < len(states):
        yield f"{key}: names a state twice"


def _stage_faults(spec: ModelSpec, name: str, stage: Stage, incomplete: bool) -> Iterator[str]:  # noqa: FBT001
    at = f"stages.{name}"
    if len(set(stage.states)) < len(stage.states):
        yield f"{at}.states: names a state twice"
    yield from _states_faults(f"{at}.observable", stage.observable, name, stage.states)
    if set(stage.observable) == set(stage.states):
        yield f"{at}.observable: names every state, so it says nothing; leave at least one out"
    yield from _states_faults(f"{at}.start", tuple(stage.start), name, stage.states)
    yield from _states_faults(f"{at}.describe", tuple(stage.describe), name, stage.states)
    if stage.observable and not set(stage.start) - set(stage.observable):
        yield f"{at}.start: all weight is on observable states, which only a recorded row can begin"
    edges: set[tuple[str, str]] = set()
    for k, move in enumerate(stage.transitions):
        edge = (move.from_, move.to)
        key = f"{at}.transitions.{k}"
        yield from _states_faults(key, (move.from_,), name, stage.states)
        yield from _states_faults(key, (move.to,), name, stage.states)
        if move.from_ == move.to:
            yield f"{key}: goes from {move.to!r} to itself"
        if edge in edges:
            yield f"{key}: {move.from_} to {move.to} is given twice"
        edges.add(edge)
    if not incomplete:
        yield from _reachable_faults(at, stage, edges)
    yield from _effect_faults(spec, name, stage, None if incomplete else edges)


def _effect_faults(spec: ModelSpec, name: str, stage: Stage, edges: set[tuple[str, str]] | None) -> Iterator[str]:
    upstream = tuple(spec.stages)[: tuple(spec.stages).index(name)]
    for label, effect in stage.effects.items():
        key = f"stages.{name}.effects.{label}"
        if edges is not None and (effect.from_, effect.to) not in edges:
            moves = sorted(f"{a} to {b}" for a, b in edges)
            yield f"{key}: stage {name!r} has no transition from {effect.from_!r} to {effect.to!r}; it has {moves}"
        for other, states in effect.when.items():
            if other not in spec.stages:
                yield _unknown(f"{key}.when", "stage", other, upstream)
            elif other not in upstream:
                where = "itself" if other == name else "downstream of it"
                yield (
                    f"{key}.when: a condition looks upstream, but {other!r} is {where}, which would make a cycle; "
                    f"upstream of {name!r}: {', '.join(upstream) or 'nothing'}"
                )
            else:
                yield from _states_faults(f"{key}.when.{other}", states, other, spec.stages[other].states)


def _reachable_faults(at: str, stage: Stage, edges: set[tuple[str, str]]) -> Iterator[str]:
    reached = set(stage.start)
    while new := {b for a, b in edges if a in reached} - reached:
        reached |= new
    for state in stage.states:
        if state not in reached:
            yield f"{at}.states: {state!r} is unreachable: no start weight, and no transition leads to it"


def _indicator_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, indicator in spec.indicators.items():
        at = f"indicators.{name}"
        stage = spec.stages.get(indicator.stage)
        if stage is None:
            yield _unknown(f"{at}.stage", "stage", indicator.stage, spec.stages)
        else:
            yield from _states_faults(f"{at}.points_to", indicator.points_to, indicator.stage, stage.states)
            if set(indicator.points_to) >= set(stage.states):
                yield f"{at}.points_to: points to every state of {indicator.stage!r}, so it points nowhere"
        if indicator.class_ not in spec.priors.classes and f"priors.classes.{indicator.class_}" not in dropped:
            yield _unknown(f"{at}.class", "class in [priors.classes]", indicator.class_, spec.priors.classes)
        if indicator.reset_by is not None:
            if indicator.repeats:
                yield f"{at}.reset_by: only an indicator with `repeats = false` needs a reset"
            if indicator.reset_by not in spec.indicators and f"indicators.{indicator.reset_by}" not in dropped:
                yield _unknown(f"{at}.reset_by", "indicator", indicator.reset_by, spec.indicators)


def _outcome_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, outcome in spec.outcomes.items():
        at = f"outcomes.{name}"
        whole = True
        for stage, states in outcome.states.items():
            if stage not in spec.stages:
                yield f"{_unknown(f'{at}.states', 'stage', stage, spec.stages)}; no joint state satisfies the outcome"
                continue
            yield from _states_faults(f"{at}.states.{stage}", states, stage, spec.stages[stage].states)
            whole = whole and set(states) >= set(spec.stages[stage].states)
        if whole and set(outcome.states) <= set(spec.stages):
            yield f"{at}.states: every joint state satisfies it, so it is certain"
        for k, rule in enumerate(outcome.resolves):
            yield from _rule_faults(spec, f"{at}.resolves.{k}", rule, dropped)
    for k, conditional in enumerate(spec.conditionals):
        for field in ("outcome", "given", "given_no", "after"):
            other = getattr(conditional, field)
            if other is not None and other not in spec.outcomes and f"outcomes.{other}" not in dropped:
                yield _unknown(f"conditionals.{k}.{field}", "outcome", other, spec.outcomes)


def _rule_faults(spec: ModelSpec, key: str, rule: Rule, dropped: set[str]) -> Iterator[str]:
    if rule.observable is not None:
        if rule.observable not in spec.stages:
            yield _unknown(f"{key}.observable", "stage", rule.observable, spec.stages)
        elif not spec.stages[rule.observable].observable:
            yield f"{key}.observable: stage {rule.observable!r} has no observable states"
    for indicator in rule.of:
        if indicator not in spec.indicators and f"indicators.{indicator}" not in dropped:
            yield _unknown(f"{key}.of", "indicator", indicator, spec.indicators)


def _source_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for key, basis in bases(spec):
        if basis.source is not None and basis.source not in spec.sources and f"sources.{basis.source}" not in dropped:
            yield _unknown(f"{key}.basis", "source in [sources]", basis.source, spec.sources)


def bases(spec: ModelSpec) -> Iterator[tuple[str, Basis]]:
    """Every basis of the model with the dotted key of the entry it belongs to, in the order of the file."""
    for name, stage in spec.stages.items():
        entries: list[tuple[str, tuple[Basis, ...]]] = [(f"stages.{name}", stage.basis)]
        entries += [(f"stages.{name}.transitions.{m.from_}>{m.to}", m.basis) for m in stage.transitions]
        entries += [(f"stages.{name}.effects.{label}", effect.basis) for label, effect in stage.effects.items()]
        yield from ((key, basis) for key, found in entries for basis in found)
    tables: list[tuple[str, Mapping[str, Indicator | Outcome | ClassPrior]]] = [
        ("indicators", spec.indicators), ("outcomes", spec.outcomes), ("priors.classes", spec.priors.classes),
    ]  # fmt: skip
    yield from (
        (f"{table}.{name}", basis) for table, rows in tables for name, row in rows.items() for basis in row.basis
    )
    yield from (("priors.grades", basis) for basis in spec.priors.grades.basis)
    yield from (("priors.departure", basis) for basis in spec.priors.departure.basis)

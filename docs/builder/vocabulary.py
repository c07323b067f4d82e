"""``vocabulary.md``: where each kind of event goes, and what indicators that the article does not name look like."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from docs.builder.entries import names
from docs.builder.markdown import bullets, code, page, para, plain, table
from docs.builder.places import EVENTS, MODEL, ROOT
from forecast.theory.modelfile import load_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.theory.spec import ModelSpec


def vocabulary_page() -> str:
    """Set out the places of all kinds of events, by stage."""
    events, spec = tomllib.loads(EVENTS.read_text(encoding="utf-8")), load_spec(MODEL)
    path = EVENTS.relative_to(ROOT)
    added = [row.since for row in spec.indicators.values() if row.since]
    return page(
        "The vocabulary: where an event goes",
        "the model file and the places of events",
        para(
            "Any dated report about the actors of a stage has a place: the indicators among which to choose, or the",
            "reason why it says nothing. The check-list is an ontology of events, PLOVER, whose types are crossed with",
            f"who acts on whom; the places are in [`{path}`](../{path}). To find an indicator by words:",
            '`forecast indicators "embargo on fruit"`.',
        ),
        bullets(
            "**A continuation is no new event.** A hearing, a prolonged detention or a sentence belongs to the case"
            " that was told already.",
            "**One event, one story.** What speaks about two stages gets a row for each, with the same `story`.",
            "**Nothing is said by silence alone.** An event without a row is not one that was looked for; coverage says"
            " so.",
        ),
        "## Event types\n",
        para("CAMEO's roots stand beside PLOVER's types. The modes are those that the places tell apart or join."),
        table(
            ["type", "CAMEO", "an actor", "modes"],
            [[code(name), row["cameo"], plain(row["what"]), plain(", ".join(row["modes"]))]
             for name, row in events["types"].items()],
        ),
        "## Balance\n",
        para(
            f"Of {len(spec.indicators)} indicators the article names {len(spec.indicators) - len(added)};",
            f"{len(added)} joined on {max(added)}. As many indicators speak for each state that has to be found out,",
            "so that selective reading sees good news and bad alike.",
        ) if added else "",
        _balance(spec),
        *(_stage(events, spec, name) for name in spec.stages),
    )  # fmt: skip


def _balance(spec: ModelSpec) -> str:
    rows = []
    for name, stage in spec.stages.items():
        for state in stage.states:
            here = {state, *stage.phases_of(state)}
            mine = [row for row in spec.indicators.values() if row.stage == name and here & set(row.points_to)]
            old = sum(row.since is None for row in mine)
            rows.append([code(f"{name}.{state}"), len(mine), old, len(mine) - old])
    return table(["state", "indicators that point to it", "of the article", "added"], rows)


def _stage(events: Mapping[str, Any], spec: ModelSpec, name: str) -> str:
    rows = [
        [
            code(place["type"]),
            plain(", ".join(place.get("modes", ())) or "all other"),
            plain(", ".join(pair.replace(">", " → ") for pair in place["pairs"])),
            " ".join(map(code, place["indicators"]))
            if "indicators" in place
            else f"*nothing*: {plain(place['nothing'])}",
        ]
        for place in events["places"][name]
    ]
    added = [
        [code(key), plain(row.label), plain(names(row.points_to)), row.grade,
         "<br>".join(plain(sign.what) for sign in row.signs)]
        for key, row in spec.indicators.items()
        if row.stage == name and row.since
    ]  # fmt: skip
    return "\n".join(
        [
            f"## Stage `{name}`: {plain(spec.stages[name].label)}\n",
            table(["type", "modes", "who acts on whom", "indicators"], rows),
            "Indicators that the article does not name ([the model](model.md) has all, with their bases):\n",
            table(["indicator", "what it is", "points to", "grade", "signs"], added),
        ]
    )

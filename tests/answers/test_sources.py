"""Sources: what each told, and what every outcome would be without it, equal to a forecast from the other rows."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from weighted_scenes import Scene, seen, tiny_scene
from year import START, issued_tiny

import forecast
from forecast.answers import reweighed
from forecast.answers.sources import LEANS, Sources, find_sources
from forecast.base.errors import InputError
from forecast.evidence.compilation import compile_evidence
from forecast.inference.reweighting import reweigh

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior

NOW = dt.datetime(2025, 1, 9, tzinfo=dt.UTC)
ROWS = (
    seen("shot", dt.date(2025, 1, 10), source="Wire", grade="B2"),
    seen("shot", dt.date(2025, 1, 17), source="Wire", grade="A1"),
    seen("march", dt.date(2025, 1, 20), source="Paper"),
)


def scene() -> Scene:
    """Take a few rows of two sources, and many equal draws, so that weights are no matter."""
    return tiny_scene(draws=200, entries=ROWS)


def ask(of: Scene) -> Sources:
    """Ask for the sources at four weeks."""
    return find_sources(of.found, of.entries, 4)


def test_each_source_says_what_it_told() -> None:
    """Rows, stories, grades and days, the source with the most rows first."""
    wire, paper = ask(scene()).rows
    assert (wire.source, wire.ids) == ("Wire", (ROWS[0].id, ROWS[1].id))
    assert (wire.told.stories, wire.told.grades) == (2, ("A1", "B2"))
    assert (wire.told.first, wire.told.newest) == (ROWS[0].date, ROWS[1].date)
    assert (paper.source, paper.told.rows) == ("Paper", 1)


def test_without_a_source_is_the_forecast_from_the_other_rows() -> None:
    """By the same draws, for every outcome."""
    of = scene()
    found = ask(of)
    for row in found.rows:
        others = [one for one in of.entries if one.source != row.source]
        alone = reweigh(of.found.anchor, compile_evidence(of.space, others, of.as_of))
        wanted = {
            one.outcome: one.estimate.mean for one in alone.quantities if (one.kind, one.horizon_weeks) == ("at", 4)
        }
        assert {name: one.probability for name, one in row.without.items()} == pytest.approx(wanted)
        for name, one in row.without.items():
            assert one.difference == pytest.approx(wanted[name] - found.now[name].mean)


def test_what_leans_on_a_source_is_said() -> None:
    """Where the odds would change by half, and nowhere else; without such a source that is said."""
    found = ask(scene())
    leaning: set[str] = set()
    for row in found.rows:
        for name, one in row.without.items():
            now = found.now[name].mean
            factor = one.probability / (1 - one.probability) * (1 - now) / now
            assert one.leans == (max(factor, 1 / factor) >= LEANS)
            if one.leans:
                leaning.add(name)
    assert leaning
    assert len(found.sentences) == len(leaning)
    assert all("alone" in line and "“Wire”" in line for line in found.sentences)
    wire = found.rows[0].without
    turns = {name.replace("_", " ").capitalize(): "lower" if wire[name].difference < 0 else "higher" for name in wire}
    assert all(line.endswith(f" {turns[line.partition(' leans on')[0]]}.") for line in found.sentences)
    other = {name: replace(one, probability=0.9, difference=0.9 - found.now[name].mean) for name, one in wire.items()}
    mirrored = replace(found, rows=(replace(found.rows[0], without=other),))
    assert {line.split()[-1] for line in mirrored.sentences} == {"higher."}
    quiet = ask(tiny_scene(draws=200))
    assert (quiet.rows, quiet.sentences) == ((), ("No judgement leans on a single source.",))


def test_sources_are_plain_json_and_a_table() -> None:
    """`to_dict` is JSON, `to_frame` has a row for each source and outcome; an unknown horizon is refused."""
    of = scene()
    found = ask(of)
    plain = json.loads(json.dumps(found.to_dict()))
    assert [row["source"] for row in plain["rows"]] == ["Wire", "Paper"]
    assert len(found.to_frame()) == 2 * len(of.spec.outcomes)
    with pytest.raises(InputError, match="5 weeks"):
        find_sources(of.found, of.entries, 5)


def test_a_source_is_left_out_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the sources, the sensitivity weights the draws to no evidence that they were weighted to."""
    root, weighted = issued_tiny(), list[str]()

    def counted(anchor: Anchor, evidence: Evidence) -> Posterior:
        weighted.append(evidence.hash)
        return reweigh(anchor, evidence)

    monkeypatch.setattr(reweighed, "reweigh", counted)
    asked = forecast.open(root).update(as_of=START, refit="never", now=NOW)
    sources = asked.sources()
    first = set(weighted)
    assert first
    assert len(weighted) == len(sources.rows)
    outcome = next(iter(sources.now))
    shifts = asked.moved(outcome, weeks=None, without=(), refit="never", quick=True).shifts
    assert {row.name for row in shifts if row.kind == "source"} == {row.source for row in sources.rows}
    assert not first & set(weighted[len(sources.rows) :])

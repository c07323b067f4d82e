"""Commands about judgements: the model's number is hidden until one's own is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from projects import strict_json
from track import AS_OF, FOUR, MODEL, World, ask, later, noon

from forecast.base.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from projects import Done

HOSTILE = "a\x1b[2J\u202eb\nline two"
TODAY = later(1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a project with one forecast, and name who calls."""
    monkeypatch.setenv("FORECAST_USER", "ada")
    world = World(tmp_path, watched=False)
    world.issue(AS_OF, FOUR)
    return world


def record(world: World, *arguments: str, days: int = 1) -> Done:
    """Judge on a day."""
    return ask(world, "judge", "record", *arguments, today=later(days))


def test_the_list_hides_what_the_model_says(world: World) -> None:
    """Before, the list has dates alone; after, one's own numbers."""
    done = ask(world, "judge", "list", today=TODAY)
    lines = done.out.splitlines()
    assert lines[0].split("\t") == ["outcome", "kind", "date", "since", "yours"]
    assert len([line for line in lines if line.startswith("deal\t")]) == 4
    assert "%" not in done.out
    record(world, "deal", "--weeks", "4", "--probability", "35%")
    assert ask(world, "judge", "list", today=TODAY).out.count("%") == 1
    rows = strict_json(ask(world, "judge", "list", "--json", today=TODAY).out)["questions"]
    assert [row["own"] for row in rows] == [0.35, None, None, None]
    assert all(set(row) == {"outcome", "kind", "since", "date", "rule", "own"} for row in rows)


def test_a_judgement_is_set_beside_the_model(world: World) -> None:
    """It is recorded by whoever calls, then the model's number, the difference and the pool are shown."""
    done = record(world, "deal", "--weeks", "4", "--probability", "35%", "--note", "talks")
    assert (done.code, done.err) == (0, "")
    assert "ada 35%, the model 20% (as of 15 Jan 2026): difference +15 points." in done.out
    assert "Pool of 1 analyst and the model: 27%." in done.out
    (row,) = world.project.ledger.judgements.every()
    assert (row.analyst, row.recorded_by, row.probability, row.blind, row.note) == ("ada", "ada", 0.35, True, "talks")
    assert row.question == (MODEL, "deal", None, later(28))


def test_the_same_question_in_other_words(world: World) -> None:
    """By weeks or date; a window names the forecast that asks; percent or not; what was seen is not blind."""
    told = [
        ("--weeks", "13", "-p", "0.4"),
        ("--date", str(later(91)), "-p", "41 %", "--seen"),
        ("--weeks", "13", "--since", str(AS_OF), "-p", "42%"),
    ]
    found = [strict_json(record(world, "deal", *words, "--json").out) for words in told]
    rows = [one["judgement"] for one in found]
    assert [(row["kind"], row["date"], row["probability"], row["blind"]) for row in rows] == [
        ("at", str(later(91)), 0.4, True),
        ("at", str(later(91)), 0.41, False),
        ("by", str(later(91)), 0.42, True),
    ]
    assert [one["model"]["probability"] for one in found] == [0.4, 0.4, 0.45]


def test_revisions_are_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own, with what each revised, and nobody else's; a revision is not blind."""
    assert "judged nothing yet" in ask(world, "judge", "mine", today=TODAY).out
    record(world, "deal", "--weeks", "4", "-p", "35%")
    record(world, "deal", "--weeks", "4", "-p", "20%", days=3)
    monkeypatch.setenv("FORECAST_USER", "bob")
    done = record(world, "deal", "--weeks", "4", "-p", "50%", days=3)
    assert "Pool of 2 analysts: 33%." in done.out
    monkeypatch.setenv("FORECAST_USER", "ada")
    out = ask(world, "judge", "mine", today=later(3)).out
    assert [line.split("\t")[2:4] for line in out.splitlines()[1:]] == [["35%", "blind"], ["35% → 20%", "revised"]]
    rows = strict_json(ask(world, "judge", "mine", "--json", today=later(3)).out)
    assert [(row["analyst"], row["probability"]) for row in rows] == [("ada", 0.35), ("ada", 0.2)]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("-p", "35", "--weeks", "4"), "did you mean 35%?"),
        (("-p", "135%", "--weeks", "4"), "write it as 35% or 0.35"),
        (("-p", "nan", "--weeks", "4"), "write it as 35% or 0.35"),
        (("-p", "-1", "--weeks", "4"), "write it as 35% or 0.35"),
        (("-p", "\u0663", "--weeks", "4"), "write it as 35% or 0.35"),
        (("-p", "35%"), "needs one date"),
        (("-p", "35%", "--weeks", "4", "--date", "2026-02-12"), "needs one date"),
        (("-p", "35%", "--weeks", "5"), "those nearest are --date 2026-02-12"),
        (("-p", "35%", "--weeks", "-1"), "is no horizon"),
        (("-p", "35%", "--date", "12.2.2026"), "is not a date"),
        (("-p", "35%", "--date", "2026-02-12", "--model", "nobody"), "there is no model 'nobody'"),
    ],
)
def test_what_cannot_be_recorded_is_said(world: World, words: tuple[str, ...], fault: str) -> None:
    """One message, exit code 2, and nothing is recorded or shown of the model."""
    done = record(world, "deal", *words)
    assert (done.code, done.out) == (2, "")
    assert fault in done.err
    assert "20%" not in done.err
    assert world.project.ledger.judgements.every() == ()


def test_scores_are_told(world: World) -> None:
    """Before there are answers that is said; then a table of analyst and pools, and the same as JSON."""
    assert "0 judgements of 0 questions" in ask(world, "judge", "scores", today=TODAY).out
    record(world, "deal", "--weeks", "4", "-p", "35%")
    world.look(*(later(7 * k) for k in range(-20, 20)))
    world.resolve(later(60))
    done = ask(world, "judge", "scores", today=later(61))
    assert "ada\tlast\t1\t0\t1\t0.122 (0.431)\t0.122 (0.431)\t0.040 (0.223)" in done.out
    assert "with fewer than 8 clusters nothing can be concluded" in " ".join(done.out.split())
    found = strict_json(ask(world, "judge", "scores", "--json", today=later(61)).out)
    assert [one["name"] for one in found["forecasters"]] == ["ada", "analysts pooled", "analysts and model pooled"]
    assert found["forecasters"][0]["readings"][0]["against"]["brier"] == pytest.approx(0.04)


@pytest.mark.parametrize("columns", [None, 80])
def test_hostile_text_is_inert(world: World, monkeypatch: pytest.MonkeyPatch, columns: int | None) -> None:
    """A name and a note can move no cursor, turn no direction and begin no line."""
    monkeypatch.setenv("FORECAST_USER", HOSTILE)
    if columns:
        monkeypatch.setattr("forecast.cli.tables.known_width", lambda: columns)
    out = record(world, "deal", "--weeks", "4", "-p", "35%", "--note", HOSTILE).out
    world.look(*(later(7 * k) for k in range(-20, 20)))
    world.resolve(later(60))
    out += ask(world, "judge", "mine", today=TODAY).out + ask(world, "judge", "scores", today=later(61)).out
    out += ask(world, "judge", "mine", "--json", today=TODAY).out
    assert not {"\x1b", "\u202e"} & set(out)
    assert not any(line.startswith("line two") for line in out.splitlines())


def test_programs_name_the_analyst(world: World) -> None:
    """The object takes analyst and moment; a name has one spelling, and none is refused."""
    judgements = world.project.judgements
    found = judgements.judge("deal", probability=0.3, analyst=" eve ", now=noon(later(1)), weeks=4)
    assert (found.judgement.analyst, found.model.probability) == ("eve", 0.2)
    assert (
        judgements.judge("deal", probability=0.3, analyst="eve", now=noon(later(2)), weeks=4).judgement.blind is False
    )
    assert len(judgements.made_by("eve")) == 2
    with pytest.raises(InputError, match="say whose it is"):
        judgements.judge("deal", probability=0.3, analyst=" ", now=noon(later(2)), weeks=4)
    assert "ada" not in repr(judgements.score())

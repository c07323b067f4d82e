"""A forecast as STIX: valid objects that refer to each other, machine tags and confidence by the published scales."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import stix2
from projects import archived, call, issued_copy, issued_once, strict_json
from stix2.confidence import scales

from forecast.ledger.admiralty import CREDIBILITY, machine_tags
from forecast.ledger.issued import Resolution
from forecast.ledger.sqlite import SqliteLedger
from forecast.quantities.likelihood import TERMS, likelihood_of, likelihood_tag
from forecast.record import stix
from forecast.record.stix import stix_bundle

if TYPE_CHECKING:
    from pathlib import Path

# The taxonomies `estimative-language` (version 5) and `admiralty-scale` (version 5) of MISP: the values of their
# predicates, with the least per cent of the first.
ESTIMATIVE = {
    "almost-no-chance": 0, "very-unlikely": 5, "unlikely": 20, "roughly-even-chance": 45, "likely": 55,
    "very-likely": 80, "almost-certain": 95,
}  # fmt: skip
RELIABILITY, INFORMATION = "abcdefg", "123456"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Give the archived data of the forecast that was issued once."""
    return json.loads(archived(issued_once()[0])[-1].content)


def objects_of(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Give the objects of one type."""
    return [row for row in bundle["objects"] if row["type"] == kind]


def test_the_bundle_is_stix_without_extensions(report: dict[str, Any]) -> None:
    """`stix2` reads every object as the standard has it, and every reference leads to an object of the bundle."""
    bundle = stix_bundle(report, "Our desk")
    parsed = stix2.parse(json.dumps(bundle), allow_custom=False)
    assert len(parsed.objects) == len(bundle["objects"])
    ids = Counter(row["id"] for row in bundle["objects"])
    assert max(ids.values()) == 1
    references = [
        reference
        for row in bundle["objects"]
        for key, value in row.items()
        if key.endswith(("_ref", "_refs"))
        for reference in ([value] if isinstance(value, str) else value)
    ]
    assert set(references) <= set(ids)
    (about,) = objects_of(bundle, "report")
    assert len(set(about["object_refs"])) == len(about["object_refs"])
    assert about["published"] == f"{report['issued_at'][:19]}.000Z"
    assert about["description"].splitlines() == [*report["headline"]["sentences"], *report["notes"]]


def test_each_probability_is_a_note_on_the_report(report: dict[str, Any]) -> None:
    """It says what is claimed, how likely that is and in which words; confidence follows the standard's scale."""
    bundle = stix_bundle(report, "Our desk")
    notes = objects_of(bundle, "note")
    rows = [row for row in report["forecast"]["quantities"] if row["kind"] == "at"]
    (about,) = objects_of(bundle, "report")
    assert len(notes) == len(rows) == 20
    for note, row in zip(notes, rows, strict=True):
        assert note["abstract"].startswith(report["model"]["outcomes"][row["outcome"]]["label"])
        assert note["labels"] == [likelihood_tag(row["estimate"]["mean"])]
        assert note["object_refs"] == [about["id"]]
        assert "%" in note["content"]


def test_each_row_is_a_sighting_by_its_source(report: dict[str, Any]) -> None:
    """Grade, source, address, days and the row's own name are kept; what did not count says why."""
    bundle = stix_bundle(report, "Our desk")
    by_id = {row["id"]: row for row in bundle["objects"]}
    sightings = {row["external_references"][0]["external_id"]: row for row in objects_of(bundle, "sighting")}
    rows = report["evidence"]["rows"]
    assert set(sightings) == {row["id"] for row in rows}
    for row in rows:
        sighting = sightings[row["id"]]
        assert sighting["labels"] == list(machine_tags(row["grade"]))
        assert sighting["first_seen"][:10] <= row["date"] <= sighting["last_seen"][:10]
        assert (sighting["first_seen"][:10] == sighting["last_seen"][:10]) == (row["precision"] == "day")
        assert [by_id[source]["name"] for source in sighting["where_sighted_refs"]] == [row["source"]]
        assert by_id[sighting["sighting_of_ref"]]["name"] == row["what"]
        assert [page["url"] for page in sighting["external_references"][1:]] == ([row["url"]] if row["url"] else [])
        assert (row["left_out"] or "") in sighting["description"]
    dated = sightings["azal-demands-refused"]
    assert (dated["first_seen"], dated["last_seen"]) == ("2024-12-01T00:00:00.000Z", "2024-12-31T23:59:59.999Z")


def test_rows_of_one_event_are_sightings_of_one_incident(report: dict[str, Any]) -> None:
    """Two sources of one story and indicator sight one incident; another story, or another indicator, is another."""
    report = copy.deepcopy(report)
    first = {**report["evidence"]["rows"][0], "story": "one"}
    again = {**first, "id": "again", "source": "Another", "grade": "F6", "url": "", "note": ""}
    others = [{**first, "id": "other", "story": "two"}, {**first, "id": "third", "name": "another_indicator"}]
    report["evidence"]["rows"] = [first, again, *others]
    bundle = stix_bundle(report, "Our desk")
    sighted = {
        row["external_references"][0]["external_id"]: row["sighting_of_ref"] for row in objects_of(bundle, "sighting")
    }
    assert sighted[first["id"]] == sighted["again"]
    assert len(set(sighted.values())) == len(objects_of(bundle, "incident")) == 3
    (unjudged,) = [row for row in objects_of(bundle, "sighting") if "confidence" not in row]
    assert unjudged["labels"] == [
        'admiralty-scale:source-reliability="f"', 'admiralty-scale:information-credibility="6"',
    ]  # fmt: skip
    assert "description" not in unjudged
    assert stix2.parse(json.dumps(bundle), allow_custom=False)


def test_what_is_the_same_has_the_same_id(report: dict[str, Any]) -> None:
    """A later issue repeats the objects of old rows and has a report and notes of its own."""
    first = stix_bundle(report, "Our desk")
    assert stix_bundle(report, "Our desk") == first
    later = copy.deepcopy(report)
    later["issued_at"] = "2027-01-01T00:00:00+00:00"
    second = stix_bundle(later, "Our desk")
    for kind, same in (("identity", True), ("incident", True), ("sighting", True), ("report", False), ("note", False)):
        before, after = ({row["id"] for row in objects_of(bundle, kind)} for bundle in (first, second))
        assert (before == after) if same else not before & after, kind
    assert not {first["id"]} & {second["id"], stix_bundle(report, "Another desk")["id"]}


def test_a_forecast_without_evidence_is_a_report_by_its_author(report: dict[str, Any]) -> None:
    """A report needs an object to refer to; where there are no rows it is the author."""
    empty = {**report, "evidence": {"rows": []}}
    del empty["headline"]  # older forecasts have none
    bundle = stix_bundle(empty, "Our desk")
    assert stix2.parse(json.dumps(bundle), allow_custom=False)
    (author,) = objects_of(bundle, "identity")
    assert objects_of(bundle, "report")[0]["object_refs"] == [author["id"]]


@pytest.mark.parametrize(
    ("mean", "answer", "opinion"),
    [
        (0.9, "yes", "strongly-agree"), (0.6, "yes", "agree"), (0.5, "no", "neutral"), (0.3, "yes", "disagree"),
        (0.9, "no", "strongly-disagree"), (0.1, "no", "strongly-agree"),
    ],
)  # fmt: skip
def test_an_answer_is_an_opinion_on_the_note(report: dict[str, Any], mean: float, answer: Any, opinion: str) -> None:
    """It agrees as far as the forecast had given to what came; by whom and why is said, and `stix2` reads it."""
    report = copy.deepcopy(report)
    row = next(row for row in report["forecast"]["quantities"] if row["kind"] == "at")
    row["estimate"] |= {"mean": mean, "low": mean / 2, "high": (1 + mean) / 2}
    day = dt.date.fromisoformat(row["date"])
    said = Resolution(
        model=report["model"]["name"], outcome=row["outcome"], date=day, answer=answer, how="analyst",
        reason="An observer said so", url="https://example.org/why", as_of=day, frozen=None, model_hash="x",
        recorded_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    other = replace(said, since=day - dt.timedelta(days=28))  # of a question by a date, which has no note
    bundle = stix_bundle(report, "Our desk", [said, other])
    stix2.parse(json.dumps(bundle), allow_custom=False)
    (found,) = objects_of(bundle, "opinion")
    (about,) = [note for note in objects_of(bundle, "note") if note["id"] in found["object_refs"]]
    assert about["labels"] == [likelihood_tag(mean)]
    assert (found["opinion"], found["created"]) == (opinion, "2026-03-01T00:00:00.000Z")
    assert "by an analyst" in found["explanation"]
    assert "An observer said so" in found["explanation"]
    assert found["external_references"] == [{"source_name": said.reason, "url": said.url}]
    without = stix_bundle(report, "Our desk", [replace(said, answer="void")])
    assert not objects_of(without, "opinion")
    assert without == stix_bundle(report, "Our desk")


# Scales.


def test_words_are_those_of_the_taxonomy() -> None:
    """Each word stands for its range in the taxonomy, from its least per cent on."""
    assert {term: round(100 * least) for term, least in TERMS.items()} == ESTIMATIVE
    ordered = sorted(ESTIMATIVE.items(), key=lambda row: row[1])
    for (below, _), (term, least) in pairwise(ordered):
        assert likelihood_of(least / 100) == term
        assert likelihood_of(least / 100 - 1e-9) == below
    assert (likelihood_of(0.0), likelihood_of(1.0)) == ("almost-no-chance", "almost-certain")
    assert likelihood_tag(0.6) == 'estimative-language:likelihood-probability="likely"'


def test_confidence_is_that_of_the_standard() -> None:
    """Words and grades have the values that STIX's Appendix A gives them, as `stix2` has them."""
    for value in stix.CONFIDENCE.values():
        assert scales.dni_to_value(scales.value_to_dni(value)) == value
    words = {term: scales.value_to_dni(value).split(" / ")[0] for term, value in stix.CONFIDENCE.items()}
    assert words == {term: term.replace("-", " ").title() for term in ESTIMATIVE}
    names = {"1": "Confirmed by other sources", "2": "Probably True", "3": "Possibly True", "4": "Doubtful"}
    for digit, name in {**names, "5": "Improbable"}.items():
        assert stix.CREDIBILITY[digit] == scales.admiralty_credibility_to_value(f"{digit} - {name}")


@pytest.mark.parametrize("grade", CREDIBILITY)
def test_grades_are_those_of_the_taxonomy(grade: str) -> None:
    """Every grade has two tags with values that the taxonomy knows."""
    source, information = machine_tags(grade)
    assert source in {f'admiralty-scale:source-reliability="{value}"' for value in RELIABILITY}
    assert information in {f'admiralty-scale:information-credibility="{value}"' for value in INFORMATION}
    assert (source[-2].upper(), information[-2]) == tuple(grade)


# Commands.


def test_export_stix_writes_the_issue_that_was_asked_for(tmp_path: Path) -> None:
    """The last by default, or that of a day; the same issue gives the same bytes, whatever was recorded since."""
    root = issued_copy(tmp_path)
    done = call("export-stix", "a.json", cwd=root)
    bundle = strict_json((root / "a.json").read_text(encoding="utf-8"))
    count = len(bundle["objects"])
    assert done == (0, f"{count} objects about the forecast of russia_azerbaijan as of 2026-01-08 in a.json\n", "")
    said = ("--date", "2026-01-07", "--source", "Press service", "--grade", "A1")
    assert call("observe", "presidents_meeting", *said, cwd=root).code == 0
    told = strict_json(call("export-stix", "b.json", "--as-of", "2026-01-08", "--json", cwd=root).out)
    assert (root / "a.json").read_bytes() == (root / "b.json").read_bytes()
    assert (told["file"], told["id"], told["as_of"]) == ("b.json", bundle["id"], "2026-01-08")
    assert told["objects"] == Counter(row["type"] for row in bundle["objects"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.json", "--as-of", "2025-12-31"), "no forecast as of 2025-12-31 has been issued; there are 2026-01-08 to"),
        (("a.json", "--model", "doves"), "no forecast of a model 'doves' has been issued"),
        (("a.xml",), "'.xml' is not a format for a STIX bundle; use .json"),
        (("nowhere/a.json",), "cannot be written"),
        (("a.json", "--author", " "), "--author is empty"),
    ],
)
def test_wrong_input_is_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    """Each fault is one message on standard error, and nothing is written."""
    root = issued_once()[0]
    done = call("export-stix", *arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.split())
    assert not (root / arguments[0]).exists()


def test_tags_are_seen_without_stix(tmp_path: Path) -> None:
    """The table of the archive has that of each probability, `log --json` those of each observation."""
    root = issued_copy(tmp_path)
    assert call("export-archive", "a.csv", cwd=root).code == 0
    assert 'estimative-language:likelihood-probability=""' in (root / "a.csv").read_text(encoding="utf-8")
    cover = ("cover", "*", "--from", "2025-12-01", "--to", "2025-12-31", "--source", "me")
    assert call(*cover, cwd=root).code == 0
    coverage, row = strict_json(call("log", "--limit", "2", "--json", cwd=root).out)
    assert coverage["tags"] == []
    ledger = SqliteLedger.open(root / "data" / "ledger.db")
    assert row["tags"] == list(machine_tags(ledger.log("russia_azerbaijan", 2)[1].grade or ""))

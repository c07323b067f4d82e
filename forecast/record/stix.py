"""An issued forecast as a bundle of STIX 2.1 objects, with MISP's machine tags as their labels.

A *report* stands for the forecast. Each probability is a *note* on it. Each event of the evidence is an *incident*, and
each row of the ledger that tells of it a *sighting* of that incident by its source, an *identity*. What the world has
answered since is an *opinion* on the note that it confirms or does not. Nothing is read but the archived forecast and
those answers, so that the same give the same bytes. "STIX Version 2.1", OASIS Standard,
https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html; the scales of confidence are those of its Appendix A.
"""

from __future__ import annotations

import calendar
import datetime as dt
import json
import uuid
from itertools import groupby
from typing import TYPE_CHECKING, Any

from forecast import ledger, quantities
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.files import replace_file
from forecast.base.sanitise import escaped_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.issued import Resolution


NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "scenario-cascade")
SAME_EVER = "2026-01-01T00:00:00.000Z"  # an identity is a name; a time that differs would make it another version
CONFIDENCE = {  # of ICD 203's words, "DNI Scale"
    "almost-certain": 95,
    "very-likely": 85,
    "likely": 70,
    "roughly-even-chance": 50,
    "unlikely": 30,
    "very-unlikely": 15,
    "almost-no-chance": 5,
}
CREDIBILITY = {"1": 90, "2": 70, "3": 50, "4": 30, "5": 10}  # "Admiralty Credibility"; 6 cannot be judged


OPINIONS = (  # on a note, from the probability on that it gave to what came; the ends are those of ICD 203
    (0.80, "strongly-agree"), (0.55, "agree"), (0.45, "neutral"), (0.20, "disagree"), (0.0, "strongly-disagree"),
)  # fmt: skip


def stix_bundle(report: Mapping[str, Any], author: str, answers: Iterable[Resolution] = ()) -> dict[str, Any]:
    """Give archived ``report`` data as a bundle that ``author`` vouches for.

    ``answers`` are those to the questions of its model: each that is no void, to a date that it speaks of, is an
    opinion.
    """
    forecast, issued = report["forecast"], _moment(dt.datetime.fromisoformat(report["issued_at"]))
    creator = _identity(author)
    evidence = [creator, *_evidence(report["evidence"]["rows"], creator["id"])]
    said = (*report.get("headline", {}).get("sentences", ()), *report["notes"])
    about = _object(
        "report",
        issued,
        created_by_ref=creator["id"],
        name=f"{report['model']['title']}: forecast as of {forecast['as_of']}",
        description="\n".join(said),
        published=issued,
        object_refs=list(dict.fromkeys(row["id"] for row in evidence)),
    )
    said_at = {(row.outcome, str(row.date)): row for row in answers if row.since is None and row.answer != "void"}
    notes = _probabilities(report, issued, creator["id"], about["id"], said_at)
    objects = {row["id"]: row for row in (*evidence, about, *notes)}
    return {"type": "bundle", "id": _id("bundle", list(objects)), "objects": list(objects.values())}


def write_bundle(bundle: Mapping[str, Any], path: Path) -> None:
    """Write a bundle to a .json file, whole or not at all; `InputError` if the name ends otherwise or it cannot."""
    if path.suffix.lower() != ".json":
        msg = f"{path}: {path.suffix!r} is not a format for a STIX bundle; use .json"
        raise InputError(msg)
    replace_file(path, (escaped_json(json.dumps(bundle, ensure_ascii=False, indent=1)) + "\n").encode())


def _probabilities(
    report: Mapping[str, Any], issued: str, author: str, about: str, answers: Mapping[tuple[str, str], Resolution]
) -> Iterator[dict[str, Any]]:
    """Give a note for each probability on a date, with the opinion of the answer that has come since."""
    labels = {name: row["label"] for name, row in report["model"]["outcomes"].items()}
    for row in report["forecast"]["quantities"]:
        if row["kind"] == "at":
            claim = f"{labels[row['outcome']]} on {prose.on_day(row['date'])}"
            mean = row["estimate"]["mean"]
            note = _object(
                "note",
                issued,
                created_by_ref=author,
                abstract=claim,
                content=f"{claim}: {prose.spread(row['estimate'])}. Brackets hold the 90 % interval.",
                confidence=CONFIDENCE[quantities.likelihood_of(mean)],
                labels=[quantities.likelihood_tag(mean)],
                object_refs=[about],
            )
            yield note
            if answer := answers.get((row["outcome"], row["date"])):
                yield _opinion(answer, mean, author, note["id"])


def _opinion(answer: Resolution, mean: float, author: str, note: str) -> dict[str, Any]:
    """Say how far the answer agrees with a probability: by what it gave to that which came."""
    right = mean if answer.answer == "yes" else 1.0 - mean
    by = "an analyst" if answer.how == "analyst" else "the rule of the outcome"
    page = [{"source_name": answer.reason, "url": answer.url}] if answer.url else []
    return _object(
        "opinion",
        _moment(answer.recorded_at),
        created_by_ref=author,
        explanation=f"The answer is {answer.answer}, by {by}, to which the forecast had given {prose.chance(right)}: "
        f"{answer.reason}",
        opinion=next(word for least, word in OPINIONS if right >= least),
        object_refs=[note],
        **({"external_references": page} if page else {}),
    )


def _evidence(rows: Sequence[Mapping[str, Any]], author: str) -> Iterator[dict[str, Any]]:
    """Give each event with the sightings of it; rows with one story and one indicator tell of one event."""

    def event(row: Mapping[str, Any]) -> tuple[str, str]:
        return row["name"], row["story"] or row["id"]

    for _, group in groupby(sorted(rows, key=lambda row: (event(row), row["reported_on"], row["id"])), key=event):
        told = list(group)
        incident = _object(
            "incident",
            _midnight(told[0]["reported_on"]),
            created_by_ref=author,
            name=told[0]["what"],
            description=f"{told[0]['name']}, which points to {prose.listed(told[0]['points_to'])}",
            external_references=[_own("/".join(event(told[0])))],
        )
        yield incident
        for row in told:
            source = _identity(row["source"])
            yield source
            yield _sighting(row, author, incident["id"], source["id"])


def _sighting(row: Mapping[str, Any], author: str, incident: str, source: str) -> dict[str, Any]:
    first, last = _days(dt.date.fromisoformat(row["date"]), row["precision"])
    said = [row["note"], f"Not counted in the forecast: {row['left_out']}" if row["left_out"] else ""]
    confidence = CREDIBILITY.get(row["grade"][1])
    page = [{"source_name": row["source"], "url": row["url"]}] if row["url"] else []
    return _object(
        "sighting",
        _midnight(row["reported_on"]),
        created_by_ref=author,
        labels=list(ledger.machine_tags(row["grade"])),
        first_seen=_midnight(first),
        last_seen=f"{last}T23:59:59.999Z",
        sighting_of_ref=incident,
        where_sighted_refs=[source],
        external_references=[_own(row["id"]), *page],
        **({"description": text} if (text := "\n".join(filter(None, said))) else {}),
        **({"confidence": confidence} if confidence else {}),
    )


def _own(name: str) -> dict[str, str]:
    """Refer to what the ledger calls so."""
    return {"source_name": "scenario-cascade", "external_id": name}


def _days(date: dt.date, precision: str) -> tuple[dt.date, dt.date]:
    """Give the first and the last day on which it may have been."""
    if precision == "day":
        return date, date
    return date.replace(day=1), date.replace(day=calendar.monthrange(date.year, date.month)[1])


def _identity(name: str) -> dict[str, Any]:
    return _object("identity", SAME_EVER, name=name)


def _object(kind: str, created: str, **fields: object) -> dict[str, Any]:
    """Make an object whose id follows from all that it says, so that what says something else is another object."""
    said = {"spec_version": "2.1", "created": created, "modified": created, **fields}
    return {"type": kind, "id": _id(kind, said), **said}


def _id(kind: str, content: object) -> str:
    return f"{kind}--{uuid.uuid5(NAMESPACE, f'{kind} {json.dumps(content, sort_keys=True)}')}"


def _midnight(day: object) -> str:
    return f"{day}T00:00:00.000Z"


def _moment(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"

"""The API does what its own document says, whatever is sent: no fault of ours, and every answer under its schema."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from service_scenes import ROW, served

from forecast.service import limits

if TYPE_CHECKING:
    from schemathesis import APIOperation
    from service_scenes import Served

    from forecast.ledger.tokens import Scope

DOCUMENT = "/api/v1/openapi.json"
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
STREAMED = 1  # seconds that a stream is listened to: of a job that nobody does it has no end
ENDLESS = "/api/v1/events"  # which answers as long as somebody listens
KNOWN: dict[str, st.SearchStrategy[Any]] = {  # values that are there, so that not every answer is that there is none
    "model": st.just("tiny"),
    "number": st.sampled_from(["1", "2", "latest"]),
    "outcome": st.sampled_from(["tension", "peace"]),
    "indicator": st.sampled_from(["march", "shot", "flood"]),
    "seen": st.lists(st.sampled_from(["march", "shot", "flood@2025-01-20"]), max_size=3),
    "not_seen": st.dictionaries(st.sampled_from(["march", "flood"]), st.just("2025-01-20"), max_size=2),
    "states": st.dictionaries(st.sampled_from(["near", "far"]), st.sampled_from(["tense", "calm", "low"]), max_size=2),
    "grade": st.sampled_from(["A1", "B2", "F6", "Z9"]),
    "date": st.sampled_from(["2025-01-13", "2025-01-20", "2024-12-24"]),
    "as_of": st.sampled_from(["2025-01-08", "2025-01-15", "2024-01-01", "2030-01-01"]),
    "source": st.sampled_from(["Press", "x"]),
    "weeks": st.sampled_from([4, 13, 26]),
    "kind": st.just("observation"),
}


@pytest.fixture(scope="module")
def free(team: Served) -> Served:
    """Serve without a limit of requests in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BURST", 1e9)
        return served(team.desk.root)


def _operations(team: Served) -> list[APIOperation]:
    schema = schemathesis.openapi.from_asgi(DOCUMENT, team.client.app)
    found = [one.ok() for one in schema.get_all_operations()]
    return [one for one in found if one.path != ENDLESS]


def _known(data: st.DataObject, part: Any) -> Any:
    """Put values that are there in the place of some of those that were made up."""
    if not isinstance(part, dict):
        return part
    return {
        key: data.draw(KNOWN[key]) if key in KNOWN and data.draw(st.integers(0, 3)) else value
        for key, value in part.items()
    }


def _faults(team: Served, operation: APIOperation, count: int) -> list[str]:
    """Send requests that fit the document and such that do not, with a token of each scope; gives what is wrong."""
    found: list[str] = []
    bearers = [team.bearer(scope) for scope in SCOPES]
    good = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    bad = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    try:
        bad.validate()
    except Exception:  # noqa: BLE001 - an operation that takes nothing cannot be asked wrongly
        bad = good

    @seed(20260108)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        wrong = data.draw(st.integers(0, 3)) == 0
        case = data.draw(bad if wrong else good)
        if not wrong:
            case.path_parameters = _known(data, case.path_parameters)
            case.query = _known(data, case.query)
            if operation.method == "post" and "observations" in operation.path and data.draw(st.booleans()):
                case.body = ROW | (case.body if isinstance(case.body, dict) and "reason" in case.body else {})
            case.body = _known(data, case.body)
        for bearer in bearers:
            try:
                case.call_and_validate(headers=dict(case.headers or {}) | bearer, checks=CHECKS, timeout=STREAMED)
            except (AssertionError, BaseExceptionGroup) as error:
                told = [str(one) for one in getattr(error, "exceptions", [error])]
                found.append(f"{operation.label}: {told}"[:2000])
            except UnicodeEncodeError:
                return  # what cannot be sent

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
    return found


def test_a_few_requests_to_each_address_are_answered_as_the_document_says(free: Served) -> None:
    """Status, type of content, headers and schema of every answer are those of the document."""
    operations = _operations(free)
    assert len(operations) >= 24
    assert [fault for one in operations for fault in _faults(free, one, 5)] == []


@pytest.mark.slow
def test_many_requests_to_each_address_are_answered_as_the_document_says(free: Served) -> None:
    """As above, of some 5,000 requests."""
    assert [fault for one in _operations(free) for fault in _faults(free, one, 80)] == []
    assert free.desk.project.ledger.verify() == ()

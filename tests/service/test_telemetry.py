"""Traces and metrics where the standard variables ask for them: what is told, what is kept back, and silence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, override

import pytest
from forking import run_forked
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from projects import environment
from service_scenes import MODEL, NOW, ROW, Served
from starlette.testclient import TestClient
from year import issued_tiny

from forecast.base.errors import InputError
from forecast.service import telemetry, worker
from forecast.service.app import Door, application
from forecast.service.desk import Desk
from forecast.service.telemetry import Telemetry, begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


class Heard(NamedTuple):
    """What a telemetry told, kept in memory."""

    telemetry: Telemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Give the spans that have ended, of a name."""
        return [span for span in self.exporter.get_finished_spans() if not name or span.name == name]

    def points(self, name: str) -> list[Any]:
        """Collect the metrics, and give the points of one."""
        data = self.reader.get_metrics_data()
        found = [
            one
            for part in (data.resource_metrics if data else ())
            for scope in part.scope_metrics
            for one in scope.metrics
        ]
        return [point for one in found if one.name == name for point in one.data.data_points]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Keep in memory what is told."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    telling = Telemetry(traces, MeterProvider([reader]))
    yield Heard(telling, exporter, reader)
    telling.close()


@pytest.fixture
def told(heard: Heard, tmp_path: Path) -> Served:
    """Serve a copy of the issued project, whose service tells."""
    desk = Desk(Path(shutil.copytree(issued_tiny(), tmp_path / "project")), lambda: NOW, heard.telemetry)
    return Served(desk, TestClient(application(desk, Door()), base_url="http://127.0.0.1:8000"))


def test_a_request_is_told_by_its_route_and_status(heard: Heard, told: Served) -> None:
    """Span and duration have the template of the address; the forecast that was made is a part of its request."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    asked = told.client.get(f"{MODEL}/forecast", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert asked.status_code == 200
    route = "/api/v1/models/{model}/forecast"
    (span,) = heard.spans(f"GET {route}")
    expected = {"http.request.method": "GET", "http.route": route, "http.response.status_code": 200}
    assert dict(span.attributes or {}) == expected
    assert f"{span.context.trace_id:032x}" == trace  # a proxy's trace goes on
    (made,) = heard.spans("forecast")
    assert made.parent is not None
    assert made.parent.span_id == span.context.span_id
    assert dict(made.attributes or {}) == {"forecast.model": "tiny", "forecast.as_of": "2025-01-15"}
    (point,) = [one for one in heard.points("http.server.request.duration") if one.attributes == expected]
    assert (point.count, point.sum > 0) == (1, True)
    told.client.get(f"{MODEL}/forecast")
    assert len(heard.spans("forecast")) == 1  # it was there


@pytest.mark.parametrize(
    ("asked", "status", "name"),
    [
        ("GET /api/v1/health", 200, "GET /api/v1/health"),
        ("GET /sign-in", 200, "GET /sign-in"),
        ("GET /nowhere/secret", 404, "GET"),
        (f"POST {MODEL}/observations", 401, "POST /api/v1/models/{model}/observations"),
        ("BREW /api/v1/health", 405, "_OTHER /api/v1/health"),
    ],
)
def test_every_request_is_told_once(heard: Heard, told: Served, asked: str, status: int, name: str) -> None:
    """Also one that is refused; what the peer invents, methods and addresses, is no name of a span."""
    assert told.client.request(*asked.split(), json=ROW).status_code == status
    assert [span.name for span in heard.spans()] == [name]
    assert (heard.spans()[0].attributes or {})["http.response.status_code"] == status


def test_nothing_that_was_said_is_told(heard: Heard, told: Served) -> None:
    """No query, no token, no name, no text of evidence, no message of an error is in what leaves."""
    bearer = told.bearer("write", "Ada Lovelace")
    row = ROW | {"note": "a whispered note", "url": "https://example.org/leak"}
    assert told.client.post(f"{MODEL}/observations", json=row, headers=bearer).status_code == 201
    told.client.post(f"{MODEL}/observations", json=row | {"indicator": "whisper"}, headers=bearer)
    told.client.get(f"{MODEL}/indicators?words=whispered+words", headers=bearer)
    told.client.get(f"{MODEL}/observations/whispered-id/correction")
    telling = json.dumps([json.loads(span.to_json()) for span in heard.spans()])
    telling += heard.reader.get_metrics_data().to_json()
    token = bearer["authorization"].removeprefix("Bearer ")
    for secret in ("whisper", "words=", token, token[:12], "Lovelace", "leak", "march", str(told.desk.root)):
        assert secret not in telling, secret


def test_a_failure_is_told_by_its_kind(heard: Heard, told: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An accident marks its span, without what it says."""

    def broken(*_: object, **__: object) -> None:
        message = "a whispered secret"
        raise ZeroDivisionError(message)

    monkeypatch.setattr(type(told.desk.project), "update", broken)
    client = TestClient(told.client.app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    assert client.get(f"{MODEL}/forecast").status_code == 500
    for span in heard.spans():
        assert (span.attributes or {})["error.type"] == "ZeroDivisionError"
        assert not span.status.is_ok
        assert not span.events
        assert "whispered" not in span.to_json()
    assert len(heard.spans()) == 2


def test_age_and_alarm_are_gauges(heard: Heard, told: Served) -> None:
    """They are those of the stamp, today's, as soon as somebody has asked for a model."""
    assert heard.points("forecast.evidence.age") == []
    told.client.get(f"{MODEL}/forecast")
    rings = told.desk.standing("tiny", told.desk.today()).alarm.result()["rings"]
    (age,), (alarm,) = heard.points("forecast.evidence.age"), heard.points("forecast.alarm.rings")
    stamp = told.client.get(f"{MODEL}/forecast").json()["rests_on"]
    assert (age.value, dict(age.attributes)) == (stamp["evidence_age_days"], {"forecast.model": "tiny"})
    assert age.value == 7
    assert alarm.value == int(rings)
    told.client.post(f"{MODEL}/observations", json=ROW, headers=told.bearer("write"))
    (age,) = heard.points("forecast.evidence.age")
    assert age.value == 2


def test_a_job_is_told_with_its_stages_and_its_end(heard: Heard, told: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages are parts of the job; a job that fails counts as such, and says of why only the kind."""

    def run(_: object, job: Any, on_stage: Any, on_draw: Any, __: float) -> int:
        on_stage("sampling")
        on_draw(1, 2)
        on_stage("sampling")
        on_stage("explaining")
        if str(job.as_of) == "2025-01-08":
            message = "a whispered secret"
            raise InputError(message)
        return 1

    monkeypatch.setattr(worker, "_run", run)
    bearer = told.bearer("write")
    for body in ({}, {"as_of": "2025-01-08"}):
        told.client.post(f"{MODEL}/runs", json=body, headers=bearer)
    worker.work(told.desk.root, lambda: NOW, stop=threading.Event(), once=True, telemetry=heard.telemetry)
    jobs = heard.spans("job")
    assert [(span.attributes or {}).get("error.type") for span in jobs] == [None, "InputError"]
    stages = heard.spans("stage")
    assert [(span.attributes or {})["forecast.stage"] for span in stages] == ["sampling", "explaining"] * 2
    assert {span.parent.span_id for span in stages if span.parent} == {span.context.span_id for span in jobs}
    assert "whispered" not in "".join(span.to_json() for span in (*jobs, *stages))


def test_jobs_are_counted_by_how_they_end(heard: Heard) -> None:
    """One that fails and two that do not."""
    for fails in (False, True, False):
        with suppress(InputError), heard.telemetry.job("tiny", 1):
            if fails:
                message = "no"
                raise InputError(message)
    points = {point.attributes["forecast.job.state"]: point.value for point in heard.points("forecast.jobs")}
    assert points == {"done": 2, "failed": 1}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        ENDPOINT | {"OTEL_SDK_DISABLED": "true"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_SERVICE_NAME": "x"},
    ],
)
def test_without_being_asked_it_is_silent(variables: dict[str, str]) -> None:
    """Variables that ask for nothing, or for silence, give a telemetry that is off."""
    assert not begin(variables).on


@pytest.mark.parametrize(
    "variables", [{}, {"OTEL_SDK_DISABLED": "true", **ENDPOINT}, {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", **ENDPOINT}]
)
def test_what_is_off_is_not_imported(variables: dict[str, str], told: Served) -> None:
    """A service that answers has nothing of the SDK or its exporters; FastAPI itself imports the interface."""
    if "FASTAPI_OTEL_AUTO_CONFIGURE" in variables:
        variables = variables | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    program = f"""
import datetime as dt, pathlib, sys
from starlette.testclient import TestClient
from forecast.service.app import Door, application
from forecast.service.desk import Desk
from forecast.service.telemetry import begin
desk = Desk(pathlib.Path({str(told.desk.root)!r}), lambda: dt.datetime(2025, 1, 15, tzinfo=dt.UTC), begin())
with TestClient(application(desk, Door())) as client:
    assert client.get("/api/v1/models/tiny/forecast").status_code == 200
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    command, env = [sys.executable, "-c", program], environment(**variables)
    if "FASTAPI_OTEL_AUTO_CONFIGURE" in variables:  # which FastAPI may read when it is imported
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    else:
        done = run_forked(command, cwd=told.desk.root, env=env)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_telemetry_itself_imports_nothing() -> None:
    """Without FastAPI, not even the interface is there."""
    program = (
        "import sys; from forecast.service.telemetry import begin; begin({}); print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_asked_for_but_missing_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, by its name."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InputError, match=r"pip install 'scenario-cascade\[telemetry\]'"):
        begin(ENDPOINT)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER names 'zipkin'"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "sends http/protobuf and nothing else"),
    ],
)
def test_what_cannot_be_told_is_refused(variables: dict[str, str], said: str) -> None:
    """An exporter or a protocol that is not there is no silence."""
    with pytest.raises(InputError, match=said):
        begin(variables)


def test_fastapi_is_silent_by_itself() -> None:
    """Its own telemetry, which sends queries, is off, whatever else in the process makes providers."""
    assert telemetry.OWN == {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


class _Collector(BaseHTTPRequestHandler):
    """Takes what is exported."""

    got: list[str]

    def do_POST(self) -> None:
        """Note the path."""
        self.rfile.read(int(self.headers["content-length"]))
        self.got.append(self.path)
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_collector_is_told_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but the endpoint set, traces and metrics arrive there, at the latest when the service ends."""
    _Collector.got = []
    server = HTTPServer(("127.0.0.1", 0), _Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        telling = begin()
        with telling.job("tiny", 1):
            pass
        telling.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert set(_Collector.got) == {"/v1/traces", "/v1/metrics"}

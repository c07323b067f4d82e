"""Traces and metrics by OpenTelemetry, where the standard variables ask for them; silent, and not imported, otherwise.

What leaves are routes, statuses, names of models, stages of runs and durations: no query, no token, no name of a
person, no text of evidence, and of an error only its kind.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


NAME = "scenario-cascade"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PATIENCE = 3.0  # seconds
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
SIGNALS = ("TRACES", "METRICS")
OWN: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""What FastAPI is told of its own telemetry, which would send queries: to be silent."""


class Seen(NamedTuple):
    """How the present forecast of a model stands: age of its newest evidence, and whether the alarm rings if known."""

    model: str
    age_days: int | None
    rings: bool | None


class Telemetry:
    """Tells of requests, forecasts and jobs to whoever was named; without providers it tells nothing."""

    def __init__(self, traces: TracerProvider | None = None, metrics: MeterProvider | None = None) -> None:
        """Tell what providers of the SDK pass on."""
        self._providers = [one for one in (traces, metrics) if one is not None]
        self.tracer = traces.get_tracer(NAME, version(NAME)) if traces else None
        self._meter = metrics.get_meter(NAME, version(NAME)) if metrics else None
        if self._meter:
            self._duration = self._meter.create_histogram(
                "http.server.request.duration", "s", "Duration of requests", explicit_bucket_boundaries_advisory=BUCKETS
            )
            self._jobs = self._meter.create_counter("forecast.jobs", "{job}", "Runs that have ended")

    @property
    def on(self) -> bool:
        """Whether anything is told."""
        return bool(self._providers)

    def close(self) -> None:
        """Pass on what is left, and end; a collector that does not answer is not waited for longer than `PATIENCE`."""
        ends = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._providers]
        for end in ends:
            end.start()
        for end in ends:
            end.join(PATIENCE)

    @contextmanager
    def span(self, name: str, **attributes: str | int) -> Generator[None]:
        """Tell how long the block takes, and whether it fails."""
        if self.tracer is None:
            yield
            return
        with self.tracer.start_as_current_span(
            name, attributes={f"forecast.{key}": value for key, value in attributes.items()},
            record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip
            try:
                yield
            except BaseException as error:
                _fail(span, type(error).__name__)
                raise

    @contextmanager
    def job(self, model: str, number: int) -> Generator[Callable[[str], None]]:
        """Tell of a run; what is given is told each stage as it begins, and may be told the same again."""
        stages = _Stages(self)
        state = "failed"
        try:
            with self.span("job", model=model, job=number):
                try:
                    yield stages.begin
                    state = "done"
                finally:
                    stages.end()
        finally:
            if self._meter:
                self._jobs.add(1, {"forecast.model": model, "forecast.job.state": state})

    def requests(self, app: ASGIApp, root: str) -> ASGIApp:
        """Give an application that tells of its requests; ``root`` stands before routes that are included."""

        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = _Request(self, scope, root)
            try:
                await app(scope, receive, request.passing(send))
            except Exception as error:
                request.status = request.status or 500
                request.end(type(error).__name__)
                raise
            finally:
                request.end()

        return told

    def count(self, seconds: float, told: Mapping[str, str | int]) -> None:
        """Count a request by how long it took."""
        if self._meter:
            self._duration.record(seconds, told)

    def watch(self, look: Callable[[], Iterable[Seen]]) -> None:
        """Give age of evidence and alarm as gauges, by looking each time that metrics are collected."""
        if self._meter is None:
            return
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - only where telemetry is on

        def ages(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(one.age_days, {"forecast.model": one.model}) for one in look() if one.age_days is not None
            ]

        def alarms(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(int(one.rings), {"forecast.model": one.model}) for one in look() if one.rings is not None
            ]

        self._meter.create_observable_gauge("forecast.evidence.age", [ages], "d", "Age of the newest evidence")
        self._meter.create_observable_gauge("forecast.alarm.rings", [alarms], "1", "1 while the alarm rings, else 0")


class _Stages:
    """The stages of a run, each a span until the next begins."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._name = ""
        self._span: Any = None

    def begin(self, name: str) -> None:
        if name != self._name:
            self.end()
            self._name, self._span = name, self._telemetry.span("stage", stage=name)
            self._span.__enter__()

    def end(self) -> None:
        if self._span is not None:
            self._span.__exit__(None, None, None)
            self._span = None


class _Request:
    """One request; a stream of news counts until it begins."""

    def __init__(self, telemetry: Telemetry, scope: Scope, root: str) -> None:
        self._telemetry, self._scope, self._root = telemetry, scope, root
        self._since = asyncio.get_running_loop().time()
        self.status: int | None = None
        self._over = False
        self._method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        self._span: Any = None
        self._token: Any = None
        if telemetry.tracer is not None:
            self._begin(telemetry.tracer)

    def _begin(self, tracer: Any) -> None:  # noqa: ANN401
        from opentelemetry import context, trace  # noqa: PLC0415 - only where telemetry is on
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        wanted = {b"traceparent", b"tracestate"}
        carrier = {key.decode(): value.decode("latin-1") for key, value in self._scope["headers"] if key in wanted}
        parent = TraceContextTextMapPropagator().extract(carrier, context.Context())
        attributes = {"http.request.method": self._method}
        self._span = tracer.start_span(self._method, parent, trace.SpanKind.SERVER, attributes)
        self._token = context.attach(trace.set_span_in_context(self._span, parent))

    def passing(self, send: Send) -> Send:
        async def passed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                streams = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
                if streams:
                    self._tell(None)
            await send(message)

        return passed

    def end(self, error: str | None = None) -> None:
        self._tell(error)
        if self._token is not None:
            from opentelemetry import context  # noqa: PLC0415

            context.detach(self._token)
            self._token = None

    def _tell(self, error: str | None) -> None:
        if self._over:
            return
        self._over = True
        told: dict[str, str | int] = {"http.request.method": self._method}
        if route := self._route():
            told["http.route"] = route
        if self.status is not None:
            told["http.response.status_code"] = self.status
        self._telemetry.count(asyncio.get_running_loop().time() - self._since, told)
        if self._span is not None:
            self._span.update_name(f"{self._method} {route}" if route else self._method)
            self._span.set_attributes(told)
            if error or (self.status or 0) >= 500:  # noqa: PLR2004
                _fail(self._span, error or str(self.status))
            self._span.end()

    def _route(self) -> str:
        """Give the template of the address; empty where there is none."""
        found = str(getattr(self._scope.get("route"), "path", ""))
        included = self._scope["path"].startswith(f"{self._root}/") and not found.startswith(f"{self._root}/")
        return f"{self._root}{found}" if found and included else found


def _fail(span: Any, kind: str) -> None:  # noqa: ANN401
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where telemetry is on

    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


# What the variables ask for.


def begin(variables: Mapping[str, str] = os.environ) -> Telemetry:
    """Give what the standard variables ask for; nothing of OpenTelemetry is imported where they ask for nothing.

    Raises
    ------
    InputError
        If they ask for what is not there: the extra, or an exporter other than otlp and console.

    """
    wanted = {signal: names for signal in SIGNALS if (names := _exporters(variables, signal))}
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or not wanted:
        return Telemetry()
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", *(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL" for signal in wanted)):
        if (protocol := variables.get(name, "").strip()) not in {"", "http/protobuf"}:
            msg = f"{name} is {protocol!r}; this sends http/protobuf and nothing else"
            raise InputError(msg)
    try:
        return _begin(wanted, variables)
    except ImportError as error:
        msg = (
            "variables OTEL_… ask for traces or metrics, which needs the extra: pip install "
            "'scenario-cascade[telemetry]'; or set OTEL_SDK_DISABLED=true"
        )
        raise InputError(msg) from error


def _exporters(variables: Mapping[str, str], signal: str) -> list[str]:
    """Give the exporters of a signal; none where nothing asks for it."""
    name = f"OTEL_{signal}_EXPORTER"
    places = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    said = variables.get(name, "").strip() or ("otlp" if any(variables.get(place) for place in places) else "none")
    found = [word.strip() for word in said.split(",") if word.strip()]
    if strange := [word for word in found if word not in {"otlp", "console", "none"}]:
        msg = f"{name} names {strange[0]!r}; give otlp, console or none"
        raise InputError(msg)
    return [word for word in found if word != "none"]


def _begin(wanted: Mapping[str, list[str]], variables: Mapping[str, str]) -> Telemetry:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter  # noqa: PLC0415

    traces = metrics = None
    resource = _resource(variables)
    if names := wanted.get("TRACES"):
        traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in names:
            traces.add_span_processor(
                BatchSpanProcessor(OTLPSpanExporter() if name == "otlp" else ConsoleSpanExporter())
            )
    if names := wanted.get("METRICS"):
        exporters = [OTLPMetricExporter() if name == "otlp" else ConsoleMetricExporter() for name in names]
        metrics = MeterProvider(
            [PeriodicExportingMetricReader(one) for one in exporters], resource, shutdown_on_exit=False
        )
    return Telemetry(traces, metrics)


def _resource(variables: Mapping[str, str]) -> Resource:
    """Name the service, unless the variables do."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    named = variables.get("OTEL_SERVICE_NAME") or "service.name=" in variables.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({"service.version": version(NAME)} | ({} if named else {"service.name": NAME}))

"""The live page: one page for a model, whose parts are asked for again when something changes."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from forecast import ledger, report
from forecast.base.errors import ForecastError, InputError
from forecast.ledger.issued import Added
from forecast.service import views
from forecast.service.answers import require_model, standing_of, told
from forecast.service.api_evidence import feeds_of, log_of, moves
from forecast.service.api_forecasts import find_indicators, matrix_of, watch_of
from forecast.service.desk import Desk, Standing
from forecast.service.people import COOKIE, Gate, Person, Reader, Writer
from forecast.service.schemas import Retraction, Row

Model = Annotated[str, Query(max_length=120)]
RowId = Annotated[str, Query(max_length=200)]
Words = Annotated[str, Query(max_length=200)]
Field = Annotated[str, Form(max_length=200)]
LISTED = 8  # indicators that a search shows
LOGGED = 15  # rows of the log
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "htmx.min.js": "text/javascript"}
REPORT_POLICY = "frame-ancestors 'none'"  # a report says its own, which lets its scripts run
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Page:
    """Renders the page and its parts for whoever asks."""

    def __init__(self, desk: Desk, gate: Gate) -> None:
        """Show what a desk answers."""
        self.desk = desk
        self.gate = gate
        self._templates = views.environment()

    def html(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Fill a template."""
        text = self._templates.get_template(f"{template}.html.jinja").render(**values)
        return HTMLResponse(text.encode("utf-8", "replace"), status, {"x-forecast-part": template})

    def model(self, name: str | None) -> str:
        """Give the model that is meant."""
        found = name or self.desk.project.models.default
        require_model(self.desk, found)
        return found

    def fault(self, error: Exception) -> HTMLResponse:
        """Say in words why something was not done."""
        return self.html("fault", 422, detail=told(error, self.desk.root))

    def result(self, before: Standing, added: Added | None, done: str) -> HTMLResponse:
        """Say what became of a row, and show before and after."""
        after, changes = self.desk.moved(before)
        rows = (*added.new, *added.superseded) if added else ()
        known = bool(added and added.unchanged)
        return self.html(
            "result", lines=[
                "This very row was there already." if known else f"{done} {', '.join(rows)}.",
                *(added.notices if added else ()),
            ],
            changes=moves(changes), titles=views.titles(after), weeks=report.usual_weeks(after.model.spec),
            undo=rows[0] if rows else None, model=before.forecast.model,
        )  # fmt: skip


def _page(request: Request) -> Page:
    return request.app.state.page


AtPage = Annotated[Page, Depends(_page)]
routes = APIRouter(include_in_schema=False)


@routes.get("/")
def whole(shown: AtPage, request: Request, model: Model = "") -> Response:
    """Show the whole page, or where to sign in."""
    person = shown.gate.person(request)
    if person is None:
        return RedirectResponse("/sign-in", 303)
    name = shown.model(model)
    standing = shown.desk.standing(name, shown.desk.today())
    return shown.html(
        "page", title=standing.model.spec.model.title, model=name, models=shown.desk.project.model_names, person=person,
        stamp=shown.gate.stamp(request), suggested=find_indicators(shown.desk, name, "", "", 3), found=None,
        **_record_form(shown.desk), **views.now(standing),
    )  # fmt: skip


@routes.get("/part/now")
def now(shown: AtPage, _: Reader, model: Model) -> Response:
    """Show where the outcomes stand."""
    return shown.html("now", **views.now(standing_of(shown.desk, model, None)))


@routes.get("/part/history")
def history(shown: AtPage, _: Reader, model: Model) -> Response:
    """Show pictures of the last issue."""
    return shown.html("history", **views.history(shown.desk, standing_of(shown.desk, model, None)))


@routes.get("/part/indicators")
def indicators(
    shown: AtPage, _: Reader, model: Model, name: Annotated[str, Query(pattern="^(seen|indicator)$")],
    kind: Annotated[str, Query(pattern="^(radio|checkbox)$")], words: Words = "",
) -> Response:  # fmt: skip
    """Show indicators that are like some words, to choose from."""
    require_model(shown.desk, model)
    found = find_indicators(shown.desk, model, words, "", LISTED) if words.strip() else None
    return shown.html("indicators", found=found, name=name, kind=kind)


@routes.get("/part/watch")
def watch(shown: AtPage, _: Reader, model: Model) -> Response:
    """Show the watch-list."""
    standing = standing_of(shown.desk, model, None)
    found = watch_of(shown.desk, standing, _lead(standing))
    tables = [make({"watch": found}) for make in (report.watch_table, report.watched_channels_table)]
    return shown.html("table", sentences=(), tables=[table for table in tables if table.rows])


@routes.get("/part/matrix")
def matrix(shown: AtPage, _: Reader, model: Model) -> Response:
    """Show the matrix."""
    standing = standing_of(shown.desk, model, None)
    found = matrix_of(shown.desk, standing, _lead(standing))
    return shown.html("table", sentences=found["sentences"], tables=list(report.matrix_tables(found).values()))


@routes.get("/part/log")
def log(shown: AtPage, person: Reader, model: Model) -> Response:
    """Show what was written last."""
    require_model(shown.desk, model)
    kinds = {row.id for row in shown.desk.entries(model) if isinstance(row, ledger.Observation)}
    return shown.html(
        "log", rows=log_of(shown.desk, model, LOGGED), correctable=kinds, may_write=person.may("write"), model=model
    )


@routes.get("/part/feeds")
def feeds(shown: AtPage, _: Reader, model: Model) -> Response:
    """Show how old each feed is."""
    require_model(shown.desk, model)
    rows = [{"fault": "", "dead": False, "sentence": ""} | one for one in feeds_of(shown.desk, model)]
    return shown.html("feeds", feeds=rows)


@routes.get("/pictures/{model}/{issue}/{name}.svg")
def picture(shown: AtPage, _: Reader, model: str, issue: int, name: str) -> Response:
    """Give a picture of the last issue."""
    standing = standing_of(shown.desk, model, None)
    found = views.picture(shown.desk, standing, name)
    if found is None or standing.issue is None or standing.issue.seq != issue:
        raise HTTPException(404, "there is no such picture")
    return Response(found, media_type="image/svg+xml", headers={"content-security-policy": PICTURE_POLICY})


@routes.get("/reports/{model}/{as_of}")
def issued(shown: AtPage, _: Reader, model: str, as_of: str) -> Response:
    """Give an issued report as it lies in the folder."""
    require_model(shown.desk, model)
    path = shown.desk.root / "reports" / model / shown.desk.day(as_of).isoformat() / "report.html"
    if not path.is_file():
        raise HTTPException(404, "there is no such report")
    return HTMLResponse(path.read_bytes(), headers={"content-security-policy": REPORT_POLICY})


@routes.post("/part/what-if")
async def what_if(shown: AtPage, request: Request, _: Reader, model: Model) -> Response:
    """Show the forecast beside the same one if what is ticked were seen."""
    form = await request.form(max_fields=60)
    seen = tuple(sorted({str(value) for value in form.getlist("seen")}))
    return await run_in_threadpool(_suppose, shown, model, seen)


# What changes something.


@routes.post("/part/record")
async def record(shown: AtPage, request: Request, person: Writer, model: Model, row_id: RowId = "") -> Response:
    """Record a row, or correct one, and show how the forecast moves."""
    form = await request.form(max_fields=40)
    cells = {key: str(value).strip() for key, value in form.items() if key in Row.model_fields and str(value).strip()}
    return await run_in_threadpool(_record, shown, person, model, row_id, cells)


@routes.get("/part/correct")
def correct(shown: AtPage, _: Writer, model: Model, row_id: RowId) -> Response:
    """Show the form to correct a row."""
    return shown.html("record", model=model, **_record_form(shown.desk, _cells(shown.desk, model, row_id), row_id))


@routes.get("/part/retract")
def retract(shown: AtPage, _: Writer, model: Model, row_id: RowId) -> Response:
    """Show the form to withdraw a row."""
    require_model(shown.desk, model)
    return shown.html("retract", model=model, row_id=row_id)


@routes.post("/part/retract")
def withdraw(
    shown: AtPage, person: Writer, model: Model, row_id: RowId, reason: Annotated[str, Form(max_length=4000)]
) -> Response:
    """Withdraw a row, and show how the forecast moves."""
    before = standing_of(shown.desk, model, None)
    dataset = shown.desk.dataset(before.model, person.name)
    try:
        why = Retraction(reason=reason)
        dataset.ledger.retract(dataset.name, row_id, reason=why.reason, now=dataset.now)
    except ForecastError as error:
        return shown.fault(error)
    return shown.result(before, None, f"Withdrawn: {row_id}")


@routes.post("/part/runs")
def ask(shown: AtPage, person: Writer, model: Model) -> Response:
    """Ask for a run as of today."""
    require_model(shown.desk, model)
    shown.desk.ask_run(model, shown.desk.today(), person.name)
    return _runs(shown)


@routes.get("/part/runs")
def runs(shown: AtPage, _: Writer) -> Response:
    """Show how far the runs are."""
    return _runs(shown)


# Analysts' own forecasts.


@routes.get("/judge")
def own(shown: AtPage, request: Request, person: Writer, model: Model = "") -> Response:
    """Show what can be judged, and nothing of what the model says."""
    name = shown.model(model)
    found = shown.desk.project.judgements.questions(name, analyst=person.name, now=shown.desk.clock()).to_dict()
    outcomes = shown.desk.project.model(name).spec.outcomes
    for one in found["questions"]:
        one["title"] = outcomes[one["outcome"]].label if one["outcome"] in outcomes else one["outcome"]
    return shown.html(
        "judge", model=name, person=person, stamp=shown.gate.stamp(request),
        **{key: found[key] for key in ("questions", "sentences")},
    )  # fmt: skip


@routes.post("/part/judge")
def judge(  # what a judgement consists of
    shown: AtPage, person: Writer, model: Model, outcome: Field, date: Field, percent: Annotated[float, Form()],
    since: Field = "", note: Annotated[str, Form(max_length=4000)] = "", seen: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    """Record a probability, and show the model's number and the pool beside it."""
    require_model(shown.desk, model)
    try:
        found = shown.desk.judgements(person.name).judge(
            outcome, probability=percent / 100, analyst=person.name, now=shown.desk.clock(), date=date,
            since=since or None, seen=seen, note=note, model=model,
        )  # fmt: skip
    except ForecastError as error:
        return shown.fault(error)
    return shown.html("told", sentences=found.sentences)


# Signing in and out, and the files of the page.


@routes.get("/sign-in")
def form(shown: AtPage) -> Response:
    """Show the form to sign in."""
    return shown.html("sign_in", wrong=False)


@routes.post("/sign-in")
def sign_in(shown: AtPage, request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Sign in by a token, which a cookie keeps."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403, "sign in from this service's own page")
    if shown.desk.who(token.strip()) is None:
        return shown.html("sign_in", 401, wrong=True)
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.strip(), httponly=True, samesite="strict", secure=secure, max_age=30 * 86_400)
    return answer


@routes.post("/sign-out")
def sign_out() -> Response:
    """Forget the token."""
    answer = Response(status_code=204, headers={"hx-redirect": "/"})
    answer.delete_cookie(COOKIE)
    return answer


@routes.get("/static/{name}")
def static(name: str) -> Response:
    """Give a file of the page."""
    if name not in STATIC:
        raise HTTPException(404, "there is no such file")
    return Response((files("forecast.service") / "static" / name).read_bytes(), media_type=STATIC[name])


# What they share.


def _suppose(shown: Page, model: str, seen: tuple[str, ...]) -> Response:
    standing = standing_of(shown.desk, model, None)
    if not seen:
        return shown.fault(InputError("nothing is ticked; tick what is supposed to be seen"))
    try:
        found = shown.desk.answer(standing, "what_if_page", seen, ask=lambda of: of.what_if(*seen).to_dict())
    except ForecastError as error:
        return shown.fault(error)
    return shown.html(
        "result", lines=[f"If {' and '.join(found['supposed'])}:"], changes=found["changes"],
        titles=views.titles(standing), weeks=report.usual_weeks(standing.model.spec), undo=None, model=model,
    )  # fmt: skip


def _lead(standing: Standing) -> str:
    return report.lead_outcome(standing.model.spec)


def _record_form(desk: Desk, row: dict[str, Any] | None = None, row_id: str = "") -> dict[str, Any]:
    blank = dict.fromkeys(("indicator", "state", "date", "reported_on", "source", "url", "grade", "story", "note"), "")
    return {"today": desk.today().isoformat(), "row": blank | (row or {}), "row_id": row_id}


def _runs(shown: Page) -> Response:
    jobs = shown.desk.project.ledger.jobs.last(5)
    busy = any(job.state in {"queued", "running"} for job in jobs)
    return shown.html("runs", jobs=[asdict(job) for job in jobs], busy=busy)


def _cells(desk: Desk, model: str, row_id: str) -> dict[str, Any]:
    require_model(desk, model)
    row = next((one for one in desk.entries(model) if one.id == row_id and isinstance(one, ledger.Observation)), None)
    if row is None:
        raise HTTPException(404, "no such row is in force")
    return {name: str(value) for name, value in ledger.cells_of(row).items()}


def _record(shown: Page, person: Person, model: str, row_id: str, cells: dict[str, str]) -> Response:
    before = standing_of(shown.desk, model, None)
    try:
        row = Row.model_validate(cells)
        kept = {name: value for name, value in _cells(shown.desk, model, row_id).items() if value} if row_id else {}
        more = {"id": row_id} if row_id else {}
        added = shown.desk.dataset(before.model, person.name).observe(kept | row.cells(**more), "observation")
    except ForecastError as error:
        return shown.fault(error)
    except ValidationError as error:
        return shown.fault(InputError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())))
    return shown.result(before, added, "Corrected:" if row_id else "Recorded:")

"""How a service answers: JSON that any client reads, and errors in the package's own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, override

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from forecast.base.errors import BusyError, ForecastError, LedgerError, UntrustworthyError

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from forecast.service.desk import Desk, Standing


class Json(JSONResponse):
    """JSON in ASCII, so that no text of a source can break it."""

    @override
    def render(self, content: Any) -> bytes:
        """Write plain JSON types."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


class Events(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


def answered(standing: Standing, answer: object, status: int = 200) -> Json:
    """Give an answer with the stamp of the forecast that it comes from."""
    return Json({"rests_on": standing.stamp, "answer": answer}, status)


def standing_of(desk: Desk, model: str, as_of: str | None) -> Standing:
    """Give the present forecast of a model of the address; 404 if there is no such model."""
    require_model(desk, model)
    return desk.standing(model, desk.day(as_of))


def require_model(desk: Desk, model: str) -> None:
    """Make sure that a model of the address is there; 404 otherwise."""
    names = desk.project.model_names
    if model not in names:
        raise HTTPException(404, f"there is no model {model[:80]!r}; there are {', '.join(names)}")


def status_of(error: ForecastError) -> int:
    """Give the status that says what kind of error it is."""
    if isinstance(error, BusyError):
        return 503
    if isinstance(error, LedgerError):
        return 422 if error.where == "this row" else 503
    return 409 if isinstance(error, UntrustworthyError) else 422


def told(error: object, root: Path) -> str:
    """Give the message of an error, or what is said of one, without the place of the project on this machine."""
    return str(error).replace(f"{root}/", "").replace(str(root), "the project")


def tell_errors(app: FastAPI, root: Path) -> None:
    """Let an application answer every error of the package, and every fault of a request, in one form."""

    async def of_package(_: Request, error: Exception) -> Response:
        status = status_of(error) if isinstance(error, ForecastError) else 500
        return Json({"detail": told(error, root)}, status, {"retry-after": "5"} if status == 503 else None)  # noqa: PLR2004

    async def of_request(_: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else ()
        said = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in faults][:20]
        return Json({"detail": "; ".join(said)}, 422)

    async def of_http(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return Json({"detail": "something went wrong"}, 500)
        return Json({"detail": error.detail}, error.status_code, dict(error.headers or {}))

    app.add_exception_handler(ForecastError, of_package)
    app.add_exception_handler(RequestValidationError, of_request)
    app.add_exception_handler(HTTPException, of_http)

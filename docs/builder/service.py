"""``openapi.json``: the addresses of the service for programs, from the application itself."""

from __future__ import annotations

import datetime as dt
import json

from docs.builder.places import ROOT
from forecast.service.app import Door, application
from forecast.service.desk import Desk


def openapi_document() -> str:
    """Write the OpenAPI document of the service."""
    desk = Desk(ROOT, lambda: dt.datetime(2026, 1, 8, tzinfo=dt.UTC))
    return json.dumps(application(desk, Door()).openapi(), indent=2, ensure_ascii=False) + "\n"

"""Units of the service: systemd's for the server and its worker, and a file from which a container is built."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from forecast.jobs.scheduler_units import (
    DISTRIBUTION,
    ONLINE,
    require_plain,
    systemd_words,
    unit_name,
    variables,
    walls,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


HOST, PORT = "127.0.0.1", 8000
GRACE_SECONDS = 20  # for requests under way
RUN_SECONDS = 900  # for a run under way; one that is ended is taken again
USER = 10_001  # of a container: nobody's number on the machine outside
EXTRAS = "serve,postgres,mcp,telemetry"


class Address(NamedTuple):
    """Where the server listens."""

    host: str = HOST
    port: int = PORT


def service_files(
    program: Sequence[str], project: Path, address: Address, user: str, *, remote: bool
) -> dict[str, str]:  # fmt: skip
    """Give the units of the server and of its worker, run by ``user``, by file name; all paths are absolute.

    The ledger is ``remote`` where it is no file of the project: then the worker, too, may reach the network.
    """
    base, last = unit_name(project), ("--project", str(project))
    serve = (*program, "serve", "--no-worker", "--host", address.host, "--port", str(address.port), *last)
    return {
        f"{base}-server.service": _unit(serve, project, user, GRACE_SECONDS, network=True),
        f"{base}-worker.service": _unit((*program, "worker", *last), project, user, RUN_SECONDS, network=remote),
    }


def _unit(command: Sequence[str], project: Path, user: str, grace: int, *, network: bool) -> str:
    require_plain("systemd", command, r"[\r\n]")
    name, what = unit_name(project), "Server" if "serve" in command else "Worker"
    return f"""\
[Unit]
Description={what} of the project {name}
{ONLINE}
[Service]
Type=exec
User={user}
# The colon: nothing is replaced by variables of the environment.
ExecStart=:{systemd_words(command)}
{variables(name, "FORECAST_LEDGER, PGPASSFILE, OTEL_EXPORTER_OTLP_ENDPOINT")}Restart=on-failure
RestartSec=10
# Whoever is asked to end does so after what is under way, or is ended.
TimeoutStopSec={grace}
KillMode=mixed
{walls(name, project, command, network=network)}
[Install]
WantedBy=multi-user.target
"""


def container_file(port: int) -> str:
    """Give a Containerfile (Dockerfile) of the service, for this version and this Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    package = f"{DISTRIBUTION}[{EXTRAS}]"
    probe = (
        "import urllib.request as u; "
        f"u.build_opener(u.ProxyHandler({{}})).open('http://127.0.0.1:{port}/api/v1/health', timeout=4)"
    )
    return f"""\
# The service in a container. Nothing but the base image comes from a network: fill the folder wheels beside this file
# once, with Python {python} on such a machine as the image is for,
#   python -m pip wheel --wheel-dir wheels '{package}'    (in the source: '.[{EXTRAS}]')
# and build: docker build --network none --tag forecast --file Containerfile .
# Run it with a root that cannot be written:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \\
#     --volume project:/project --volume cache:/cache --publish 127.0.0.1:{port}:{port} forecast
FROM docker.io/library/python:{python}-slim

LABEL org.opencontainers.image.title="{DISTRIBUTION}" org.opencontainers.image.version="{version(DISTRIBUTION)}"

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The wheels are lent to the build and are no part of the image.
RUN --mount=type=bind,source=wheels,target=/wheels \\
    python -m pip install --no-cache-dir --no-index --find-links=/wheels '{package}'

RUN groupadd --gid {USER} forecast \\
    && useradd --uid {USER} --gid {USER} --no-create-home --home-dir /cache --shell /usr/sbin/nologin forecast \\
    && mkdir /project /cache \\
    && chown {USER}:{USER} /project /cache

# The project (forecast.toml, models, data, reports), and compiled code, which can be made again.
VOLUME ["/project", "/cache"]
ENV NUMBA_CACHE_DIR=/cache/numba PYTENSOR_FLAGS=base_compiledir=/cache/pytensor XDG_CACHE_HOME=/cache

USER {USER}:{USER}
WORKDIR /project
EXPOSE {port}

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \\
    CMD ["python", "-c", "{probe}"]

# A container for a worker alone: `docker run --no-healthcheck … forecast worker`, and here `serve --no-worker`.
ENTRYPOINT ["forecast"]
CMD ["serve", "--host", "0.0.0.0", "--port", "{port}"]
"""

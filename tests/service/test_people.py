"""Who may do what: tokens by scope, cookies only from our own page, a proxy only where it stands; limits hold."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from service_scenes import MODEL, NOW, ROW, Served, served
from starlette.testclient import TestClient

from forecast.service.app import Door, application
from forecast.service.limits import BURST, LARGEST, RATE, Bucket
from forecast.service.people import COOKIE, Proxy

if TYPE_CHECKING:
    from forecast.ledger.tokens import Scope

WRITES = {
    "observations": ROW,
    "observations/x/correction": ROW,
    "observations/x/retraction": {"reason": "x"},
    "runs": {},
}


@pytest.fixture(scope="module")
def shut(team: Served, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Serve the project to other machines too, so that whoever asks needs a token."""
    root = shutil.copytree(team.desk.root, tmp_path_factory.mktemp("shut") / "project")
    return served(Path(root), Door("0.0.0.0"))  # noqa: S104 - nothing listens


def _addresses(team: Served) -> list[tuple[str, str]]:
    """List every address with its method, filled in."""
    app = application(team.desk, Door())
    filled = {
        "{model}": "tiny",
        "{row_id}": "x",
        "{number}": "1",
        "{issue}": "1",
        "{name}": "x",
        "{as_of}": "2025-01-08",
    }
    found = []
    for path, methods in app.openapi()["paths"].items():
        for key, value in filled.items():
            path = path.replace(key, value)  # noqa: PLW2901 - filled in step by step
        found += [(method.upper(), path) for method in methods]
    return found


def test_without_a_token_nothing_is_said_to_other_machines(shut: Served) -> None:
    """But that the service is there."""
    for method, path in _addresses(shut):
        status = shut.client.request(method, path, json={} if method == "POST" else None).status_code
        assert (status == 200) if path.endswith(("/health", "/ready")) else status == 401, path
    for path in ("/part/now?model=tiny", "/part/log?model=tiny", "/reports/tiny/2025-01-08"):
        assert shut.client.get(path).status_code == 401, path
    assert shut.client.get("/", follow_redirects=False).headers["location"] == "/sign-in"


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_a_token_does_what_its_scope_allows(shut: Served, scope: Scope) -> None:
    """Whoever may read may ask everything, and changes nothing."""
    bearer = shut.bearer(scope)
    assert shut.client.get(f"{MODEL}/forecast", headers=bearer).status_code == 200
    head, jobs = shut.desk.head(), shut.desk.project.ledger.jobs.last()
    for path, body in WRITES.items():
        answer = shut.client.post(f"{MODEL}/{path}", json=body, headers=bearer)
        if scope == "read":
            assert (answer.status_code, "scope write" in answer.json()["detail"]) == (403, True)
        else:
            assert answer.status_code not in {401, 403}
    if scope == "read":
        assert shut.desk.head() == head
        assert shut.desk.project.ledger.jobs.last() == jobs


def test_a_revoked_token_is_none_at_once(shut: Served) -> None:
    """As soon as the next request."""
    made, text = shut.desk.project.ledger.tokens.make("Ada", "read", NOW)
    bearer = {"authorization": f"Bearer {text}"}
    assert shut.client.get("/api/v1/models", headers=bearer).status_code == 200
    shut.desk.project.ledger.tokens.revoke(made.id, NOW)
    assert shut.client.get("/api/v1/models", headers=bearer).status_code == 401


@pytest.mark.parametrize("shown", ["Bearer", "Bearer x", "Basic eDp4", "Bearer fc_0_0", "bearer \xff"])
def test_what_is_no_token_opens_nothing(team: Served, shown: str) -> None:
    """Not even what a guest may see: whoever shows a token means it."""
    assert team.client.get("/api/v1/models", headers={"authorization": shown.encode("latin-1")}).status_code == 401


def test_a_cookie_writes_only_from_our_own_page(team: Served) -> None:
    """Another site can send it, but not what stands on the page; and nobody reads it by a script."""
    client = TestClient(team.client.app, base_url="http://127.0.0.1:8000")
    answer = client.post("/sign-in", data={"token": team.token("write")}, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    head = team.desk.head()
    assert client.post(f"{MODEL}/observations", json=ROW).status_code == 403
    assert client.post("/part/record?model=tiny", data=ROW).status_code == 403
    assert client.post("/part/runs?model=tiny", headers={"x-forecast-page": "0" * 64}).status_code == 403
    assert team.desk.head() == head
    stamp = re.search(r"x-forecast-page&#34;: &#34;(\w+)|x-forecast-page\": \"(\w+)", client.get("/").text)
    assert stamp
    page = {"x-forecast-page": next(filter(None, stamp.groups()))}
    assert client.post(f"{MODEL}/observations", json=ROW, headers=page).status_code == 201
    other = TestClient(team.client.app, base_url="http://127.0.0.1:8000", cookies={COOKIE: team.token("write", "Eve")})
    assert other.post(f"{MODEL}/observations", json=ROW, headers=page).status_code == 403
    assert client.post("/sign-out").headers["hx-redirect"] == "/"
    cross = client.post("/sign-in", data={"token": "x"}, headers={"sec-fetch-site": "cross-site"})
    assert cross.status_code == 403
    assert client.post("/sign-in", data={"token": "fc_x_y"}).status_code == 401


def test_a_proxy_is_heard_where_it_stands(team: Served) -> None:
    """Whom it names may do what was configured; the header of anybody else says nothing."""
    door = Door(proxy=Proxy("x-user", "write", frozenset({"testclient"})))
    near = TestClient(application(team.desk, door), base_url="http://127.0.0.1:8000")
    far = TestClient(application(team.desk, door), base_url="http://127.0.0.1:8000", client=("10.0.0.9", 1))
    ada = {"x-user": "ada@example.org"}
    assert near.get("/api/v1/models").status_code == 401
    assert near.get("/api/v1/models", headers=ada).status_code == 200
    assert far.get("/api/v1/models", headers=ada).status_code == 401
    assert near.post(f"{MODEL}/observations", json=ROW, headers=ada).status_code == 403  # not from our page
    stamp = re.search(r"x-forecast-page\": \"(\w+)", near.get("/", headers=ada).text.replace("&#34;", '"'))
    assert stamp
    row = ROW | {"source": "Another"}
    done = near.post(f"{MODEL}/observations", json=row, headers=ada | {"x-forecast-page": stamp[1]})
    assert done.status_code == 201
    assert near.get(f"{MODEL}/log", headers=ada).json()["rows"][0]["by"] == "ada@example.org"


def test_a_body_that_is_too_large_is_refused(team: Served) -> None:
    """Whether it says so or not."""
    bearer = team.bearer("write") | {"content-type": "application/json"}
    large = b'{"note": "' + b"x" * LARGEST + b'"}'
    assert team.client.post(f"{MODEL}/observations", content=large, headers=bearer).status_code == 413
    parts = team.client.post(f"{MODEL}/observations", content=iter([large[:9], large[9:]]), headers=bearer)
    assert parts.status_code == 413
    lying = bearer | {"content-length": "many"}
    assert team.client.post(f"{MODEL}/observations", content=b"{}", headers=lying).status_code in {400, 413}


def test_whoever_asks_too_often_waits() -> None:
    """A peer has a burst and then a rate; another peer is not kept waiting by it."""
    bucket = Bucket()
    assert sum(bucket.take("a", 0.0) == 0 for _ in range(int(BURST) + 50)) == BURST
    assert bucket.take("b", 0.0) == 0
    assert sum(bucket.take("a", 10 / RATE) == 0 for _ in range(50)) == 10
    assert bucket.take("a", 10 / RATE) == pytest.approx(1 / RATE)


def test_every_answer_is_guarded(team: Served) -> None:
    """No script but ours, no frame, no guess of a type, nothing kept by whoever stands between."""
    for path in ("/", "/sign-in", "/static/page.js", "/api/v1/models", "/nothing"):
        headers = team.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e%2fapp.py", "/static/page.html.jinja",
        "/reports/tiny/..%2f..%2fforecast.toml", "/reports/..%2ftiny/2025-01-08", "/reports/tiny/2025-01-08%2f..",
        "/pictures/tiny/1/..%2fx.svg", "/models/tiny.toml", "/data/ledger.db",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file(team: Served, path: str) -> None:
    """What is not an address of ours is not there."""
    assert team.client.get(path).status_code in {404, 422}

"""The health of a log as a route of a web application."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from starlette.applications import Starlette
from starlette.testclient import TestClient

from chained_logging import AuditLog
from chained_logging.review.watch import conditions
from chained_logging.review.watch.asgi import HealthRoute
from chained_logging.review.watch.conditions import Limits


@pytest.fixture
def client(path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(conditions, "is_synchronised", lambda: True)
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    app = Starlette()
    app.mount("/well", HealthRoute(str(path)))
    app.mount("/full", HealthRoute(str(path), Limits(disk=1.01)))
    return TestClient(app)


def test_it_answers_200_if_all_is_well_and_else_503(client: TestClient) -> None:
    well, full = client.get("/well/"), client.get("/full/")
    assert (well.status_code, well.json()["status"]) == (200, "well")
    assert (full.status_code, full.json()["status"]) == (503, "unwell")
    assert well.headers["cache-control"] == "no-store"


def test_it_answers_questions_alone(client: TestClient) -> None:
    assert client.post("/well/").status_code == 405
    assert client.head("/full/").content == b""

"""The records that a request shows, whose they are, and whom the person acts for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from folders import SUPPORT
from web_servers import entries

from chained_logging.integrations.asgi import AuditMiddleware, annotate, shown

PATIENTS = [{"id": n, "name": "x"} for n in range(3)]
NAMED = [{"id": str(n), "type": "patient"} for n in range(3)]


def test_impersonation_packages_name_both(tmp_path: Path) -> None:
    pytest.importorskip("hijack")
    pytest.importorskip("impersonate")
    log = tmp_path / "audit.jsonl"
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "web_django_impersonation.py"), str(log)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert entries(log)  # it verifies
    users = [{"id": str(n), "type": "auth.user"} for n in (1, 2)]
    pairs = [{"id": "1", "type": "a"}, {"id": "2", "type": "b"}]
    assert json.loads(done.stdout) == [
        [route, "1", "admin", other, tenant, resources]
        for route, other, tenant, resources in (
            ("/private", None, None, None),
            ("/hijack/acquire/", "2", None, None),
            ("/private", "2", None, None),
            ("/untouched", "2", "acme", pairs),
            ("/hijack/release/", None, None, None),
            ("/private", None, None, None),
            ("/impersonate/{uid}/", None, None, None),
            ("/private", "2", None, None),
            ("/impersonate/stop/", "2", None, None),
            ("/private", None, None, None),
            ("/people", None, None, users),
        )
    ]


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Return what makes a request of a view, and returns its answer and its entries."""
    fastapi = pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    app = fastapi.FastAPI()
    path = tmp_path / "audit.jsonl"

    def ask(view: Any) -> tuple[Any, list[dict[str, Any]]]:
        app.get("/patients")(view)
        app.add_middleware(AuditMiddleware, log=path)
        with TestClient(app) as client:
            answer = client.get("/patients")
        assert answer.status_code == 200
        return answer.text, entries(path)

    return ask


def test_a_list_that_is_shown_names_each_record(ask: Any) -> None:
    def view() -> Any:
        shown(f"note/{n}" for n in range(9))  # nobody reads it
        shown(["note/7"], type=None)
        return shown(PATIENTS, type="patient")

    answer, (entry,) = ask(view)
    assert json.loads(answer) == PATIENTS
    assert (entry["resource_type"], entry["resource_id"]) == ("patients", "*")
    assert entry["resources"] == [{"id": "7", "type": "note"}, *NAMED]


def test_what_is_streamed_is_named_as_it_is_read(ask: Any) -> None:
    from fastapi.responses import StreamingResponse

    async def ids() -> AsyncIterator[int]:
        for n in range(3):
            yield n

    async def view() -> StreamingResponse:
        return StreamingResponse(str(n) async for n in shown(ids(), type="patient"))

    answer, (entry,) = ask(view)
    assert answer == "012"
    assert entry["resources"] == NAMED


def test_more_than_the_bound_is_counted_and_a_list_may_fill_several_entries(ask: Any) -> None:
    def view() -> str:
        shown(range(4000), type="patient", limit=3000)
        return "x"

    _, parts = ask(view)
    assert [r["id"] for part in parts for r in part["resources"]] == [str(n) for n in range(3000)]
    assert len(parts) == 2
    assert {part["context"]["resources_omitted"] for part in parts} == {1000}


def test_what_cannot_be_read_breaks_no_view(ask: Any) -> None:
    class Query:
        def __iter__(self) -> Iterator[Any]:
            raise RuntimeError("not in an event loop")

    def view() -> str:
        query = Query()
        assert shown(query) is query
        annotate(resources="patient/1", on_behalf_of=("ann", "user"), tenant=None)
        return "x"

    _, (entry,) = ask(view)
    assert entry["context"]["resources_failed"] is True
    assert entry["context"]["invalid"] == {"resources": "patient/1"}
    assert entry["on_behalf_of"] == "ann"


def test_outside_of_a_request_nothing_happens() -> None:
    given = iter([1])
    assert shown(given) is given

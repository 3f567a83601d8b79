"""Django's middleware: one entry for each request, by the way that the answer takes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from web_servers import entries

PROGRAM = """
import asyncio, io, json, sys
import django
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path

def show(request, id): return HttpResponse("x")
def stream(request): return StreamingHttpResponse(iter([b"a", b"b"]))
def away(request): return HttpResponseRedirect("/enter/?next=/away")
def raises(request): raise KeyError("k")
def enter(request): return HttpResponse("x", status=401)
async def slow(request, id): return HttpResponse("y")
async def chunks():
    yield b"a"
async def astream(request): return StreamingHttpResponse(chunks())

urlpatterns = [
    path("orders/<int:id>/", show), path("stream", stream), path("away", away),
    path("raises", raises), path("enter/", enter, name="login"),
    path("slow/<id>", slow), path("astream", astream),
]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGIN_URL="/enter/",
    MIDDLEWARE=["chained_logging.integrations.django.AuditMiddleware"],
    CHAINED_LOGGING=json.loads(sys.argv[1]),
)
django.setup()
"""


def run(folder: Path, body: str, **options: Any) -> list[dict[str, Any]]:
    """Run a program of an application in one file; return its log's entries."""
    file = folder / "program.py"
    file.write_text(PROGRAM + textwrap.dedent(body))
    given = json.dumps({"log": str(folder / "audit.jsonl"), **options})
    done = subprocess.run([sys.executable, str(file), given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return entries(folder / "audit.jsonl")


def test_each_request_has_an_entry_of_its_route_and_result(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        from django.test import Client
        client = Client(raise_request_exception=False)
        client.get("/orders/7/")
        assert b"".join(client.get("/stream").streaming_content) == b"ab"
        client.get("/away")
        client.get("/raises")
        client.get("/nothing")
        client.post("/enter/", {"username": "ann"})
        """,
    )
    assert [(f["action"], f["result"], f["context"].get("route")) for f in found] == [
        ("read", "success", "/orders/{id}/"),
        ("read", "success", "/stream"),
        ("read", "denied", "/away"),
        ("read", "failure", "/raises"),
        ("read", "failure", None),
        ("login", "denied", "/enter/"),
    ]
    assert (found[0]["resource_type"], found[0]["resource_id"]) == ("orders", "7")
    assert found[3]["context"]["exception"]["type"] == "KeyError"


def test_an_asynchronous_view_has_the_same(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        from django.test import AsyncClient
        async def main():
            client = AsyncClient()
            await client.get("/slow/7")
            reply = await client.get("/astream")
            assert [chunk async for chunk in reply.streaming_content] == [b"a"]
        asyncio.run(main())
        """,
    )
    assert [(f["resource_id"], f["result"]) for f in found] == [("7", "success"), ("*", "success")]


@pytest.mark.parametrize(("mode", "stored"), [("before", 1), ("after", 0)])
def test_the_entry_is_stored_before_the_answer_or_when_it_is_closed(
    tmp_path: Path, mode: str, stored: int
) -> None:
    found = run(
        tmp_path,
        f"""
        from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
        handler = WSGIHandler()
        environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/orders/7/", "wsgi.input": io.BytesIO(),
                    "SERVER_NAME": "x", "SERVER_PORT": "80", "REMOTE_ADDR": "192.0.2.1"}}
        response = handler.get_response(WSGIRequest(environ))
        lines = open("{tmp_path / "audit.jsonl"}").readlines()
        assert len(lines) == 1 + {stored}, lines
        response.close()
        """,
        mode=mode,
    )
    assert [f["ip_address"] for f in found] == ["192.0.2.1"]


def test_settings_that_name_no_log_are_refused(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        from django.core.exceptions import ImproperlyConfigured
        from chained_logging import AuditLog
        from chained_logging.integrations.django import AuditMiddleware
        AuditLog(settings.CHAINED_LOGGING["log"]).close()
        del settings.CHAINED_LOGGING
        try:
            AuditMiddleware(lambda request: None)
        except ImproperlyConfigured as error:
            assert "names no audit log" in str(error)
        else:
            raise AssertionError
        """,
    )

"""Real servers with FastAPI, Flask and Django: what each kind of request leaves in the log."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from thorough import some
from web_servers import (
    REQUEST_ID,
    Broken,
    Server,
    by_request,
    entries,
    get,
    read_reply,
    request_bytes,
    serving,
    wait_for,
)

KINDS = ["fastapi", "flask", "django", "django-asgi"]


class Running(NamedTuple):
    """A server and its log."""

    kind: str
    server: Server
    log: Path
    ids: Iterator[int]

    def ask(self, target: str, method: str = "GET", **headers: str) -> tuple[Any, dict[str, Any]]:
        """Make a request; return the reply, and the entry as it is there at that moment."""
        id = f"r{next(self.ids)}"
        reply = get(self.server, target, method, X_Request_Id=id, **headers)
        (found,) = (
            fields
            for fields in entries(self.log)
            if fields["context"].get("request_id") == id and "http_status" in fields["context"]
        )
        assert found["context"]["http_status"] == reply.status
        return reply, found

    def inside(self) -> dict[str, Any]:
        """Return the last entry that a handler logged by itself."""
        return next(f for f in reversed(entries(self.log)) if f["resource_type"] == "report")


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp(request.param) / "audit.jsonl"
    with serving(request.param, log) as server:
        yield Running(request.param, server, log, iter(range(10_000)))


def said(fields: dict[str, Any]) -> tuple[str, str, str]:
    return fields["action"], f"{fields['resource_type']}/{fields['resource_id']}", fields["result"]


def test_who_what_where_and_how_it_went(running: Running) -> None:
    _, fields = running.ask("/patients/456?token=topsecret", User_Agent="probe/1")
    assert said(fields) == ("read", "patients/456", "success")
    assert (fields["actor_id"], fields["actor_type"]) == ("anonymous", "user")
    assert (fields["ip_address"], fields["user_agent"]) == ("127.0.0.1", "probe/1")
    context = fields["context"]
    assert context["method"] == "GET"
    assert context["route"] == "/patients/{id}"
    assert isinstance(context["duration_ms"], int)
    assert "topsecret" not in str(fields)
    assert "invalid" not in context


def test_each_method_has_its_action(running: Running) -> None:
    empty = {"Content_Length": "0"}
    assert said(running.ask("/patients/5", "HEAD")[1]) == ("read", "patients/5", "success")
    assert said(running.ask("/patients", "POST", **empty)[1])[:2] == ("create", "patients/*")
    _, changed = running.ask("/patients/5", "PUT", **empty)
    assert said(changed) == ("write", "patients/5", "success")
    assert (changed["changed_fields"], changed["old_values"]) == (["name"], {"name": "A"})
    reply, fields = running.ask("/patients/5", "DELETE")
    assert (reply.status, *said(fields)) == (204, "delete", "patients/5", "success")
    assert said(running.ask("/not-modified")[1])[2] == "success"


def test_streams_are_whole_and_recorded(running: Running) -> None:
    for path in ("/stream/1", "/sized/1"):
        reply, fields = running.ask(path)
        assert len(reply.body) == 5000
        assert fields["result"] == "success"


def test_path_that_nobody_serves(running: Running) -> None:
    _, fields = running.ask("/n%C3%B6%00pe/../x")
    kind, _, id = said(fields)[1].partition("/")
    assert (kind, id, fields["result"]) == ("path", "/n%C3%B6%00pe/../x", "failure")
    assert "route" not in fields["context"]


def test_exception_is_a_failure(running: Running) -> None:
    reply, fields = running.ask("/raises")
    assert (reply.status, *said(fields)) == (500, "read", "raises/*", "failure")
    if running.kind != "flask":  # it makes a response of it before anybody else sees it
        assert fields["context"]["exception"] == {"message": "on purpose", "type": "ValueError"}


def test_exception_in_the_middle_of_a_stream_is_a_failure(running: Running) -> None:
    id = f"broken-{running.kind}"
    with running.server.connect() as connection:
        connection.sendall(request_bytes("/breaks", X_Request_Id=id, Connection="close"))
        with pytest.raises((Broken, ConnectionError)):
            read_reply(connection)
    fields = wait_for(running.log, id)
    assert (fields["result"], fields["context"]["http_status"]) == ("failure", 200)
    assert fields["context"]["exception"]["message"] == "in the middle"


def test_client_that_leaves_in_the_middle_is_a_failure(running: Running) -> None:
    # Django's ASGI handler takes all of a synchronous stream before it sends any.
    path = "/async-endless" if running.kind == "django-asgi" else "/endless"
    id = f"left-{running.kind}"
    with running.server.connect() as connection:
        connection.sendall(request_bytes(path, X_Request_Id=id))
        data = b""
        while b"tick" not in data:
            data += connection.recv(1000)
        assert not any(f["context"].get("request_id") == id for f in entries(running.log))
    fields = wait_for(running.log, id)
    assert (fields["result"], fields["context"]["http_status"]) == ("failure", 200)
    assert fields["context"]["cause"] == "the client was gone"


def test_path_left_out(running: Running) -> None:
    before = len(entries(running.log))
    assert get(running.server, "/health").status == 200
    assert len(entries(running.log)) == before


def test_request_without_an_id_gets_one(running: Running) -> None:
    get(running.server, "/patients/no-id")
    fields = next(f for f in entries(running.log) if f["resource_id"] == "no-id")
    assert REQUEST_ID.fullmatch(fields["context"]["request_id"])


def test_expect_100_continue_is_one_request(running: Running) -> None:
    id = f"continue-{running.kind}"
    with running.server.connect() as connection:
        head = request_bytes(
            "/patients", "POST", X_Request_Id=id, Expect="100-continue", Content_Length="2"
        )
        connection.sendall(head)
        time.sleep(0.1)
        connection.sendall(b"{}")
        assert read_reply(connection, "POST").status == 201
    assert by_request_only(running.log, id)["result"] == "success"


def by_request_only(log: Path, id: str) -> dict[str, Any]:
    (found,) = (f for f in entries(log) if f["context"].get("request_id") == id)
    return found


def test_many_requests_on_one_connection(running: Running) -> None:
    with running.server.connect() as connection:
        rest = bytearray()
        for number in range(20):
            id = f"kept-{running.kind}-{number}"
            connection.sendall(request_bytes(f"/patients/{number}", X_Request_Id=id))
            assert read_reply(connection, "GET", rest).status == 200
            assert by_request_only(running.log, id)["resource_id"] == str(number)


# --- FastAPI.


@pytest.fixture(scope="module")
def fastapi(tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp("fastapi") / "audit.jsonl"
    with serving("fastapi", log) as server:
        yield Running("fastapi", server, log, iter(range(10_000)))


def test_decorator_and_dependency_name_resource_and_action(fastapi: Running) -> None:
    _, fields = fastapi.ask("/p/456", Authorization="Bearer good")
    assert said(fields) == ("export", "patient_record/456", "success")
    assert (fields["actor_id"], fields["session_id"]) == ("user-7", "s-1")
    inside = fastapi.inside()
    for name in ("actor_id", "session_id", "ip_address"):
        assert inside[name] == fields[name]
    assert inside["context"]["request_id"] == fields["context"]["request_id"]
    _, fields = fastapi.ask("/q/9", Authorization="Bearer good")
    assert said(fields) == ("read", "lab_result/9", "success")
    # Also where the handler is never reached.
    assert said(fastapi.ask("/p/456")[1]) == ("export", "patient_record/456", "denied")
    assert said(fastapi.ask("/q/9")[1]) == ("read", "lab_result/9", "denied")


def test_mounted_application(fastapi: Running) -> None:
    _, fields = fastapi.ask("/tenants/acme/things/9")
    assert said(fields) == ("read", "things/9", "success")
    assert fields["context"]["params"] == {"t": "9", "tenant": "acme"}


def test_background_task_inherits_and_does_not_count(fastapi: Running) -> None:
    _, fields = fastapi.ask("/background/1")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        inside = fastapi.inside()
        if inside["context"]["request_id"] == fields["context"]["request_id"]:
            return
        time.sleep(0.02)
    raise AssertionError("the background task's entry has not the request's id")


def test_validation_error_is_a_failure(fastapi: Running) -> None:
    reply, fields = fastapi.ask("/echo", "POST", Content_Length="0")
    assert (reply.status, fields["result"]) == (422, "failure")


def test_websocket_is_recorded_when_it_opens_and_when_it_closes(fastapi: Running) -> None:
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    def url(room: str) -> str:
        return f"ws://127.0.0.1:{fastapi.server.address}/chat/{room}"

    def of(room: str) -> list[tuple[str, str, str]]:
        return [said(f) for f in entries(fastapi.log) if f["resource_id"] == room]

    with connect(url("a")) as socket:
        assert of("a") == [("connect", "chat/a", "success")]
        socket.send("hello")
        assert socket.recv() == "hello"
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert of("a") == [("connect", "chat/a", "success"), ("disconnect", "chat/a", "success")]
    with pytest.raises(InvalidStatus):
        connect(url("closed"))
    assert of("closed") == [("connect", "chat/closed", "denied")]
    with connect(url("breaks")) as socket, pytest.raises(ConnectionClosed):
        socket.recv()
    assert of("breaks")[1] == ("disconnect", "chat/breaks", "failure")
    with connect(url("left")):
        pass
    deadline = time.monotonic() + 5
    while len(of("left")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert of("left")[1] == ("disconnect", "chat/left", "success")


def test_nothing_is_lost_at_shutdown_in_after_mode(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    options = {"mode": "after", "log_options": {"durability": "fsync"}}
    with serving("fastapi", log, **options) as server:
        for number in range(60):
            get(server, f"/patients/{number}", X_Request_Id=f"r{number}")
        server.stop()
    assert set(by_request(log)) == {f"r{number}" for number in range(60)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("durability", some(["fsync", "os"], 2))
def test_log_that_fails_closed_answers_500(kind: str, durability: str, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    log = folder / "audit.jsonl"
    options = {"on_failure": "raise", "durability": durability}
    # The folder goes away, as a disk does.
    with serving(kind, log, log_options=options) as server:
        assert get(server, "/patients/1", X_Request_Id="a").status == 200
        aside = tmp_path / "aside"
        os.rename(folder, aside)
        reply = get(server, "/patients/2", X_Request_Id="b")
        assert reply.status == 500
        assert b'"id"' not in reply.body
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(aside, folder)
        assert get(server, "/patients/3", X_Request_Id="c").status == 200
    assert {f["resource_id"] for f in entries(log)} >= {"1", "3"}
    assert "2" not in {f["resource_id"] for f in entries(log)}


# --- Flask.


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp("flask") / "audit.jsonl"
    with serving("flask", log) as server:
        yield Running("flask", server, log, iter(range(10_000)))


def test_flask_view_that_is_marked(flask: Running) -> None:
    _, fields = flask.ask("/p/456", Authorization="Bearer good")
    assert said(fields) == ("export", "patient_record/456", "success")
    assert (fields["actor_id"], fields["session_id"]) == ("user-7", "s-1")
    assert flask.inside()["context"]["request_id"] == fields["context"]["request_id"]
    assert said(flask.ask("/p/456")[1]) == ("export", "patient_record/456", "denied")


def test_flask_file_and_generator(flask: Running) -> None:
    reply, fields = flask.ask("/file")
    assert reply.body.startswith(b'"""')
    assert fields["result"] == "success"
    _, fields = flask.ask("/inside")
    assert flask.inside()["context"]["request_id"] == fields["context"]["request_id"]


# --- Django.


@pytest.fixture(scope="module", params=["django", "django-asgi"])
def django(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp(request.param) / "audit.jsonl"
    with serving(request.param, log) as server:
        yield Running(request.param, server, log, iter(range(10_000)))


def test_django_user_and_session(django: Running) -> None:
    reply, fields = django.ask("/login?name=ann&password=wrong")
    assert reply.body == b"try again"
    assert said(fields) == ("login", "login/*", "failure")
    reply, fields = django.ask("/login?name=ann&password=secret")
    assert said(fields) == ("login", "login/*", "success")
    assert (fields["actor_id"], fields["actor_type"]) == ("1", "user")
    cookie = reply.headers["set-cookie"].partition(";")[0]
    key = cookie.partition("=")[2]
    session = fields["session_id"]
    assert session.startswith("sha256:")
    assert key not in django.log.read_text()

    reply, fields = django.ask("/p/456", Cookie=cookie)
    assert reply.body == b"ann"
    assert said(fields) == ("export", "patient_record/456", "success")
    assert (fields["actor_id"], fields["session_id"]) == ("1", session)
    inside = django.inside()
    assert (inside["actor_id"], inside["session_id"]) == ("1", session)
    assert inside["context"]["request_id"] == fields["context"]["request_id"]
    assert said(django.ask("/p/456")[1]) == ("export", "patient_record/456", "denied")

    reply, fields = django.ask("/async/7", Cookie=cookie)
    assert (reply.body, fields["actor_id"]) == (b"ann", "1")
    assert django.inside()["actor_id"] == "1"

    _, fields = django.ask("/logout", Cookie=cookie)
    assert said(fields)[0] == "logout"
    assert fields["actor_id"] == "1"

    _, fields = django.ask("/login?name=root&password=secret")
    assert (fields["actor_id"], fields["actor_type"]) == ("2", "admin")


def test_django_looks_at_the_session_without_a_trace(django: Running) -> None:
    reply, _ = django.ask("/patients/1")
    assert "vary" not in reply.headers
    assert "set-cookie" not in reply.headers


def test_django_routes_of_both_kinds(django: Running) -> None:
    _, fields = django.ask("/reports/2026/11/")
    assert said(fields) == ("read", "reports/11", "success")
    assert fields["context"]["route"] == "/reports/{year}/{month}/"
    assert fields["context"]["params"] == {"month": "11", "year": "2026"}
    assert said(django.ask("/forbidden")[1])[2] == "denied"


def test_django_file_and_asynchronous_stream(django: Running) -> None:
    reply, fields = django.ask("/file")
    assert reply.body.startswith(b'"""')
    assert fields["result"] == "success"
    reply, fields = django.ask("/async-stream/1")
    assert len(reply.body) == 5000
    assert fields["result"] == "success"


# --- Litestar, Starlette and routers that FastAPI includes, without a server between.


def in_process(app: Any, *requests: tuple[str, str]) -> None:
    from asgi_server import serve

    for method, path in requests:
        serve(
            app,
            method=method,
            path=path,
            raw_path=path.encode(),
            http_version="1.1",
            scheme="http",
            server=("test", 80),
            headers=[(b"host", b"test")],
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its new style is too new
def test_litestar(tmp_path: Path) -> None:
    litestar = pytest.importorskip("litestar")
    from chained_logging.integrations.asgi import AuditMiddleware, audited

    @litestar.get("/patients/{patient_id:int}")
    async def show(patient_id: int) -> str:
        return "x"

    @litestar.get("/p/{patient_id:int}")
    @audited("patient_record", id="patient_id", action="export")
    async def named(patient_id: int) -> str:
        return "x"

    log = tmp_path / "audit.jsonl"
    app = AuditMiddleware(litestar.Litestar([show, named], logging_config=None), log=log)
    in_process(app, ("GET", "/patients/4"), ("GET", "/p/5"), ("GET", "/patients/x"))
    app.auditor.log.close()
    assert [said(fields) for fields in entries(log)] == [
        ("read", "patients/4", "success"),
        ("export", "patient_record/5", "success"),
        ("read", "path//patients/x", "failure"),
    ]


def test_included_routers_and_mounts(tmp_path: Path) -> None:
    from fastapi import APIRouter, FastAPI
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    from chained_logging.integrations.asgi import AuditMiddleware

    inner, outer, app = APIRouter(), APIRouter(prefix="/wards/{ward}"), FastAPI()

    @inner.get("/{bed}")
    async def bed(ward: str, bed: str) -> str:
        return ward + bed

    outer.include_router(inner, prefix="/beds")
    app.include_router(outer)
    plain = Starlette(
        routes=[Mount("/m", routes=[Route("/docs/{id}", lambda r: PlainTextResponse("x"))])]
    )
    app.mount("/plain", plain)
    log = tmp_path / "audit.jsonl"
    audited = AuditMiddleware(app, log=log)
    in_process(audited, ("GET", "/wards/3/beds/7"), ("GET", "/plain/m/docs/9"))
    audited.auditor.log.close()
    first, second = entries(log)
    assert said(first) == ("read", "beds/7", "success")
    assert first["context"]["route"] == "/wards/{ward}/beds/{bed}"
    assert said(second) == ("read", "docs/9", "success")
    assert second["context"]["route"] == "/plain/m/docs/{id}"

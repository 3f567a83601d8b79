"""The ASGI middleware, message by message: when the entry is stored, and what it says."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asgi_server import Message, scope, serve
from chains import stored
from web_servers import REQUEST_ID, entries

from chained_logging import AuditLog
from chained_logging.errors import LogClosed
from chained_logging.event.context import current
from chained_logging.integrations.asgi import AuditMiddleware, annotate, set_actor
from chained_logging.integrations.web import Exchange
from chained_logging.log import AuditWarning


def start(status: int = 200, **headers: object) -> Message:
    pairs = [(k.replace("_", "-").encode(), str(v).encode()) for k, v in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def body(data: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def app_of(*messages: Message | Exception) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)

    return app


@pytest.fixture(params=["jsonl os", "jsonl fsync", "db os", "db fsync"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    suffix, durability = request.param.split()
    with AuditLog(tmp_path / f"audit.{suffix}", durability=durability) as log:
        yield log


@pytest.fixture
def jsonl(tmp_path: Path) -> Any:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        yield log


def count(log: AuditLog) -> int:
    return len(stored(log.path)) - 1


# Each: method, messages, and the number of the one with which the client has the whole answer.
LAST: dict[str, tuple[str, list[Message], int]] = {
    "one body": ("GET", [start(), body(b"x")], 1),
    "one sized body": ("GET", [start(content_length=1), body(b"x")], 0),
    "a stream": ("GET", [start(), body(b"x", True), body(b"y", True), body()], 3),
    "a sized stream": (
        "GET",
        [start(content_length=2), body(b"x", True), body(b"y", True), body()],
        2,
    ),
    "no content": ("GET", [start(204), body()], 0),
    "not modified": ("GET", [start(304, content_length=5), body()], 0),
    "head": ("HEAD", [start(content_length=5), body()], 0),
    "head of a stream": ("HEAD", [start(), body(b"x", True), body()], 0),
    "an empty body": ("GET", [start(content_length=0), body()], 0),
    "a path": ("GET", [start(), {"type": "http.response.pathsend", "path": "/f"}], 1),
    "a sized path": (
        "GET",
        [start(content_length=9), {"type": "http.response.pathsend", "path": "/f"}],
        0,
    ),
    "zero copy": (
        "GET",
        [start(), {"type": "http.response.zerocopysend", "file": 1, "more_body": True}, body()],
        2,
    ),
    "sized zero copy": (
        "GET",
        [
            start(content_length=9),
            {"type": "http.response.zerocopysend", "file": 1, "more_body": True},
            body(),
        ],
        1,
    ),
    "trailers": (
        "GET",
        [
            {**start(), "trailers": True},
            body(b"x"),
            {"type": "http.response.trailers", "headers": []},
        ],
        1,
    ),
}


@pytest.mark.parametrize("name", LAST)
def test_entry_is_stored_before_the_last_byte(name: str, log: AuditLog) -> None:
    method, messages, last = LAST[name]
    seen: list[int] = []
    sent = serve(
        AuditMiddleware(app_of(*messages), log=log),
        lambda message: seen.append(count(log)),
        method=method,
    )
    assert sent == messages
    assert seen[last] == 1, "the client had the whole answer before its entry was stored"
    # Nothing else is held back: a stream's chunks pass as they come.
    if "sized" not in name:
        assert seen[:last] == [0] * last
    assert count(log) == 1
    assert entries(log.path)[0]["result"] == "success"


@pytest.mark.parametrize("name", LAST)
def test_after_mode_stores_it_once_the_answer_went_out(name: str, log: AuditLog) -> None:
    method, messages, last = LAST[name]
    middleware = AuditMiddleware(app_of(*messages), log=log, mode="after")
    seen: list[int] = []
    serve(middleware, lambda message: seen.append(count(log)), method=method)
    assert seen[: last + 1] == [0] * (last + 1)
    middleware.auditor.drain()
    assert count(log) == 1


def answer_and_drain(middleware: AuditMiddleware, client: tuple[str, int] | None) -> None:
    assert len(serve(middleware, client=client)) == 2
    middleware.auditor.courier.drain()


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("cause", ["full", "strict", "closed"])
def test_after_mode_says_what_could_not_be_stored(
    tmp_path: Path, durability: Any, cause: str
) -> None:
    log = AuditLog(
        tmp_path / "audit.jsonl",
        durability=durability,
        strict=cause == "strict",
        on_failure="raise",
    )
    middleware = AuditMiddleware(app_of(start(), body(b"x")), log=log, mode="after")
    if cause == "closed":
        log.close()
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if cause == "full":
            size = os.path.getsize(log.path)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, room[1]))
        with pytest.warns(AuditWarning, match="was not stored"):
            answer_and_drain(middleware, None if cause == "strict" else ("192.0.2.1", 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    log.close()
    assert entries(log.path) == []


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (["connect *", "disconnect *", "-* *"], ["connect", "disconnect"]),
        (["-disconnect *"], ["connect"]),
    ],
)
def test_rule_knows_what_a_websocket_does(jsonl: AuditLog, rule: list[str], kept: Any) -> None:
    messages = {"type": "websocket.accept"}, {"type": "websocket.close"}
    serve(AuditMiddleware(app_of(*messages), log=jsonl, rule=rule), type="websocket")
    assert [fields["action"] for fields in entries(jsonl.path)] == kept


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, "success") for status in (200, 201, 204, 301, 304, 399)),
        *((status, "denied") for status in (401, 403)),
        *((status, "failure") for status in (400, 402, 404, 405, 422, 429, 500, 503)),
    ],
)
def test_result_is_that_of_the_status(status: int, result: str, jsonl: AuditLog) -> None:
    serve(AuditMiddleware(app_of(start(status), body()), log=jsonl))
    (fields,) = entries(jsonl.path)
    assert (fields["result"], fields["context"]["http_status"]) == (result, status)


@pytest.mark.parametrize(
    ("method", "action"),
    [
        *(("GET", "read"), ("HEAD", "read"), ("QUERY", "read"), ("POST", "create")),
        *(("PUT", "write"), ("PATCH", "write"), ("DELETE", "delete"), ("OPTIONS", "options")),
        *(("PROPFIND", "propfind"), ("X" * 5000, "x" * 10)),
    ],
)
def test_action_is_that_of_the_method(method: str, action: str, jsonl: AuditLog) -> None:
    serve(AuditMiddleware(app_of(start(), body()), log=jsonl), method=method)
    assert entries(jsonl.path)[0]["action"].startswith(action)
    assert len(entries(jsonl.path)[0]["action"]) <= 128


def test_exception_before_the_answer_is_a_failure_with_500(jsonl: AuditLog) -> None:
    with pytest.raises(KeyError):
        serve(AuditMiddleware(app_of(KeyError("k")), log=jsonl))
    (fields,) = entries(jsonl.path)
    assert fields["result"] == "failure"
    assert fields["context"]["http_status"] == 500
    assert fields["context"]["exception"]["type"] == "KeyError"


def test_exception_in_the_middle_of_an_answer_is_a_failure(jsonl: AuditLog) -> None:
    app = AuditMiddleware(app_of(start(), body(b"x", True), KeyError("k")), log=jsonl)
    with pytest.raises(KeyError):
        serve(app)
    (fields,) = entries(jsonl.path)
    assert (fields["result"], fields["context"]["http_status"]) == ("failure", 200)


def test_exception_after_the_answer_changes_nothing(jsonl: AuditLog) -> None:
    with pytest.raises(KeyError):
        serve(AuditMiddleware(app_of(start(), body(b"x"), KeyError("k")), log=jsonl))
    assert [fields["result"] for fields in entries(jsonl.path)] == ["success"]


def test_answer_that_is_not_finished_is_a_failure(jsonl: AuditLog) -> None:
    for messages in ([start(), body(b"x", True)], [start(content_length=9), body(b"x")], []):
        serve(AuditMiddleware(app_of(*messages), log=jsonl))
    found = entries(jsonl.path)
    assert [fields["result"] for fields in found] == ["failure"] * 3
    assert {fields["context"]["cause"] for fields in found} == {"the answer was not finished"}


def test_client_that_is_gone_is_a_failure(jsonl: AuditLog) -> None:
    async def listens(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        assert (await receive())["type"] == "http.disconnect"
        await send(body(b"x"))

    async def stops(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def cancelled(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        raise asyncio.CancelledError

    gone = ({"type": "http.disconnect"},)
    serve(AuditMiddleware(listens, log=jsonl), incoming=gone)
    serve(AuditMiddleware(stops, log=jsonl), incoming=gone)
    with pytest.raises(asyncio.CancelledError):
        serve(AuditMiddleware(cancelled, log=jsonl))
    found = entries(jsonl.path)
    assert [fields["result"] for fields in found] == ["failure"] * 3
    assert {fields["context"]["cause"] for fields in found} == {"the client was gone"}


def test_disconnect_after_the_answer_is_none_of_it(jsonl: AuditLog) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"x"))
        await receive()

    serve(AuditMiddleware(app, log=jsonl), incoming=({"type": "http.disconnect"},))
    assert [fields["result"] for fields in entries(jsonl.path)] == ["success"]


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("name", ["one sized body", "no content", "head", "a stream"])
def test_no_whole_answer_without_an_entry(name: str, durability: Any, tmp_path: Path) -> None:
    method, messages, _ = LAST[name]
    log = AuditLog(tmp_path / "audit.jsonl", on_failure="raise", durability=durability)
    log.close()
    sent: list[Message] = []
    with pytest.raises(LogClosed):
        serve(AuditMiddleware(app_of(*messages), log=log), sent.append, method=method)
    if name != "a stream":
        assert sent == [], "it can no longer become a 500"
    else:
        assert sent == messages[:-1]


def test_application_cannot_swallow_that_an_entry_was_refused(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.close()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(content_length=1))
        for _ in range(2):
            with pytest.raises(LogClosed):
                await send(body(b"x"))

    sent: list[Message] = []
    with pytest.raises(LogClosed):
        serve(AuditMiddleware(app, log=log), sent.append)
    assert sent == []


def test_event_loop_goes_on_during_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", durability="fsync")
    slow = threading.Event()
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def sync(fd: int, real: Any = real) -> None:
            slow.set()
            time.sleep(0.3)  # a slow disk
            real(fd)

        monkeypatch.setattr(os, name, sync)
    gaps: list[float] = []

    async def ticks() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    async def main() -> None:
        ticking = asyncio.create_task(ticks())
        middleware = AuditMiddleware(app_of(start(), body(b"x")), log=log)
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError

        await asyncio.gather(*(middleware(scope(), receive, send) for _ in range(30)))
        assert len(sent) == 60
        ticking.cancel()

    began = time.monotonic()
    asyncio.run(main())
    assert slow.is_set()
    assert max(gaps) < 0.2, "the event loop waited for the disk"
    assert time.monotonic() - began < 30 * 0.3 / 2, "requests did not share syncs"
    assert len(entries(log.path)) == 30
    log.close()


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_what_a_cancelled_request_stores_is_stored(tmp_path: Path, durability: Any) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", durability=durability)
    middleware = AuditMiddleware(app_of(start(), body(b"x")), log=log)

    async def main() -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                asyncio.get_running_loop().call_soon(task.cancel)

        async def receive() -> Message:
            raise AssertionError

        task = asyncio.create_task(middleware(scope(), receive, send))
        with pytest.raises(asyncio.CancelledError):
            await task

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()  # at once: it has no turn left for what it gathered
    middleware.auditor.drain()
    assert len(entries(log.path)) == 1
    log.close()


def test_shutdown_waits_for_what_after_mode_has_not_stored(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", durability="fsync")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body(b"x"))
        else:
            await send({"type": "lifespan.shutdown.complete"})

    middleware = AuditMiddleware(app, log=log, mode="after")
    seen: list[int] = []

    async def main() -> None:
        async def send(message: Message) -> None:
            if message["type"].startswith("lifespan"):
                seen.append(count(log))

        async def receive() -> Message:
            raise AssertionError

        for _ in range(50):
            await middleware(scope(), receive, send)
        await middleware({"type": "lifespan"}, receive, send)

    asyncio.run(main())
    assert seen == [50]
    log.close()


# --- What an entry says.


def test_paths_are_left_out_only_in_plain_form(jsonl: AuditLog) -> None:
    middleware = AuditMiddleware(
        app_of(start(), body()), log=jsonl, exclude=["/health", "/static/"]
    )
    out = ["/health", "/static/a.css", "/static/a/b.css"]
    recorded = ["/healthy", "/health/", "/static", "/static/../p", "/static//p", "/static/.\\p"]
    for path in [*out, *recorded]:
        serve(middleware, path=path)
    assert [fields["resource_id"] for fields in entries(jsonl.path)] == recorded


def test_request_id_of_the_request_is_taken_if_it_is_one(jsonl: AuditLog) -> None:
    middleware = AuditMiddleware(app_of(start(), body()), log=jsonl)
    given = [b"abc-1", b"x" * 129, b"two words", b"caf\xc3\xa9", b"a\x1b[31m", b""]
    for id in given:
        serve(middleware, headers=[(b"x-request-id", id)])
    serve(middleware, headers=[(b"x-request-id", b"a"), (b"x-request-id", b"b c")])
    first, *others = [fields["context"]["request_id"] for fields in entries(jsonl.path)]
    assert first == "abc-1"
    assert all(REQUEST_ID.fullmatch(id) for id in others)
    assert len(set(others)) == len(others)


def test_what_is_not_a_header_or_a_path_of_its_kind_is_recorded_safely(jsonl: AuditLog) -> None:
    middleware = AuditMiddleware(app_of(start(), body()), log=jsonl)
    agents = [b"a\xff\x00\x1b[31m", b'"}', b"x" * 65536, "Ω".encode()]
    for agent in agents:
        serve(middleware, headers=[(b"user-agent", agent)], path="/\x00\x1b[2J" + "y" * 70_000)
    found = entries(jsonl.path)
    assert [fields["user_agent"][:13] for fields in found] == [
        "a\\xff\\x00\x1b[31"[:13],
        '"}',
        "x" * 13,
        "Ω",
    ]
    for fields in found:
        assert "invalid" not in fields["context"]
        assert len(fields["user_agent"]) <= 1024
        assert fields["resource_id"].startswith("/%00%1B%5B2Jyyy")
        assert len(fields["resource_id"]) <= 1024


def test_rule_says_what_counts(tmp_path: Path) -> None:
    rules: dict[str, Any] = {
        "lines": ["read patient*", "-read *", "-options *"],
        "call": lambda event: event["action"] != "read" or event["resource_type"] == "patients",
    }
    for name, rule in rules.items():
        log = AuditLog(tmp_path / f"{name}.jsonl")
        for method, kind in [("GET", "patients"), ("GET", "docs"), ("PUT", "docs")]:
            middleware = AuditMiddleware(
                app_of(start(), body()), log=log, rule=rule, resource=lambda exchange, k=kind: k
            )
            serve(middleware, method=method)
        if name == "lines":
            middleware = AuditMiddleware(app_of(start(403), body()), log=log, rule=rule)
            serve(middleware)  # what was denied counts
        log.close()
        found = [(f["action"], f["resource_type"], f["resource_id"]) for f in entries(log.path)]
        expected = [("read", "patients", "*"), ("write", "docs", "*")]
        assert found == expected + ([("read", "path", "/x")] if name == "lines" else [])


def test_actor_and_resource_by_callables(jsonl: AuditLog) -> None:
    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.append(dict(current()))
        await send(start())
        await send(body())

    def actor(exchange: Exchange) -> Any:
        return exchange.header("x-user") and (exchange.header("x-user"), "service")

    middleware = AuditMiddleware(
        app, log=jsonl, actor=actor, resource=lambda exchange: ("doc", exchange.path[1:])
    )
    serve(middleware, path="/a/b", headers=[(b"x-user", b"cron")])
    serve(middleware, path="/c")
    first, second = entries(jsonl.path)
    assert (first["actor_id"], first["actor_type"]) == ("cron", "service")
    assert (first["resource_type"], first["resource_id"]) == ("doc", "a/b")
    assert (second["actor_id"], second["actor_type"]) == ("anonymous", "user")
    assert inside[0]["actor_id"] == "cron"
    assert "actor_id" not in inside[1]
    assert inside[0]["ip_address"] == "192.0.2.1"
    assert inside[0]["request_id"] == first["context"]["request_id"]


def test_code_inside_names_the_actor_and_annotates(jsonl: AuditLog) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(set_actor, "ann", "admin", session_id="s-1")
        assert annotate(resource="doc/7", reason="break glass", result="denied", colour="red")
        assert current()["actor_id"] == "ann"
        await send(start())
        await send(body())
        assert not annotate(reason="too late")

    serve(AuditMiddleware(app, log=jsonl))
    (fields,) = entries(jsonl.path)
    assert (fields["actor_id"], fields["actor_type"]) == ("ann", "admin")
    assert (fields["resource_type"], fields["resource_id"]) == ("doc", "7")
    assert (fields["reason"], fields["result"]) == ("break glass", "denied")
    assert (fields["session_id"], fields["context"]["colour"]) == ("s-1", "red")
    assert not set_actor("nobody")  # outside of a request
    assert not annotate(reason="none")


def test_user_whom_the_framework_signed_in_is_the_actor(jsonl: AuditLog) -> None:
    class User:
        is_authenticated = True
        identity = "ann"

    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = User()
        inside.append(dict(current()))
        await send(start())
        await send(body())

    serve(AuditMiddleware(app, log=jsonl))
    assert entries(jsonl.path)[0]["actor_id"] == "ann"
    assert inside[0]["actor_id"] == "ann"


def test_session_is_recorded_as_a_digest(jsonl: AuditLog) -> None:
    middleware = AuditMiddleware(app_of(start(), body()), log=jsonl, session_cookie="sid")
    serve(middleware, headers=[(b"cookie", b"a=b; sid=topsecret; c=d")])
    (fields,) = entries(jsonl.path)
    assert fields["session_id"].startswith("sha256:")
    assert b"topsecret" not in jsonl.path.read_bytes()


def test_callable_that_fails_loses_no_entry(jsonl: AuditLog) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError("token=topsecret")

    middleware = AuditMiddleware(
        app_of(start(), body()), log=jsonl, actor=fails, resource=fails, rule=fails
    )
    with pytest.warns(AuditWarning, match="raised RuntimeError") as caught:
        serve(middleware)
    assert not any("topsecret" in str(warning.message) for warning in caught)
    (fields,) = entries(jsonl.path)
    assert fields["actor_id"] == "unknown"  # not anonymous: nobody knows
    assert {f"{name}_failed" for name in ("actor", "resource", "rule")} <= set(fields["context"])


def test_nothing_unredacted_is_stored(jsonl: AuditLog) -> None:
    class Redact:
        def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
            return {**event, "user_agent": "[redacted]"}

        def url(self, text: str) -> str:
            return text.replace("topsecret", "[redacted]")

    about: dict[str, Any] = {
        "headers": [(b"user-agent", b"topsecret")],
        "query_string": b"token=topsecret",
        "path": "/reset/topsecret",
    }
    app = app_of(start(), body())
    resource = {"resource": lambda exchange: "reset"}
    serve(AuditMiddleware(app, log=jsonl, redact=Redact(), **resource), **about)

    def fails(event: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError

    with pytest.warns(AuditWarning, match="redact raised"):
        serve(AuditMiddleware(app, log=jsonl, redact=fails), **about)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        serve(AuditMiddleware(app, log=jsonl, **resource), **{**about, "headers": []})
    first, second, third = entries(jsonl.path)
    assert first["context"]["query"] == "token=[redacted]"
    assert second["context"]["redaction_failed"] is True
    assert third["context"]["query"] == "token=[redacted]"  # by the log's own
    assert b"topsecret" not in jsonl.path.read_bytes()


def test_mounted_middleware_records_nothing_again(jsonl: AuditLog) -> None:
    inner = AuditMiddleware(app_of(start(), body()), log=jsonl)
    serve(AuditMiddleware(inner, log=jsonl))
    assert len(entries(jsonl.path)) == 1


def test_unix_socket_has_no_address(jsonl: AuditLog) -> None:
    serve(AuditMiddleware(app_of(start(), body()), log=jsonl), client=None)
    (fields,) = entries(jsonl.path)
    assert fields["ip_address"] == "unknown"
    assert "ip_address" in fields["context"]["invalid"]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "sometimes"},
        {"exclude": "/health"},
        {"rule": "read"},
        {"rule": ["read"]},
        {"trusted_proxies": "10.0.0.0/8"},
        {"trusted_proxies": ["10.0.0.1/8"]},
        {"trusted_proxies": ["proxy"]},
        {"proxy_header": "x-real-ip"},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_meant_is_refused(options: Any, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError)):
        AuditMiddleware(app_of(), log=tmp_path / "audit.jsonl", **options)
    assert not (tmp_path / "audit.jsonl").exists()


def test_streamed_events_inherit_too(jsonl: AuditLog) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield current()["request_id"].encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        async for chunk in chunks():
            await send(body(chunk, True))
        await send(body())

    sent = serve(AuditMiddleware(app, log=jsonl))
    assert sent[1]["body"].decode() == entries(jsonl.path)[0]["context"]["request_id"]

"""A tagged call is stored once in each log that listens, and is for its caller as any other."""

from __future__ import annotations

import copy
import io
import json
import logging
import logging.config
import logging.handlers
import pickle
import queue
import sys
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from chains import check_chain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chained_logging.integrations.structlog
from chained_logging import (
    AuditHandler,
    AuditLog,
    AuditProcessor,
    audited,
    context,
    diagnostics,
    get_logger,
)
from chained_logging.errors import FAILURES
from chained_logging.integrations import listening
from chained_logging.integrations.stdlib import event_of
from chained_logging.testing import recorded

W: dict[str, Any] = {"actor": "u", "resource": "p/1", "ip": "10.0.0.1"}


def found(path: Path) -> list[dict[str, Any]]:
    return [body for body in check_chain(path) if body["actor_id"] != "chained_logging"]


def actions(path: Path) -> list[str]:
    return [body["action"] for body in found(path)]


@pytest.fixture
def app(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """A logger as a program has one, and nothing of it left behind."""
    logger = logging.getLogger("app")
    logger.setLevel(logging.INFO)
    listening._renew_last = None
    from chained_logging import diagnostics

    diagnostics._told.clear()
    yield logger
    for name in ("app", "app.part"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
        logger.filters.clear()
        logger.disabled, logger.propagate = False, True
        logger.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()


# --- Once in each log.


def test_two_handlers_and_two_processors(app: logging.Logger, tmp_path: Path) -> None:
    paths = [tmp_path / "all.jsonl", tmp_path / "part.db", tmp_path / "s.jsonl", tmp_path / "t.db"]
    app.addHandler(AuditHandler(paths[0]))
    part = logging.getLogger("app.part")
    for _ in range(3):  # a cell that is run again
        part.addHandler(AuditHandler(paths[1]))
    part.info("plain", extra={"audit": True, **W})
    get_logger("app.part").info("keywords", audit=True, **W)
    app.info("other", extra={"audit": True, **W})
    structlog.configure(
        processors=[*map(AuditProcessor, paths[2:]), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )
    structlog.get_logger().info("both", audit=True, audit_id="mine", **W)
    assert actions(paths[0]) == ["plain", "keywords", "other"]
    assert actions(paths[1]) == ["plain", "keywords"]
    for path in paths[2:]:
        assert [body["context"] for body in found(path)] == [{"audit_id": "mine"}]


def test_keys_of_the_callers_own(app: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AuditLog(path) as log:
        app.addHandler(AuditHandler(log=log))
        own = {"event": "mfa", "audit_id": "CASE-7"}
        app.info("a", extra={"audit": True, **own, **W})
        get_logger("app").info("b", audit=True, name="n", **own, **W)
        log.append("c", exc_info="E", stack_info="S", audit="Q3", **own, **W)
        log.append_many([{"action": "d", **own, **W, "context": {"x": 1}}])
        structlog.configure(
            processors=[AuditProcessor(log), structlog.processors.JSONRenderer()],
            logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
        )
        structlog.get_logger().info("e", audit=True, exc_info="E", stack_info="S", **W)
        structlog.get_logger().info("Text", action="f", audit=True, **W)
    assert [(body["action"], body["context"]) for body in found(path)] == [
        ("a", own),
        ("b", {**own, "name": "n"}),
        ("c", {**own, "exc_info": "E", "stack_info": "S", "audit": "Q3"}),
        ("d", {**own, "x": 1}),
        ("e", {"exc_info": "E", "stack_info": "S"}),
        ("f", {"message": "Text"}),
    ]


def test_a_message_that_is_an_object_and_what_stands_beside_it(
    app: logging.Logger, tmp_path: Path
) -> None:
    from pythonjsonlogger.json import JsonFormatter

    lines = io.StringIO()
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    plain = logging.StreamHandler(lines)
    plain.setFormatter(JsonFormatter())
    app.addHandler(plain)
    app.propagate = False
    app.info({"action": "read", "ward": 7}, extra={"audit": True, **W})
    app.info({"action": "read", "ward": 7, "audit": True, **W})
    with context(actor="u", password="hunter2"):
        rest = {"resource": "p/1", "ip": "10.0.0.1"}
        get_logger("app").info({"message": "read", "ward": 7}, audit=True, **rest)
        get_logger("app").info("read", audit=True, ward=7, **rest)
    for body in found(tmp_path / "a.jsonl"):
        assert (body["action"], body["actor_id"], body["resource_id"]) == ("read", "u", "1")
        assert body["context"].pop("ward") == 7
        assert not body["context"].keys() - {"password"}
    assert "hunter2" not in lines.getvalue()
    line = json.loads(lines.getvalue().splitlines()[-1])
    assert line.keys() == {"message", "ward", "audit", "resource", "ip", "audit_id"}


# --- Whatever the level.


@pytest.mark.parametrize("how", ["level", "disabled", "disable", "filter", "propagate", "handler"])
def test_what_logging_drops_is_recorded_and_shown_to_nobody(
    how: str, app: logging.Logger, tmp_path: Path
) -> None:
    lines = io.StringIO()
    app.addHandler(logging.StreamHandler(lines))
    handler = AuditHandler(tmp_path / "a.jsonl", level="ERROR" if how == "handler" else 0)
    app.addHandler(handler)
    part = logging.getLogger("app.part")
    match how:
        case "level":
            part.setLevel(logging.CRITICAL)
        case "disabled":
            part.disabled = True
        case "disable":
            logging.disable(logging.CRITICAL)
        case "filter":
            part.addFilter(lambda record: False)
        case "propagate":
            part.propagate = False
            part.addHandler(logging.NullHandler())

    @audited("thing", action="touched", actor="u", ip="10.0.0.1")
    def touch() -> None: ...

    touch.__wrapped__.__module__ = "app.part"  # type: ignore[attr-defined]
    get_logger("app.part").info("read", audit=True, **W)
    touch()
    assert actions(tmp_path / "a.jsonl") == ["read", "touched"]
    assert lines.getvalue() == ("read\ntouched\n" if how == "handler" else "")


def test_nobody_listens_and_that_is_said_once(
    app: logging.Logger, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for _ in range(3):
        get_logger("app").info("read", audit=True, **W)
    said = [r for r in caplog.records if r.name == "chained_logging"]
    assert [r.levelno for r in said] == [logging.ERROR]
    assert "'app'" in said[0].getMessage()
    with AuditLog(tmp_path / "a.jsonl") as log:
        assert log.stats()["unheard"] >= 3
        caplog.clear()
        # A worker that takes the handlers away, or a configuration that closes them.
        app.addHandler(AuditHandler(log=log))
        app.handlers.clear()
        get_logger("app").info("hijacked", audit=True, **W)
    assert actions(tmp_path / "a.jsonl") == ["hijacked"]
    assert "go to" in caplog.text


def test_what_is_configured_to_be_dropped_is_said_at_exit(tmp_path: Path) -> None:
    import subprocess

    program = """
import logging, sys
from chained_logging import AuditHandler
logging.getLogger().addHandler(AuditHandler("a.jsonl"))
logging.getLogger("shop.views").disabled = True
logging.getLogger("asyncio").disabled = True
logging.getLogger("shop").info("lost", extra={"audit": True})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert "the logger 'root' has an AuditHandler, and the level WARNING" in done.stderr
    assert "recorded: shop.views." in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("filter", "a filter dropped it"),
        ("filter of the handler", "a filter dropped it"),
        ("propagate", "propagate of 'app.part' is False"),
        ("removed", "no AuditHandler listens to it"),
        ("replaced", "no AuditHandler listens to it"),
        ("garbage", "a filter dropped it"),
        ("reserved", "a key of extra must not have a name that logging uses itself"),
    ],
)
def test_what_a_plain_logger_loses_is_said_once(
    how: str, why: str, app: logging.Logger, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    handler = AuditHandler(tmp_path / "a.jsonl")
    app.addHandler(handler)
    part = logging.getLogger("app.part")
    app.propagate = False  # pytest would keep the records
    match how:
        case "filter" | "garbage":
            part.addFilter(lambda record: False)
        case "filter of the handler":
            handler.addFilter(lambda record: False)
        case "propagate":
            part.propagate = False
            part.addHandler(logging.NullHandler())
        case "removed":
            app.removeHandler(handler)
        case "replaced":
            app.handlers[:] = [logging.NullHandler()]
    for _ in range(3):
        if how == "reserved":  # logging refuses it, as it does without the tag
            with pytest.raises(KeyError):
                part.info("lost", extra={"audit": True, "message": "x"})
            continue
        if how == "garbage":  # it ends in the middle of anything, and is said with the next
            kept = part.makeRecord("app.part", 20, "", 0, "x", (), None, extra={"audit": True})
            del kept
            assert "not recorded" not in caplog.text
            continue
        part.info("lost", extra={"audit": True, **W})
    if how in ("garbage", "reserved"):
        listening._check_all()
    said = [r.getMessage() for r in caplog.records if r.name == "chained_logging"]
    assert len([text for text in said if "'app.part' was not recorded" in text]) == 1
    assert why in "".join(said)
    assert handler.log.stats()["unheard"] >= 3
    part.filters.clear()
    app.propagate = part.propagate = True
    handler.close()


def test_what_goes_elsewhere_is_not_called_lost(
    app: logging.Logger, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            json.dumps(str(record.__dict__))

    class Pickler(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            pickle.dumps(record)

    class Copier(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            copy.copy(record)
            logging.makeLogRecord(record.__dict__)

    audit = AuditHandler(tmp_path / "a.jsonl")
    app.propagate = False
    memory = logging.handlers.MemoryHandler(9, target=audit)
    for handler in (Sender(), Pickler(), logging.handlers.QueueHandler(queue.Queue()), memory):
        app.handlers[:] = [handler]
        app.info("sent", extra={"audit": True, **W})
    memory.close()
    app.handlers[:] = [Copier(), audit]
    app.info("copied", extra={"audit": True, **W})
    app.propagate = True
    app.handlers.clear()
    assert caplog.text == ""
    assert actions(tmp_path / "a.jsonl") == ["sent", "copied"]
    audit.close()


EXITS = {
    "logging.disable(logging.CRITICAL)": "logging.disable(CRITICAL) holds",
    "app.setLevel('WARNING')": "the level of these loggers is above INFO",
    "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'handlers': []}})": (
        "a configuration of logging removed the AuditHandler and disabled loggers, so that their "
        "tagged calls are not recorded: app, other."
    ),
}


@pytest.mark.parametrize("later", EXITS)
def test_what_drops_later_calls_is_said_at_exit(later: str, tmp_path: Path) -> None:
    import subprocess

    program = f"""
import logging
from chained_logging import AuditHandler
logging.basicConfig(level="INFO", handlers=[AuditHandler("a.jsonl")])
app = logging.getLogger("app")
app.info("stored", extra={{"audit": True}})
logging.getLogger("other").info("stored", extra={{"audit": True}})
{later}
app.info("lost", extra={{"audit": True}})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert EXITS[later] in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_filter_of_structlog_before_the_processor_is_said(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "_told", set())
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    with AuditLog(tmp_path / "a.jsonl") as log:
        processor = AuditProcessor(log)
        structlog.configure(
            processors=[structlog.stdlib.filter_by_level, processor],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        structlog.get_logger("app").info("lost", audit=True, **W)
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]
        chained_logging.integrations.structlog._check_all()
        structlog.reset_defaults()
    assert "filter_by_level comes before AuditProcessor" in caplog.text


# --- In its own context.


def test_buffers_and_queues_keep_the_context_and_take_none(
    app: logging.Logger, tmp_path: Path
) -> None:
    memory = logging.handlers.MemoryHandler(100, target=AuditHandler(tmp_path / "a.jsonl"))
    app.addHandler(memory)
    waiting: queue.Queue[Any] = queue.Queue()
    app.addHandler(logging.handlers.QueueHandler(waiting))
    with context(actor="ann", ip="10.0.0.1"):
        app.info("read", extra={"audit": True, "resource": "p/1"})
        try:
            raise KeyError("k")
        except KeyError:
            app.exception("failed", extra={"audit": True, "resource": "p/1"})
    app.info("nobody's", extra={"audit": True, "resource": "p/1", "actor": "x", "ip": "10.0.0.1"})
    target = AuditHandler(tmp_path / "b.jsonl")
    with context(actor="eve", ip="10.9.9.9", tenant="hers"):
        memory.flush()
        while not waiting.empty():
            record = waiting.get()
            target.handle(pickle.loads(pickle.dumps(record)))
    for name in "ab":
        bodies = found(tmp_path / f"{name}.jsonl")
        assert [body["actor_id"] for body in bodies] == ["ann", "ann", "x"]
        assert {body["ip_address"] for body in bodies} == {"10.0.0.1"}
        assert bodies[1]["context"]["exception"] == {"type": "KeyError", "message": "'k'"}
        assert all("tenant_id" not in body for body in bodies)
    target.close()


@pytest.mark.parametrize("how", ["class", "function"])
def test_a_factory_that_is_set_later_loses_no_context(
    how: str, app: logging.Logger, tmp_path: Path
) -> None:
    class Mine(logging.LogRecord):
        pass

    target = AuditHandler(tmp_path / "a.jsonl")
    waiting: queue.Queue[Any] = queue.Queue()
    app.addHandler(logging.handlers.QueueHandler(waiting))
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Mine if how == "class" else lambda *a, **k: Mine(*a, **k))
    try:
        with context(actor="ann", ip="10.0.0.1"):
            app.info("read", extra={"audit": True, "resource": "p/1"})
    finally:
        logging.setLogRecordFactory(before)
    target.handle(waiting.get())
    target.close()
    (body,) = found(tmp_path / "a.jsonl")
    assert (body["actor_id"], body["context"]) == ("ann", {})


def test_a_queue_adds_no_traceback_to_the_message(app: logging.Logger, tmp_path: Path) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    sender = logging.handlers.QueueHandler(waiting)
    sender.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    app.addHandler(sender)
    try:
        raise KeyError("k")
    except KeyError:
        app.exception("failed %s", "here", extra={"audit": True, **W})
    app.info("two\nlines", extra={"audit": True, **W})
    with AuditLog(tmp_path / "a.jsonl") as log:
        for _ in range(2):
            AuditHandler(log=log).handle(waiting.get())
    one, two = found(tmp_path / "a.jsonl")
    assert one["action"] == "failed here"
    assert one["context"] == {"exception": {"type": "KeyError", "message": "'k'"}}
    assert (two["action"], two["context"]) == ("two", {"message": "two\nlines"})


def test_a_record_from_elsewhere_takes_nothing_from_here(
    app: logging.Logger, tmp_path: Path
) -> None:
    handler = AuditHandler(tmp_path / "a.jsonl")
    sent = {"name": "app", "msg": "read", "args": (), "audit": True, **W}
    del sent["actor"]
    with context(actor="the server"):
        handler.handle(logging.makeLogRecord(sent))
    handler.close()
    assert [body["actor_id"] for body in found(tmp_path / "a.jsonl")] == ["unknown"]


def test_an_event_for_another_handler(app: logging.Logger) -> None:
    seen: list[Any] = []

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(event_of(record))

    app.addHandler(Sender())
    with context(actor="ann"):
        get_logger("app").error("read", audit=True, name="n")
    (event,) = seen
    assert {k: event[k] for k in ("action", "result", "actor_id", "name")} == {
        "action": "read",
        "result": "failure",
        "actor_id": "ann",
        "name": "n",
    }


# --- Nothing breaks the caller.


def test_arguments_that_do_not_fit(
    app: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    app.propagate = False
    app.info("bad %d", "x", extra={"audit": True, **W})
    assert actions(tmp_path / "a.jsonl") == ["bad %d"]


@pytest.mark.parametrize("path", ["missing/a.db", "a.log", "other.db"])
def test_a_handler_that_could_not_open_is_none(path: str, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"no database" * 300)
    before = len(logging._handlerList)  # type: ignore[attr-defined]
    with pytest.raises((*FAILURES, ValueError)):
        AuditHandler(tmp_path / path)
    assert len(logging._handlerList) == before  # type: ignore[attr-defined]


def test_a_log_that_somebody_closed(
    app: logging.Logger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AuditLog(tmp_path / "a.jsonl")
    app.addHandler(AuditHandler(log=log))
    log.close()
    for _ in range(2):
        app.info("late", extra={"audit": True, **W})
    assert [r.levelname for r in caplog.records if r.name == "chained_logging"] == ["ERROR"]


def test_a_closed_handler_writes_on(app: logging.Logger, path: Path) -> None:
    handler = AuditHandler(path)
    app.addHandler(handler)
    for number in range(3):
        app.info(f"n-{number}", extra={"audit": True, **W})
        handler.close()
    assert actions(path) == ["n-0", "n-1", "n-2"]


class Odd:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __str__  # type: ignore[assignment]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.builds(object),
    st.builds(ValueError, st.text()),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)
KEYS = st.sampled_from(
    [
        *(
            "actor",
            "actor_id",
            "user_id",
            "ip",
            "ip_address",
            "resource",
            "resource_type",
            "result",
        ),
        *("resource_id", "action", "event", "context", "audit_id", "timestamp", "invalid", "name"),
        *("message", "args", "extra", "level", "exception", "_record", "_logger", "taskName", "é"),
    ]
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    message=VALUES,
    args=st.lists(VALUES, max_size=2),
    fields=st.dictionaries(KEYS, VALUES, max_size=5),
    kind=st.sampled_from(["plain", "logger", "structlog"]),
    method=st.sampled_from(["debug", "info", "error", "exception"]),
)
def test_a_call_is_for_its_caller_as_without_the_tag(
    message: Any, args: list[Any], fields: dict[str, Any], kind: str, method: str, calls: Any
) -> None:
    assert calls(kind, method, message, args, fields, True) == calls(
        kind, method, message, args, fields, False
    )


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("calls")
    handler = AuditHandler(folder / "a.jsonl")
    processor = AuditProcessor(handler.log)
    logger = logging.Logger("calls", logging.INFO)
    logger.parent = None
    shown: list[Any] = []
    shower = logging.StreamHandler(io.StringIO())
    shower.handleError = lambda record: shown.append("error")  # type: ignore[method-assign]
    shower.emit = lambda record: shown.append(  # type: ignore[method-assign]
        (record.levelno, repr(record.msg), repr(record.args), record.funcName)
    )
    logger.addHandler(handler)
    logger.addHandler(shower)

    def show(_: Any, name: str, event: Any) -> Any:
        kept = {k: repr(v) for k, v in event.items() if k not in ("audit", "audit_id")}
        shown.append((name, kept))
        raise structlog.DropEvent

    from chained_logging.integrations.stdlib import AuditLogger

    def call(
        kind: str, method: str, message: Any, args: list[Any], fields: Any, tagged: bool
    ) -> Any:
        shown.clear()
        fields = {**fields, "audit": tagged}
        try:
            match kind:
                case "plain":
                    getattr(logger, method)(message, *args, extra=fields)
                case "logger":
                    getattr(AuditLogger(logger, {}), method)(message, *args, **fields)
                case _:
                    bound = structlog.wrap_logger(None, processors=[processor, show])
                    getattr(bound, method)(message, *args, **fields)
        except Exception as error:
            return type(error), str(error), list(shown)
        return None, "", list(shown)

    yield call
    handler.close()


def test_a_value_whose_methods_raise(app: logging.Logger, tmp_path: Path) -> None:
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    app.propagate = False
    app.info("read", extra={"audit": True, "odd": Odd(), **W})
    get_logger("app").info("read", audit=True, odd=Odd(), resource=Odd(), actor=Odd())
    assert actions(tmp_path / "a.jsonl") == ["read", "read"]


def test_what_is_given_is_not_consumed(app: logging.Logger, tmp_path: Path) -> None:
    handler = AuditHandler(tmp_path / "a.jsonl")
    app.addHandler(handler)
    app.propagate = False
    structlog.configure(
        processors=[AuditProcessor(handler.log), lambda *_: ""],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )
    makers = [lambda: map(int, "12"), lambda: zip("ab", "cd", strict=True), lambda: iter("ab")]
    for make in [*makers, lambda: filter(None, [1, 2]), lambda: (i for i in "ab")]:
        ways = [
            lambda it: app.info("x", extra={"audit": True, "it": it, **W}),
            lambda it: get_logger("app").info("x", audit=True, it=it, **W),
            lambda it: structlog.get_logger().info("x", audit=True, it=it, **W),
            lambda it: handler.log.append("x", it=it, **W),
        ]
        for way in ways:
            it = make()  # type: ignore[no-untyped-call]
            way(it)
            assert len(list(it)) == 2


# --- Beside logging.


def test_loguru(app: logging.Logger, tmp_path: Path) -> None:
    from loguru import logger

    from chained_logging.integrations.loguru import AuditSink, keep_context

    lines: list[str] = []
    logger.remove()
    logger.configure(patcher=keep_context)
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"]
    sinks = [AuditSink(path) for path in paths[:2]]
    try:
        logger.add(sinks[0], level=0)
        logger.add(sinks[1], level=0, enqueue=True)
        logger.add(AuditHandler(paths[2]), level=0, format="{message}")
        logger.add(lines.append, format="{message} {extra[audit_id]}")
        with context(actor="ann", ip="10.0.0.1"):
            logger.bind(audit=True, resource="p/1").trace("below every level")
            logger.bind(audit=True).info("read", resource="p/1", event="own")
            with logger.contextualize(audit=True, resource="p/1"):
                try:
                    1 / 0  # noqa: B018
                except ZeroDivisionError:
                    logger.exception("failed")
            logger.info("not audited", audit_id="-")
    finally:
        logger.remove()
        logger.configure(patcher=lambda record: None)
    for path in paths:
        bodies = found(path)
        assert [body["action"] for body in bodies] == ["below every level", "read", "failed"]
        assert {(body["actor_id"], body["resource_id"]) for body in bodies} == {("ann", "1")}
        assert [body["result"] for body in bodies] == ["success", "success", "failure"]
        assert bodies[1]["context"] == {"event": "own"}
        assert bodies[2]["context"]["exception"]["type"] == "ZeroDivisionError"
    assert found(paths[0])[1]["id"] in lines[0]


def test_opentelemetrys_handler_sees_nothing_but_the_id(
    app: logging.Logger, tmp_path: Path
) -> None:
    shown: list[dict[str, Any]] = []

    class Everything(logging.Handler):  # as its LoggingHandler takes vars(record)
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(vars(record))

    own = set(vars(logging.makeLogRecord({}))) | {"message"}
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    app.addHandler(Everything())
    with context(actor="ann", session_id="s-1"):
        app.info("read", extra={"audit": True, "resource": "p/1"})
        get_logger("app").info("read", audit=True, resource="p/1")
    for attributes in shown:
        assert attributes.keys() - own == {"audit", "resource", "audit_id"}


def test_a_record_factory_of_the_programs_own(app: logging.Logger, tmp_path: Path) -> None:
    previous = logging.getLogRecordFactory()

    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    try:
        app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
        with context(actor="ann", ip="10.0.0.1"):
            get_logger("app").info("read", audit=True, resource="p/1", name="n")
            app.info("read", extra={"audit": True, "resource": "p/1"})
    finally:
        logging.setLogRecordFactory(previous)
    assert [body["actor_id"] for body in found(tmp_path / "a.jsonl")] == ["ann", "ann"]


def test_threads_at_once(app: logging.Logger, path: Path) -> None:
    app.addHandler(AuditHandler(path))
    threads = [
        threading.Thread(
            target=lambda n=n: [
                get_logger("app").info(f"{n}-{i}", audit=True, **W) for i in range(20)
            ]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(actions(path)) == sorted(f"{n}-{i}" for n in range(4) for i in range(20))


@pytest.mark.parametrize("tag", [True, False])
def test_file_and_line_are_the_callers_beside_structlogs_loggers(tag: bool) -> None:
    before = logging.getLoggerClass()
    structlog.stdlib.LoggerFactory()  # has all loggers made of a class of its own
    try:
        name = f"app.structlog.{tag}"
        with recorded(), unittest.TestCase().assertLogs(name, "INFO") as shown:
            get_logger(name).info("read", audit=tag, **W)
    finally:
        logging.setLoggerClass(before)
    assert [record.funcName for record in shown.records] == [
        "test_file_and_line_are_the_callers_beside_structlogs_loggers"
    ]

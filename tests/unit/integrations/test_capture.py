"""A tagged call is stored once in each log that listens, and is for its caller as any other."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog
from captured import W, actions, found
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chained_logging import (
    AuditHandler,
    AuditLog,
    AuditProcessor,
    context,
    get_logger,
)

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


# --- Nothing breaks the caller.


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

"""What a log record carries for the audit entry."""

from __future__ import annotations

import copy
import logging
import logging.config
import logging.handlers
import pickle
import queue
import sys
from pathlib import Path
from typing import Any

import pytest
from captured import W, found

from chained_logging import (
    AuditHandler,
    AuditLog,
    context,
    get_logger,
)
from chained_logging.integrations.log_records import (
    Logged,
    exception_of,
    install,
    is_tagged,
    message_text,
    noted,
    original,
    settle,
)


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


def test_what_a_record_carries_is_out_of_every_formatters_sight(app: logging.Logger) -> None:
    install()
    with context(actor="ann"):
        record = app.makeRecord("app", 20, "", 0, "read", (), None, extra={"audit": True})
    settle(record)
    assert noted(record).context == {"actor_id": "ann"}
    assert "ann" not in str(vars(record))


def test_a_copy_and_what_was_sent_carry_the_same(app: logging.Logger) -> None:
    install()
    with context(actor="ann"):
        try:
            raise KeyError("k")
        except KeyError:
            error = sys.exc_info()
        record = app.makeRecord("app", 20, "", 0, "read %s", ("x",), error, extra={"audit": True})
    settle(record)
    record_copy = copy.copy(record)
    record_copy.exc_info = None  # as a queue drops it
    sent = pickle.loads(pickle.dumps(record_copy))
    for each in (record_copy, sent):
        logged = noted(each)
        assert logged.context == {"actor_id": "ann"}
        assert logged.text == "read x"
        assert logged.exception == {"type": "KeyError", "message": "'k'"}
    plain = app.makeRecord("app", 20, "", 0, "read", (), None)
    assert pickle.loads(pickle.dumps(plain)).logged == Logged()


def test_a_record_is_found_by_a_copy_of_its_attributes(app: logging.Logger) -> None:
    install()
    record = app.makeRecord("app", 20, "", 0, "read", (), None)
    same = logging.makeLogRecord(vars(record))  # as ProcessorFormatter makes one
    assert original(same) is record
    stranger = logging.makeLogRecord({"msg": "x"})
    assert original(stranger) is stranger


@pytest.mark.parametrize(
    ("fields", "tagged"),
    [
        ({"audit": True}, True),
        ({"audit": False}, False),
        ({"extra": {"audit": True}}, True),
        ({"extra": "audit"}, False),
        ({"msg": {"audit": True}}, True),
        ({"msg": {"audit": 0}}, False),
        ({"msg": "audit"}, False),
    ],
)
def test_a_record_is_tagged_by_its_extra_or_its_message(
    fields: dict[str, Any], tagged: bool
) -> None:
    assert is_tagged(logging.makeLogRecord(fields)) is tagged


def test_a_message_whose_arguments_do_not_fit_is_kept_as_it_is() -> None:
    for fields, text in (
        ({"msg": "read %s", "args": ("x",)}, "read x"),
        ({"msg": "read %d", "args": ("x",)}, "read %d"),
        ({"msg": 7, "args": ()}, "7"),
    ):
        assert message_text(logging.makeLogRecord(fields)) == text


def test_an_exception_is_described_from_each_form() -> None:
    error = ValueError("x")
    described = {"type": "ValueError", "message": "x"}
    assert exception_of(error) == exception_of((ValueError, error, None)) == described
    for none in (None, True, (None, None, None), ("x",)):
        assert exception_of(none) is None

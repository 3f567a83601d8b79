"""Capture from loguru."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from captured import W, found

from chained_logging import (
    AuditHandler,
    AuditLog,
    context,
)
from chained_logging.event.entry import InvalidEntry
from chained_logging.integrations.loguru import AuditSink, keep_context


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


class Message(str):
    """What loguru gives to a sink."""

    record: dict[str, Any]


def said(text: str = "read", level: int = 20, **extra: Any) -> Message:
    message = Message(text)
    message.record = {
        "extra": extra,
        "message": text,
        "level": SimpleNamespace(no=level),
        "time": datetime(2026, 1, 2, tzinfo=UTC),
        "thread": SimpleNamespace(id=threading.get_ident()),
        "exception": None,
    }
    return message


def test_only_what_is_tagged_is_stored_once_in_each_log(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    sinks = [AuditSink(path) for path in paths]
    message = said(audit=True, **W)
    for sink in (*sinks, *sinks):
        sink.write(message)
        sink.write(said("not audited", **W))
    for sink in sinks:
        sink.stop()
    for path in paths:
        (body,) = found(path)
        assert (body["action"], body["timestamp"][:10]) == ("read", "2026-01-02")
    assert message.record["extra"]["audit_id"].logs == tuple(paths)


def test_a_level_of_an_error_is_a_failure(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        for level in (30, 40):
            AuditSink(log).write(said(level=level, audit=True, **W))
        AuditSink(log).stop()  # which is not its to close
        log.append("still open", **W)
    bodies = found(log.path)
    assert [body["result"] for body in bodies] == ["success", "failure", "success"]


def test_another_threads_context_is_not_the_calls(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log, context(actor="eve"):
        message = said(audit=True, resource="p/1", ip="10.0.0.1")
        AuditSink(log).write(message)
        message = said(audit=True, resource="p/1", ip="10.0.0.1")
        message.record["thread"].id += 1
        AuditSink(log).write(message)
        keep_context(message.record)
        AuditSink(log).write(said(audit=True))
    assert [body["actor_id"] for body in found(log.path)] == ["eve", "unknown", "eve"]
    assert message.record["audit_context"] == {"actor_id": "eve"}


def test_a_log_that_fails_closed_says_so(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl", strict=True) as log, pytest.raises(InvalidEntry):
        AuditSink(log).write(said(audit=True))

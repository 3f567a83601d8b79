"""Capture from structlog."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
from pathlib import Path
from typing import Any

import pytest
import structlog
from captured import W, actions, found

import chained_logging.integrations.structlog
from chained_logging import (
    AuditLog,
    AuditProcessor,
    context,
    diagnostics,
)
from chained_logging.event.entry import InvalidEntry


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


def logger(log: AuditLog, *more: Any) -> Any:
    processors = [*more, AuditProcessor(log), lambda *given: given[2]]
    return structlog.wrap_logger(structlog.ReturnLogger(), processors=processors)


def test_a_tagged_event_is_an_entry_and_goes_on_with_its_id(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        _, shown = logger(log).info("read", audit=True, ward=7, **W)
        _, other = logger(log).info("not audited", ward=8)
    (body,) = found(log.path)
    assert (body["action"], body["context"]) == ("read", {"ward": 7})
    assert shown == {"event": "read", "audit": True, "ward": 7, "audit_id": body["id"], **W}
    assert other == {"event": "not audited", "ward": 8}


def test_the_method_says_that_it_failed(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        for method in ("info", "error", "exception"):
            getattr(logger(log), method)("read", audit=True, **W)
    assert [body["result"] for body in found(log.path)] == ["success", "failure", "failure"]


def test_two_processors_of_one_log_make_one_entry(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        logger(log, AuditProcessor(log)).info("read", audit=True, **W)
    assert actions(log.path) == ["read"]


def test_what_the_call_says_wins_then_our_context_then_structlogs(tmp_path: Path) -> None:
    bound = structlog.contextvars.bound_contextvars(actor="bound", ward=7)
    with AuditLog(tmp_path / "a.jsonl") as log, bound, context(actor="ours"):
        logger(log).info("read", audit=True, resource="p/1", ip="10.0.0.1")
        logger(log).info("read", audit=True, **W)
    bodies = found(log.path)
    assert [(b["actor_id"], b["context"]) for b in bodies] == [
        ("ours", {"ward": 7}),
        ("u", {"ward": 7}),
    ]


def test_what_an_event_renamer_renamed_is_the_action(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        processor = AuditProcessor(log)
        renamer = structlog.processors.EventRenamer("message")
        structlog.configure(
            processors=[renamer, processor, structlog.processors.JSONRenderer()],
            logger_factory=structlog.ReturnLoggerFactory(),
        )
        try:
            structlog.get_logger().info("read", audit=True, **W)
        finally:
            structlog.reset_defaults()
    assert [(b["action"], b["context"]) for b in found(log.path)] == [("read", {})]


def test_a_processor_behind_the_renderer_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "_told", set())
    with AuditLog(tmp_path / "a.jsonl") as log:
        assert AuditProcessor(log)(None, "info", "rendered") == "rendered"  # type: ignore[arg-type]
    assert "AuditProcessor must come before the renderer" in caplog.text


def test_a_level_that_drops_audited_events_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "_told", set())
    with AuditLog(tmp_path / "a.jsonl") as log:
        structlog.configure(
            processors=[AuditProcessor(log)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        )
        try:
            chained_logging.integrations.structlog._check_all()
        finally:
            structlog.reset_defaults()
    assert "drop what is below WARNING" in caplog.text


def test_a_log_that_fails_closed_says_so_to_the_caller(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl", strict=True) as log, pytest.raises(InvalidEntry):
        logger(log).info("read", audit=True)

"""Capture from the standard library's logging."""

from __future__ import annotations

import io
import logging
import logging.config
import logging.handlers
import unittest
from pathlib import Path
from typing import Any

import pytest
import structlog
from captured import W, actions, found

from chained_logging import (
    AuditHandler,
    AuditLog,
    context,
    get_logger,
)
from chained_logging.errors import FAILURES
from chained_logging.integrations.stdlib import AuditContextFilter, event_of
from chained_logging.testing import recorded


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


def test_a_handler_needs_one_log(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        for given in ({}, {"path": tmp_path / "b.jsonl", "log": log}):
            with pytest.raises(TypeError, match="either a path or log="):
                AuditHandler(**given)  # type: ignore[arg-type]


def test_only_what_is_tagged_is_an_entry_and_others_show_its_id(
    app: logging.Logger, tmp_path: Path
) -> None:
    lines = io.StringIO()
    app.addHandler(AuditHandler(tmp_path / "a.jsonl", level="CRITICAL"))
    shower = logging.StreamHandler(lines)
    shower.setFormatter(logging.Formatter("%(message)s %(audit_id)s", defaults={"audit_id": "-"}))
    app.addHandler(shower)
    app.info("read", extra={"audit": True, **W})
    app.info("not audited", extra={**W})
    (body,) = found(tmp_path / "a.jsonl")
    assert lines.getvalue() == f"read {body['id']}\nnot audited -\n"


def test_a_bound_logger_passes_its_fields_with_each_call(
    app: logging.Logger, tmp_path: Path
) -> None:
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    bound = get_logger("app", ward=7).bind(bed=2)
    bound.info("read", audit=True, extra={"shift": "late"}, bed=3, **W)
    (body,) = found(tmp_path / "a.jsonl")
    assert body["context"] == {"ward": 7, "bed": 3, "shift": "late"}


def test_keywords_of_logging_keep_their_meaning(app: logging.Logger, tmp_path: Path) -> None:
    app.addHandler(AuditHandler(tmp_path / "a.jsonl"))
    app.propagate = False
    get_logger("app").info("read", audit=True, exc_info=ValueError("x"), **W)
    get_logger("app").log(logging.INFO, "read", audit=True, level="mine", **W)
    one, two = found(tmp_path / "a.jsonl")
    assert one["context"] == {"exception": {"type": "ValueError", "message": "x"}}
    assert two["context"] == {"level": "mine"}


def test_a_filter_attaches_what_is_known_now(app: logging.Logger, tmp_path: Path) -> None:
    held: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            held.append(record)

    keeper = Keeper()
    keeper.addFilter(AuditContextFilter())
    app.addHandler(keeper)
    patients = ["p-1"]
    with context(actor="ann", ip="10.0.0.1", patients=patients):
        app.info("read", extra={"audit": True, "resource": "p/1"})
    target = AuditHandler(tmp_path / "a.jsonl")
    target.handle(held[0])
    target.close()
    (body,) = found(tmp_path / "a.jsonl")
    assert (body["actor_id"], body["context"]) == ("ann", {"patients": ["p-1"]})

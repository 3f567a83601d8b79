"""The trace that an event belongs to, from OpenTelemetry's current span."""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
from logging.handlers import QueueHandler
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from chains import EVENT

from chained_logging import AuditHandler, AuditLog, AuditProcessor, context
from chained_logging.integrations.web.auditor import Auditor

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit.jsonl")


def test_an_event_has_the_trace_of_the_span_that_it_is_logged_in(log: AuditLog) -> None:
    structured = structlog.wrap_logger(
        structlog.ReturnLogger(), [AuditProcessor(log), structlog.processors.JSONRenderer()]
    )
    plain = logging.Logger("plain")
    plain.addHandler(AuditHandler(log=log))
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    queued = logging.Logger("queued")
    queued.addHandler(QueueHandler(waiting))
    seen: list[str | None] = []

    def remember(event: dict[str, object]) -> dict[str, object]:
        seen.append(event.get("trace_id"))
        return event

    log.redact, redact = remember, log.redact  # type: ignore[misc]
    with sdk.TracerProvider().get_tracer("t").start_as_current_span("s") as span:
        expected = f"{span.get_span_context().trace_id:032x}"
        entry = log.append("read", **EVENT)
        structured.info("read", audit=True, **EVENT)
        plain.info("read", extra={"audit": True, **EVENT})
        queued.info("read", extra={"audit": True, **EVENT})
        own = log.append("read", **EVENT, trace_id="1f" * 16)
        with context(trace_id="2f" * 16):
            other = log.append("read", **EVENT)
        auditor = Auditor(log)
        exchange = auditor.begin(None, "GET", "/", "10.0.0.1", lambda name: None)
    assert exchange is not None
    event = auditor.event(exchange)
    plain.handle(waiting.get())
    log.redact = redact  # type: ignore[misc]
    assert event is not None
    assert [entry.trace_id, event["trace_id"]] == [expected, expected]
    assert seen == [expected] * 3 + ["1f" * 16, "2f" * 16, expected]
    assert (own.trace_id, other.trace_id) == ("1f" * 16, "2f" * 16)
    assert log.append("read", **EVENT).trace_id is None
    assert log.append_many([{"action": "read", **EVENT}])[0].trace_id is None


@pytest.mark.parametrize("broken", [None, SimpleNamespace(), SimpleNamespace(trace_id="x")])
def test_a_span_of_somebodys_own_harms_nothing(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch, broken: object
) -> None:
    span = SimpleNamespace(get_span_context=lambda: broken)
    monkeypatch.setattr(trace, "get_current_span", lambda: span)
    assert log.append("read", **EVENT).trace_id is None


def test_nobody_imports_opentelemetry_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from chained_logging import AuditLog\n"
        f"AuditLog({str(tmp_path / 'a.jsonl')!r}).append('read', actor='u', resource='a/1')\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

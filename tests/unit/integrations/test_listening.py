"""Which handlers receive a tagged call, and what is said if none would."""

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
from pathlib import Path

import pytest
from captured import W, actions

from chained_logging import (
    AuditHandler,
    AuditLog,
    audited,
    get_logger,
)
from chained_logging.integrations import listening


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

"""Entries, chain, sinks and capture."""

from __future__ import annotations

import json
import logging
import logging.config
import multiprocessing
import sqlite3
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import structlog
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st

import chained_logging
from chained_logging import AuditHandler, AuditLog, AuditProcessor, InvalidEntry
from chained_logging.event import values
from chained_logging.event.draft import draft
from chained_logging.format.line import GENESIS, MAX_BODY

anything = st.recursive(
    st.floats() | st.integers() | st.binary() | st.text() | st.datetimes() | st.decimals(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner)
        | st.tuples(inner)
    ),
)


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"audit.{request.param}"


def bodies(path: Path) -> list[dict[str, Any]]:
    with AuditLog(path) as log:
        return [entry.fields for entry in log.entries()]


@settings(max_examples=often(100), deadline=None)
@given(st.dictionaries(st.text(), anything))
def test_any_event_becomes_a_canonical_body(event: dict[str, Any]) -> None:
    body = draft(event, action="x").body(1, "0" * 64)
    # Every JSON number is a double: a float of 2**53 is written like an integer.
    assert rfc8785.dumps(json.loads(body, parse_int=float)) == body
    assert len(body) <= MAX_BODY


def test_values_end_for_any_input() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert values.encode(loop) == '[1,"<cycle>"]'

    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError

    assert values.encode(Nasty()) == '"<unprintable Nasty>"'


def test_the_hash_is_sha256_of_a_zero_byte_and_the_body(path: Path) -> None:
    with AuditLog(path) as log:
        entry = log.append("read", actor="u", resource="a/b", ip="::1")
    done = subprocess.run(["sha256sum"], input=b"\0" + entry.body, capture_output=True, check=True)
    assert done.stdout.split()[0].decode() == entry.hash


def test_strict_names_all_that_is_wrong(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl", strict=True) as log:
        with pytest.raises(InvalidEntry) as caught:
            log.append("read", ip="host.example", result="maybe")
        assert set(caught.value.problems) == {
            "actor_id",
            "ip_address",
            "resource_id",
            "resource_type",
            "result",
        }
        assert [e.seq for e in log.entries()] == [0]


def test_incomplete_is_chained_and_marked(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", actor="u", ip="host.example", resource="a/b")
    body = bodies(path)[1]
    assert body["ip_address"] == "unknown"
    assert body["context"] == {"invalid": {"ip_address": "host.example"}}
    assert chained_logging.verify(path).incomplete == 1


def test_a_large_event_keeps_digests(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("x", actor="u", resource="a/b", ip="::1", big="x" * 90_000, small=1)
    context = bodies(path)[1]["context"]
    assert context["oversize"] == ["/context/big"]
    assert context["big"].endswith("(90002 bytes)")
    assert context["small"] == 1
    assert chained_logging.verify(path).intact


def _write(path: Path, count: int) -> None:
    with AuditLog(path) as log:
        threads = [
            threading.Thread(
                target=lambda: [log.append("x", actor="u", resource="a/b") for _ in range(count)]
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork with threads: it is the test
def test_processes_and_threads_make_one_chain(path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=_write, args=(path, 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    report = chained_logging.verify(path)
    assert report.intact
    assert report.entries == 401


def test_a_torn_tail_is_set_aside_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    AuditLog(path).close()
    with path.open("ab") as file:
        file.write(b'{"action":"re')
    with AuditLog(path) as log:
        log.append("read", actor="u", resource="a/b")
    assert [b["action"] for b in bodies(path)] == ["log.open", "log.recover", "read"]
    assert next(tmp_path.glob("a.jsonl.torn-*")).read_bytes() == b'{"action":"re'
    assert chained_logging.verify(path).intact


def test_a_removed_file_never_gives_a_second_genesis(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("one", actor="u", resource="a/b")
        path.unlink()
        log.append("two", actor="u", resource="a/b")
    assert [b["seq"] for b in bodies(path)] == [2, 3]
    path.unlink()
    with AuditLog(path) as log:
        log.append("three", actor="u", resource="a/b")
    assert bodies(path)[0]["prev_hash"] != GENESIS


def test_sqlite_refuses_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    AuditLog(path).close()
    db = sqlite3.connect(path)
    for statement in (
        "UPDATE entries SET hash = hash",
        "DELETE FROM entries",
        "REPLACE INTO entries (seq, body, hash) SELECT seq, body, hash FROM entries",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()


@pytest.fixture
def root() -> Any:
    logger = logging.getLogger("app")
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    structlog.reset_defaults()


def test_structlog(path: Path) -> None:
    with AuditLog(path) as log:
        out = structlog.testing.CapturingLoggerFactory()
        structlog.configure(
            processors=[AuditProcessor(log), structlog.processors.EventRenamer("message")],
            logger_factory=out,
        )
        logger = structlog.get_logger()
        with structlog.contextvars.bound_contextvars(actor="u1", ip="10.0.0.1"):
            logger.info("read", audit=True, resource="patient_record/456")
            logger.info("not audited")
        structlog.reset_defaults()
    body = bodies(path)[1]
    assert (body["actor_id"], body["action"], body["resource_id"]) == ("u1", "read", "456")
    assert len(bodies(path)) == 2
    assert out.logger.calls[0].kwargs["audit_id"] == body["id"]


def test_stdlib(path: Path, root: logging.Logger) -> None:
    settings = {
        "version": 1,
        "handlers": {"audit": {"()": "chained_logging.AuditHandler", "path": str(path)}},
        "loggers": {"app": {"handlers": ["audit"], "level": "INFO"}},
    }
    logging.config.dictConfig({**settings, "disable_existing_loggers": False})
    seen: list[logging.LogRecord] = []
    root.addFilter(lambda record: not seen.append(record))
    with chained_logging.context(actor="u1", ip="10.0.0.1"):
        root.info("read", extra={"audit": True, "resource": "a/b"})
        chained_logging.get_logger("app").info("write", audit=True, resource="a/b", name="n")
        try:
            raise KeyError("k")
        except KeyError:
            chained_logging.get_logger("app").exception("fail", audit=True, resource="a/b")
    root.handlers[0].close()
    first, second, third = bodies(path)[1:]
    assert (first["actor_id"], first["action"]) == ("u1", "read")
    assert second["context"]["name"] == "n"
    assert third["result"] == "failure"
    assert third["context"]["exception"] == {"message": "'k'", "type": "KeyError"}
    assert {record.filename for record in seen} == {"test_core.py"}


def test_an_open_log_has_its_options(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log, pytest.raises(TypeError):
        AuditHandler(log=log, strict=True)

"""What programs do beside the plain cases: formatters, filters, managers, joined tables, tokens."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from chained_logging import AuditHandler, AuditLog, AuditProcessor, context, get_logger
from chained_logging.event.models import hidden
from chained_logging.event.resources import split

W: dict[str, Any] = {"audit": True, "resource": "p/1", "actor": "u", "ip": "10.0.0.1"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        yield log


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("neighbours")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()
    logger.filters.clear()


def stored(log: AuditLog) -> list[Any]:
    return [entry for entry in log.entries() if entry.actor_id != "chained_logging"]


@pytest.mark.parametrize("place", ["foreign_pre_chain", "processors"])
def test_a_formatter_leaves_a_record_its_arguments_and_exception(
    log: AuditLog, logger: logging.Logger, place: str
) -> None:
    chain: dict[str, Any] = {"foreign_pre_chain": [], "processors": []}
    chain[place].append(AuditProcessor(log))
    chain["processors"].append(structlog.processors.JSONRenderer(default=str))
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**chain))
    logger.addHandler(handler)
    logger.info("read %s", "x", extra=W)
    try:
        raise KeyError("k")
    except KeyError:
        logger.exception("failed", extra=W)
    logger.info({"event": "listed", **W})
    read, failed, listed = stored(log)
    assert (read.action, failed.action, listed.action) == ("read x", "failed", "listed")
    assert failed.context["exception"]["type"] == "KeyError"


def test_get_logger_knows_what_a_filter_adds(log: AuditLog, logger: logging.Logger) -> None:
    def add(record: logging.LogRecord) -> bool:
        record.actor, record.tenant = "by-filter", "t"
        return True

    logger.addFilter(add)
    logger.addHandler(AuditHandler(log=log))
    get_logger("neighbours").info("read", audit=True, resource="p/1", ip="10.0.0.1")
    get_logger("neighbours").info("read", **W)
    first, second = stored(log)
    assert (first.actor_id, first.tenant_id) == ("by-filter", "t")
    assert (second.actor_id, second.tenant_id) == ("u", "t")


def test_a_filter_that_raises_loses_no_event(log: AuditLog, logger: logging.Logger) -> None:
    def broken(record: logging.LogRecord) -> bool:
        raise RuntimeError("broken")

    logger.addFilter(broken)
    logger.addHandler(AuditHandler(log=log))
    with pytest.raises(RuntimeError, match="broken"):
        get_logger("neighbours").info("read", **W)
    assert [entry.action for entry in stored(log)] == ["read"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("jdbc:postgresql://h/db", ("jdbc", "jdbc:postgresql://h/db")),
        ("blob:https://x/1", ("blob", "blob:https://x/1")),
        ("fhir:Patient/1", ("fhir", "Patient/1")),
        ("patient:1/notes/2", ("patient", "1/notes/2")),
        ("git@github.com:o/r.git", ("git", "git@github.com:o/r.git")),
        ("Admin::Patient/4", ("Admin::Patient", "4")),
        ("a::b", (None, "a::b")),
    ],
)
def test_addresses_with_a_colon(given: str, expected: tuple[str | None, str]) -> None:
    assert split(given) == expected


def test_an_identifier_is_never_the_repr_of_bytes(log: AuditLog) -> None:
    class User:
        id = b"\x00\xff"

    entry = log.append("read", actor=User(), resource="p/1", ip="10.0.0.1")
    assert entry.actor_id == "unknown"


# --- Recorders.


def test_a_joined_table_gives_the_old_values_of_its_own_row(tmp_path: Path) -> None:
    sa = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    from chained_logging.integrations.sqlalchemy import record_changes

    base = orm.declarative_base()

    class Employee(base):  # type: ignore[misc, valid-type]
        __tablename__ = "employee"
        id = sa.Column(sa.Integer, primary_key=True)
        kind = sa.Column(sa.String)
        __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "e"}  # noqa: RUF012

    class Manager(Employee):
        __tablename__ = "manager"
        id = sa.Column(sa.ForeignKey("employee.id"), primary_key=True)
        dept = sa.Column(sa.String)
        __mapper_args__ = {"polymorphic_identity": "m"}  # noqa: RUF012

    engine = sa.create_engine("sqlite://")
    base.metadata.create_all(engine)
    maker = orm.sessionmaker(engine)
    with maker.begin() as session:
        session.add_all([Manager(dept="first"), Manager(dept="second")])
    with AuditLog(tmp_path / "audit.jsonl") as log:
        record_changes(maker, log=log)
        with maker() as session, context(actor="u", ip="10.0.0.1"):
            second = session.get(Manager, 2)
            session.expire(second)
            second.dept = "third"
            session.commit()
        (entry,) = stored(log)
    assert (entry.resource_id, entry.fields["old_values"]) == ("2", {"dept": "second"})


def test_an_orphan_that_a_flush_deletes_is_recorded(tmp_path: Path) -> None:
    sa = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    from chained_logging.integrations.sqlalchemy import record_changes

    base = orm.declarative_base()

    class Home(base):  # type: ignore[misc, valid-type]
        __tablename__ = "home"
        id = sa.Column(sa.Integer, primary_key=True)
        user_id = sa.Column(sa.ForeignKey("user.id"))

    class User(base):  # type: ignore[misc, valid-type]
        __tablename__ = "user"
        id = sa.Column(sa.Integer, primary_key=True)
        homes = orm.relationship(Home, cascade="all, delete-orphan")

    engine = sa.create_engine("sqlite://")
    base.metadata.create_all(engine)
    maker = orm.sessionmaker(engine)
    with maker.begin() as session:
        session.add(User(homes=[Home(), Home()]))
    with AuditLog(tmp_path / "audit.jsonl") as log:
        record_changes(maker, log=log)
        with maker() as session, context(actor="u", ip="10.0.0.1"):
            user = session.get(User, 1)
            del user.homes[0]
            session.commit()
        assert [(e.action, e.resource_type, e.resource_id) for e in stored(log)] == [
            ("delete", "home", "1")
        ]


def test_what_stands_for_a_session_key_is_half_of_its_hash() -> None:
    import hashlib

    assert hidden("abc") == hashlib.sha256(b"abc").hexdigest()[:32]
    assert hidden(None) is None

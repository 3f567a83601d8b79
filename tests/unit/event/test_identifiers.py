"""Objects become the text that names them, or the entry says that they could not."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import io
import json
import logging
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import pytest
import structlog
from chains import EVENT

from chained_logging import AuditHandler, AuditLog, AuditProcessor, InvalidEntry, verify
from chained_logging.event.draft import draft

GOOD = {"action": "read", **EVENT}


def made(**fields: Any) -> dict[str, Any]:
    entry = draft({**GOOD, **fields}).body(1, "a" * 64)
    parsed: dict[str, Any] = json.loads(entry)
    return parsed


class Thing:
    def __init__(self, **members: Any) -> None:
        vars(self).update(members)


class ObjectId:
    def __str__(self) -> str:
        return "65f0c0ffee"


class Mail(Thing):
    def __str__(self) -> str:
        return "ann@example.com"


class Repr(Thing):
    def __repr__(self) -> str:
        return "<User 7>"

    __str__ = __repr__


class Inherited(logging.Formatter, collections.UserString):
    """Whose text is somebody else's."""


class Fails(Thing):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Slotted:
    __slots__ = ("id", "username")

    def __init__(self) -> None:
        self.id, self.username = 7, "ann"


class Identity:
    @property
    def identity(self) -> str:
        raise NotImplementedError

    username = "ann"


class Row(NamedTuple):
    id: int
    name: str


@dataclasses.dataclass
class User:
    id: int | None
    email: str = "ann@example.com"


class Kind(enum.Enum):
    PATIENT = "patient"
    SEVEN = 7
    LIST = [1]  # noqa: RUF012


NAMED = [
    (5, "5"),
    (0, "0"),
    (10**18 + 7, "1000000000000000007"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (Kind.PATIENT, "patient"),
    (Kind.SEVEN, "7"),
    (Decimal("7"), "7"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (Path("/srv/a"), "/srv/a"),
    (collections.UserString("ann"), "ann"),
    (b"ann", "ann"),
    (Thing(pk=3, id=4), "3"),
    (Thing(id=7), "7"),
    (Thing(user_id="u-7"), "u-7"),
    (Thing(id=uuid.UUID(int=5)), "00000000-0000-0000-0000-000000000005"),
    (Thing(id=ObjectId()), "65f0c0ffee"),
    (Thing(id=lambda: 5, user_id=7), "7"),
    (Thing(username="ann"), "ann"),
    (Thing(is_authenticated=False, id=None), "anonymous"),
    (Mail(id=7), "7"),
    (ObjectId(), "65f0c0ffee"),
    (Slotted(), "7"),
    (Identity(), "ann"),
    (User(7), "7"),
    (Row(7, "ann"), "7"),
    (mock.Mock(id=7), "7"),
]
REFUSED = [
    True, 7.0, float("nan"), "", b"\xff", b"", [7], (7,), ("u", "admin"), {"id": 7}, {7}, object(),
    Thing(), Thing(id=None, username="ann"), Thing(pk=None), Thing(email="ann@example.com"),
    Thing(username="ann@example.com"), Thing(id=True), Thing(id=[1]), Mail(), Repr(), Fails(),
    User(None), Kind.LIST, Thing, len, lambda: 1, mock.Mock(), mock.MagicMock(), json, iter([7]),
    (n for n in [7]), ValueError("x"), io.StringIO(), memoryview(b"x"), type("SecretStr", (), {
        "__str__": lambda _: "hunter2"})(),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), NAMED, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("name", ["actor", "session_id", "resource_id"])
def test_what_names_an_object(name: str, value: Any, expected: str) -> None:
    fields = made(**{name: value})
    assert fields["actor_id" if name == "actor" else name] == expected
    assert "invalid" not in fields["context"]


@pytest.mark.parametrize("value", REFUSED, ids=lambda v: type(v).__name__)
def test_what_nothing_names_is_marked(value: Any) -> None:
    fields = made(actor=value)
    text = json.dumps(fields)
    assert fields["actor_id"] == "unknown"
    assert set(fields["context"]["invalid"]) == {"actor_id"}
    assert " at 0x" not in text
    assert "hunter2" not in text
    assert "ann@example.com" not in text
    with pytest.raises(InvalidEntry, match="actor_id"):
        draft({**GOOD, "actor": value}, strict=True)


def test_nothing_of_it_is_used_up_and_no_mock_notices() -> None:
    noticed, generator = mock.MagicMock(), (n for n in [7])
    made(actor=noticed, resource=("a", noticed), session_id=generator)
    assert noticed.mock_calls == []
    assert list(generator) == [7]


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        (Thing(pk=7, username="ann"), "ann"),
        (Slotted(), "ann"),
        (Thing(pk=7, username="ann@example.com"), None),
        (Thing(pk=7, username="7"), None),
        (Thing(pk=7, username=""), None),
        (Thing(pk=7, username=lambda: "x"), None),
        (mock.Mock(pk=7), None),
        (7, None),
        ("u", None),
    ],
)
def test_a_person_is_called_by_name_beside_a_bare_key(actor: Any, name: str | None) -> None:
    assert made(actor=actor)["context"] == ({} if name is None else {"actor_name": name})


def test_a_name_that_was_given_is_kept() -> None:
    who = Thing(pk=7, username="ann")
    assert made(actor=who, actor_name="Ann")["context"] == {"actor_name": "Ann"}
    assert made(actor=who, context={"actor_name": "Ann"})["context"] == {"actor_name": "Ann"}


@pytest.mark.parametrize("strict", [False, True])
def test_in_every_way_in(tmp_path: Path, strict: bool) -> None:
    who = Thing(pk=7, username="ann", email="ann@example.com")
    with AuditLog(tmp_path / "a.jsonl", strict=strict) as log:
        logger = logging.Logger("ways")
        logger.addHandler(AuditHandler(log=log))
        struct = structlog.wrap_logger(
            structlog.PrintLogger(io.StringIO()),
            processors=[AuditProcessor(log), lambda *_: ""],
        )
        event = {"actor": who, "resource": who, "ip": ("10.0.0.1", 5)}
        log.append("x", **event)
        logger.info("x", extra={"audit": True, **event})
        struct.info("x", audit=True, **event)
    entries = [json.loads(line) for line in log.path.read_text().splitlines()[1:]]
    assert [
        (e["actor_id"], e["resource_type"], e["resource_id"], e["ip_address"], e["context"])
        for e in entries
    ] == [("7", "thing", "7", "10.0.0.1", {"actor_name": "ann"})] * 3
    assert verify(log.path).intact


def test_proxies_stand_for_what_is_behind_them(tmp_path: Path) -> None:
    local = pytest.importorskip("werkzeug.local")
    assert made(actor=local.LocalProxy(lambda: Thing(pk=7, username="ann")))["actor_id"] == "7"
    assert made(actor=local.LocalProxy(lambda: "u-7"))["actor_id"] == "u-7"

    def unbound() -> Any:
        raise RuntimeError("outside of a request")

    fields = made(actor=local.LocalProxy(unbound), session=local.LocalProxy(unbound))
    assert fields["context"]["invalid"] == {"actor_id": {"type": "werkzeug.local.LocalProxy"}}
    assert fields["context"]["session"] == "<unprintable LocalProxy>"


def test_pydantic_and_numpy() -> None:
    pydantic, np = pytest.importorskip("pydantic"), pytest.importorskip("numpy")
    model = pydantic.create_model("PatientRecord", id=(int, ...), email=(str, "ann@example.com"))
    bare = pydantic.create_model("Bare", email=(str, "ann@example.com"))
    fields = made(actor=model(id=7), resource=model(id=7))
    assert (fields["actor_id"], fields["resource_type"]) == ("7", "patient_record")
    assert made(actor=bare())["context"]["invalid"]["actor_id"]["type"].endswith("Bare")
    assert made(actor=np.int64(7))["actor_id"] == made(actor=np.str_("7"))["actor_id"] == "7"
    assert "invalid" in made(actor=np.bool_(True))["context"]


SQLALCHEMY = """
import json
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import Session, declarative_base
from chained_logging import AuditLog
Base = declarative_base()
class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    username = Column(String)
class Line(Base):
    __tablename__ = "lines"
    order = Column(Integer, primary_key=True)
    number = Column(Integer, primary_key=True)
engine = create_engine("sqlite://", echo=False)
Base.metadata.create_all(engine)
with AuditLog("a.jsonl") as log, Session(engine) as session:
    def name(**fields):
        e = log.append("x", **{"actor": "u", "resource": "p/1", "ip": "::1", **fields})
        print(json.dumps([e.actor_id, e.resource_type, e.resource_id, e.context]))
    user = User(username="ann")
    name(actor=user)
    session.add(user)
    session.add(Line(order=3, number=4))
    session.commit()
    name(actor=user)  # expired
    user.username
    line = session.get(Line, (3, 4))
    session.expunge_all()
    name(actor=user, resource=line)  # detached
    session.close()
    name(actor=User(id=9), resource=(Line, line))
"""


def test_rows_of_sqlalchemy_in_every_state(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    done = subprocess.run(
        [sys.executable, "-c", SQLALCHEMY], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    new, expired, detached, transient = map(json.loads, done.stdout.splitlines())
    assert new[0] == "unknown"
    assert expired == ["1", "p", "1", {}]
    assert detached == ["1", "lines", "3,4", {"actor_name": "ann"}]
    assert transient == ["9", "lines", "3,4", {}]


def test_a_redacted_identifier_is_marked() -> None:
    fields = made(actor="[redacted]")
    assert (fields["actor_id"], fields["context"]["invalid"]) == (
        "unknown",
        {"actor_id": "[redacted]"},
    )


def test_modules_are_no_identifiers() -> None:
    assert made(resource=("a", ModuleType("m")))["resource_id"] == "unknown"


@pytest.mark.parametrize("blank", [" ", " \t\n", "\u200b", "\x01", "\u3164", "\ufe0f", "\xa0"])
def test_what_nobody_can_see_is_no_identifier(blank: str) -> None:
    fields = made(actor=blank, action="read", user_agent=blank)
    assert (fields["actor_id"], fields["context"]["invalid"]) == ("unknown", {"actor_id": blank})
    assert fields["user_agent"] == blank
    assert made(resource=f"p/x{blank}x")["resource_id"] == f"x{blank}x"
    assert made(resource=("p", blank))["resource_id"] == "unknown"
    assert made(resource=f"p/{blank}")["resource_id"] == "unknown"

"""What the values of well-known libraries become, and that nothing is consumed, loaded or asked."""

from __future__ import annotations

import argparse
import array
import collections
import functools
import io
import json
import logging
import subprocess
import sys
import types
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_values import anything, decoded

from chained_logging import AuditHandler, AuditLog, AuditProcessor, diff, verify

WHO = {"actor": "u", "resource": "p/1", "ip": "10.0.0.1"}


class Silent:
    """Has no text of its own."""


class Query:
    """An iterable whose repr asks a database, as Django's QuerySet is."""

    def __iter__(self) -> Any:
        raise AssertionError("asked")

    __len__ = __repr__ = __iter__


class Page(collections.abc.Sequence[int]):
    """A sequence whose items are a query, as Django's Page is."""

    def has_other_pages(self) -> bool:
        return False

    def __len__(self) -> int:
        raise AssertionError("asked")

    def __getitem__(self, at: Any) -> Any:
        raise AssertionError("asked")


class Secret:
    """As Starlette's."""

    def __str__(self) -> str:
        return "hunter2"


class Answers:
    """Claims to have everything."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: ["surprise"]


def test_ordinary_python() -> None:
    assert decoded(collections.UserString("hi")) == "hi"
    assert decoded(collections.UserDict(a=1)) == {"a": 1}
    assert decoded(collections.UserList([1])) == [1]
    assert decoded(collections.ChainMap({"a": 1}, {"b": 2})) == {"a": 1, "b": 2}
    assert decoded(types.SimpleNamespace(a=1)) == {"a": 1}
    assert decoded(array.array("i", [1, 2])) == [1, 2]
    assert decoded(complex(1, 2)) == "(1+2j)"
    assert decoded(Silent) == f"<class '{__name__}.Silent'>"
    assert decoded(io.StringIO("x")) == "<_io.StringIO object>"
    assert decoded(b"x" * 30) == "base64:" + "eHh4" * 10


@pytest.mark.parametrize(
    "value",
    [Silent(), lambda: 1, [].append, Silent().__init__, functools.partial(print, Silent()),
     iter([1]), (n for n in [1]), types.SimpleNamespace(a=Silent()), {Silent(): 1}, object(),
     mock.Mock(), mock.MagicMock(), {mock.Mock(): 1}, ExceptionGroup("g", [ValueError(Silent())])],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_no_memory_address(value: Any) -> None:
    text = json.dumps(decoded({"a": value}))
    assert " at 0x" not in text
    assert " id='" not in text


@pytest.mark.parametrize("value", [Query(), Page(), functools.partial(print, Query())])
def test_nothing_is_asked_of_what_may_be_a_query(value: Any) -> None:
    assert decoded(value) == f"<{type(value).__module__}.{type(value).__qualname__} object>"
    assert "asked" not in json.dumps(decoded({"a": [value]}))
    assert decoded(Query().__len__) == f"<bound method {__name__}.Query.__iter__>"


def test_what_claims_to_be_something_is_judged_by_its_type() -> None:
    assert "surprise" not in json.dumps(decoded(Answers()))
    claims = mock.MagicMock(spec=dict)
    assert decoded(claims) == "<unittest.mock.MagicMock object>"
    assert claims.mock_calls == []


def test_secrets_are_not_shown() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        name: str
        key: pydantic.SecretStr
        left_out: str = pydantic.Field(default="hunter2", exclude=True)

    model = Model(name="Ann", key="hunter2")
    assert decoded(model) == {"key": "[redacted]", "name": "Ann"}
    assert decoded([model.key, Secret()]) == ["[redacted]", "[redacted]"]


def test_objects_with_fields() -> None:
    attrs, msgspec = pytest.importorskip("attrs"), pytest.importorskip("msgspec")
    made = attrs.make_class("Made", {"a": attrs.field()})(1)
    struct = msgspec.defstruct("Struct", ["a"])(1)
    assert decoded(made) == decoded(struct) == {"a": 1}


def test_pydantic_is_read_and_not_asked() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        model_config = pydantic.ConfigDict(extra="allow")
        a: list[Decimal]

        @pydantic.model_serializer
        def serialise(self) -> Any:
            raise AssertionError("asked")

    model = Model(a=[1], more=2)
    assert decoded(model) == {"a": ["1"], "more": 2}
    changed = diff(model, Model(a=[1], more=3))
    assert changed == {"changed_fields": ["more"], "old_values": {"more": 2}}


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    assert decoded([np.int64(5), np.bool_(True), np.float64(0.5), np.float32(0.5)]) == [
        5, True, 0.5, 0.5
    ]  # fmt: skip
    assert decoded(np.bool_(True)) is True
    assert decoded(np.longdouble(0.5)) == 0.5
    assert decoded(np.float64("nan")) == "NaN"
    assert decoded(np.uint64(2**63)) == str(2**63)
    assert decoded(np.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert decoded(np.array(7)) == 7
    assert decoded(np.array(["a", None, Silent()], dtype=object))[:2] == ["a", None]
    assert decoded(np.str_("x")) == "x"
    assert decoded(np.bytes_(b"x")) == "base64:eA=="
    assert decoded(np.datetime64("2024-01-02")) == "2024-01-02"
    assert decoded(np.array(["2024-01-02"], dtype="M8[ns]"))[0].startswith("2024-01-02T00:00")
    assert decoded(np.complex128(1 + 2j)) == "(1+2j)"
    vast = np.broadcast_to(np.int8(0), (10**6, 10**6))
    assert decoded(vast) == "<numpy.ndarray of shape (1000000, 1000000)>"


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    assert decoded(pd.Timestamp("2024-01-02", tz="UTC")) == "2024-01-02T00:00:00.000000Z"
    assert decoded([pd.NaT, pd.NA]) == ["NaT", "<NA>"]
    assert decoded(pd.Series([1, 2])) == [1, 2]
    assert decoded(pd.DataFrame({"a": [1], "b": ["x"]})) == {"a": [1], "b": ["x"]}
    assert decoded(pd.Timedelta(days=1)) == 86400


def test_no_library_is_imported_for_a_value() -> None:
    program = (
        "import sys, chained_logging\n"
        "from chained_logging.event.values import encode\n"
        "encode([1.5, object(), {1}, b'x'])\n"
        "print([n for n in ('numpy', 'pandas', 'django', 'sqlalchemy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


DJANGO = """
import django, json
from django.conf import settings
settings.configure(USE_I18N=True, INSTALLED_APPS=[], DATABASES={"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import models
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, ngettext_lazy
from chained_logging import AuditLog
from chained_logging.event.values import jsonable
class Patient(models.Model):
    name = models.TextField()
    username = models.TextField(default="ann")
    class Meta:
        app_label = "clinic"
    def __str__(self):
        return "ann@example.com"
class Inpatient(Patient):
    class Meta:
        app_label = "clinic"
        proxy = True
def never():
    raise AssertionError("asked")
lazy = SimpleLazyObject(never)
values = [gettext_lazy("Login"), mark_safe("<b>"), Patient(pk=7, name="Ann"), Inpatient(pk=7),
    Patient(), lazy, Patient.objects.all(), Patient.objects, SimpleLazyObject(lambda: 7)]
print(json.dumps(jsonable(values)))
with AuditLog("a.jsonl") as log:
    e = log.append(gettext_lazy("read"), actor=SimpleLazyObject(lambda: Patient(pk=7)),
        resource=Inpatient(pk=8), ip="10.0.0.1", reason=gettext_lazy("Break glass"),
        old_values=Patient(pk=7, name="Ann"), queue=Patient.objects.all())
    print(json.dumps([e.action, e.actor_id, e.resource_type, e.resource_id, e.reason,
        e.old_values, e.context]))
    e = log.append("read", actor=Patient(name="new"), resource=("patient", Patient()), ip="::1")
    print(json.dumps([e.actor_id, e.resource_id, e.context]))
"""


def test_django(tmp_path: Path) -> None:
    pytest.importorskip("django")
    done = subprocess.run(
        [sys.executable, "-c", DJANGO], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    given, stored, unsaved = map(json.loads, done.stdout.splitlines())
    assert given == [
        "Login",
        "<b>",
        {"id": 7, "type": "clinic.patient"},
        {"id": 7, "type": "clinic.patient"},
        {"id": None, "type": "clinic.patient"},
        "<django.utils.functional.SimpleLazyObject object>",
        "<django.db.models.query.QuerySet object>",
        "clinic.Patient.objects",
        "<django.utils.functional.SimpleLazyObject object>",
    ]
    assert stored[:5] == ["read", "7", "clinic.patient", "8", "Break glass"]
    assert stored[5] == {"id": 7, "name": "Ann", "username": "ann"}
    assert stored[6] == {
        "actor_name": "ann",
        "queue": "<django.db.models.query.QuerySet object>",
    }
    assert unsaved[:2] == ["unknown", "unknown"]
    assert set(unsaved[2]["invalid"]) == {"actor_id", "resource_id"}
    assert "example.com" not in done.stdout


def test_sqlalchemy_rows_are_not_loaded() -> None:
    sa = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    class User(orm.declarative_base()):  # type: ignore[misc]
        __tablename__ = "users"
        id = sa.Column(sa.Integer, primary_key=True)
        username = sa.Column(sa.String)

        def __str__(self) -> str:
            return f"{self.username}@example.com"

    engine = sa.create_engine("sqlite://")
    User.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(User(id=7, username="ann"))
        session.commit()
        user = session.get(User, 7)
        assert user is not None
        row = session.execute(sa.select(User.id, User.username)).one()
        session.commit()
        asked: list[Any] = []
        sa.event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args))
        expired = decoded(user)
    assert expired == decoded(user) == {"id": 7, "type": "users"}  # expired, then detached
    assert decoded(row) == {"id": 7, "username": "ann"}
    assert decoded(User(username="new")) == {"id": None, "type": "users"}
    assert decoded(sa.select(User.id)).startswith("SELECT")
    assert asked == []


def ways(tmp_path: Path) -> Any:
    """Return three ways to log a value, and the log that they lead to."""
    log = AuditLog(tmp_path / "ways.jsonl")
    logger = logging.Logger("ways")
    logger.addHandler(AuditHandler(log=log))
    struct = structlog.wrap_logger(
        structlog.PrintLogger(io.StringIO()),
        processors=[AuditProcessor(log), lambda *_: ""],
    )
    return log, [
        lambda value: log.append("x", value_=value, **WHO),
        lambda value: logger.info("x", extra={"audit": True, "value_": value, **WHO}),
        lambda value: struct.info("x", audit=True, value_=value, **WHO),
    ]


def stored(log: AuditLog) -> list[Any]:
    with log.path.open() as file:
        return [json.loads(line)["context"]["value_"] for line in file.readlines()[1:]]


def test_iterators_keep_their_items_in_every_way(tmp_path: Path) -> None:
    log, calls = ways(tmp_path)
    made = [
        lambda: map(str, [1, 2]), lambda: zip("ab", [1, 2], strict=True),
        lambda: filter(None, [1, 2]), lambda: iter([1, 2]), lambda: (n for n in [1, 2]),
        lambda: enumerate([1, 2]), lambda: reversed([1, 2]), lambda: io.StringIO("a\nb\n"),
    ]  # fmt: skip
    with log:
        for make in made:
            for call in calls:
                iterator = make()
                call(iterator)
                assert len(list(iterator)) == 2
    assert len(stored(log)) == len(made) * 3


def test_each_way_stores_the_same(tmp_path: Path) -> None:
    log, calls = ways(tmp_path)
    rows = [{"a": [1, (2, 3)]}, Fraction(1, 3), {1, 2}, collections.UserString("x"), Silent(), b"x"]
    with log:
        for value in rows:
            for call in calls:
                call(value)
    found = stored(log)
    assert found == [item for value in rows for item in [decoded(value)] * 3]
    assert verify(log.path).intact


@settings(max_examples=100, deadline=None)
@given(anything, st.sampled_from(["value_", "actor", "resource", "ip", "session_id", "reason"]))
def test_any_value_anywhere_gives_a_valid_entry_and_stays_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: Any, name: str
) -> None:
    before = repr(decoded(value))
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    with AuditLog(path) as log:
        log.append(**{"action": "x", **WHO, name: value})
    assert repr(decoded(value)) == before
    assert verify(path).intact


def test_an_object_of_argparse_is_its_text() -> None:
    assert decoded(argparse.Namespace(a=1)) == "Namespace(a=1)"

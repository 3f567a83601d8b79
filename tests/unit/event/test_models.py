"""What names a row, and what it held, from what is in memory alone."""

from __future__ import annotations

from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from chained_logging.event.models import (
    hidden,
    is_bearer,
    is_model,
    model_columns,
    model_key,
    model_type,
)


def django_model(label: str, key: str = "id", *columns: str) -> Any:
    """Return a class that carries what Django's models carry."""
    fields = [SimpleNamespace(attname=name) for name in (key, *columns)]
    meta = SimpleNamespace(
        label_lower=label, pk=fields[0], concrete_fields=fields, concrete_model=None
    )

    class Row:
        _meta = meta

        def __init__(self, **values: Any) -> None:
            vars(self).update(values)

        @property
        def pk(self) -> Any:
            return vars(self).get(key)

    return Row


@pytest.fixture(scope="module")
def line() -> Any:
    """A class of SQLAlchemy's ORM with a primary key of two columns."""
    orm, sql = pytest.importorskip("sqlalchemy.orm"), pytest.importorskip("sqlalchemy")

    class Base(orm.DeclarativeBase):
        pass

    class Line(Base):
        __tablename__ = "lines"
        order = sql.Column(sql.Integer, primary_key=True)
        number = sql.Column(sql.Integer, primary_key=True)
        text = sql.Column("column_text", sql.String)

    return Line


def test_a_model_is_told_by_what_its_class_carries(line: Any) -> None:
    assert is_model(line)
    assert is_model(django_model("clinic.patient"))
    for kind in (dict, SimpleNamespace, type("Form", (), {"_meta": SimpleNamespace(model=1)})):
        assert not is_model(kind)


def test_a_type_is_named_as_the_recorders_name_it(line: Any) -> None:
    assert model_type(line) == "lines"
    patient = django_model("clinic.patient")
    assert model_type(patient) == "clinic.patient"
    deferred = django_model("clinic.patient_deferred")
    deferred._meta.concrete_model = patient  # a proxy model is stored as the one behind it
    assert model_type(deferred) == "clinic.patient"


def test_a_key_may_have_several_columns(line: Any) -> None:
    assert model_key(line(order=3, number=4)) == (3, 4)
    assert model_key(django_model("a.b")(id=7)) == (7,)
    assert model_key(django_model("a.b")(id=(3, 4))) == (3, 4)


def test_a_row_that_was_not_saved_has_no_key(line: Any) -> None:
    assert model_key(line(order=3)) is None
    assert model_key(django_model("a.b")()) is None


def test_only_the_columns_that_are_loaded_are_read(line: Any) -> None:
    assert model_columns(line(order=3, text="x")) == {"order": 3, "text": "x"}
    row = django_model("a.b", "id", "name", "notes")(id=7, name="ann", other=1)
    assert model_columns(row) == {"id": 7, "name": "ann"}


@pytest.mark.parametrize(
    ("label", "key", "bearer"),
    [
        ("sessions.session", "session_key", True),
        ("authtoken.token", "key", True),
        ("rest_framework_api_key.apikey", "key", True),
        ("authtoken.token", "id", False),
        ("clinic.patient", "key", False),
    ],
)
def test_a_key_that_lets_its_holder_in_is_never_shown(label: str, key: str, bearer: bool) -> None:
    model = django_model(label, key, "user")
    assert is_bearer(model) is bearer
    row = model(**{key: "s3cret", "user": 7})
    shown = sha256(b"s3cret").hexdigest()[:32] if bearer else "s3cret"
    assert model_key(row) == (shown,)
    assert model_columns(row) == {key: shown, "user": 7}


def test_a_bearer_that_was_not_saved_has_nothing_to_hide() -> None:
    assert hidden(None) is None
    assert model_key(django_model("authtoken.token", "key")()) is None

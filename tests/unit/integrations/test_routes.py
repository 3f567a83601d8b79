"""What resource a route stands for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.event.fields import shows
from chained_logging.event.identifiers import MAX_IDENTIFIER
from chained_logging.integrations.routes import identifier, resource_of, template


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("/patients/{id}", "/patients/{id}"),
        ("/patients/{id:int}/notes/{n:path}", "/patients/{id}/notes/{n}"),
        ("/patients/<id>", "/patients/{id}"),
        ("/patients/<int:id>/", "/patients/{id}/"),
        ("/files/<any(a,b):kind>/<string(length=2):x>", "/files/{kind}/{x}"),
        ("patients/<uuid:pk>/", "/patients/{pk}/"),
        ("^patients/(?P<pk>[0-9]+)/$", "/patients/{pk}/"),
        ("api/patients/$", "/api/patients/"),
        ("^r/(?P<year>[0-9]{4})/(?P<month>(0[1-9]|1[0-2]))/$", "/r/{year}/{month}/"),
        ("api/^x/(\\d+)/(?:a|b)/(\\))$", "/api/x/{0}//{1}"),
        ("", "/"),
    ],
)
def test_template_has_one_form(route: str, expected: str) -> None:
    assert template(route) == expected


@pytest.mark.parametrize(
    ("route", "params", "expected"),
    [
        ("/patients/{id}", {"id": "456"}, ("patients", "456")),
        ("/api/v1/patients/{id}", {"id": 456}, ("patients", "456")),
        ("/patients", {}, ("patients", "*")),
        ("/patients/", {}, ("patients", "*")),
        ("/patients/{id}/notes", {"id": "4"}, ("patients.notes", "4")),
        ("/patients/{id}/notes/{n}", {"id": "4", "n": "7"}, ("notes", "7")),
        ("/users/{id}/lock/now", {"id": "4"}, ("users.lock.now", "4")),
        ("/{tenant}/{id}", {"tenant": "a", "id": "b"}, ("tenant", "b")),
        ("/{id}", {"id": "b"}, ("id", "b")),
        ("/files/{path}", {"path": "a/b"}, ("files", "a/b")),
        ("/files/{name}.json", {"name": "a"}, ("files", "a")),
        ("/patients/{id}", {}, ("patients", "*")),
        ("/", {}, ("path", "/the/path")),
        (None, {}, ("path", "/the/path")),
    ],
)
def test_resource_comes_from_the_route(
    route: str | None, params: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert resource_of(route, params, "/the/path") == expected


@given(st.text(st.characters(exclude_categories=[])))
def test_any_value_is_an_identifier(value: str) -> None:
    name = identifier(value)
    assert name
    assert name.isprintable()
    assert shows(name)
    assert len(name.encode()) <= MAX_IDENTIFIER


def test_two_values_are_two_identifiers() -> None:
    values = [
        "a\0",
        "a%00",
        "a%2500",
        "a%",
        "a",
        "x" * 2000,
        "x" * 2001,
        "*\x1b",
        "*%1B",
        " ",
        "%20",
        "\u3164",
    ]
    assert len({identifier(value) for value in values}) == len(values)

"""Where the fields of rules are in an entry."""

from __future__ import annotations

from typing import Any

import pytest

from chained_logging.review.detect.fields import BODY, Fields

ENTRY: dict[str, Any] = {
    "action": "read",
    "changed_fields": ["name", "Salary"],
    "context": {
        "action": "other",
        "eventName": "StopLogging",
        "userIdentity": {"type": "IAMUser"},
        "count": 3,
        "share": 1.5,
        "on": True,
        "off": None,
        "http.method": "GET",
        "items": [{"ip": {"cidr": "a/0"}}, {"ip": {"cidr": "b/8"}}],
        "one": [{"x": "1"}],
        "deep": {"list": [["p"], "q"]},
    },
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", "read"),
        ("ACTION", "read"),
        ("context.action", "other"),
        ("eventName", "StopLogging"),
        ("context.eventName", "StopLogging"),
        ("EVENTNAME", "StopLogging"),
        ("userIdentity.type", "IAMUser"),
        ("useridentity.TYPE", "IAMUser"),
        ("userIdentity", '{"type":"IAMUser"}'),
        ("count", "3"),
        ("share", "1.5"),
        ("on", "true"),
        ("off", None),
        ("missing", None),
        ("missing.below", None),
        ("eventName.below", None),
        ("http.method", "GET"),
        ("one.x", "1"),
    ],
)
def test_a_field_has_its_value_as_text(field: str, value: str | None) -> None:
    row, several = Fields([field]).row(ENTRY, b"")
    assert row.get(0) == value
    assert several == {}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("changed_fields", ["name", "Salary"]),
        ("items.ip.cidr", ["a/0", "b/8"]),
        ("deep.list", ["p", "q"]),
    ],
)
def test_each_item_of_a_list_counts(field: str, values: list[str]) -> None:
    row, several = Fields(["action", field]).row(ENTRY, b"")
    assert several == {1: values}
    assert row[0] == "read"
    assert all(f'"{value}"' in row[1] for value in values)


def test_the_whole_entry_is_a_field() -> None:
    assert Fields([BODY]).row(ENTRY, b"the text")[0] == {0: "the text"}


def test_names_that_others_choose_take_no_memory() -> None:
    fields = Fields(["x"])
    for number in range(5000):
        fields.row({"context": {f"n-{number}": 1}}, b"")
    assert len(fields._top.below["context"].seen) <= 1000
    assert fields.row({"context": {"X": "1"}}, b"")[0] == {0: "1"}

"""What changed between two states of a thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from chained_logging import diff


@dataclass
class Patient:
    ward: int
    name: str = "Ann"


class Slotted:
    __slots__ = ("_cache", "ward")

    def __init__(self, ward: int) -> None:
        self.ward = ward
        self._cache = ward


@pytest.mark.parametrize(
    ("before", "after", "changed", "old"),
    [
        ({"ward": 7, "name": "Ann"}, {"ward": 8, "name": "Ann"}, ["ward"], {"ward": 7}),
        ({}, {"ward": 8}, ["ward"], {}),  # it was not there
        ({"ward": 7}, {}, ["ward"], {"ward": 7}),  # it is gone
        (None, {"b": 1, "a": 2}, ["a", "b"], {}),
        ({"b": 1, "a": 2}, None, ["a", "b"], {"a": 2, "b": 1}),
        ({"ward": None}, {}, ["ward"], {"ward": None}),
        ({"_seen": 1}, {"_seen": 2}, [], {}),
        (Patient(7), Patient(8), ["ward"], {"ward": 7}),
        (Slotted(7), Slotted(8), ["ward"], {"ward": 7}),
    ],
)
def test_what_was_added_changed_or_taken_away(
    before: Any, after: Any, changed: list[str], old: dict[str, Any]
) -> None:
    assert diff(before, after) == {"changed_fields": changed, "old_values": old}


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [(1, 1.0, False), (1, True, True), ([1, 2], (1, 2), False), (0.1 + 0.2, 0.3, True)],
)
def test_a_value_is_compared_as_it_would_be_stored(old: Any, new: Any, differs: bool) -> None:
    assert bool(diff({"a": old}, {"a": new})["changed_fields"]) is differs


def test_a_thing_without_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="a int has no fields"):
        diff(7, 8)

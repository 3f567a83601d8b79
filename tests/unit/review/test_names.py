"""What an entry is about, and which words it has."""

from __future__ import annotations

from typing import Any

import pytest

from chained_logging.review import names
from chained_logging.review.names import asked, concerns, has_words, parameters, records, words

ENTRY: dict[str, Any] = {
    "resource_type": "patients",
    "resource_id": "7",
    "resources": [{"type": "note", "id": "1"}, {"type": "url", "id": "https://x.example/2"}],
    "context": {
        "route": "/clinics/{clinic}/wards/{ward_id}",
        "params": {"clinic": "a/b", "ward_id": "5", "other": "9"},
        "note": 'line\nwith "quotes" and Zürich',
    },
    "reason": "Treatment",
}


def test_every_record_of_an_entry_is_named() -> None:
    assert list(records(ENTRY)) == [
        ("patients", "7"),
        ("note", "1"),
        ("url", "https://x.example/2"),
    ]
    assert list(records({**ENTRY, "resources": None})) == [("patients", "7")]


def test_a_parameter_is_named_by_its_place_and_by_its_name() -> None:
    assert list(parameters(ENTRY["context"])) == [
        *(("clinics", "a/b"), ("clinic", "a/b")),
        *(("wards", "5"), ("ward", "5")),
    ]


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"route": 5, "params": {}},
        {"route": "/a/{b}", "params": ["b"]},
        {"route": "/a/{b}", "params": {"b": 5}},
    ],
)
def test_what_is_not_a_request_has_no_parameters(context: dict[str, Any]) -> None:
    assert list(parameters(context)) == []


@pytest.mark.parametrize(
    ("wanted", "does"),
    {
        "patients/7": True,
        "patients": True,
        "7": True,
        "note/1": True,
        "https://x.example/2": True,
        "wards/5": True,
        "ward/5": True,
        "clinics/a/b": True,
        "5": False,  # of a parameter only
        "ward": False,
        "note/7": False,
        "other/9": False,
        "patient": False,
    }.items(),
)
def test_an_entry_concerns_a_record_a_type_or_an_id(wanted: str, does: bool) -> None:
    assert concerns(ENTRY, wanted) is does


def test_words_stand_between_spaces_whatever_was_escaped() -> None:
    text = words(ENTRY)
    assert "\\" not in text
    assert "line with  quotes  and" in text
    assert "Treatment" in text
    assert "Treatment" not in words({"context": ENTRY["context"]})
    assert "actor" not in words({**ENTRY, "actor_id": "actor"})


@pytest.mark.parametrize(
    ("wanted", "has"),
    {
        "treatment": True,
        "QUOTES line": True,
        "treat": False,
        "treat*": True,
        "ZÜRICH": True,
        "zürich": True,
        "zurich": False,
        "line missing": False,
        "nwith": False,  # of the escaped line feed
    }.items(),
)
def test_each_word_must_be_there_whatever_its_case(wanted: str, has: bool) -> None:
    assert has_words(ENTRY, wanted) is has


def test_a_search_is_words_and_their_beginnings() -> None:
    assert asked("Inv* 42") == [(("inv",), True), (("42",), False)]
    assert asked("éA") == [(("ÉA".replace("A", "a"), "éa"), False)]
    with pytest.raises(ValueError, match="must hold a letter or a digit"):
        asked("* !")


def test_a_long_route_has_its_parameters_and_is_not_remembered() -> None:
    before = names._remembered.cache_info().currsize
    route = "/" + "x" * 5_000 + "/{id}"
    assert list(parameters({"route": route, "params": {"id": "7"}})) == [
        ("x" * 5_000, "7"),
        ("id", "7"),
    ]
    assert names._remembered.cache_info().currsize == before

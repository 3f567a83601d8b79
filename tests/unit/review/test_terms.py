"""What an inverted index is asked for, for each part of a filter."""

from __future__ import annotations

import pytest

from chained_logging.review.filter import MANY, Filter
from chained_logging.review.terms import FIELDS, Term, Word, terms


def test_values_of_a_field_are_alternatives_and_fields_are_not() -> None:
    assert terms(Filter.parse("actor=ann&actor=bob&action=read")) == [
        [[Term("actor", "ann")], [Term("actor", "bob")]],
        [[Term("action", "read")]],
    ]


def test_times_and_numbers_are_no_terms() -> None:
    assert terms(Filter.parse("since=2020-01-01&seq=5-9")) == []


def test_every_field_with_values_has_its_terms() -> None:
    assert {*FIELDS, "resource", "text"} == set(MANY)
    for name in FIELDS:
        assert terms(Filter(**{name: ("x",)})) == [[[Term(name, "x")]]]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("7", [Term("type", "7"), Term("record_id", "7")]),
        (
            "a/7",
            [
                Term("parameter", "7", "a"),
                Term("record", "7", "a"),
                Term("type", "a/7"),
                Term("record_id", "a/7"),
            ],
        ),
        (
            "a/b/7",  # the slash may be in the type or in the id
            [
                Term("parameter", "b/7", "a"),
                Term("record", "b/7", "a"),
                Term("record", "7", "a/b"),
                Term("type", "a/b/7"),
                Term("record_id", "a/b/7"),
            ],
        ),
    ],
)
def test_a_resource_may_be_a_record_a_type_or_an_id(resource: str, expected: list[Term]) -> None:
    assert terms(Filter(resource=(resource,))) == [[[term] for term in expected]]


def test_what_is_longer_than_a_record_can_be_is_not_cut_at_each_slash() -> None:
    longest = "t/" * 1024 + "i"
    (choice,) = terms(Filter(resource=(longest,)))
    assert [Term("record", longest[1024:], longest[:1023])] in choice
    (choice,) = terms(Filter(resource=("/" * 8_000,)))
    assert len(choice) < 5


def test_an_address_is_a_record_of_its_type() -> None:
    (choice,) = terms(Filter(resource=("https://x.example/2",)))
    assert [Term("record", "https://x.example/2", "url")] in choice


def test_all_words_of_a_text_must_be_there() -> None:
    (choice,) = terms(Filter(text=("ward inv*", "x")))
    assert choice == [
        [Word(("ward",), False), Word(("inv",), True)],
        [Word(("x",), False)],
    ]


def test_incomplete_is_a_term_only_where_it_is_asked() -> None:
    assert terms(Filter(incomplete=True)) == [[[Term("incomplete", "")]]]
    assert terms(Filter(incomplete=False)) == []

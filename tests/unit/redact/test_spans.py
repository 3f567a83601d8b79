"""Spans of a text."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from chained_logging.redact import Redactor
from chained_logging.redact.spans import MANY, all_of, end_of, merged


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([(2, 2)], [(2, 2)]),
        ([(5, 7), (0, 2)], [(0, 2), (5, 7)]),
        ([(0, 3), (3, 5)], [(0, 5)]),
        ([(0, 9), (2, 4), (8, 10)], [(0, 10)]),
        ([(4, 4), (6, 8)], [(6, 8)]),
    ],
)
def test_spans_come_in_order_and_those_that_touch_are_joined(
    spans: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    assert merged(spans) == expected


def test_a_match_that_begins_here_ends_there_and_one_elsewhere_does_not_count() -> None:
    digits = re.compile(rb"[0-9]+")
    assert end_of(digits, b"ab123c", 2) == 5
    assert end_of(digits, b"ab123c", 1) == 1


def test_a_text_with_more_secrets_than_anyone_looks_for_goes_as_a_whole() -> None:
    spans = list(islice(all_of(b"abc"), MANY + 2))
    assert len(spans) > MANY
    assert set(spans) == {(0, 3)}
    for text in ("password=a1b2c3d4 " * (MANY + 1), "&code=a1b2c3" * (MANY + 1)):
        assert Redactor().url(text) == "[redacted]"

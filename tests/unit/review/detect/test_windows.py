"""Matches that come together within a span."""

from __future__ import annotations

import pytest

from chained_logging.review.detect import windows
from chained_logging.review.detect.rule import Correlation, Kind, Part
from chained_logging.review.detect.windows import Match, Windows, joined

A, B, C = (Part(name, ()) for name in "abc")


def match(seq: int, at: float) -> Match:
    return Match((seq,), at, f"t{at:05}", f"t{at:05}")


def fed(
    kind: Kind, given: list[tuple[float, int, str]], parts: tuple[Part, ...] = (A,), least: int = 3
) -> list[tuple[int, ...]]:
    """Return the entries of all that fits; each match is a time, a part and a value."""
    found = Windows(Correlation(kind, parts, 10, least))
    made = (
        found.add("g", part, match(seq, at), value) for seq, (at, part, value) in enumerate(given)
    )
    return [one.seqs for one in made if one]


def test_entries_are_counted_within_the_span() -> None:
    assert fed("event_count", [(0, 0, ""), (5, 0, ""), (10, 0, "")]) == [(0, 1, 2)]
    assert fed("event_count", [(0, 0, ""), (5, 0, ""), (11, 0, "")]) == []


def test_each_further_entry_is_named_once() -> None:
    given = [(at, 0, "") for at in (0.0, 1, 2, 3, 30, 31, 32)]
    assert fed("event_count", given) == [(0, 1, 2), (3,), (4, 5, 6)]


def test_different_values_are_counted() -> None:
    assert fed("value_count", [(0, 0, "x"), (1, 0, "x"), (2, 0, "y"), (3, 0, "z")]) == [(1, 2, 3)]
    assert fed("value_count", [(0, 0, "x"), (1, 0, "x"), (2, 0, "x")]) == []
    assert fed("value_count", [(0, 0, "x"), (9, 0, "y"), (11, 0, "z")]) == []


def test_a_value_counts_at_its_latest_time() -> None:
    given = [(0, 0, "x"), (8, 0, "x"), (9, 0, "y"), (18, 0, "z")]
    assert fed("value_count", [(at, part, value) for at, part, value in given]) == [(1, 2, 3)]


def test_parts_come_together_in_any_order() -> None:
    assert fed("temporal", [(0, 1, ""), (5, 0, "")], (A, B), 2) == [(0, 1)]
    assert fed("temporal", [(0, 1, ""), (5, 1, ""), (12, 0, "")], (A, B), 2) == [(1, 2)]
    assert fed("temporal", [(0, 1, ""), (11, 0, "")], (A, B), 2) == []


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([0, 1, 2], [(0, 1, 2)]),
        ([1, 0, 2], []),
        ([0, 2, 1], []),
        ([0, 0, 1, 2], [(1, 2, 3)]),
        ([0, 1, 0, 2], [(0, 1, 3)]),
        ([2, 1, 0, 1, 2], [(2, 3, 4)]),
    ],
)
def test_parts_come_in_their_order(order: list[int], found: list[tuple[int, ...]]) -> None:
    given = [(float(at), part, "") for at, part in enumerate(order)]
    assert fed("temporal_ordered", given, (A, B, C)) == found


def test_an_order_takes_no_longer_than_the_span() -> None:
    assert fed("temporal_ordered", [(0, 0, ""), (5, 1, ""), (10, 2, "")], (A, B, C)) == [(0, 1, 2)]
    assert fed("temporal_ordered", [(0, 0, ""), (5, 1, ""), (11, 2, "")], (A, B, C)) == []


def test_groups_are_apart() -> None:
    found = Windows(Correlation("event_count", (A,), 10, 2))
    assert found.add("g", 0, match(0, 0), "") is None
    assert found.add("h", 0, match(1, 0), "") is None
    made = found.add("g", 0, match(2, 1), "")
    assert made is not None
    assert made.seqs == (0, 2)


def test_a_clock_that_steps_back_begins_again() -> None:
    given = [(100, 0, ""), (101, 0, ""), (0, 0, ""), (1, 0, ""), (2, 0, "")]
    assert fed("event_count", [(float(at), part, value) for at, part, value in given]) == [
        (2, 3, 4)
    ]
    assert fed("event_count", [(5, 0, ""), (3, 0, ""), (4, 0, "")]) == [(0, 1, 2)]


def test_no_more_is_kept_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Windows(Correlation("event_count", (A,), 10, 3))
    for seq in range(1000):
        found.add("g", 0, match(seq, 0), "")
    assert len(found._groups["g"]._latest) <= windows.SHOWN  # type: ignore[union-attr]
    found.forget(5)
    assert found._groups
    found.forget(11)
    assert not found._groups
    monkeypatch.setattr(windows, "MOST_GROUPS", 10)
    for group in range(100):
        found.add(group, 0, match(group, 0), "")
    assert len(found._groups) == 10


def test_matches_are_joined() -> None:
    both = joined(Match((3, 1), 5, "b", "c"), Match((1, 2), 4, "a", "b"))
    assert both == Match((1, 2, 3), 4, "a", "c")

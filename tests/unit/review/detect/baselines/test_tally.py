"""Counts by actor and day."""

from __future__ import annotations

from typing import Any

from usual_days import Days

from chained_logging.review.detect.baselines.tally import Excess, Tally


def counted(tally: Tally, days: Days, day: int, count: int, key: str = "ann") -> list[Excess]:
    row = tally.day(key, "user", day)
    return [
        found
        for _ in range(count)
        if (found := tally.add(key, "user", row, days.event(day))) is not None
    ]


def made(state: dict[str, Any] | None = None) -> Tally:
    return Tally({} if state is None else state, (5,))


def test_an_excess_says_what_it_was_compared_with() -> None:
    tally, days = made(), Days()
    for day in range(10):
        assert not counted(tally, days, day, 10)
    first, *_ = counted(tally, days, 10, 60)
    assert first.own is not None
    assert (first.own.median, first.own.most, first.own.days) == (10, 10, 10)
    assert first.count == 23  # the limit is 10 + 5 * 2.5
    assert "on 10 earlier days a median of 10, at most 10" in first.against


def test_it_is_told_of_again_when_it_has_doubled() -> None:
    tally, days = made(), Days()
    for day in range(10):
        counted(tally, days, day, 10)
    assert [found.count for found in counted(tally, days, 10, 100)] == [23, 47, 95]


def test_somebody_new_is_compared_with_others() -> None:
    tally, days = made(), Days()
    for day in range(10):
        counted(tally, days, day, 40)
    assert not counted(tally, days, 10, 60, "new")
    found = counted(tally, days, 11, 200, "new")
    assert found[0].own is None
    assert "others a median of 40" in found[0].against


def test_what_others_do_every_day_is_not_unusual() -> None:
    tally, days = made(), Days()
    for day in range(10):
        counted(tally, days, day, 1, "rare")
        counted(tally, days, day, 50, "often")
        counted(tally, days, day, 50, "other")
    assert not counted(tally, days, 10, 30, "rare")


def test_no_more_than_a_hundred_entries_are_named() -> None:
    tally, days = made(), Days()
    for day in range(10):
        counted(tally, days, day, 1)
    last = counted(tally, days, 10, 500)[-1]
    assert len(last.entries) == 100
    assert last.entries[-1] == days.seq - (500 - last.count)


def test_the_state_is_all_that_is_remembered() -> None:
    state: dict[str, Any] = {}
    days = Days()
    for day in range(10):
        counted(Tally(state, (5,)), days, day, 10)
    assert counted(Tally(state, (5,)), days, 10, 23)


def test_a_record_counts_once_a_day() -> None:
    tally = made()
    row = tally.day("ann", "user", 1)
    assert tally.new(row, ["a", "b"]) == ["a", "b"]
    assert tally.new(row, ["b", "c"]) == ["c"]
    assert tally.new(tally.day("ann", "user", 2), ["a"]) == ["a"]


def test_a_clock_that_steps_back_begins_no_new_day() -> None:
    tally = made()
    row = tally.day("ann", "user", 5)
    assert tally.day("ann", "user", 4) is row

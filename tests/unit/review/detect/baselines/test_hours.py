"""Somebody works at an hour, or on a free day, on which they never did."""

from __future__ import annotations

from usual_days import Days, rules

from chained_logging.review.detect.baselines.hours import Hours


def lived(weeks: int = 5) -> Days:
    days = Days(Hours({}))
    for day in range(7 * weeks):
        days.many(3, day, 3, actor="night")
        if day % 7 < 5:
            for hour in (9, 12, 16):
                assert not days.many(3, day, hour)
    return days


def test_a_night_is_found_for_somebody_who_works_by_day() -> None:
    (found,) = lived().many(10, 35, 3)
    assert (found.rule, found.severity) == ("unusual_hours", "low")
    assert "at 03 h, which they were on none of 25 earlier days" in found.sentence
    assert found.count == 8


def test_a_free_day_is_found_for_somebody_who_works_on_others() -> None:
    (found,) = lived().many(10, 40, 9)
    assert "on a free day, which they were on none of 10 earlier ones" in found.sentence


def test_a_holiday_is_a_free_day() -> None:
    assert rules(lived().many(10, 36, 9, free=True)) == ["unusual_hours"]


def test_the_night_is_usual_for_who_works_then() -> None:
    assert not lived().many(10, 40, 3, actor="night")


def test_two_hours_later_than_usual_is_usual() -> None:
    assert not lived().many(10, 35, 18)


def test_a_look_at_the_phone_is_nothing() -> None:
    assert not lived().many(7, 35, 3)


def test_nothing_is_unusual_for_somebody_new() -> None:
    days = lived()
    assert not days.many(10, 35, 3, actor="new")

"""One account is used in two places in turns."""

from __future__ import annotations

from usual_days import Days, rules

from chained_logging.review.detect.baselines.sharing import Sharing


def turns(days: Days, day: int, count: int, *, apart: float = 0.1) -> list[str]:
    found = []
    for number in range(count):
        ip = ("10.0.0.1", "203.0.113.9")[number % 2]
        found += rules(days.see(day, 9 + number * apart, ip=ip))
    return found


def lived() -> Days:
    days = Days(Sharing({}))
    for day in range(10):
        days.many(20, day)
        days.see(day, 12, ip="10.0.0.2")
    return days


def test_two_places_in_turns_are_found() -> None:
    assert turns(lived(), 10, 30) == ["shared_account", "shared_account"]


def test_a_look_at_the_phone_is_nothing() -> None:
    assert not turns(lived(), 10, 6)


def test_places_that_change_over_the_day_are_nothing() -> None:
    days = lived()
    for desk in range(20):
        assert not days.many(5, 10, 8 + desk / 2, ip=f"10.0.0.{desk}")


def test_hours_apart_are_not_at_once() -> None:
    assert not turns(lived(), 10, 12, apart=1.2)


def test_who_always_works_at_two_machines_may_do_so() -> None:
    days = Days(Sharing({}))
    for day in range(10):
        turns(days, day, 40)
    assert not turns(days, 10, 40)

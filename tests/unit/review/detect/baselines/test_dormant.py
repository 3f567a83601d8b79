"""An account that was not used for long is used again."""

from __future__ import annotations

from usual_days import Days, rules

from chained_logging.review.detect.baselines.dormant import Dormant


def lived() -> Days:
    days = Days(Dormant({}))
    for day in range(10):
        days.see(day)
    return days


def test_an_account_that_wakes_is_found_once() -> None:
    days = lived()
    (found,) = days.see(45)
    assert (found.rule, found.subject) == ("dormant_account", "ann")
    assert "nothing for 36 days, since 2026-03-11" in found.sentence
    assert "longest rest before was 1 days" in found.sentence
    assert not days.see(45)


def test_a_holiday_is_not_dormancy() -> None:
    assert not lived().see(30)


def test_who_comes_once_a_quarter_may_come_again() -> None:
    days = Days(Dormant({}))
    assert [rules(days.see(day)) for day in (0, 90, 180)] == [[], ["dormant_account"], []]


def test_a_failed_login_wakes_nothing() -> None:
    days = lived()
    assert not days.see(45, result="failure")
    assert days.see(46)

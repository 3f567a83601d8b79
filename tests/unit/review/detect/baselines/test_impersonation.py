"""Somebody who acts in a user's name reads more than the user ever did."""

from __future__ import annotations

from usual_days import Days

from chained_logging.review.detect.baselines.impersonation import Impersonation


def lived(each: int = 20) -> Days:
    days = Days(Impersonation({}))
    for day in range(10):
        days.many(each, day)
    return days


def test_more_than_the_user_ever_did_is_found() -> None:
    found, *_ = lived().many(60, 10, actor="root", behalf="ann")
    assert (found.rule, found.severity, found.subject) == ("impersonation", "high", "root for ann")
    assert "used 21 different records on 2026-03-12" in found.sentence
    assert "ann used a median of 20 a day, at most 20" in found.sentence


def test_as_much_as_the_user_is_nothing() -> None:
    assert not lived().many(20, 10, actor="root", behalf="ann")


def test_a_short_look_for_somebody_who_never_reads_is_nothing() -> None:
    assert not lived().many(10, 10, actor="root", behalf="new")


def test_one_wild_day_does_not_allow_everything() -> None:
    days = lived()
    days.many(500, 10)
    assert days.many(60, 11, actor="root", behalf="ann")


def test_what_is_done_in_the_users_name_is_not_what_the_user_does() -> None:
    days = lived()
    assert days.many(60, 10, actor="root", behalf="ann")
    assert days.many(60, 11, actor="root", behalf="ann")

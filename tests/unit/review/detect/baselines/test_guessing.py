"""Somebody guesses the passwords of accounts, however slowly."""

from __future__ import annotations

from typing import Any

from usual_days import Days

from chained_logging.review.detect.baselines.guessing import Guessing

FAILED: dict[str, Any] = {"verb": "login", "action": "login", "result": "failure"}


def tried(days: Days, count: int, *, each: float = 2.0, net: str = "203.0.113") -> list[Any]:
    """Fail a login each few hours."""
    return [
        found for number in range(count) for found in days.see(1, number * each, net=net, **FAILED)
    ]


def lived() -> Days:
    days = Days(Guessing({}))
    days.see(0)
    return days


def test_slow_guesses_are_found() -> None:
    found, *_ = tried(lived(), 20)
    assert (found.rule, found.severity, found.subject) == ("password_guessing", "high", "ann")
    assert (
        "11 logins as ann failed in 7 days from networks that the account never" in found.sentence
    )
    assert found.count == 11


def test_who_often_forgets_a_password_is_compared_with_their_past() -> None:
    days = lived()
    tried(days, 10, each=0.1)
    found = [one for _ in range(20) for one in days.see(9, net="203.0.113", **FAILED)]
    assert not found
    (told,) = days.see(9, net="203.0.113", **FAILED)
    assert "in the weeks before there were at most 10" in told.sentence


def test_guesses_from_everywhere_are_found() -> None:
    days = lived()
    assert [one for n in range(20) for one in tried(days, 1, net=f"203.0.{n}")]


def test_one_a_day_is_not_a_guess() -> None:
    days = lived()
    assert not [one for day in range(60) for one in days.see(day, net="203.0.113", **FAILED)]


def test_a_phone_with_an_old_password_is_in_a_known_network() -> None:
    assert not tried(lived(), 50, net="10.0.0")


def test_a_login_after_guesses_is_critical() -> None:
    days = lived()
    tried(days, 12)
    (found,) = days.see(2, 1, net="198.18.0")
    assert (found.rule, found.severity, found.count) == ("password_guessed", "critical", 13)


def test_a_login_at_the_desk_after_guesses_is_nothing() -> None:
    days = lived()
    tried(days, 12)
    assert not days.see(2, 1)

"""A person uses the account of a program."""

from __future__ import annotations

from typing import Any

from usual_days import Days, rules

from chained_logging.review.detect.baselines.services import Services

PROGRAM: dict[str, Any] = {
    "actor": "svc",
    "actor_type": "service",
    "agent": "svc/",
    "session": None,
    "action": "write",
}


def lived() -> Days:
    days = Days(Services({}))
    for day in range(10):
        assert not days.see(day, **PROGRAM)
    return days


def test_a_person_at_the_keyboard_is_found_once_a_day() -> None:
    days = lived()
    by_hand = {**PROGRAM, "agent": "Firefox/", "action": "read"}
    (found,) = days.see(10, **by_hand)
    assert (found.rule, found.severity, found.subject) == ("service_by_hand", "high", "svc")
    assert "none of its 10 earlier days" in found.sentence
    assert "program: Firefox/; the kind of work: read record" in found.sentence
    assert [rules(days.see(day, **by_hand)) for day in (10, 11)] == [[], ["service_by_hand"]]


def test_a_release_or_a_second_machine_is_nothing() -> None:
    days = lived()
    assert not days.see(10, **{**PROGRAM, "agent": "svc-ng/"})
    assert not days.see(11, **{**PROGRAM, "agent": "svc-ng/", "net": "10.0.9"})


def test_a_new_program_may_do_anything() -> None:
    days = Days(Services({}))
    assert not days.many(20, **{**PROGRAM, "agent": "a", "net": "b"})


def test_people_are_left_alone() -> None:
    days = lived()
    assert not days.see(10, actor="svc", agent="Firefox/", session="s")

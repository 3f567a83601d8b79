"""Many entries of a day are incomplete."""

from __future__ import annotations

from usual_days import Days

from chained_logging.review.detect.baselines.incomplete import Incomplete

INVALID = {"incomplete": True, "context": {"invalid": {"ip_address": None}}}


def lived() -> Days:
    days = Days(Incomplete({}))
    for day in range(10):
        days.many(50, day)
        assert not days.many(3, day, **INVALID)
    return days


def test_many_incomplete_entries_are_found_with_the_field() -> None:
    (found,) = lived().many(30, 10, **INVALID)
    assert (found.rule, found.subject, found.count) == ("incomplete_entries", "log", 21)
    assert "21 entries of 2026-03-12 have a missing or invalid field" in found.sentence
    assert "ip_address; on 10 earlier days a median of 3, at most 3" in found.sentence


def test_a_few_are_nothing() -> None:
    assert not lived().many(15, 10, **INVALID)

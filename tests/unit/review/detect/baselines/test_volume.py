"""Somebody reads, exports or deletes far more in a day than they ever did."""

from __future__ import annotations

import pytest
from usual_days import Days, rules

from chained_logging.review.detect.baselines.volume import Volume


def lived(action: str = "read", verb: str = "read", each: int = 10) -> Days:
    days = Days(Volume({}))
    for day in range(10):
        assert not days.many(each, day, action=action, verb=verb)
    return days


def test_a_spike_is_found_with_its_number_and_the_past() -> None:
    found, *_ = lived().many(100, 10)
    assert (found.rule, found.severity, found.subject) == ("access_spike", "medium", "ann")
    assert "ann used 41 different records on 2026-03-12" in found.sentence
    assert "on 10 earlier days a median of 10, at most 10" in found.sentence
    assert found.count == len(found.entries) == 41


def test_one_record_again_and_again_is_not_a_spike() -> None:
    assert not lived().many(200, 10, id="same")


@pytest.mark.parametrize(("verb", "rule"), [("export", "mass_export"), ("delete", "mass_delete")])
def test_exports_and_deletions_count_by_themselves(verb: str, rule: str) -> None:
    days = Days(Volume({}))
    for day in range(10):
        days.many(10, day)
    assert rules(days.many(25, 10, verb=verb)) == [rule]


def test_a_list_that_is_exported_counts_its_records() -> None:
    days = lived()
    records = tuple(f"record/{number}" for number in range(30))
    assert rules(days.see(10, records=records, verb="export")) == ["mass_export"]


def test_what_was_denied_does_not_count() -> None:
    assert not lived().many(200, 10, result="denied")


def test_a_busy_past_makes_a_busy_day_ordinary() -> None:
    assert not lived(each=60).many(120, 10)


def test_in_the_name_of_others_is_another_past() -> None:
    days = lived(each=60)
    for day in range(10, 18):
        days.many(3, day, behalf="bob")
    assert rules(days.many(50, 18, behalf="bob")) == ["access_spike"]

"""Emergency access: each use is to be reviewed, and a habit is not an emergency."""

from __future__ import annotations

from usual_days import Days, rules

from chained_logging.review.detect.baselines.break_glass import BreakGlass


def test_each_use_is_to_be_reviewed() -> None:
    (found,) = Days(BreakGlass({})).see(glass=True, id="7")
    assert (found.rule, found.severity) == ("break_glass", "informational")
    assert found.sentence == "ann used the emergency access to record/7: it is to be reviewed"


def test_further_entries_about_one_record_are_one_use() -> None:
    days = Days(BreakGlass({}))
    assert len([found for _ in range(5) for found in days.see(glass=True, id="7")]) == 1


def test_a_habit_is_found_with_all_its_entries() -> None:
    days = Days(BreakGlass({}))
    days.many(3, 0, glass=True, actor="bob")
    *_, found = days.many(5, 8, glass=True)
    assert (found.rule, found.severity, found.count) == ("break_glass_habit", "high", 5)
    assert "to 5 records in 7 days; nobody did so with more than 4 before" in found.sentence


def test_a_use_now_and_then_is_not_a_habit() -> None:
    days = Days(BreakGlass({}))
    found = [one for day in range(0, 60, 2) for one in days.see(day, glass=True, id=str(day))]
    assert set(rules(found)) == {"break_glass"}


def test_where_others_use_it_as_often_it_is_not_told_of() -> None:
    days = Days(BreakGlass({"most": {"bob": 6}}))
    assert "break_glass_habit" not in rules(days.many(6, glass=True))
    assert "break_glass_habit" in rules(days.many(1, 0, glass=True, id="7"))


def test_a_habit_that_was_told_of_does_not_become_the_rule() -> None:
    days = Days(BreakGlass({}))
    for week in range(5):
        assert "break_glass_habit" in rules(days.many(8, 8 * week, glass=True))


def test_ordinary_access_is_nothing() -> None:
    assert not Days(BreakGlass({})).many(50)

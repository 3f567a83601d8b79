"""Nothing was logged for hours in which much is logged."""

from __future__ import annotations

from usual_days import Days

from chained_logging.review.detect.baselines.silence import Silence


def worked(days: Days, day: int, hours: range = range(24)) -> list[str]:
    """Live a day: a program each hour, and people in working hours."""
    found = []
    for hour in hours:
        if 8 <= hour < 18 and day % 7 < 5:
            found += days.many(12, day, hour)
        found += days.see(day, hour + 0.5, actor="svc")
    return [one.sentence for one in found]


def lived(weeks: int = 4) -> Days:
    days = Days(Silence({}))
    for day in range(7 * weeks):
        assert not worked(days, day)
    return days


def test_a_silence_in_working_hours_is_found() -> None:
    days = lived()
    worked(days, 28, range(11))
    (found,) = days.see(28, 14)
    assert (found.rule, found.subject, found.count) == ("log_silence", "log", 2)
    assert "nothing was logged from 2026-03-30T10:30:00Z to 2026-03-30T14:00:00Z" in found.sentence
    assert found.entries == (days.seq - 1, days.seq)


def test_a_silence_in_the_night_is_nothing() -> None:
    days = lived()
    days.see(28, 1)
    assert not days.see(28, 7)


def test_a_silence_on_a_holiday_is_that_of_a_sunday() -> None:
    days = lived()
    days.see(28, 1, free=True)
    assert not days.see(28, 16, free=True)


def test_what_is_only_three_days_old_expects_nothing() -> None:
    days = lived(weeks=2)
    days.see(14, 9)
    assert not days.see(14, 15)


def test_a_clock_that_steps_back_is_not_a_silence() -> None:
    days = lived()
    days.see(28, 14)
    assert not days.see(28, 9)

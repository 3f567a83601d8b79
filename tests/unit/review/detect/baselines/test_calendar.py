"""Local days and hours of entries."""

from __future__ import annotations

import datetime as dt

import pytest

from chained_logging.review.detect.baselines.calendar import Calendar, date_text


def test_the_day_and_the_hour_are_local() -> None:
    found = Calendar("Europe/Berlin").at("2026-03-02T23:30:05.000000Z")
    assert (date_text(found.day), found.hour, found.free) == ("2026-03-03", 0, False)
    assert found.seconds == int(dt.datetime(2026, 3, 2, 23, 30, 5, tzinfo=dt.UTC).timestamp())


def test_the_hour_follows_the_clocks_in_summer() -> None:
    calendar = Calendar("Europe/Berlin")
    assert calendar.at("2026-03-28T08:00:00.000000Z").hour == 9
    assert calendar.at("2026-03-30T08:00:00.000000Z").hour == 10


@pytest.mark.parametrize(
    ("day", "free"), [("2026-03-06", False), ("2026-03-07", True), ("2026-03-09", True)]
)
def test_weekends_and_holidays_are_free(day: str, free: bool) -> None:
    calendar = Calendar(holidays=[dt.date(2026, 3, 9)])
    assert calendar.at(f"{day}T12:00:00.000000Z").free is free


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("time", ["00:00:00", "23:59:59"])
def test_the_ends_of_time_have_a_day(zone: str, day: str, time: str) -> None:
    found = Calendar(zone).at(f"{day}T{time}.000000Z")
    assert date_text(found.day)[:4] == day[:4]


@pytest.mark.parametrize("text", ["", "2026-03-02", "2026-03-02T09:3", "2026-03-02T09:30:"])
def test_a_time_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Calendar().at(text)


def test_calendars_are_told_apart_by_zone_and_holidays() -> None:
    names = {
        Calendar().name,
        Calendar("Europe/Berlin").name,
        Calendar(holidays=[dt.date(2026, 3, 9)]).name,
    }
    assert len(names) == 3


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(ValueError, match="there is no zone 'Europe/Berln'"):
        Calendar("Europe/Berln")

"""Local days and hours of entries, and which days are free."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Collection
from typing import Final, NamedTuple

_KEPT: Final = 20_000  # ten minutes each


class Moment(NamedTuple):
    """When something occurred.

    :ivar seconds: since 1970.
    :ivar day: the local day, as ``datetime.date.toordinal`` counts.
    :ivar hour: the local hour, 0 to 23.
    :ivar free: whether that day is a Saturday, a Sunday or a holiday.
    """

    seconds: int
    day: int
    hour: int
    free: bool


class Calendar:
    """Tells the local time of entries.

    :param zone: of the people whose work is logged, such as ``Europe/Berlin``.
    :param holidays: days on which they do not work.
    :raises ValueError: if there is no such zone.
    """

    def __init__(self, zone: str = "UTC", holidays: Collection[dt.date] = ()) -> None:
        try:
            self._zone = zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"there is no zone {zone!r}: use one such as Europe/Berlin") from error
        self._holidays = frozenset(holidays)
        self._known: dict[str, Moment] = {}

    @property
    def name(self) -> str:
        """What tells this calendar from others."""
        return ",".join([self._zone.key, *sorted(map(str, self._holidays))])

    def at(self, timestamp: str) -> Moment:
        """Return the local time of an entry.

        :param timestamp: in the form that entries have.
        :raises ValueError: if it has another one.
        """
        ten = timestamp[:15]
        known = self._known.get(ten)
        if known is None:
            known = self._look_up(ten)
        seconds, day, hour, free = known
        rest = int(timestamp[15:16]) * 60 + int(timestamp[17:19])
        return Moment(seconds + rest, day, hour, free)

    def _look_up(self, ten: str) -> Moment:
        if len(self._known) >= _KEPT:
            self._known.clear()
        moment = dt.datetime.fromisoformat(ten + "0:00+00:00")
        local = self._local(moment)
        free = local.weekday() >= 5 or local.date() in self._holidays
        found = Moment(int(moment.timestamp()), local.toordinal(), local.hour, free)
        self._known[ten] = found
        return found

    def _local(self, moment: dt.datetime) -> dt.datetime:
        try:
            return moment.astimezone(self._zone)
        except OverflowError:  # the first hours of the year 1, and the last ones of 9999
            return moment


def date_text(day: int) -> str:
    """Return a day as a date: ``2026-10-01``."""
    return dt.date.fromordinal(day).isoformat()

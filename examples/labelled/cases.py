"""The records that an organisation works on: when each is active, and where."""

from __future__ import annotations

import math

from labelled.people import Staff


class Cases:
    """The cases of each unit by day: patients in a ward, orders of a region, projects of a team."""

    def __init__(self, staff: Staff) -> None:
        self._units = staff.organisation.units
        self._staff = staff
        self._active: dict[tuple[str, int], list[str]] = {}
        self.arrived: dict[int, list[str]] = {}
        self.closed: dict[int, list[str]] = {day: [] for day in range(-1, staff.days + 400)}
        for unit in self._units:
            self._admit(unit)
        archive = staff.chance("archive")
        self.archive = [f"{archive.whole(10_000, 49_999)}" for _ in range(4_000)]
        self.archive.sort()

    def _admit(self, unit: str) -> None:
        chance = self._staff.chance("cases", unit)
        organisation = self._staff.organisation
        number = 50_000 + 10_000 * self._units.index(unit)
        for day in range(-round(3 * organisation.stay), self._staff.days + 1):
            for _ in range(chance.count(organisation.arrivals * self._load(day))):
                number += chance.whole(1, 4)
                self.arrived.setdefault(day, []).append(str(number))
                stay = 1 + round(organisation.stay * -_log(chance.random()))
                for each in range(day, day + stay):
                    self._active.setdefault((unit, each), []).append(str(number))
                if 0 <= day + stay < self._staff.days:
                    self.closed[day + stay].append(str(number))

    def _load(self, day: int) -> float:
        return load(self._staff, day) ** 0.5

    def of(self, unit: str, day: int) -> list[str]:
        """Return the active cases of a unit."""
        return self._active.get((unit, day), [])

    def anywhere(self, day: int) -> list[str]:
        """Return the active cases of all units, those of each unit next to each other."""
        return [case for unit in self._units for case in self.of(unit, day)]

    def lately_closed(self, day: int) -> list[str]:
        found = [case for back in range(1, 15) for case in self.closed.get(day - back, ())]
        return found or self.anywhere(day)


def load(staff: Staff, day: int) -> float:
    """Return how busy a day is, against an ordinary one: season, weekday, and campaigns."""
    date = staff.date(day)
    season = 1.0 + 0.15 * ((date.timetuple().tm_yday % 91) / 91 - 0.5)
    weekday = (1.15, 1.0, 1.0, 1.0, 0.9, 0.85, 0.75)[date.weekday()]
    busy = staff.chance("load", day // 7).between(0.85, 1.15)
    campaign = 1.7 if staff.organisation.name == "shop" and day % 29 in (20, 21) else 1.0
    return season * weekday * busy * campaign


def _log(number: float) -> float:
    return math.log(max(number, 1e-12))

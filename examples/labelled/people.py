"""Who works in an organisation: roles, units, devices, networks, days off, comings and goings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from labelled.calendars import is_free
from labelled.chance import Chance
from labelled.organisations import Organisation, Role

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{v} Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}) Gecko/20100101 Firefox/{v}",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.{v} Safari",
)
_PHONES = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{v} like Mac OS X) AppleWebKit/605.1.15 Mobile Safari",
    "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 Chrome/{v} Mobile Safari/537.36",
)


@dataclass(frozen=True)
class Device:
    """Where an event comes from."""

    ip: str
    agent: str


@dataclass
class Person:
    """Somebody with an account.

    :ivar role: what they do; `later_role` from the day `moves` on, in `later_unit`.
    :ivar joins: their first day, counted from the first of the log; `leaves` is their last.
    :ivar off: days on which they do not work.
    """

    id: str
    number: int
    role: Role
    unit: str
    joins: int = 0
    leaves: int | None = None
    moves: int | None = None
    later_unit: str = ""
    later_role: Role | None = None
    off: set[int] = field(default_factory=set)

    def role_on(self, day: int) -> Role:
        return self.later_role if self.later_role and day >= (self.moves or 0) else self.role

    def unit_on(self, day: int) -> str:
        return self.later_unit if self.moves is not None and day >= self.moves else self.unit

    def employed(self, day: int) -> bool:
        return self.joins <= day and (self.leaves is None or day <= self.leaves)


class Staff:
    """The people of an organisation, and where they sit.

    :param days: how many days the log has.
    """

    def __init__(self, organisation: Organisation, seed: int, first: dt.date, days: int) -> None:
        self.organisation = organisation
        self.first = first
        self.days = days
        self._seed = seed
        self.people = list(self._hired())
        chance = self.chance("staff")
        self._absences()
        self._comings_and_goings(chance)

    def chance(self, *names: object) -> Chance:
        """Return draws for a purpose, that no other purpose changes."""
        return Chance(self.organisation.name, self._seed, *names)

    def of(self, *roles: str) -> list[Person]:
        """Return the people of some roles who are there from the first to the last day."""
        return [
            one
            for one in self.people
            if one.role.name in roles and one.joins == 0 and one.leaves is None and not one.moves
        ]

    def date(self, day: int) -> dt.date:
        return self.first + dt.timedelta(days=day)

    def _hired(self) -> Iterator[Person]:
        number = 0
        for role in self.organisation.roles:
            for at in range(role.people):
                units = self.organisation.units
                unit = units[at % len(units)] if role.in_unit else role.name
                number += 1
                yield Person(f"{role.name}-{at + 1:02d}", number, role, unit)

    def _absences(self) -> None:
        """Give everybody a holiday or two, and days of illness."""
        for one in self.people:
            chance = self.chance("absence", one.id)
            for _ in range(chance.whole(0, 2)):
                begin = chance.whole(0, self.days)
                one.off |= set(range(begin, begin + chance.whole(3, 14)))
            for _ in range(chance.count(self.days / 60)):
                begin = chance.whole(0, self.days)
                one.off |= set(range(begin, begin + chance.whole(1, 4)))

    def _comings_and_goings(self, chance: Chance) -> None:
        many = [one for one in self.people if one.role.people >= 4]
        chosen = chance.some(many, 9)
        for one in chosen[:2]:  # new starters
            one.joins = chance.whole(5, self.days - 8)
        for one in chosen[2:4]:  # leavers, whose accounts nobody closes
            one.leaves = chance.whole(8, 20)
        for one in chosen[4:6]:
            self._move(one, chance)
        for one in chosen[6:7]:  # a long leave, and back
            begin = chance.whole(10, 40)
            one.off |= set(range(begin, begin + chance.whole(25, 45)))

    def _move(self, one: Person, chance: Chance) -> None:
        """Let somebody change the unit, or the job."""
        one.moves = chance.whole(15, self.days - 10)
        others = [unit for unit in self.organisation.units if unit != one.unit]
        one.later_unit = chance.pick(others)
        if not one.role.in_unit or chance.happens(0.3):
            roles = [role for role in self.organisation.roles if role.people >= 4]
            one.later_role = chance.pick([role for role in roles if role != one.role])
            if not one.later_role.in_unit:
                one.later_unit = one.later_role.name

    # --- Where they work.

    def desk(self, person: Person, day: int) -> Device:
        """Return the computer at work: one's own, or one of those that a unit shares."""
        unit = person.unit_on(day)
        places = [*self.organisation.units, *(role.name for role in self.organisation.roles)]
        subnet = 10 + places.index(unit)
        if self.organisation.shared_desks and person.role_on(day).in_unit:
            seat = self.chance("seat", person.id, day).whole(1, 7)
            return Device(f"10.20.{subnet}.{seat}", self._agent(subnet * 100 + seat, day))
        return Device(f"10.20.{subnet}.{20 + person.number}", self._agent(person.number, day))

    def home(self, person: Person, day: int) -> Device:
        """Return the computer at home. Some addresses change every few weeks."""
        chance = self.chance("home", person.id)
        static = chance.happens(0.5)
        period = 0 if static else (day + chance.whole(0, 30)) // chance.whole(20, 45)
        chance = self.chance("home", person.id, period)
        ip = f"198.{chance.whole(18, 19)}.{chance.whole(0, 255)}.{chance.whole(1, 254)}"
        if chance.happens(0.4):
            net = f"{chance.whole(1, 0xFFFF):x}:{chance.whole(1, 0xFFFF):x}"
            ip = f"2001:db8:{net}::{person.number:x}"
        return Device(ip, self._agent(person.number, day))

    def phone(self, person: Person, day: int, session: int) -> Device:
        """Return the phone. Its address is one of a carrier's, and changes with each session."""
        carrier = self.chance("carrier", person.id).whole(0, 3)
        chance = self.chance("phone", person.id, day, session)
        ip = f"100.{64 + carrier}.{chance.whole(0, 7)}.{chance.whole(1, 254)}"
        agent = _PHONES[person.number % len(_PHONES)]
        return Device(ip, agent.format(v=2 + day // 30))

    def elsewhere(self, chance: Chance, person: Person, day: int) -> Device:
        """Return a place where nobody was before: a hotel, a train, a conference."""
        ip = f"198.{chance.whole(18, 19)}.{chance.whole(0, 255)}.{chance.whole(1, 254)}"
        return Device(ip, self._agent(person.number, day))

    def stranger(self, chance: Chance) -> Device:
        """Return a device that belongs to nobody here."""
        ip = f"240.0.{chance.whole(0, 255)}.{chance.whole(1, 254)}"
        return Device(ip, chance.pick(_BROWSERS).format(v=chance.whole(115, 140)))

    def _agent(self, number: int, day: int) -> str:
        return _BROWSERS[number % 7 % len(_BROWSERS)].format(v=130 + day // 28)

    # --- When they work.

    def shift(self, person: Person, day: int) -> tuple[float, float] | None:
        """Return the hours in which somebody works on a day; None on a free one."""
        if not person.employed(day) or day in person.off:
            return None
        chance = self.chance("shift", person.id, day)
        late = self.chance("habit", person.id).between(-0.75, 1.0) + chance.normal(0.0, 0.2)
        kind = person.role_on(day).shift
        if kind == "rota":
            return _rota(person.number, day, chance, self.date(day))
        if kind == "retail":
            return _retail(person.number, day, chance, self.date(day))
        if is_free(self.date(day)):
            return (10.0, 13.0) if chance.happens(0.01) else None
        return (8.0 + late, 16.5 + late + chance.between(-0.5, 1.0))


def _rota(number: int, day: int, chance: Chance, date: dt.date) -> tuple[float, float] | None:
    """Return early, late or night shifts, of which each lasts some days, with free days between."""
    if (day + number * 3) % 7 >= 5 or (is_free(date) and chance.happens(0.35)):
        return None
    turn = ((day + number * 3) // 7 + number) % 4
    begin = (6.0, 14.0, 6.0, 22.0)[turn] + chance.between(-0.2, 0.3)
    if chance.happens(0.04):  # a shift that was swapped
        begin = chance.pick((6.0, 14.0))
    return (begin, begin + 8.0)


def _retail(number: int, day: int, chance: Chance, date: dt.date) -> tuple[float, float] | None:
    if date.weekday() == 6 or (day + number) % 6 == 5:
        return None
    begin = (7.5, 13.5)[(day // 7 + number) % 2] + chance.between(-0.2, 0.3)
    if chance.happens(0.04):
        begin = chance.pick((7.5, 13.5))
    return (begin, begin + 8.0)

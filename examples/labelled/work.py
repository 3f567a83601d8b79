"""Ordinary days: what people and programs do, session by session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from labelled.calendars import moment
from labelled.cases import Cases, load
from labelled.chance import Chance
from labelled.organisations import Service, Task
from labelled.people import Device, Person, Staff

Event = dict[str, Any]
"""An event as ``chained-logging append`` takes it, with a ``datetime`` under ``timestamp``."""

_CASES = ("case", "active", "closed", "new")
CHANGED = {
    "patient_record": ("diagnosis", "notes", "allergies", "contact"),
    "order": ("status", "address", "items"),
    "salary": ("amount",),
    "user": ("email", "phone", "department"),
}


class Session(NamedTuple):
    """Somebody at a device, from one time to another."""

    person: Person
    device: Device
    id: str


class Work:
    """Makes the events of days.

    :ivar staff: who works.
    :ivar cases: on what.
    """

    def __init__(self, staff: Staff, cases: Cases) -> None:
        self.staff = staff
        self.cases = cases

    # --- Parts that stories use as well.

    def event(
        self, when: dt.datetime, session: Session, action: str, type: str, id: str, **more: Any
    ) -> Event:
        """Return one event of a session."""
        person = session.person
        event = {
            "timestamp": when,
            "action": action,
            "actor": person.id,
            "actor_type": "admin" if person.role.admin else "user",
            "resource": f"{type}/{id}",
            "result": "success",
            "ip": session.device.ip,
            "user_agent": session.device.agent,
            "session_id": session.id,
        }
        if action == "write":
            names = CHANGED.get(type, ("content",))
            event["changed_fields"] = [names[len(id) % len(names)]]
        return event | more

    def session(self, person: Person, device: Device, *names: object) -> Session:
        number = int(self.staff.chance("session", person.id, *names).random() * 16**10)
        return Session(person, device, f"s-{number:010x}")

    def login(self, chance: Chance, when: dt.datetime, session: Session) -> Iterator[Event]:
        """Yield a login, sometimes after a few with a wrong password."""
        user = ("user", session.person.id)
        if chance.happens(0.05):
            for back in range(chance.whole(1, 3), 0, -1):
                before = when - dt.timedelta(seconds=back * chance.between(6, 20))
                yield self.event(before, session, "login", *user, result="failure")
        yield self.event(when, session, "login", *user)

    def records(self, chance: Chance, person: Person, day: int) -> list[str]:
        """Return the cases that somebody has on a day, the ones they see most first."""
        unit = person.unit_on(day)
        found = self.cases.of(unit, day) if unit in self.staff.organisation.units else []
        return chance.some(found or self.cases.anywhere(day), chance.whole(6, 14)) or ["1"]

    def task(
        self, chance: Chance, when: dt.datetime, session: Session, day: int, panel: list[str]
    ) -> Event:
        """Return something that the person's role does."""
        role = session.person.role_on(day)
        task = chance.weighted(role.tasks, [one.weight for one in role.tasks])
        id = self._target(chance, task, session.person, day, panel)
        more: dict[str, Any] = {}
        if task.action == "search":
            found = chance.some(self.cases.anywhere(day), chance.whole(2, 8))
            more["resources"] = [{"type": task.type, "id": one} for one in found]
            id = "*"
        elif task.on in _CASES:
            more |= self.part_of(task.type, id)
        if task.action in ("export", "download", "print"):
            more["rows"] = 1 + int(chance.scaled(40, 0.8))
        if chance.happens(0.004):
            more["result"] = "denied"
        return self.event(when, session, task.action, task.type, id, **more)

    def part_of(self, type: str, case: str) -> dict[str, Any]:
        """Return the field that says which case a record is part of."""
        record = self.staff.organisation.record
        return {} if type == record else {"resources": [{"type": record, "id": case}]}

    def arrivals(self, day: int) -> Iterator[Event]:
        """Yield the cases of the next day, which come in the evening before."""
        chance = self.staff.chance("arrivals", day)
        service = self.staff.organisation.services[0]
        for case in self.cases.arrived.get(day + 1, ()):
            when = moment(self.staff.date(day), chance.between(17.0, 23.9))
            yield self.done(service, day, when, "create", self.staff.organisation.record, case)

    def _target(
        self, chance: Chance, task: Task, person: Person, day: int, panel: list[str]
    ) -> str:
        if task.on == "case":
            if chance.happens(0.03):  # a colleague of another unit asks
                return str(chance.pick(self.cases.anywhere(day) or panel))
            if chance.happens(0.01):  # somebody who was here before
                return str(chance.pick(self.cases.archive))
            return str(chance.skewed(panel))
        if task.on == "active":
            return str(chance.pick(self.cases.anywhere(day) or panel))
        if task.on == "closed":
            return str(chance.pick(self.cases.lately_closed(day) or panel))
        if task.on == "new":
            return str(chance.pick(self.cases.anywhere(day + 1) or panel))
        if task.on == "staff":
            return f"{1 + int(chance.random() ** 1.5 * 60)}"
        return task.on

    # --- Days.

    def day(self, person: Person, day: int) -> Iterator[Event]:
        """Yield what somebody does on a day."""
        hours = self.staff.shift(person, day)
        if hours is None:
            return
        chance = self.staff.chance("day", person.id, day)
        role = person.role_on(day)
        pace = self.staff.chance("pace", person.id).between(0.7, 1.4)
        busy = 2.0 if chance.happens(0.02) else 1.0
        new = 0.6 if 0 < day - person.joins < 5 and person.joins else 1.0
        count = round(chance.scaled(role.pace * pace * busy * new, 0.22) * load(self.staff, day))
        at_home = chance.happens(role.home)
        device = (self.staff.home if at_home else self.staff.desk)(person, day)
        if chance.happens(0.004) and role.home:
            device = self.staff.elsewhere(chance, person, day)
        yield from self._sitting(chance, person, day, device, hours, max(3, count))
        yield from self._on_the_phone(chance, person, day, hours)

    def _sitting(
        self,
        chance: Chance,
        person: Person,
        day: int,
        device: Device,
        hours: tuple[float, float],
        count: int,
    ) -> Iterator[Event]:
        """Yield a shift at a computer: before and after a break."""
        date, panel = self.staff.date(day), self.records(chance, person, day)
        begin, end = hours
        noon = begin + (end - begin) * chance.between(0.45, 0.55)
        halves = ((begin, noon - 0.3), (noon + 0.3, end))
        for number, (start, stop) in enumerate(halves):
            session = self.session(person, device, day, number)
            yield from self.login(chance, moment(date, start), session)
            times = sorted(chance.between(start, stop) for _ in range(count // 2))
            for hour in times:
                yield self.task(chance, moment(date, hour), session, day, panel)

    def _on_the_phone(
        self, chance: Chance, person: Person, day: int, hours: tuple[float, float]
    ) -> Iterator[Event]:
        """Yield short looks at the phone, of those who work from home now and then."""
        if not person.role_on(day).home or not chance.happens(0.25):
            return
        date, panel = self.staff.date(day), self.records(chance, person, day)
        for number in range(chance.whole(1, 2)):
            hour = chance.between(hours[0] - 1.0, hours[1] + 3.5)
            session = self.session(
                person, self.staff.phone(person, day, number), day, "phone", number
            )
            for at in range(chance.whole(1, 5)):
                yield self.task(chance, moment(date, hour + at / 60), session, day, panel)

    def service(self, service: Service, day: int) -> Iterator[Event]:
        """Yield what a program does on a day."""
        chance = self.staff.chance("service", service.name, day)
        date = self.staff.date(day)
        runs = (
            [service.at]
            if service.every >= 1440
            else [minute / 60 for minute in range(0, 1440, service.every)]
        )
        for hour in runs:
            for at in range(service.size):
                seconds = chance.between(0, 20) + at * 4
                id = service.name if service.every >= 1440 else str(chance.whole(1, 60))
                when = moment(date, hour + seconds / 3600)
                done = self.done(service, day, when, service.action, service.type, id)
                yield done | {"result": "failure" if chance.happens(0.002) else "success"}

    def done(
        self, service: Service, day: int, when: dt.datetime, action: str, type: str, id: str
    ) -> Event:
        """Return something that a program did."""
        return {
            "timestamp": when,
            "action": action,
            "actor": f"svc-{service.name}",
            "actor_type": "service",
            "resource": f"{type}/{id}",
            "result": "success",
            "ip": f"10.20.5.{10 + len(service.name)}",
            "user_agent": f"{service.name}/2.{day // 40}",
        }

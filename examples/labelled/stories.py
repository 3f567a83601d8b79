"""Twelve stories, each with what a reviewer should be told of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from labelled.calendars import is_free, moment
from labelled.chance import Chance
from labelled.organisations import Role, Task
from labelled.people import Device, Person
from labelled.work import Event, Session, Work


@dataclass
class Story:
    """Something that a reviewer should hear of.

    :ivar name: which of the twelve.
    :ivar told: what a reviewer should be told.
    :ivar actor: who did it, as the log names them.
    :ivar events: what belongs to it; of a silence, the entries before and after it.
    :ivar silent: from when to when the log is silent.
    """

    name: str
    told: str
    actor: str
    events: list[Event] = field(default_factory=list)
    silent: tuple[dt.datetime, dt.datetime] | None = None


@dataclass
class Scene:
    """What a story is made from.

    :ivar day: the first day.
    """

    work: Work
    chance: Chance
    day: int

    def worker(self, *roles: str, skip: str = "") -> Person:
        """Return somebody of a role who works on the first day, for whom there is a story."""
        people = [one for one in self.work.staff.of(*roles) if one.id != skip]
        there = [one for one in people if self.work.staff.shift(one, self.day)]
        return self.chance.pick(there or people)

    def hours(self, person: Person, day: int) -> tuple[float, float]:
        return self.work.staff.shift(person, day) or (9.0, 17.0)

    def shifts(self, person: Person, days: int) -> list[int]:
        """Return the days on which somebody works, of those from the first on."""
        span = range(self.day, self.day + days)
        return [day for day in span if self.work.staff.shift(person, day)] or [self.day]

    def elsewhere(self, person: Person) -> list[str]:
        """Return the active cases of the units in which somebody does not work."""
        own = person.unit_on(self.day)
        units = [unit for unit in self.work.staff.organisation.units if unit != own]
        return [case for unit in units for case in self.work.cases.of(unit, self.day)]

    def at(self, day: int, hour: float) -> dt.datetime:
        return moment(self.work.staff.date(day), hour)


def stories(work: Work, first: int) -> list[Story]:
    """Return the twelve stories of a log.

    :param first: the first day on which one may begin.
    """
    chance = work.staff.chance("stories")
    days = list(range(first + 1, work.staff.days - 6))
    begins = chance.some(days, len(_STORIES))
    found = [
        tell(Scene(work, work.staff.chance("story", tell.__name__), day))
        for tell, day in zip(_STORIES, begins, strict=True)
    ]
    dates = [{event["timestamp"].date() for event in story.events} for story in found]
    taken = {date for spans in dates if len(spans) == 1 for date in spans}
    open_days = [day for day in days if not is_free(work.staff.date(day))]
    quiet = [day for day in open_days if work.staff.date(day) not in taken] or open_days
    return [*found, silence(Scene(work, work.staff.chance("story", "silence"), chance.pick(quiet)))]


def _unit_roles(work: Work) -> list[str]:
    return [role.name for role in work.staff.organisation.roles if role.in_unit]


def snooping(scene: Scene) -> Story:
    """Somebody looks, in their shifts and at their desk, at people they have no business with."""
    work, chance = scene.work, scene.chance
    person = scene.worker(_unit_roles(work)[0])
    kind = work.staff.organisation.record
    story = Story(
        "snooping",
        f"{person.id} read records of people who are in nobody's care around them",
        person.id,
    )
    victims = chance.some(work.cases.archive, chance.whole(9, 18))
    victims += chance.some(scene.elsewhere(person), chance.whole(7, 16))
    for day in scene.shifts(person, 7)[: chance.whole(1, 4)]:
        begin, end = scene.hours(person, day)
        session = work.session(person, work.staff.desk(person, day), day, "snooping")
        for case in victims:
            if chance.happens(0.6):
                when = scene.at(day, chance.between(begin, end))
                story.events.append(work.event(when, session, "read", kind, case))
    return story


def leaver(scene: Scene) -> Story:
    """Somebody who has given notice takes the customers along."""
    work, chance = scene.work, scene.chance
    person = scene.worker(*work.staff.organisation.leaver_roles)
    story = Story("leavers_export", f"{person.id} exported far more than they ever did", person.id)
    kind = work.staff.organisation.record
    for day in range(scene.day, scene.day + chance.whole(1, 2)):
        session = work.session(person, work.staff.desk(person, day), day, "leaver")
        hour = scene.hours(person, day)[1] - chance.between(0.5, 2.0)
        for case in chance.some(work.cases.archive, chance.whole(40, 160)):
            when = scene.at(day, hour)
            story.events.append(work.event(when, session, "export", kind, case, rows=1))
            hour += chance.between(0.002, 0.02)
    return story


def shared_password(scene: Scene) -> Story:
    """Somebody lends their account to a person who works elsewhere, at the same time."""
    work, chance = scene.work, scene.chance
    person = scene.worker(*_unit_roles(work)[:2])
    story = Story(
        "shared_password", f"two people used the account of {person.id} at once", person.id
    )
    device = work.staff.stranger(chance)
    for day in scene.shifts(person, 8)[: chance.whole(2, 5)]:
        begin, end = scene.hours(person, day)
        session = work.session(person, device, day, "shared")
        panel = work.records(chance, person, day)
        hours = sorted(chance.between(begin, end) for _ in range(chance.whole(12, 40)))
        story.events += work.login(chance, scene.at(day, hours[0] - 0.02), session)
        for hour in hours:
            story.events.append(work.task(chance, scene.at(day, hour), session, day, panel))
    return story


def slow_brute_force(scene: Scene) -> Story:
    """Passwords of one or of a few accounts are tried, slowly, from changing addresses."""
    work, chance = scene.work, scene.chance
    people = chance.some(work.staff.of(*_unit_roles(work)), chance.pick((1, 1, 3, 6)))
    names = ", ".join(one.id for one in people)
    story = Story("slow_brute_force", f"somebody guessed passwords of {names}", people[0].id)
    net = f"240.1.{chance.whole(0, 255)}"
    wide = chance.happens(0.5)
    hour, end = chance.between(0, 20), chance.between(44, 90)
    person = people[0]
    while hour < end:
        person = chance.pick(people)
        base = f"240.1.{chance.whole(0, 255)}" if wide else net
        agent = "python-requests/2.32" if wide else "Mozilla/5.0 (X11; Linux x86_64)"
        device = Device(f"{base}.{chance.whole(1, 254)}", agent)
        session = Session(person, device, f"s-guess-{int(hour * 100)}")
        failed = {"result": "failure", "session_id": None}
        when = scene.at(scene.day, hour)
        story.events.append(work.event(when, session, "login", "user", person.id, **failed))
        hour += chance.between(0.12, 0.6)
    if chance.happens(0.5):
        panel = work.records(chance, person, scene.day)
        session = work.session(person, device, scene.day, "guessed")
        story.events.append(
            work.event(scene.at(scene.day, hour), session, "login", "user", person.id)
        )
        for at in range(chance.whole(5, 20)):
            when = scene.at(scene.day, hour + at / 50)
            story.events.append(work.task(chance, when, session, scene.day, panel))
    return story


def salaries(scene: Scene) -> Story:
    """An administrator reads what colleagues earn."""
    work, chance = scene.work, scene.chance
    person = scene.worker("it")
    secret = work.staff.organisation.secret
    story = Story("salaries", f"the administrator {person.id} read salaries", person.id)
    begin, end = scene.hours(person, scene.day)
    session = work.session(person, work.staff.desk(person, scene.day), scene.day, "salaries")
    for number in range(chance.whole(4, 30)):
        when = scene.at(scene.day, chance.between(begin, end))
        story.events.append(work.event(when, session, "read", secret, str(number + 1)))
    return story


def service_by_hand(scene: Scene) -> Story:
    """Somebody uses the account of a program themselves."""
    work, chance = scene.work, scene.chance
    service = chance.pick(work.staff.organisation.services)
    person = scene.worker("it")
    actor = f"svc-{service.name}"
    story = Story("service_by_hand", f"a person used the service account {actor}", actor)
    device = work.staff.desk(person, scene.day)
    if chance.happens(0.3):
        device = Device(device.ip, "psql/16.3")
    user = Person(actor, 0, Role(actor, 1, "office", 1, ()), "")
    session = work.session(user, device, scene.day, "by hand")
    hour = chance.between(9.0, 21.0)
    for case in chance.some(work.cases.anywhere(scene.day), chance.whole(6, 40)):
        when = scene.at(scene.day, hour)
        read = work.event(when, session, "read", work.staff.organisation.record, case)
        story.events.append(read | {"actor_type": "service"})
        hour += chance.between(0.005, 0.05)
    return story


def dormant(scene: Scene) -> Story:
    """The account of somebody who left long ago is used."""
    work, chance = scene.work, scene.chance
    gone = [one for one in work.staff.people if one.leaves is not None]
    person = chance.pick(gone)
    story = Story("dormant", f"{person.id} left, and the account was used again", person.id)
    where = chance.pick((work.staff.stranger(chance), work.staff.home(person, scene.day)))
    session = work.session(person, where, scene.day, "dormant")
    hour, panel = chance.between(8.0, 23.0), work.records(chance, person, scene.day)
    story.events += work.login(chance, scene.at(scene.day, hour), session)
    for _ in range(chance.whole(6, 40)):
        hour += chance.between(0.005, 0.05)
        when = scene.at(scene.day, hour)
        story.events.append(work.task(chance, when, session, scene.day, panel))
    return story


def escalation(scene: Scene) -> Story:
    """Somebody gives themselves rights, uses them, and perhaps gives them back."""
    work, chance = scene.work, scene.chance
    admin = chance.happens(0.5)
    person = scene.worker("it") if admin else scene.worker(*_unit_roles(work))
    story = Story("escalation", f"{person.id} gave themselves a role", person.id)
    hour = chance.between(*scene.hours(person, scene.day))
    session = work.session(person, work.staff.desk(person, scene.day), scene.day, "escalation")
    role = {"changed_fields": ["roles"], "role": chance.pick(("admin", "owner", "payroll"))}
    user = ("user", person.id)
    at = [scene.at(scene.day, hour + step / 20) for step in range(20)]
    story.events.append(work.event(at[0], session, "grant_role", *user, **role))
    for number in range(chance.whole(3, 12)):
        kind = work.staff.organisation.secret if admin else "system_setting"
        when = at[number + 1]
        story.events.append(work.event(when, session, "read", kind, str(1 + number)))
    if chance.happens(0.5):
        story.events.append(work.event(at[19], session, "revoke_role", *user, **role))
    return story


def break_glass(scene: Scene) -> Story:
    """Somebody opens one record after the other by the emergency access, without an emergency."""
    work, chance = scene.work, scene.chance
    organisation = work.staff.organisation
    person = scene.worker(organisation.emergency_role)
    story = Story("break_glass", f"{person.id} used the emergency access as a habit", person.id)
    days = scene.shifts(person, 6)
    for case in chance.some(work.cases.archive, chance.whole(6, 14)):
        day = chance.pick(days[:3])
        hour = chance.between(*scene.hours(person, day))
        session = work.session(person, work.staff.desk(person, day), day, "glass", case)
        about = {"break_glass": True, "reason": chance.pick(("urgent", "asked by phone", "x"))}
        for step, action in enumerate(["break_glass"] + ["read"] * chance.whole(1, 4)):
            when = scene.at(day, hour + step / 60)
            event = work.event(when, session, action, organisation.record, case, **about)
            story.events.append(event)
    return story


def impersonation(scene: Scene) -> Story:
    """A support session reads more in a user's name than the user ever did."""
    work, chance = scene.work, scene.chance
    helper = scene.worker("it")
    user = scene.worker(*_unit_roles(work), skip=helper.id)
    story = Story(
        "impersonation",
        f"{helper.id}, in the name of {user.id}, read more than {user.id} ever did",
        helper.id,
    )
    session = work.session(helper, work.staff.desk(helper, scene.day), scene.day, "impersonation")
    hour = scene.hours(helper, scene.day)[0] + chance.between(0.5, 3.0)
    more = {"on_behalf_of": user.id, "actor_type": "admin"}
    kind = work.staff.organisation.record
    cases = work.cases.anywhere(scene.day) + chance.some(work.cases.archive, 250)
    for case in chance.some(cases, chance.whole(110, 240)):
        when = scene.at(scene.day, hour)
        story.events.append(work.event(when, session, "read", kind, case, **more))
        hour += chance.between(0.003, 0.02)
    return story


def mass_delete(scene: Scene) -> Story:
    """Somebody deletes what they worked on."""
    work, chance = scene.work, scene.chance
    person = scene.worker(*_unit_roles(work), "finance")
    tasks: tuple[Task, ...] = person.role.tasks
    kind = next((task.type for task in tasks if task.action == "write"), "document")
    story = Story("mass_delete", f"{person.id} deleted far more than they ever did", person.id)
    begin, end = scene.hours(person, scene.day)
    session = work.session(person, work.staff.desk(person, scene.day), scene.day, "delete")
    hour = chance.between(begin, end)
    for case in chance.some(work.cases.lately_closed(scene.day), chance.whole(40, 150)):
        when = scene.at(scene.day, hour)
        part = work.part_of(kind, case)
        story.events.append(work.event(when, session, "delete", kind, case, **part))
        hour += chance.between(0.001, 0.01)
    return story


def silence(scene: Scene) -> Story:
    """The log is silent for some hours of a working day."""
    begin = scene.chance.between(8.5, 12.5)
    end = begin + scene.chance.between(2.0, 4.5)
    return Story(
        "silence",
        "nothing was logged in hours in which much is logged",
        "",
        silent=(scene.at(scene.day, begin), scene.at(scene.day, end)),
    )


_STORIES: tuple[Callable[[Scene], Story], ...] = (
    *(snooping, leaver, shared_password, slow_brute_force, salaries, service_by_hand),
    *(dormant, escalation, break_glass, impersonation, mass_delete),
)
NAMES = (
    *("snooping", "leavers_export", "shared_password", "slow_brute_force", "salaries"),
    *("service_by_hand", "dormant", "escalation", "break_glass", "impersonation"),
    *("mass_delete", "silence"),
)

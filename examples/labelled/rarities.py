"""What is rare and right: nobody should be told of it, and much of it looks like something else."""

from __future__ import annotations

from collections.abc import Iterator

from labelled.calendars import moment
from labelled.people import Person
from labelled.work import Event, Work


def rarities(work: Work) -> Iterator[Event]:
    """Yield the rare and right events of a log."""
    for day in range(work.staff.days):
        for rarity in (
            *(_on_call, _emergency, _helped, _forgotten_password, _stale_phone, _project_grant),
            *(_audit_day, _spring_clean, _moved_service),
        ):
            yield from rarity(work, day)
    yield from _quarterly_exports(work)
    yield from _famous_case(work)
    yield from _grants_to_new_people(work)


def _someone(work: Work, day: int, *roles: str) -> Person | None:
    """Return one of the people of some roles who work on a day."""
    there = [
        one
        for one in work.staff.people
        if one.role_on(day).name in roles and work.staff.shift(one, day)
    ]
    return work.staff.chance("someone", day, *roles).pick(there) if there else None


def _on_call(work: Work, day: int) -> Iterator[Event]:
    """Yield a night in which the administrator on call gets up."""
    chance = work.staff.chance("on call", day)
    if not chance.happens(0.12):
        return
    admins = work.staff.of("it")
    person = admins[day // 7 % len(admins)]
    session = work.session(person, work.staff.home(person, day), day, "on call")
    hour = chance.between(22.5, 29.0)
    date = work.staff.date(day)
    yield from work.login(chance, moment(date, hour), session)
    for _ in range(chance.whole(4, 16)):
        hour += chance.between(0.01, 0.15)
        yield work.task(chance, moment(date, hour), session, day, ["1"])


def _emergency(work: Work, day: int) -> Iterator[Event]:
    """Yield a record opened in an emergency, with its reason."""
    organisation = work.staff.organisation
    chance = work.staff.chance("emergency", day)
    person = _someone(work, day, organisation.emergency_role)
    if person is None or not chance.happens(organisation.emergencies):
        return
    begin, end = work.staff.shift(person, day) or (9.0, 17.0)
    hour, date = chance.between(begin, end), work.staff.date(day)
    session = work.session(person, work.staff.desk(person, day), day, "emergency")
    case = chance.pick(work.cases.archive)
    about = {"break_glass": True, "reason": chance.pick(_EMERGENCIES)}
    for action in ["break_glass"] + ["read"] * chance.whole(1, 4):
        yield work.event(moment(date, hour), session, action, organisation.record, case, **about)
        hour += chance.between(0.005, 0.05)


_EMERGENCIES = (
    "unconscious, no relatives",
    "transfer by helicopter",
    "database stuck, customers wait",
    "colleague unreachable",
)


def _helped(work: Work, day: int) -> Iterator[Event]:
    """Yield a call to the helpdesk: an administrator looks at what the caller sees."""
    chance = work.staff.chance("helped", day)
    helper = _someone(work, day, "it")
    caller = _someone(work, day, *(role.name for role in work.staff.organisation.roles[:6]))
    if helper is None or caller is None or helper is caller or not chance.happens(0.35):
        return
    begin, end = work.staff.shift(helper, day) or (9.0, 17.0)
    hour, date = chance.between(begin, end), work.staff.date(day)
    session = work.session(helper, work.staff.desk(helper, day), day, "helped")
    panel = work.records(chance, caller, day)
    for _ in range(chance.whole(2, 8)):
        done = work.task(chance, moment(date, hour), session._replace(person=caller), day, panel)
        yield done | {"actor": helper.id, "actor_type": "admin", "on_behalf_of": caller.id}
        hour += chance.between(0.005, 0.03)


def _forgotten_password(work: Work, day: int) -> Iterator[Event]:
    chance = work.staff.chance("forgotten", day)
    person = _someone(work, day, *(role.name for role in work.staff.organisation.roles))
    if person is None or not chance.happens(0.4):
        return
    hours = work.staff.shift(person, day) or (9.0, 17.0)
    hour, date = hours[0] - 0.2, work.staff.date(day)
    session = work.session(person, work.staff.desk(person, day), day, "forgotten")
    for _ in range(chance.whole(3, 7)):
        yield work.event(moment(date, hour), session, "login", "user", person.id, result="failure")
        hour += chance.between(0.003, 0.02)
    yield work.event(moment(date, hour), session, "password_reset", "user", person.id)
    yield work.event(moment(date, hour + 0.02), session, "login", "user", person.id)


def _stale_phone(work: Work, day: int) -> Iterator[Event]:
    """Yield a phone that tries an old password until somebody notices."""
    chance = work.staff.chance("stale phone", day)
    person = chance.pick(work.staff.of(*(r.name for r in work.staff.organisation.roles if r.home)))
    if not chance.happens(0.02):
        return
    hour, date = chance.between(7.0, 12.0), work.staff.date(day)
    session = work.session(person, work.staff.phone(person, day, 9), day, "stale")
    for _ in range(chance.whole(10, 40)):
        yield work.event(moment(date, hour), session, "login", "user", person.id, result="failure")
        hour += chance.between(0.08, 0.17)


def _project_grant(work: Work, day: int) -> Iterator[Event]:
    chance = work.staff.chance("grant", day)
    if chance.happens(0.12):
        person = chance.pick(work.staff.people)
        yield from _granted(work, day, person, chance.pick(("reports", "archive", "project")))


def _grants_to_new_people(work: Work) -> Iterator[Event]:
    for person in work.staff.people:
        if person.joins:
            yield from _granted(work, person.joins, person, person.role.name)
        if person.moves:
            name = person.later_role.name if person.later_role else person.later_unit
            yield from _granted(work, person.moves, person, name)


def _granted(work: Work, day: int, to: Person, role: str) -> Iterator[Event]:
    """Yield a role that an administrator gives to somebody."""
    admin = _someone(work, day, "it")
    if admin is None or admin is to:
        return
    begin, end = work.staff.shift(admin, day) or (9.0, 17.0)
    chance = work.staff.chance("granted", day, to.id)
    session = work.session(admin, work.staff.desk(admin, day), day, "granted", to.id)
    when = moment(work.staff.date(day), chance.between(begin, end))
    yield work.event(
        when, session, "grant_role", "user", to.id, changed_fields=["roles"], role=role
    )


def _audit_day(work: Work, day: int) -> Iterator[Event]:
    """Yield a day on which somebody goes through old cases, because it was asked of them."""
    chance = work.staff.chance("audit", day)
    names = [role.name for role in work.staff.organisation.roles if role.in_unit]
    person = _someone(work, day, *names)
    if person is None or not chance.happens(0.012):
        return
    begin, end = work.staff.shift(person, day) or (9.0, 17.0)
    session = work.session(person, work.staff.desk(person, day), day, "audit")
    record, date = work.staff.organisation.record, work.staff.date(day)
    for case in chance.some(work.cases.archive, chance.whole(15, 40)):
        when = moment(date, chance.between(begin, end))
        yield work.event(when, session, "read", record, case, reason="quality sample")


def _spring_clean(work: Work, day: int) -> Iterator[Event]:
    chance = work.staff.chance("clean", day)
    person = _someone(work, day, work.staff.organisation.tidy_role)
    if person is None or not chance.happens(0.012):
        return
    begin, end = work.staff.shift(person, day) or (9.0, 17.0)
    kind = [t.type for t in person.role_on(day).tasks if t.action == "delete"] or ["draft"]
    session = work.session(person, work.staff.desk(person, day), day, "clean")
    for _ in range(chance.whole(12, 30)):
        when = moment(work.staff.date(day), chance.between(begin, end))
        yield work.event(when, session, "delete", kind[0], str(chance.whole(100, 999)))


def _moved_service(work: Work, day: int) -> Iterator[Event]:
    """Yield a service that runs on the second machine for an hour."""
    chance = work.staff.chance("moved", day)
    if not chance.happens(0.03):
        return
    service = work.staff.organisation.services[0]
    second = "10.20.5.200"
    hour = chance.between(1, 22)
    for at in range(4):
        when, id = moment(work.staff.date(day), hour + at / 4), str(chance.whole(1, 60))
        yield work.done(service, day, when, service.action, service.type, id) | {"ip": second}


def _quarterly_exports(work: Work) -> Iterator[Event]:
    """Yield the export that somebody in finance makes after each quarter."""
    for day in range(work.staff.days):
        date = work.staff.date(day)
        if date.month % 3 != 1 or not 4 <= date.day <= 9:
            continue
        person = _someone(work, day, work.staff.organisation.export_role)
        chance = work.staff.chance("quarter", date.year, date.month)
        if person is None or date.day != chance.whole(4, 9):
            continue
        begin, end = work.staff.shift(person, day) or (9.0, 17.0)
        session = work.session(person, work.staff.desk(person, day), day, "quarter")
        for number in range(chance.whole(15, 30)):
            when = moment(date, chance.between(begin, end))
            file = ("report", f"quarter-{number:02d}")
            yield work.event(when, session, "export", *file, rows=chance.whole(500, 20_000))


def _famous_case(work: Work) -> Iterator[Event]:
    """Yield a week in which many have to do with one record."""
    chance = work.staff.chance("famous")
    begin = chance.whole(10, work.staff.days - 8)
    case = chance.pick(work.cases.anywhere(begin) or ["1"])
    kind = work.staff.organisation.record
    readers = [one for one in work.staff.people if any(t.type == kind for t in one.role.tasks)]
    for day in range(begin, begin + 6):
        for person in chance.some(readers, 9):
            hours = work.staff.shift(person, day)
            if hours is None:
                continue
            session = work.session(person, work.staff.desk(person, day), day, "famous")
            for _ in range(chance.whole(1, 3)):
                when = moment(work.staff.date(day), chance.between(*hours))
                yield work.event(when, session, "read", kind, case)

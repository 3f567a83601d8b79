"""What a clinic, a shop and an office consist of: roles, the work of each, services."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Task:
    """Something that a role does.

    :ivar weight: how often, against the other tasks of the role.
    :ivar on: which record: ``case`` of the unit, ``active`` of any unit, ``closed`` lately,
        ``new``, ``staff``, or the name of a file.
    """

    weight: float
    action: str
    type: str
    on: str = "case"


@dataclass(frozen=True)
class Role:
    """A kind of job.

    :ivar people: how many have it.
    :ivar shift: ``rota`` (three shifts, each day), ``retail`` (two shifts, each day but Sunday), or
        ``office``.
    :ivar pace: entries in an ordinary shift.
    :ivar home: the part of days that are worked from home.
    :ivar in_unit: whether the work is on the cases of one unit.
    """

    name: str
    people: int
    shift: str
    pace: int
    tasks: tuple[Task, ...]
    home: float = 0.0
    in_unit: bool = True
    admin: bool = False


@dataclass(frozen=True)
class Service:
    """A program with an account of its own.

    :ivar every: minutes between two runs; 1440 is once a day.
    :ivar at: the hour of a daily run.
    :ivar size: entries in a run.
    """

    name: str
    every: int
    action: str
    type: str
    size: int = 1
    at: float = 2.0


@dataclass(frozen=True)
class Organisation:
    """A place where people work.

    :ivar record: the type of the records that everything is about.
    :ivar secret: the type that few may read.
    :ivar arrivals: new cases of a unit in a day.
    :ivar stay: days that a case stays active.
    :ivar shared_desks: whether the people of a unit share its computers.
    """

    name: str
    record: str
    secret: str
    units: tuple[str, ...]
    arrivals: float
    stay: float
    roles: tuple[Role, ...]
    services: tuple[Service, ...]
    shared_desks: bool = False
    emergencies: float = 0.05
    emergency_role: str = "it"
    tidy_role: str = "it"
    export_role: str = "finance"
    leaver_roles: tuple[str, ...] = field(default=())


def _it(people: int, shift: str = "office") -> Role:
    return Role(
        *("it", people, shift, 18),
        (
            Task(5, "read", "system_setting", "staff"),
            Task(3, "write", "system_setting", "staff"),
            Task(5, "read", "user", "staff"),
            Task(2, "write", "user", "staff"),
        ),
        *(0.3, False, True),
    )


def _hr(people: int, secret: str) -> Role:
    return Role(
        *("hr", people, "office", 20),
        (
            Task(5, "read", "staff_record", "staff"),
            Task(2, "write", "staff_record", "staff"),
            Task(4, "read", secret, "staff"),
            Task(1, "write", secret, "staff"),
        ),
        *(0.3, False),
    )


_AT_NIGHT = (
    Service("backup", 1440, "backup", "database", 4, 2.2),
    Service("reporting", 1440, "read", "report", 12, 4.5),
)

CLINIC = Organisation(
    "clinic",
    "patient_record",
    "salary",
    ("ward-a", "ward-b", "ward-c", "emergency"),
    arrivals=4.5,
    stay=5.0,
    roles=(
        Role(
            *("nurse", 20, "rota", 40),
            (
                Task(8, "read", "patient_record"),
                Task(3, "write", "patient_record"),
                Task(3, "read", "medication"),
                Task(2, "write", "medication"),
                Task(0.4, "search", "patient_record", "active"),
            ),
        ),
        Role(
            *("doctor", 10, "rota", 34),
            (
                Task(8, "read", "patient_record"),
                Task(4, "write", "patient_record"),
                Task(4, "read", "lab_result"),
                Task(2, "write", "prescription"),
                Task(0.5, "read", "patient_record", "active"),
                Task(0.3, "print", "patient_record"),
            ),
        ),
        Role(
            *("reception", 5, "office", 50),
            (
                Task(3, "write", "patient_record", "new"),
                Task(5, "read", "patient_record", "active"),
                Task(4, "write", "appointment", "active"),
                Task(2, "search", "patient_record", "active"),
            ),
            in_unit=False,
        ),
        Role(
            *("lab", 4, "rota", 40),
            (
                Task(6, "write", "lab_result", "active"),
                Task(4, "read", "patient_record", "active"),
            ),
            in_unit=False,
        ),
        Role(
            *("finance", 4, "office", 35),
            (
                Task(5, "read", "patient_record", "closed"),
                Task(5, "write", "invoice", "closed"),
                Task(0.15, "export", "report", "weekly-billing"),
                Task(0.2, "delete", "invoice", "closed"),
            ),
            *(0.3, False),
        ),
        Role(
            *("pharmacy", 3, "office", 40),
            (
                Task(6, "read", "prescription", "active"),
                Task(4, "read", "medication", "active"),
                Task(2, "write", "medication", "active"),
            ),
            in_unit=False,
        ),
        _it(2),
        _hr(2, "salary"),
    ),
    services=(
        Service("lab-interface", 30, "write", "lab_result"),
        Service("heartbeat", 20, "read", "system_setting"),
        *_AT_NIGHT,
    ),
    shared_desks=True,
    emergencies=0.35,
    emergency_role="doctor",
    tidy_role="finance",
    leaver_roles=("doctor", "nurse", "finance"),
)

SHOP = Organisation(
    "shop",
    "customer",
    "salary",
    ("north", "south", "online"),
    arrivals=14.0,
    stay=3.0,
    roles=(
        Role(
            *("support", 18, "retail", 48),
            (
                Task(6, "read", "order"),
                Task(5, "read", "customer"),
                Task(2, "write", "order"),
                Task(1, "write", "refund"),
                Task(0.5, "search", "customer", "active"),
            ),
            home=0.25,
        ),
        Role(
            *("warehouse", 12, "retail", 50),
            (Task(6, "read", "order"), Task(4, "write", "shipment")),
        ),
        Role(
            *("catalogue", 6, "office", 30),
            (
                Task(5, "read", "product", "staff"),
                Task(5, "write", "product", "staff"),
                Task(0.5, "delete", "product", "staff"),
            ),
            *(0.3, False),
        ),
        Role(
            *("finance", 4, "office", 32),
            (
                Task(6, "read", "order", "closed"),
                Task(4, "write", "invoice", "closed"),
                Task(1, "write", "refund", "active"),
                Task(0.2, "export", "report", "weekly-sales"),
            ),
            *(0.3, False),
        ),
        Role(
            *("marketing", 4, "office", 22),
            (
                Task(5, "read", "campaign", "staff"),
                Task(4, "write", "campaign", "staff"),
                Task(1, "read", "customer", "active"),
                Task(0.3, "export", "report", "newsletter-segment"),
            ),
            *(0.4, False),
        ),
        _it(3),
        _hr(1, "salary"),
        Role(
            *("manager", 2, "office", 18),
            (
                Task(5, "read", "report", "weekly-sales"),
                Task(3, "read", "order", "active"),
                Task(2, "read", "campaign", "staff"),
            ),
            *(0.3, False),
        ),
    ),
    services=(
        Service("checkout", 15, "write", "order"),
        Service("stock-sync", 60, "write", "product", 2),
        *_AT_NIGHT,
    ),
    tidy_role="catalogue",
    leaver_roles=("support", "marketing", "finance"),
)

OFFICE = Organisation(
    "office",
    "document",
    "salary",
    ("team-1", "team-2", "team-3", "team-4"),
    arrivals=3.0,
    stay=12.0,
    roles=(
        Role(
            *("consultant", 18, "office", 32),
            (
                Task(8, "read", "document"),
                Task(4, "write", "document"),
                Task(2, "read", "project"),
                Task(0.8, "download", "document"),
                Task(0.2, "delete", "document"),
            ),
            home=0.4,
        ),
        Role(
            *("sales", 12, "office", 30),
            (
                Task(6, "read", "contact"),
                Task(3, "write", "contact"),
                Task(3, "read", "offer"),
                Task(2, "write", "offer"),
                Task(0.4, "download", "offer"),
            ),
            home=0.4,
        ),
        Role(
            *("finance", 6, "office", 34),
            (
                Task(5, "read", "invoice", "active"),
                Task(4, "write", "invoice", "new"),
                Task(0.3, "export", "report", "open-items"),
            ),
            *(0.3, False),
        ),
        _hr(3, "salary"),
        Role(
            *("legal", 3, "office", 22),
            (
                Task(6, "read", "contract", "active"),
                Task(3, "write", "contract", "active"),
                Task(2, "read", "document", "active"),
                Task(0.5, "download", "contract", "active"),
            ),
            *(0.4, False),
        ),
        _it(4),
        Role(
            *("assistant", 4, "office", 26),
            (
                Task(5, "write", "calendar", "staff"),
                Task(3, "write", "travel", "staff"),
                Task(2, "read", "document", "active"),
            ),
            *(0.2, False),
        ),
    ),
    services=(
        Service("mail-gateway", 30, "write", "message"),
        Service("directory-sync", 60, "read", "user", 2),
        *_AT_NIGHT,
    ),
    tidy_role="consultant",
    leaver_roles=("sales", "consultant", "legal"),
)

ORGANISATIONS = {one.name: one for one in (CLINIC, SHOP, OFFICE)}

"""What was done with one person's record, in plain words, for the person concerned.

HIPAA (45 CFR 164.528) and GDPR (article 15) give people a right to ask. The answer names each
occasion: when, by whom, what was done, and why where the entry says so.
"""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.query import Engine
from chained_logging.review.templating import environment
from chained_logging.text import printable

Staff = Literal["names", "roles", "withheld"]

_DONE: Final = {
    "looked at": ("read", "view", "get", "list", "search", "show", "open", "retrieve", "query"),
    "added": ("create", "insert", "add", "post", "register", "upload", "import"),
    "changed": ("write", "update", "change", "patch", "put", "edit", "modify", "save"),
    "deleted": ("delete", "remove", "erase", "purge"),
    "took a copy of": ("export", "download", "print", "copy"),
    "passed on": ("share", "disclose", "send", "transfer", "publish"),
}
_VERBS: Final = {action: words for words, actions in _DONE.items() for action in actions}
_BASE: Final = {
    "looked at": "look at",
    "added": "add",
    "changed": "change",
    "deleted": "delete",
    "took a copy of": "take a copy of",
    "passed on": "pass on",
}
_ROLES: Final = {
    "user": "a member of staff",
    "admin": "an administrator",
    "service": "a program",
    "system": "a program",
}


class Person(NamedTuple):
    """What is known of somebody who appears as an actor."""

    name: str
    role: str


class Occasion(NamedTuple):
    """One thing that was done with the record.

    :ivar when: the ``timestamp``, in UTC.
    :ivar who: the name, the role, or a number that stands for one person throughout the report.
    :ivar what: such as ``looked at the record``.
    :ivar why: the reason in the entry; empty if it has no reason.
    :ivar seq: the entry.
    """

    when: str
    who: str
    what: str
    why: str
    seq: int


@dataclass
class PersonReport:
    """The occasions on which a record was touched.

    :param engine: the log.
    :param resource: the record, in any form that an event may use.
    :param subject: or the id of the person: of records of any type with this id, and of what was
        done by somebody on the person's behalf.
    :param period: narrows the time.
    :param staff: how actors appear: by name, by role, or as numbers.
    :param known: names and roles, by ``actor_id``.
    """

    engine: Engine
    resource: str | None = None
    subject: str | None = None
    period: Filter = ANY
    staff: Staff = "roles"
    known: Mapping[str, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if [self.resource, self.subject].count(None) != 1:
            raise ValueError("give either a resource or a subject")
        self._numbers: dict[str, int] = {}

    @property
    def wanted(self) -> str:
        """The record or the person, as it was asked for."""
        return self.resource or self.subject or ""

    @property
    def filters(self) -> list[Filter]:
        """What the entries are found by: an entry is shown if one of these finds it."""
        found = [replace(self.period, resource=(self.wanted,))]
        if self.subject is not None:
            found.append(replace(self.period, on_behalf_of=(self.subject,)))
        return found

    @cached_property
    def occasions(self) -> tuple[Occasion, ...]:
        """What was done, the oldest first. The log is read once, whatever is made of it."""
        return tuple(
            Occasion(
                entry.timestamp,
                self._who(entry),
                _what(entry),
                printable(entry.reason or ""),
                entry.seq,
            )
            for entry in self._entries()
        )

    def _entries(self) -> Iterator[AuditEntry]:
        found = heapq.merge(*map(self.engine.every, self.filters), key=_seq)
        for _, same in groupby(found, key=_seq):
            entry = next(same)
            if entry.actor_id != OURSELVES:  # readings of the log have a report of their own
                yield entry

    def _who(self, entry: AuditEntry) -> str:
        if self.subject is not None and entry.actor_id == self.subject:
            return "you"
        who = self._shown(entry.actor_id, entry.actor_type)
        if self.subject is not None and entry.on_behalf_of == self.subject:
            return f"{who}, in your name"
        return who

    def _shown(self, actor: str, kind: str) -> str:
        if self.staff == "withheld":
            number = self._numbers.setdefault(actor, len(self._numbers) + 1)
            return f"person {number}"
        known = self.known.get(actor)
        if self.staff == "names":
            return printable(known.name if known is not None else actor)
        if known is not None:
            return printable(known.role)
        return _ROLES.get(kind, "a member of staff")


def _seq(entry: AuditEntry) -> int:
    seq: int = entry.seq
    return seq


def _what(entry: AuditEntry) -> str:
    verb = _VERBS.get(entry.action.lower())
    others = len(entry.resources or ())
    record = "the record" if not others else f"the record, among {others + 1:,}"
    if entry.result == "success":
        done = f"{verb} {record}" if verb else f"did “{printable(entry.action)}” with {record}"
    else:
        tried = _BASE[verb] if verb else f"do “{printable(entry.action)}” with"
        ended = "was refused" if entry.result == "denied" else "did not succeed"
        done = f"tried to {tried} {record}, and {ended}"
    changed = entry.changed_fields
    return f"{done}: {printable(', '.join(changed))}" if changed else done


# --- Forms.


COLUMNS: Final = ("when", "who", "what", "why", "entry")


def read_people(path: Path) -> dict[str, Person]:
    """Read who the actors are: a CSV file with the columns ``actor_id``, ``name``, ``role``.

    :raises ValueError: if a column is missing.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = {"actor_id", "name", "role"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path} must have the column {min(missing)} in its first line")
        return {row["actor_id"]: Person(row["name"] or "", row["role"] or "") for row in rows}


def page(report: PersonReport, *, log: str, verdict: str, intact: bool) -> str:
    """Return the report as one HTML page that needs nothing else.

    :param verdict: what the verifier says of the log, in one line.
    :raises ImportError: if Jinja2 is not installed.
    """
    values: dict[str, Any] = {
        "wanted": printable(report.wanted),
        "of_person": report.subject is not None,
        "staff": report.staff,
        "since": report.period.since,
        "until": report.period.until,
        "log": printable(log),
        "verdict": verdict,
        "intact": intact,
        "occasions": report.occasions,
    }
    return environment("chained_logging.review").get_template("person.html").render(values) + "\n"


def table(occasions: Iterable[Occasion]) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the report as CSV, with its head."""
    yield COLUMNS
    yield from occasions

"""Legal holds: entries that nothing removes, whatever their period says.

A hold is an entry of the log's own, ``hold.add``, with the case, the reason and the person. It
covers entries before and after it, until a ``hold.release`` names its case. In a log with a key, a
release counts only with a statement that the key signed; otherwise everybody who can write the file
could lift a hold. What cannot be read keeps too much rather than too little.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from chained_logging.event.entry import AuditEntry
from chained_logging.event.resources import split
from chained_logging.event.values import clean
from chained_logging.format.canonical import quote
from chained_logging.format.record import Record
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.stated import doubt_of, ring_of
from chained_logging.text import printable

ADD: Final = "hold.add"
RELEASE: Final = "hold.release"

_FIELDS: Final = ("actor_id", "action", "resource_type", "resource_id", "tenant_id")
_TIMES: Final = ("since", "until")
_NAMES: Final = (*_FIELDS, *_TIMES)
_OURS: Final = re.compile(
    rb'\{"action":"hold\.(add|release)","actor_id":"chained_logging","actor_type":"system",'
)
_TIME: Final = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)


@dataclass(frozen=True)
class Covered:
    """Which entries a hold covers. Fields that are None fit every entry; all others must fit.

    :ivar resource_type: of the entry's resource, or together with `resource_id` of one of its
        further ``resources``.
    :ivar since: the earliest ``timestamp``, in the form that entries have.
    :ivar until: the first ``timestamp`` that is too late, in the same form.
    """

    actor_id: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    tenant_id: str | None = None
    since: str | None = None
    until: str | None = None

    @classmethod
    def about(cls, resource: str | None, **others: str | None) -> Covered:
        """Return what covers a resource: ``type/id``, or a type alone."""
        if resource is None:
            return cls(**others)
        kind, id = split(resource)
        return cls(resource_type=kind, resource_id=None if id == "*" else id, **others)

    @classmethod
    def read(cls, found: object) -> Covered:
        """Return what the filter of an entry's context says.

        :raises ValueError: if it is not one.
        """
        if not isinstance(found, dict) or not set(found) <= set(_NAMES):
            raise ValueError("its filter is not one of a hold")
        if not all(isinstance(value, str) and clean(value) == value for value in found.values()):
            raise ValueError("its filter has a value that is not a text")
        if not all(_is_time(found[name]) for name in _TIMES if name in found):
            raise ValueError("its filter has a time that is not one of an entry")
        return cls(**found)

    def filter(self) -> dict[str, str]:
        """Return the fields that are set, for an entry's context."""
        given = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in given.items() if value is not None}

    def fits(self, entry: AuditEntry) -> bool:
        """Whether an entry is covered. One that cannot be read is."""
        if not all(part in entry.body for part in self._parts):
            return False
        try:
            return self._fits(entry.fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return True

    @functools.cached_property
    def _parts(self) -> list[bytes]:
        """Return what the body of an entry that is covered has in it: parsing takes longer."""
        given = (getattr(self, name) for name in _FIELDS)
        return [quote(value).encode() for value in given if value is not None]

    def _fits(self, fields: Mapping[str, Any]) -> bool:
        return (
            all(
                getattr(self, name) in (None, fields.get(name))
                for name in ("actor_id", "action", "tenant_id")
            )
            and (self.since is None or fields["timestamp"] >= self.since)
            and (self.until is None or fields["timestamp"] < self.until)
            and any(map(self._is_about, _resources(fields)))
        )

    def _is_about(self, resource: tuple[str, str]) -> bool:
        return self.resource_type in (None, resource[0]) and self.resource_id in (None, resource[1])


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text) and dt.datetime.fromisoformat(text))
    except ValueError:
        return False


def _resources(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield fields["resource_type"], fields["resource_id"]
    for further in fields.get("resources", ()):
        yield further["type"], further["id"]


@dataclass(frozen=True)
class Hold:
    """A hold, as its entry says.

    :ivar seq: of the entry that added it.
    :ivar since: the entry's ``timestamp``.
    :ivar by: the person who added it.
    :ivar released: the ``seq`` of the entry that released it; None while it holds.
    """

    case: str
    covered: Covered
    seq: int
    since: str
    by: str | None
    reason: str | None
    released: int | None = None


@dataclass
class Holds:
    """The holds of a log, found by a look at each of its entries in order.

    :ivar active: the holds that keep entries, in the order in which they were added.
    :ivar released: those that keep nothing any more.
    :ivar remarks: sentences about entries that count for less than they say.
    """

    active: list[Hold] = field(default_factory=list)
    released: list[Hold] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    _ring: Keyring | None = None

    def look(self, record: Record) -> None:
        """Take note of the next entry."""
        if self._ring is None:
            self._ring = ring_of(record)
        self._ring.look(record)
        found = _OURS.match(record.body)
        if found is None:
            return
        entry = AuditEntry(record.body, record.hash)
        if found[1] == b"add":
            self._add(record.seq, entry)
        else:
            self._release(record.seq, entry, self._ring)

    @property
    def first_key(self) -> bytes | None:
        """The public key that the log named first; None if it named none."""
        known = [] if self._ring is None else self._ring.known
        return known[0].public_key if known else None

    def keeps(self, entry: AuditEntry) -> str | None:
        """Return the case for which an entry is kept; None if no hold covers it."""
        return next((hold.case for hold in self.active if hold.covered.fits(entry)), None)

    def _add(self, seq: int, entry: AuditEntry) -> None:
        try:
            case, covered = _case(entry), Covered.read(entry.context["filter"])
        except (ValueError, TypeError, KeyError) as problem:
            case, covered = f"entry {seq}", Covered()
            self.remarks.append(
                f"entry {seq} cannot be read as a hold ({problem}), so it keeps every entry: "
                f"check who wrote it, and release the case {case!r}"
            )
        since, by, reason = _said(entry)
        self.active.append(Hold(case, covered, seq, since or "", by, reason))

    def _release(self, seq: int, entry: AuditEntry, ring: Keyring) -> None:
        try:
            case = _case(entry)
        except (ValueError, TypeError, KeyError) as problem:
            self.remarks.append(f"entry {seq} releases nothing: {problem}")
            return
        why = doubt_of(RELEASE, entry, ring)
        if why is not None:
            self.remarks.append(f"entry {seq} does not release the case {printable(case)!r}: {why}")
            return
        self.released += [replace(hold, released=seq) for hold in self.active if hold.case == case]
        self.active = [hold for hold in self.active if hold.case != case]


def _case(entry: AuditEntry) -> str:
    case = entry.context["case"]
    if not isinstance(case, str) or not case:
        raise ValueError("it names no case")
    if not case.isprintable():
        raise ValueError("its case has characters that cannot be given to hold release")
    return case


def _said(entry: AuditEntry) -> list[str | None]:
    """Return when an entry says that it was made, for whom and why. Anybody may have written it."""
    try:
        found = [entry.timestamp, entry.on_behalf_of, entry.reason]
    except ValueError:
        return [None, None, None]
    return [None if each is None else clean(str(each)) for each in found]


class Readable(Protocol):
    """What has entries: a log, a sink."""

    def records(self) -> Iterator[Record]:
        """Yield the entries in order."""


def holds_of(log: Readable) -> Holds:
    """Return the holds of a log, from its first entry to its last.

    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: at what is not an entry.
    """
    holds = Holds()
    for record in log.records():
        holds.look(record)
    return holds

"""Which entries somebody asks for: as options, in a URL, in an entry, and in words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from chained_logging.event.entry import AuditEntry
from chained_logging.review import names
from chained_logging.review.moments import moment, spoken
from chained_logging.text import printable

COLUMNS: Final = {
    "actor": "actor_id",
    "actor_type": "actor_type",
    "on_behalf_of": "on_behalf_of",
    "action": "action",
    "result": "result",
    "ip": "ip_address",
    "user_agent": "user_agent",
    "session": "session_id",
    "tenant": "tenant_id",
    "trace_id": "trace_id",
    "id": "id",
}
"""The fields of a filter that are compared with one field of an entry, and which that is."""

MANY: Final = (*COLUMNS, "resource", "changed", "text")
"""The fields of a filter that may hold several values."""


@dataclass(frozen=True)
class Filter:
    """Which entries to find. Several values of a field are alternatives; all fields must fit.

    An empty field fits every entry. Values that are given twice, or in another order, make the same
    filter. :meth:`parse` reads what people write.

    :ivar resource: types, ids, or records in any form that an event may use: ``type/id``, a URL, an
        ARN or a path. An entry is found by its ``resources`` too, and a request by the other
        parameters of its route, so ``patients/456`` finds ``GET /patients/456/notes/7``.
    :ivar changed: names of fields, of which an entry changed one.
    :ivar text: words that must all be in ``context``, ``reason`` or ``old_values``; ``inv*`` is the
        beginning of a word.
    :ivar since: the earliest ``timestamp``, in the form that entries have.
    :ivar until: the first ``timestamp`` that is too late, in the same form.
    :ivar first_seq: the first ``seq``.
    :ivar last_seq: the last ``seq``.
    :ivar incomplete: whether to find only entries with a missing or invalid field.
    :raises ValueError: if a text has no word in it.
    """

    actor: tuple[str, ...] = ()
    actor_type: tuple[str, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()
    user_agent: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    trace_id: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    incomplete: bool = False

    def __post_init__(self) -> None:
        for name in MANY:
            given = getattr(self, name)
            values = (given,) if isinstance(given, str) else given
            object.__setattr__(self, name, tuple(sorted(set(values))))
        for text in self.text:
            names.asked(text)

    def matches(self, entry: AuditEntry) -> bool:
        """Whether an entry passes the filter."""
        fields = entry.fields
        return (
            self._within(fields["seq"], fields["timestamp"])
            and all(
                not (wanted := getattr(self, name)) or fields.get(column) in wanted
                for name, column in COLUMNS.items()
            )
            and _any(self.resource, lambda wanted: names.concerns(fields, wanted))
            and _any(self.changed, (fields.get("changed_fields") or ()).__contains__)
            and _any(self.text, lambda wanted: names.has_words(fields, wanted))
            and (not self.incomplete or entry.incomplete)
        )

    def _within(self, seq: int, timestamp: str) -> bool:
        # All timestamps have the same form and length, so they sort as text.
        return (
            (self.since is None or timestamp >= self.since)
            and (self.until is None or timestamp < self.until)
            and (self.first_seq is None or seq >= self.first_seq)
            and (self.last_seq is None or seq <= self.last_seq)
        )

    def narrowed(self, **fields: Any) -> Filter:
        """Return this filter with other values of some fields."""
        return dataclasses.replace(self, **fields)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the fields that are set, each with a value, in one order. None is repeated."""
        found = [(name, value) for name in MANY for value in getattr(self, name)]
        found += [(n, value) for n in ("since", "until") if (value := getattr(self, n)) is not None]
        if self.first_seq is not None or self.last_seq is not None:
            found.append(("seq", f"{_bound(self.first_seq)}-{_bound(self.last_seq)}"))
        return found + [("incomplete", "true")] * self.incomplete

    def __str__(self) -> str:
        """Return the one text of this filter, as the query of a URL: ``actor=ann&action=read``."""
        return "&".join(f"{name}={_quoted(value)}" for name, value in self.pairs())

    @classmethod
    def parse(cls, text: str, *, now: dt.datetime | None = None) -> Filter:
        """Return the filter that a text describes: what ``str`` returns, or a form sends.

        :param now: what spans such as ``30d`` are counted from.
        :raises ValueError: if a name or a value is not one of a filter.
        """
        try:
            pairs = parse_qsl(text, strict_parsing=bool(text), errors="surrogateescape")
        except ValueError:
            raise ValueError("must be the query of a URL, such as actor=ann&since=30d") from None
        return cls.of(pairs, now=now)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], *, now: dt.datetime | None = None) -> Filter:
        """Return the filter of some fields, each with a value as people write it.

        :param pairs: names as in :meth:`pairs`, which may be repeated, and values.
        :raises ValueError: if a name or a value is not one of a filter.
        """
        fields: dict[str, Any] = {}
        for name, value in pairs:
            try:
                _add(fields, name, value, now)
            except ValueError as problem:
                raise ValueError(f"{printable(name)} {problem}") from None
        return cls(**fields)

    def words(self) -> str:
        """Return this filter as the end of a sentence: ``with action read, since …Z``."""
        return ", ".join(self._phrases()) or "all entries"

    def _phrases(self) -> Iterator[str]:
        for name in MANY:
            values = getattr(self, name)
            if values:
                shown = " or ".join(printable(value) or '""' for value in values)
                yield f"{_SPOKEN.get(name, f'with {name} %s').replace('%s', shown)}"
        if self.since is not None:
            yield f"since {spoken(self.since)}"
        if self.until is not None:
            yield f"before {spoken(self.until)}"
        if self.first_seq is not None:
            yield f"from seq {self.first_seq} on"
        if self.last_seq is not None:
            yield f"up to seq {self.last_seq}"
        if self.incomplete:
            yield "with a missing or invalid field"


ANY: Final = Filter()

_SPOKEN: Final = {
    "actor": "by %s",
    "actor_type": "by actors of type %s",
    "on_behalf_of": "on behalf of %s",
    "resource": "about %s",
    "ip": "from %s",
    "user_agent": "by the user agent %s",
    "session": "in session %s",
    "tenant": "of tenant %s",
    "trace_id": "of trace %s",
    "changed": "that changed %s",
    "text": "with the words %s",
}
"""How each field is said; any other as ``with NAME VALUE``."""

_RANGE: Final = re.compile(r"([0-9]{1,16})?(?:(-)([0-9]{1,16})?)?")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


def _any(wanted: tuple[str, ...], fits: Any) -> bool:
    return not wanted or any(map(fits, wanted))


def _quoted(text: str) -> str:
    return quote(text, safe="/:@,*", errors="surrogateescape")


def _bound(seq: int | None) -> str:
    return "" if seq is None else str(seq)


def _add(fields: dict[str, Any], name: str, value: str, now: dt.datetime | None) -> None:
    if name in MANY:
        fields[name] = (*fields.get(name, ()), value.lower() if name == "trace_id" else value)
    elif name in ("since", "until"):
        fields[name] = moment(value, now=now, latest=name == "until")
    elif name == "seq":
        fields["first_seq"], fields["last_seq"] = seq_range(value)
    elif name == "incomplete" and value in _TRUTHS:
        fields[name] = _TRUTHS[value]
    elif name == "incomplete":
        raise ValueError("must be true or false")
    else:
        raise ValueError("is not a field of a filter: use " + ", ".join(FIELDS))


def seq_range(text: str) -> tuple[int | None, int | None]:
    """Return the first and the last of a range of numbers: ``100-200``, ``100-``, ``-200``, ``7``.

    :raises ValueError: if it is not a range, or its end comes before its beginning.
    """
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        raise ValueError("must be a number or a range, such as 7, 100-200 or 100-")
    first = int(found[1]) if found[1] else None
    last = int(found[3]) if found[3] else None if found[2] else first
    if first is not None and last is not None and last < first:
        raise ValueError("must not end before it begins")
    return first, last


FIELDS: Final = (*MANY, "since", "until", "seq", "incomplete")
"""The names that :meth:`Filter.parse` takes, in the order in which ``str`` has them."""

"""The pages: what each one shows, as the data of its template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chained_logging.errors import ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical
from chained_logging.review.charts import chart
from chained_logging.review.filter import Filter
from chained_logging.review.purged import purged
from chained_logging.review.query import Engine
from chained_logging.review.query import Page as Entries
from chained_logging.review.reading import Reading
from chained_logging.review.silence import explain
from chained_logging.review.viewer.access import Access, Denied, NarrowedEngine
from chained_logging.review.viewer.links import Asked, Links, Misasked
from chained_logging.review.viewer.opened import Checked, OpenedLog
from chained_logging.review.viewer.sentences import Sentence, sentence
from chained_logging.review.viewer.tallies import Tally

SHOWN: Final = 50
"""Entries on a page."""
FACETS: Final = {
    "action": ("action", "Action"),
    "result": ("result", "Result"),
    "actor_id": ("actor", "Actor"),
    "resource_type": ("resource", "Resource type"),
    "ip_address": ("ip", "Address"),
    "tenant_id": ("tenant", "Tenant"),
}
"""By column: the field of a filter, and what it is called."""
FIRST: Final = {
    "actor": ("Actor", "ann"),
    "action": ("Action", "read"),
    "resource": ("Resource", "patient_record/456"),
}
OTHERS: Final = {
    "result": ("Result", "denied"),
    "ip": ("Address", "10.0.0.1"),
    "text": ("Words", "in context, reason, old values"),
    "actor_type": ("Type of actor", "admin"),
    "on_behalf_of": ("On behalf of", "bob"),
    "changed": ("Changed field", "name"),
    "tenant": ("Tenant", ""),
    "session": ("Session", ""),
    "user_agent": ("User agent", ""),
    "trace_id": ("Trace", ""),
    "id": ("Id", ""),
    "seq": ("Numbers", "100-200"),
}
"""The fields of the form, each with its label and an example: those shown first, and the others.
The two times are beside the first."""


class Missing(ChainedLoggingError):
    """There is no such page, or it may not be seen."""


@dataclass(frozen=True)
class View:
    """What a request sees of a log.

    :ivar checked: the newest verdict; None while the first one is not reached.
    """

    opened: OpenedLog
    access: Access
    links: Links
    checked: Checked | None

    @property
    def covered(self) -> int | None:
        """The last entry that a signed checkpoint covers; None if it is not known yet."""
        return None if self.checked is None else self.checked.verdict.covered

    def sentence(self, entry: AuditEntry) -> Sentence:
        """Return an entry as a sentence."""
        return sentence(entry, self.covered)


class Page(NamedTuple):
    """A page that is not drawn yet.

    :ivar reading: what it shows, for the record.
    """

    reading: Reading
    template: str
    data: Mapping[str, Any]


class Facet(NamedTuple):
    """A value that many of the found entries have.

    :ivar link: the entries that have it too; or, where it is chosen already, those without it.
    """

    value: str
    entries: int
    link: str
    chosen: bool


class Chip(NamedTuple):
    """A value of the filter, and the address of what is found without it."""

    name: str
    value: str
    link: str


def entries_page(view: View, asked: Asked) -> Page:
    """Return the page of the entries that a filter finds."""
    wanted = asked.wanted
    with view.opened.engine(view.access) as engine:
        found = engine.entries(wanted, cursor=asked.cursor, limit=SHOWN)
        tally = _tally(view, engine, asked, found, list(FACETS))
        data = {
            "wanted": wanted,
            "tally": tally,
            "chips": _chips(view, wanted),
            "sentences": [view.sentence(entry) for entry in found.entries],
            "cursor": asked.cursor,
            "next": found.cursor,
            "facets": _facets(view, tally, wanted),
            "chart": chart(tally.days if tally else {}),
            "silence": [] if found.entries else _silence(engine, asked),
            "purged": purged_there(view, engine, wanted),
            "form": _form(view.access, wanted, FIRST),
            "others": _form(view.access, wanted, OTHERS),
            "others_open": any(name in OTHERS for name, _ in wanted.pairs()) or wanted.incomplete,
            "may_ask": view.access.may_ask,
        }
    return Page(Reading("view entries", wanted, len(found.entries)), "entries.html", data)


def _tally(
    view: View, engine: NarrowedEngine, asked: Asked, found: Entries, columns: Sequence[str]
) -> Tally | None:
    few = asked.cursor is None and found.cursor is None  # this page has them all
    return view.opened.tallies.tally(engine, view.access, asked.wanted, columns, few=few)


def purged_there(view: View, engine: Engine, wanted: Filter) -> list[str]:
    """Return in sentences what retention removed where a filter looks.

    Who sees a part of the log learns that something is gone, not how much or why.
    """
    found = purged(Engine(engine.store), wanted)
    if view.access.whole or not found:
        return [each.sentence for each in found]
    return ["entries of this period were purged, and some of them may have been for you to see"]


def _silence(engine: NarrowedEngine, asked: Asked) -> list[str]:
    if asked.cursor is not None:
        return ["these were the last entries"]
    return explain(engine, asked.wanted)


def _form(
    access: Access, wanted: Filter, fields: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str, str, list[str]]]:
    """Return the fields of a form: names, labels, examples, and the values that they have."""
    values: dict[str, list[str]] = {}
    for name, value in wanted.pairs():
        values.setdefault(name, []).append(value)
    return [
        (name, label, example, values.get(name) or [""])
        for name, (label, example) in fields.items()
        if access.may_ask(name)
    ]


def _chips(view: View, wanted: Filter) -> list[Chip]:
    pairs = wanted.pairs()
    return [
        Chip(name, value, view.links.entries(Filter.of(p for p in pairs if p != (name, value))))
        for name, value in pairs
    ]


def _facets(view: View, tally: Tally | None, wanted: Filter) -> list[tuple[str, list[Facet]]]:
    shown = []
    for column in tally.facets if tally else ():
        name, title = FACETS[column]
        values = tally.most(column) if tally else []
        if values and view.access.may_ask(name):
            facets = [_facet(view, wanted, name, value, count) for value, count in values]
            shown.append((title, facets))
    return shown


def _facet(view: View, wanted: Filter, name: str, value: str, count: int) -> Facet:
    chosen = value in getattr(wanted, name)
    others = tuple(each for each in getattr(wanted, name) if each != value)
    linked = wanted.narrowed(**{name: others if chosen else (value,)})
    return Facet(value, count, view.links.entries(linked), chosen)


def about_page(view: View, asked: Asked, name: str) -> Page:
    """Return the time line of an actor or of a resource.

    :param name: ``actor`` or ``resource``, the field of a filter.
    """
    about = asked.own.get("id", "")
    if not about or asked.wanted != Filter():
        raise Misasked(f"give one {name}, as id")
    wanted = Filter(**{name: (about,)})  # type: ignore[arg-type]
    if not view.access.may_ask(name):
        raise Denied(f"you may not ask for one {name}: it would tell what is hidden from you")
    columns = [column for column, (field, _) in FACETS.items() if field != name]
    with view.opened.engine(view.access) as engine:
        found = engine.entries(wanted, cursor=asked.cursor, limit=SHOWN)
        tally = _tally(view, engine, asked._replace(wanted=wanted), found, columns)
        data = {
            "name": name,
            "about": about,
            "wanted": wanted,
            "tally": tally,
            "first": min(tally.days, default=None) if tally else None,
            "last": max(tally.days, default=None) if tally else None,
            "facets": _facets(view, tally, wanted),
            "chart": chart(tally.days if tally else {}),
            "days": _by_day([view.sentence(entry) for entry in found.entries]),
            "cursor": asked.cursor,
            "next": found.cursor,
            "silence": [] if found.entries else _silence(engine, asked._replace(wanted=wanted)),
            "purged": purged_there(view, engine, wanted),
        }
    return Page(Reading(f"view {name}", wanted, len(found.entries)), "about.html", data)


def _by_day(sentences: list[Sentence]) -> list[tuple[str, list[Sentence]]]:
    days: dict[str, list[Sentence]] = {}
    for each in sentences:
        days.setdefault(each.day, []).append(each)
    return list(days.items())


def entry_page(view: View, seq: int) -> Page:
    """Return the page of one entry, with all that may be seen of it."""
    entry = find(view, seq)
    data = {
        "entry": entry,
        "sentence": view.sentence(entry),
        "fields": list(_flat(entry)),
        "json": json.dumps(entry.fields, indent=2, ensure_ascii=False).splitlines(),
        "wanted_around": Filter(first_seq=max(0, seq - 10), last_seq=seq + 10),
        "provable": bool(entry.hash) and view.sentence(entry).covered and not view.opened.is_remote,
    }
    return Page(Reading("view entry", _one(seq), 1), "entry.html", data)


def find(view: View, seq: int) -> AuditEntry:
    """Return an entry, with what may be seen of it.

    :raises Missing: if there is no such entry, or it may not be seen.
    """
    with view.opened.engine(view.access) as engine:
        found = engine.entries(_one(seq), limit=1).entries
    if not found:
        raise Missing(f"there is no entry {seq}, or you may not see it")
    return found[0]


def _one(seq: int) -> Filter:
    return Filter(first_seq=seq, last_seq=seq)


def _flat(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    """Yield names and values of an entry, those in ``context`` one by one."""
    for name, value in entry.fields.items():
        if name != "context":
            yield name, _spelled(value)
    for name, value in (entry.context or {}).items():
        yield f"context.{name}", _spelled(value)
    if entry.hash:
        yield "hash", entry.hash
    if entry.signature:
        yield "signature", entry.signature


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else canonical(value).decode()

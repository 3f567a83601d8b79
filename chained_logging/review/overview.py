"""A period of a log on one page: the data that the viewer and the report show, without its form."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.review.coverage import SILENCE, Coverage, Hour, coverage, hours
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.period import Period, instant
from chained_logging.review.query import Engine, Scope
from chained_logging.review.reading import READ
from chained_logging.review.verdict import Verdict

_NEWEST: Final = 100  # entries, of which one has the newest event
NEW: Final = {"actor_id": "actor", "ip_address": "ip", "resource_type": "resource"}
"""The columns whose new values are named, and the field of a filter that finds them."""
SHOWN: Final = 10
"""How many readings, and how many new values of a column, are listed. They are all counted."""

OWN: Final = f"(actor_type = 'system' AND actor_id = '{OURSELVES}')"
"""SQL: whether the log wrote the entry itself."""
_NUMBERS: Final = f"""
SELECT count(*),
  count(DISTINCT CASE WHEN NOT {OWN} THEN actor_id END),
  count(DISTINCT CASE WHEN NOT {OWN} THEN resource_type || '/' || resource_id END),
  count(CASE WHEN result IN ('failure', 'denied') THEN 1 END),
  count(CASE WHEN changed_fields IS NOT NULL
    OR action IN ('create', 'write', 'update', 'delete') THEN 1 END),
  count(CASE WHEN action IN ('export', 'download', 'print') THEN 1 END)
FROM found
"""  # noqa: S608 -- a name from here
_READERS: Final = """
SELECT coalesce(on_behalf_of, actor_id) AS who, count(*) AS readings, max(timestamp)
FROM found GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
"""
NAMES: Final = ("entries", "actors", "resources", "failures", "changes", "exports")
"""The six numbers of :attr:`Overview.numbers`."""


class Number(NamedTuple):
    """How many there are in the period, and how many there were in the one before.

    :ivar name: of :data:`NAMES`.
    :ivar before: None if the log does not reach back so far.
    """

    name: str
    now: int
    before: int | None


class New(NamedTuple):
    """A value that no entry before the period has."""

    value: str
    entries: int
    first: str


@dataclass(frozen=True)
class News:
    """The new values of a column: how many, and the first of them."""

    count: int
    values: tuple[New, ...]


@dataclass(frozen=True)
class Reading:
    """An entry that says who read the log.

    :ivar who: the reader; the actor where nobody is named.
    :ivar filter: what was asked for, as :class:`~chained_logging.review.filter.Filter` writes it.
    :ivar entries: how many entries were shown.
    """

    seq: int
    timestamp: str
    who: str
    how: str
    filter: str
    entries: int | None
    reason: str | None


class Reader(NamedTuple):
    """Somebody who read the log: how often in the period, and when last."""

    who: str
    readings: int
    last: str


@dataclass(frozen=True)
class Due:
    """An open alert, or a review that is due.

    :ivar since: since when.
    :ivar wanted: the entries that it is about.
    """

    title: str
    since: str
    wanted: Filter = ANY


@dataclass(frozen=True)
class Overview:
    """What a period of a log holds.

    :ivar verdict: on the whole log.
    :ivar scope: how many entries the period has, and the times of the first and the last.
    :ivar log: the same of the whole log.
    :ivar coverage: what is not covered.
    :ivar numbers: by :data:`NAMES`.
    :ivar days: entries by day (in UTC) and result; days without entries are there, and empty.
    :ivar news: new values by column, of :data:`NEW`; None if the log begins in this period, so that
        all are new.
    :ivar readings: the newest entries that say who read the log; `reading_count` says how many
        there are.
    :ivar readers: who read the log, those who did it most often first.
    :ivar due: open alerts and due reviews; None if nobody looks for them.
    """

    verdict: Verdict
    period: Period
    scope: Scope
    log: Scope
    coverage: Coverage
    numbers: tuple[Number, ...]
    days: Mapping[str, Mapping[str, int]]
    news: Mapping[str, News] | None
    readings: tuple[Reading, ...]
    reading_count: int
    readers: tuple[Reader, ...]
    due: tuple[Due, ...] | None = field(default=None)


def newest_event(engine: Engine, *, now: dt.datetime | None = None) -> dt.datetime:
    """Return the time of a log's newest event, or now if that is earlier or the log is empty."""
    now = now or dt.datetime.now(dt.UTC)
    newest = engine.entries(limit=_NEWEST).entries
    return min(now, max((instant(entry.timestamp) for entry in newest), default=now))


def overview(
    engine: Engine,
    verdict: Verdict,
    period: Period,
    wanted: Filter = ANY,
    *,
    silence: dt.timedelta = SILENCE,
) -> Overview:
    """Return what a period of a log holds.

    :param wanted: leave out all other entries.
    :param silence: a longer time without an entry is named.
    """
    within = period.within(wanted)
    found, log = hours(engine, within), engine.scope(wanted)
    begins = log.earliest is None or log.earliest >= period.since
    found_so_far = Overview(
        verdict=verdict,
        period=period,
        scope=_scope(found),
        log=log,
        coverage=coverage(engine, period, found, log, wanted, silence=silence),
        numbers=tuple(_numbers(engine, period, wanted, begins)),
        days=_days(period, found),
        news=None if begins else dict(_news(engine, period, wanted)),
        readings=(),
        reading_count=0,
        readers=(),
    )
    return with_readings(engine, found_so_far, wanted)


def with_readings(engine: Engine, found: Overview, wanted: Filter = ANY) -> Overview:
    """Return an overview with what the log says now about who read it.

    :param wanted: leave out all other entries.
    """
    read = own_entries(found.period.within(wanted), READ)
    readings = () if _contradict(wanted, read) else engine.entries(read, limit=SHOWN).entries
    return dataclasses.replace(
        found,
        readings=tuple(map(as_reading, readings)),
        reading_count=engine.count(read) if readings else 0,
        readers=tuple(Reader(*row) for row in engine.table(_READERS, read).rows if readings),
    )


def own_entries(wanted: Filter, *actions: str) -> Filter:
    """Return a filter that finds only what the log wrote itself, with these actions."""
    return wanted.narrowed(action=actions, actor=(OURSELVES,), actor_type=("system",))


def origin_of(engine: Engine) -> str | None:
    """Return the name of a log, as its own entries have it; None if there is no such entry."""
    # The first entry may be in an archive: each of the log's own is about the log.
    own = engine.entries(own_entries(ANY), limit=1, order="oldest").entries
    return str(own[0].resource_id) if own and own[0].resource_type == "audit_log" else None


def _contradict(wanted: Filter, read: Filter) -> bool:
    """Whether no reading can be among the entries that are wanted."""
    names = ("action", "actor", "actor_type")
    return any(
        getattr(wanted, name) and not set(getattr(read, name)) & set(getattr(wanted, name))
        for name in names
    )


def _scope(found: Iterable[Hour]) -> Scope:
    spans = list(found)
    return Scope(
        sum(hour.entries for hour in spans),
        min((hour.first for hour in spans), default=None),
        max((hour.last for hour in spans), default=None),
    )


def _numbers(engine: Engine, period: Period, wanted: Filter, begins: bool) -> Iterator[Number]:
    (counts,) = engine.table(_NUMBERS, period.within(wanted)).rows
    before: Iterable[int | None] = [None] * len(NAMES)
    if not begins:
        (before,) = engine.table(_NUMBERS, period.before().within(wanted)).rows
    return map(Number, NAMES, counts, before)


def _days(period: Period, found: Iterable[Hour]) -> dict[str, dict[str, int]]:
    days: dict[str, dict[str, int]] = {day: {} for day in period.days()}
    for hour in found:
        day = days.setdefault(hour.hour[:10], {})
        day[hour.result] = day.get(hour.result, 0) + hour.entries
    return days


def _news(engine: Engine, period: Period, wanted: Filter) -> Iterator[tuple[str, News]]:
    earlier = wanted.narrowed(until=min(period.since, wanted.until or period.since))
    for column in NEW:
        now = f"SELECT {column}, count(*), min(timestamp) FROM found GROUP BY 1"  # noqa: S608
        past = f"SELECT DISTINCT {column} FROM found"  # noqa: S608
        known = {value for (value,) in engine.table(past, earlier).rows} | {None, OURSELVES}
        rows = engine.table(now, period.within(wanted)).rows
        new = [New(*row) for row in rows if row[0] not in known]
        new.sort(key=lambda one: (one.first, one.value))
        yield column, News(len(new), tuple(new[:SHOWN]))


def as_reading(entry: AuditEntry) -> Reading:
    """Return what an entry says of who read the log."""
    context: dict[str, Any] = entry.context
    entries = context.get("entries")
    return Reading(
        entry.seq,
        entry.timestamp,
        entry.on_behalf_of or entry.actor_id,
        str(context.get("how", "")),
        str(context.get("filter", "")),
        entries if isinstance(entries, int) else None,
        entry.reason,
    )

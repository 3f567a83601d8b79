"""What a report says, without its form: facts from the log alone, so that they can be had again.

A report stands on the first entries of a log: up to its newest checkpoint, or up to its last entry
if it is not signed. Nothing later is in it, not even that it was made, and no clock is asked.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, NamedTuple

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import named
from chained_logging.review.overview import (
    OWN,
    Overview,
    Reading,
    as_reading,
    overview,
    own_entries,
)
from chained_logging.review.period import Period
from chained_logging.review.purged import Purged, purged
from chained_logging.review.query import Engine
from chained_logging.review.reading import READ
from chained_logging.review.report import tables
from chained_logging.review.report.own_words import KEYS, RECOVERIES, Told, told
from chained_logging.review.report.sample import Sample, sample
from chained_logging.review.report.shipped import Shipped, shipped
from chained_logging.review.report.standards import Standard, standard
from chained_logging.review.report.tables import Table
from chained_logging.review.selection import USUAL_SAMPLE
from chained_logging.review.verdict import Verdict, spoken_verdict
from chained_logging.verify import Report

READINGS: Final = 50


class Asked(NamedTuple):
    """What somebody wants a report on.

    :ivar log: the path of a log, or the URL of a central store.
    :ivar standard: of :data:`chained_logging.review.report.standards.NAMES`.
    :ivar sample: how many entries to draw.
    :ivar size: on how many entries of the log it stands; see :func:`size_of`.
    :ivar origin: the name of the log, where a store holds several.
    """

    log: str
    standard: str
    period: Period
    size: int
    sample: int = USUAL_SAMPLE
    origin: str | None = None

    @property
    def name(self) -> str:
        """The log's name for people: that of its file, or the store without its password."""
        return named(self.log)

    @property
    def wanted(self) -> Filter:
        """The entries that it is about."""
        return self.period.within(Filter(last_seq=self.size - 1))


@dataclass(frozen=True)
class Body:
    """What the entries of a period say."""

    overview: Overview
    actors: Table
    actions: Table
    types: Table
    resources: Table
    failures: Table
    logins: Table
    changes: tuple[Table, Table]
    exports: tuple[Table, Table]
    administrators: tuple[Table, Table]
    on_behalf: Table
    readers: Table
    readings: tuple[Reading, ...]
    keys: tuple[list[Told], int]
    recoveries: tuple[list[Told], int]
    sample: Sample
    purged: tuple[Purged, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a report says.

    :ivar verdict: on the whole log, as far as a report on its beginning says it.
    :ivar checked: what the verifier found.
    :ivar dated: the time of the last entry that it stands on.
    :ivar body: None if the entries could not be read.
    :ivar unread: why they could not be.
    :ivar shipped: each destination, and what cannot be known here.
    """

    asked: Asked
    standard: Standard
    verdict: Verdict
    checked: Report
    dated: str | None
    shipped: tuple[list[Shipped], str | None]
    body: Body | None
    unread: str | None = None

    @property
    def later(self) -> int:
        """How many entries were checked that the report does not stand on."""
        last = self.checked.last_seq
        return 0 if last is None else max(0, last + 1 - self.asked.size)


def size_of(engine: Engine, verdict: Verdict, given: int | None = None) -> int:
    """Return on how many entries of a log a report stands.

    That is the size of the newest checkpoint whose signature was checked. Without any, it is all
    up to the last entry that is more than a note of who read the log.

    :param given: a smaller size, to have an earlier report again.
    :raises ValueError: if the log has fewer entries.
    """
    ((there,),) = engine.table("SELECT coalesce(max(seq), -1) + 1 FROM found").rows
    if given is not None:
        if not 1 <= given <= there:
            raise ValueError(f"the log has {there:,} entries: a report cannot stand on {given:,}")
        return given
    signed = verdict.report.signed_seq
    if signed is not None:
        return min(signed + 1, int(there))
    sql = f"""
    SELECT coalesce(max(seq), -1) + 1 FROM found
    WHERE NOT (action = '{READ}' AND {OWN})
    """  # noqa: S608 -- names from here
    ((size,),) = engine.table(sql).rows
    return int(size)


def contents(engine: Engine, asked: Asked, verdict: Verdict) -> Contents:
    """Return what a report says. Nothing is raised for what is in the log.

    :param verdict: on the whole log.
    :raises ValueError: if there is no such standard.
    """
    wanted = standard(asked.standard)
    dated, body, why = None, None, None
    try:
        last = Filter(first_seq=asked.size - 1, last_seq=asked.size - 1)
        dated = engine.scope(last).latest
        body = _body(engine, asked, verdict)
    except (ChainedLoggingError, OSError, ValueError) as problem:
        why = str(problem)
    return _contents(asked, wanted, verdict, dated, body, why)


def unread(asked: Asked, verdict: Verdict, why: str) -> Contents:
    """Return what a report says of a log whose entries cannot be read."""
    return _contents(asked, standard(asked.standard), verdict, None, None, why)


def _contents(
    asked: Asked,
    wanted: Standard,
    verdict: Verdict,
    dated: str | None,
    body: Body | None,
    why: str | None,
) -> Contents:
    return Contents(
        asked,
        wanted,
        spoken_verdict(standing(verdict.report, asked.size)),
        verdict.report,
        dated,
        shipped(asked.log, asked.size),
        body,
        why,
    )


def standing(report: Report, size: int) -> Report:
    """Return what the verifier found, as far as a report on the first `size` entries says it.

    More was checked, and a fault in what came later counts.
    """
    later = 0 if report.last_seq is None else report.last_seq + 1 - size
    if size <= 0 or later <= 0:
        return report
    return dataclasses.replace(
        report,
        entries=max(0, report.entries - later),
        last_seq=size - 1,
        unsigned=None if report.unsigned is None else max(0, report.unsigned - later),
        signed_seq=_at_most(report.signed_seq, size - 1),
        signed_entry=_at_most(report.signed_entry, size - 1),
    )


def _at_most(seq: int | None, last: int) -> int | None:
    return None if seq is None else min(seq, last)


def _body(engine: Engine, asked: Asked, verdict: Verdict) -> Body:
    wanted, until = asked.wanted, Filter(last_seq=asked.size - 1)
    read = own_entries(wanted, READ)
    admins = wanted.narrowed(actor_type=("admin",))
    question = "admin-actions"
    return Body(
        overview=overview(engine, verdict, asked.period, until),
        actors=tables.actors(engine, wanted),
        actions=tables.actions(engine, wanted),
        types=tables.resource_types(engine, wanted),
        resources=tables.resources(engine, wanted),
        failures=tables.failures(engine, wanted),
        logins=tables.logins(engine, wanted),
        changes=_both(engine, wanted, "changes", "Changes", "changed_fields"),
        exports=_both(engine, wanted, "exports", "Exports", "ip_address"),
        administrators=_both(engine, admins, question, "Acts of administrators", "ip_address"),
        on_behalf=tables.on_behalf(engine, wanted),
        readers=tables.readers(engine, read),
        readings=tuple(map(as_reading, engine.entries(read, limit=READINGS).entries)),
        keys=told(engine, until, KEYS),
        recoveries=told(engine, wanted, RECOVERIES),
        sample=_sample(engine, asked),
        purged=tuple(purged(engine, asked.period.within(until))),
    )


def _sample(engine: Engine, asked: Asked) -> Sample:
    period = asked.period.within(ANY)
    return sample(engine, asked.log, period, asked.size, asked.sample, origin=asked.origin)


def _both(
    engine: Engine, wanted: Filter, question: str, caption: str, detail: str
) -> tuple[Table, Table]:
    return (
        tables.grouped(engine, wanted, question, caption),
        tables.newest(engine, wanted, question, f"{caption}, the newest first", detail),
    )

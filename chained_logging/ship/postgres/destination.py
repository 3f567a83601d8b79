"""What a shipper writes to PostgreSQL, and what a reader and a verifier read there."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from chained_logging.errors import Refused
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.ship.destination import Archived, Month
from chained_logging.ship.fault import Fault
from chained_logging.ship.postgres import months, purge
from chained_logging.ship.postgres.catalog import catalog, weakened
from chained_logging.ship.postgres.columns import column_faults
from chained_logging.ship.postgres.connection import Session
from chained_logging.ship.postgres.indexes import index_faults

_log = logging.getLogger("chained_logging.ship")

_PAGE: Final = 1000  # entries in one query: as in the queries below

_COPY: Final = (
    'COPY chained_logging.entries (origin, "timestamp", body, hash, signature) FROM STDIN'
)
_COPY_STUBS: Final = "COPY chained_logging.stubs (origin, seq, hash, signature) FROM STDIN"
_CHECKPOINT: Final = (
    "INSERT INTO chained_logging.checkpoints (origin, size, note, state, timestamp)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
# With bounds and without NULL, whatever became of the constraints.
_RECORDS: Final = """
    SELECT seq, coalesce(left(body, 65536), ''), coalesce(left(hash, 100), ''), left(signature, 100)
    FROM chained_logging.entries WHERE origin = %(origin)s AND seq >= %(start)s
    ORDER BY seq LIMIT 1000
"""
# An entry and its stub together exist only if somebody removed a trigger; the verifier says so.
_STORED: Final = """
    (SELECT seq, coalesce(left(body, 65536), ''), coalesce(left(hash, 100), ''),
      left(signature, 100)
    FROM chained_logging.entries WHERE origin = %(origin)s AND seq >= %(start)s
    ORDER BY seq LIMIT 1000)
    UNION ALL
    (SELECT seq, NULL, coalesce(left(hash, 100), ''), left(signature, 100)
    FROM chained_logging.stubs WHERE origin = %(origin)s AND seq >= %(start)s
    ORDER BY seq LIMIT 1000)
    ORDER BY seq LIMIT 1000
"""
_CHECKPOINTS: Final = """
    SELECT left(note, 65536), size, left(state, 65536), left(timestamp, 400000), digest
    FROM chained_logging.checkpoints
    WHERE origin = %s AND (size, digest) > (%s, %s) ORDER BY size, digest LIMIT 1000
"""
# Steps from one origin to the next in the index, instead of reading every entry.
_ORIGINS: Final = """
    WITH RECURSIVE found AS (
      SELECT min(origin) AS origin FROM chained_logging.entries
      UNION ALL
      SELECT (SELECT min(origin) FROM chained_logging.entries AS e WHERE e.origin > found.origin)
      FROM found WHERE found.origin IS NOT NULL)
    SELECT origin FROM found WHERE origin IS NOT NULL
"""
_LAST: Final = """
    SELECT h.seq, h.hash, e.seq, e.hash FROM (SELECT) AS one
    LEFT JOIN chained_logging.heads AS h ON h.origin = %(origin)s
    LEFT JOIN LATERAL (
      (SELECT seq, hash FROM chained_logging.entries WHERE origin = %(origin)s
      ORDER BY seq DESC LIMIT 1)
      UNION ALL
      (SELECT seq, hash FROM chained_logging.stubs WHERE origin = %(origin)s
      ORDER BY seq DESC LIMIT 1)
      ORDER BY seq DESC LIMIT 1
    ) AS e ON true
"""
_MONTH_IS_THERE: Final = "SELECT FROM pg_class WHERE oid = to_regclass(%s)"


class PostgresDestination:
    """See :class:`chained_logging.ship.Destination`.

    :param url: see :class:`chained_logging.ship.postgres.connection.Session`.
    :raises: as that.
    """

    batch_entries = 5_000
    batch_bytes = 8 << 20
    batch_seconds = 1.0

    def __init__(self, url: str) -> None:
        self.session = Session(url)
        self.name = self.session.name
        self._fetch: Callable[[Stub], Record | None] | None = None
        self._warned = ""  # of which month it was said that it has no partition

    def head(self, origin: str) -> Head:
        query = "SELECT seq, hash FROM chained_logging.heads WHERE origin = %s"
        rows = self.session.rows(query, (origin,))
        return Head._make(rows[0]) if rows else EMPTY

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
    ) -> None:
        rows = [
            (origin, _timestamp(record), record.body.decode(), record.hash, record.signature)
            for record in records
            if isinstance(record, Record)
        ]
        stubs = [(origin, *stub) for stub in records if isinstance(stub, Stub)]
        with (
            self.session.asking() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            for statement, those in ((_COPY_STUBS, stubs), (_COPY, rows)):  # the stubs first
                if those:
                    with cursor.copy(statement) as copy:
                        for row in those:
                            copy.write_row(row)
            for note, size, state, timestamp in checkpoints:
                cursor.execute(_CHECKPOINT, (origin, size, note, state, timestamp))

    def tend(self, origin: str) -> None:
        """Warn where the next month has no partition: its entries will go to the default one."""
        after = dt.datetime.now(dt.UTC).date().replace(day=1) + dt.timedelta(days=31)
        month = f"{after:%Y_%m}"
        if month == self._warned:
            return
        if not self.session.rows(_MONTH_IS_THERE, (f"chained_logging.entries_{month}",)):
            _log.warning("%s has no partition for %s: run init there again", self.name, month)
        self._warned = month

    def origins(self) -> list[str]:
        # A shipper may not read entries. A reader also finds a log that is not in heads.
        query = "SELECT origin FROM chained_logging.heads"
        found = {origin for (origin,) in self.session.rows(query)}
        may = "SELECT has_table_privilege('chained_logging.entries', 'SELECT')"
        if self.session.rows(may)[0][0]:
            found.update(origin for (origin,) in self.session.rows(_ORIGINS))
        return sorted(found)

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        if self._fetch is None:
            found = self._items(_RECORDS, origin, start)
        else:
            found = self.stored(origin, start)
        return (one for one in found if isinstance(one, Record))

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        for one in self._items(_STORED, origin, start):
            found = self._fetch(one) if self._fetch and isinstance(one, Stub) else None
            yield found or one

    def _items(self, query: str, origin: str, start: int) -> Iterator[Record | Stub]:
        # Page by page, each a query of its own: one that lasts for hours would keep PostgreSQL
        # from cleaning up, and a month from being made.
        one_seq = query.replace("seq >= %(start)s", "seq = %(start)s")
        while rows := self.session.rows(query, {"origin": origin, "start": start}):
            # Two rows with one seq exist only if somebody removed the trigger.
            if len(rows) == _PAGE:
                last = rows[-1][0]
                rows = [row for row in rows if row[0] != last]
                rows += self.session.rows(one_seq, {"origin": origin, "start": last})
            for seq, body, hash, signature in rows:
                if body is None:
                    yield Stub(seq, hash, signature)
                else:
                    yield Record(seq, body.encode(), hash, signature)
            start = rows[-1][0] + 1

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        after = (-1, 0)
        while rows := self.session.rows(_CHECKPOINTS, (origin, *after)):
            for *fields, _ in rows:
                yield StoredCheckpoint(*fields)
            after = (rows[-1][1], rows[-1][4])

    # --- Removing: see PurgingDestination.

    def any_of(self, origin: str, ranges: Iterable[tuple[int, int]]) -> bool:
        return purge.any_of(self.session, origin, ranges)

    def approve(self, origin: str, seq: int) -> None:
        purge.approve(self.session, origin, seq)

    def purge(
        self,
        origin: str,
        seq: int,
        ranges: Iterable[tuple[int, int]] = (),
        goes: Callable[[Record], bool] | None = None,
    ) -> Iterator[int]:
        return purge.purge(self.session, origin, seq)

    def give_back(self) -> Iterator[tuple[str, bool]]:
        return purge.give_back(self.session)

    # --- Moving months to an archive: see ArchivedDestination.

    def archived(self, origin: str) -> list[Archived]:
        return months.archived(self.session, origin)

    def read_also(self, fetch: Callable[[Stub], Record | None]) -> None:
        self._fetch = fetch

    def months(self, origin: str, before: Month) -> Iterator[Month]:
        return months.months(self.session, origin, before)

    def of_month(self, origin: str, month: Month) -> Iterator[int]:
        return months.of_month(self.session, origin, month)

    def let_go(
        self, origin: str, month: Month, first: int, last: int, where: tuple[str, str, str]
    ) -> int:
        return months.let_go(self.session, origin, month, (first, last), where)

    # --- Checking.

    def inspect(self, origin: str) -> list[Fault]:
        return self.inspect_store() + self.inspect_log(origin)

    def close(self) -> None:
        self.session.close()

    # --- What the protocol does not ask for.

    def catalog(self) -> dict[str, str]:
        """Return the schema and what affects it, see :func:`.catalog.catalog`."""
        return catalog(self.session)

    def inspect_schema(self) -> list[Fault]:
        """Return how the database differs from what :func:`.setup.statements` makes, and what else
        makes it forget or lie."""
        return [self._fault("weakened", reason) for reason in weakened(self.session)]

    def inspect_store(self) -> list[Fault]:
        """Return what is wrong for all logs: the schema, and indexes that lack rows."""
        faults = self.inspect_schema()
        try:
            faults += [self._fault("weakened", reason) for reason in index_faults(self.session)]
        except Refused:
            if not faults:  # otherwise they tell why
                raise
        return faults

    def inspect_log(self, origin: str) -> list[Fault]:
        """Return columns that differ from bodies, and a fault if the end is not where it was."""
        try:
            reasons = purge.unfounded(self.session, origin)
            return (
                column_faults(self.session, origin)
                + self._inspect_head(origin)
                + [self._fault("weakened", reason) for reason in reasons]
            )
        except Refused:
            if not self.inspect_schema():  # otherwise they tell why
                raise
            return []

    def _inspect_head(self, origin: str) -> list[Fault]:
        ((seq, hash, last_seq, last_hash),) = self.session.rows(_LAST, {"origin": origin})
        faults = []
        if seq is None and last_seq is not None:
            faults.append(self._fault("weakened", f"heads no longer has the end of {origin}"))
        elif last_seq is None and seq is not None:
            reason = f"no entry of {origin} is left of the {seq + 1} that were stored"
            faults.append(self._fault("missing", reason))
        elif seq is not None and seq > last_seq:
            reason = (
                f"entries up to {seq} of {origin} were stored, and those up to {last_seq} are left"
            )
            faults.append(self._fault("missing", reason, last_seq + 1))
        elif (seq, hash) != (last_seq, last_hash):
            reason = f"the last entry of {origin} is not the one that the trigger let in"
            faults.append(self._fault("weakened", reason, last_seq))
        strays = set(self.origins()) - {
            name for (name,) in self.session.rows("SELECT origin FROM chained_logging.heads")
        }
        for stray in sorted(strays - {origin}):
            faults.append(self._fault("weakened", f"heads no longer has the end of {stray}"))
        return faults

    def _fault(self, kind: str, reason: str, seq: int | None = None) -> Fault:
        return Fault(kind, self.name, seq, None, reason)


def _timestamp(record: Record) -> str:
    """Return the timestamp in a body; the database compares it with what it reads there itself.

    The last occurrence is the top-level field: only one more string and a number follow, and a
    quotation mark inside a JSON string is escaped.
    """
    at = record.body.rfind(b',"timestamp":"') + 14
    return record.body[at : at + 27].decode(errors="replace")

"""PostgreSQL: central storage that can be asked, and that checks what it is given.

The database itself refuses a gap, a fork, a duplicate and an edited entry, whoever inserts it, and
derives every column from the exact text that was hashed; ``postgres.sql`` has it all, readable for
a DBA. Nobody who owns a database can be kept from changing it. So what weakens it is noticed:
:meth:`PostgresDestination.inspect` compares the catalog with what ``postgres.sql`` makes, line by
line, as it is kept in ``postgres_catalog.txt`` here and not there, and the chain is verified from
what :meth:`PostgresDestination.records` returns.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from chained_logging.review.retention import retention_days
from chained_logging.ship import DestinationError, Refused
from chained_logging.sinks import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.verify import Fault

if TYPE_CHECKING:
    import psycopg

# What the URL does not say. A dead server, or a cut line, is noticed within half a minute.
_DEFAULTS: Final = {
    "application_name": "chained_logging",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# Of every session, in the server. The first three are how definitions are shown, and read.
_SETTINGS: Final = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO",
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",  # a shipper that hangs keeps others waiting
    # Entries are read along the index. Without statistics, right after many entries came, the
    # planner would read and sort all of them for each page.
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
}
# By the class of an SQLSTATE (PostgreSQL's manual, appendix A): connections, a transaction that
# was rolled back or is read-only, resources, locks, an operator's hand, the system, a bug.
_PASSING: Final = frozenset({"08", "25", "40", "53", "54", "55", "57", "58", "XX"})
_STANDS_ALREADY: Final = frozenset({"CL002", "23505"})
_PAGE: Final = 1000  # entries in one query: as in the queries below
_RETRY_MONTH: Final = 600.0
_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

_COPY: Final = (
    'COPY chained_logging.entries (origin, "timestamp", body, hash, signature) FROM STDIN'
)
_CHECKPOINT: Final = (
    "INSERT INTO chained_logging.checkpoints (origin, size, note, state, timestamp)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
# With bounds and without NULL, whatever became of the constraints.
_RECORDS: Final = """
    SELECT seq, coalesce(left(body, 65536), ''), coalesce(left(hash, 100), ''), left(signature, 100)
    FROM chained_logging.entries WHERE origin = %s AND seq >= %s ORDER BY seq LIMIT 1000
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
      SELECT seq, hash FROM chained_logging.entries WHERE origin = %(origin)s
      ORDER BY seq DESC LIMIT 1
    ) AS e ON true
"""


def statements() -> str:
    """Return the SQL that makes everything, for a DBA to read and run."""
    return _text("postgres.sql")


def init(url: str, *, retention: str | None = None) -> list[str]:
    """Make what is needed in a database; where it stands already, check it and change nothing.

    :param url: of a role that may create roles, and schemas in that database.
    :param retention: as :func:`chained_logging.review.retention.retention_days` takes it. Nothing
        here deletes anything, so it only appears in what is said.
    :return: sentences of what was done.
    :raises Refused: if the role may not do that, or what stands there is not as it was made.
    :raises DestinationError: if the database cannot be asked now.
    :raises ValueError: for what is no retention or no URL.
    """
    days = None if retention is None else retention_days(retention)
    destination = PostgresDestination(url)
    try:
        done = destination.create()
        faults = destination.inspect_schema()
    finally:
        destination.close()
    if faults:
        raise Refused(
            f"{destination.name}: what stands there is not as init makes it, and nothing was "
            "changed: " + "; ".join(fault.reason for fault in faults)
        )
    if days is not None:
        done.append(
            f"Entries are to be kept for {days} days. Nothing deletes any: the owner may detach a "
            "month when it is older than that (docs/postgres.md)."
        )
    return done


class PostgresDestination:
    """See :class:`chained_logging.ship.Destination`.

    :param url: ``postgresql://user:password@host:5432/database``, or what else libpq takes,
        ``?sslmode=verify-full`` among it.
    :raises ValueError: if it is no such URL.
    :raises ImportError: if psycopg is not installed.
    """

    batch_entries = 5_000
    batch_bytes = 8 << 20
    batch_seconds = 1.0

    def __init__(self, url: str) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError:
            raise ImportError(
                "PostgreSQL needs the package psycopg: pip install chained_logging[postgres]"
            ) from None
        self._psycopg = psycopg
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            given = None
        if given is None or not url.startswith(("postgresql://", "postgres://")):
            # The error of libpq is not shown: it quotes the URL, and the password in it.
            raise ValueError("that is no URL of a PostgreSQL database: postgresql://host/database")
        if "@" in str(given.get("dbname")) or not _PORTS.fullmatch(str(given.get("port", ""))):
            # libpq took a part of the password for the port or the database: it would be shown.
            raise ValueError(
                "that URL cannot be read: in its password / is written %2F, @ %40, : %3A, ? %3F"
            )
        self.name = _shown(given)
        self._parameters: dict[str, Any] = _DEFAULTS | given | {"client_encoding": "utf8"}
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._months: dict[str, float] = {}  # when to ask for one (again)

    def head(self, origin: str) -> Head:
        query = "SELECT seq, hash FROM chained_logging.heads WHERE origin = %s"
        rows = self._rows(query, (origin,))
        return Head._make(rows[0]) if rows else EMPTY

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        rows = [
            (origin, _timestamp(record), record.body.decode(), record.hash, record.signature)
            for record in records
        ]
        for month in sorted({timestamp[:7] for _, timestamp, *_ in rows}):
            self._prepare(month)
        with self._asking() as connection, connection.transaction(), connection.cursor() as cursor:
            if rows:
                with cursor.copy(_COPY) as copy:
                    for row in rows:
                        copy.write_row(row)
            for note, size, state, timestamp in checkpoints:
                cursor.execute(_CHECKPOINT, (origin, size, note, state, timestamp))

    def tend(self, origin: str) -> None:
        """Have the partitions of this month and the next, well before the next begins."""
        today = dt.datetime.now(dt.UTC).date()
        for day in (today, today.replace(day=1) + dt.timedelta(days=31)):
            self._prepare(f"{day:%Y-%m}")

    def origins(self) -> list[str]:
        # A shipper may not read entries. Whoever may finds a log there that heads has not.
        found = {origin for (origin,) in self._rows("SELECT origin FROM chained_logging.heads")}
        may = "SELECT has_table_privilege('chained_logging.entries', 'SELECT')"
        if self._rows(may)[0][0]:
            found.update(origin for (origin,) in self._rows(_ORIGINS))
        return sorted(found)

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        # Page by page, each a query of its own: one that lasts for hours would keep PostgreSQL
        # from cleaning up, and a month from being made.
        while rows := self._rows(_RECORDS, (origin, start)):
            # Two with one seq can stand there only if somebody took the trigger away.
            if len(rows) == _PAGE:
                last = rows[-1][0]
                rows = [row for row in rows if row[0] != last]
                rows += self._rows(_RECORDS.replace("seq >= %s", "seq = %s"), (origin, last))
            for seq, body, hash, signature in rows:
                yield Record(seq, body.encode(), hash, signature)
            start = rows[-1][0] + 1

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        after = (-1, 0)
        while rows := self._rows(_CHECKPOINTS, (origin, *after)):
            for *fields, _ in rows:
                yield StoredCheckpoint(*fields)
            after = (rows[-1][1], rows[-1][4])

    def inspect(self, origin: str) -> list[Fault]:
        faults = self.inspect_schema()
        try:
            faults += self._inspect_head(origin)
        except Refused:
            if not faults:  # otherwise they tell why
                raise
        return faults

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # --- What the protocol does not ask for.

    def create(self) -> list[str]:
        """Run :func:`statements`, unless the schema is there; return sentences of what was done.

        :raises Refused: if the role may not.
        """
        if self._rows("SELECT to_regnamespace('chained_logging')")[0][0] is not None:
            return [f"The schema chained_logging is there already in {self.name}."]
        with self._asking("have a DBA run what init --print prints") as connection:
            connection.execute(statements().encode())
        return [
            f"Made the schema chained_logging in {self.name}.",
            "It belongs to the role chained_logging_owner, which cannot log in.",
            "Who ships: CREATE ROLE … LOGIN IN ROLE chained_logging_shipper.",
            "Who reads and verifies: CREATE ROLE … LOGIN IN ROLE chained_logging_reader.",
        ]

    def catalog(self) -> dict[str, str]:
        """Return every object of the schema with its definition, each on one line."""
        rows = self._rows(_text("postgres_catalog.sql"))
        return {object: definition.replace("\n", "\\n") for object, definition in rows}

    def inspect_schema(self) -> list[Fault]:
        """Return how the database differs from what :func:`statements` makes, and what else makes
        it forget."""
        found = self.catalog()
        if "schema chained_logging" not in found:
            return [self._fault("weakened", "the schema chained_logging is gone, or was not made")]
        expected = _expected(found)
        reasons = [f"{object} is gone" for object in expected if object not in found]
        for object, definition in sorted(found.items()):
            if object not in expected:
                reasons.append(f"{object} was added" + (f": {definition}" if definition else ""))
            elif definition != expected[object]:
                reasons.append(f"{object} was changed: it is {definition or 'without'}")
        for setting in ("fsync", "full_page_writes"):
            if self._rows("SELECT current_setting(%s)", (setting,))[0][0] != "on":
                reasons.append(f"the server runs with {setting} = off, and may forget at a crash")
        return [self._fault("weakened", reason) for reason in reasons]

    def _inspect_head(self, origin: str) -> list[Fault]:
        ((seq, hash, last_seq, last_hash),) = self._rows(_LAST, {"origin": origin})
        faults = []
        if seq is None and last_seq is not None:
            faults.append(self._fault("weakened", f"heads has lost where {origin} ends"))
        elif last_seq is None and seq is not None:
            reason = f"no entry of {origin} is there, where {seq + 1} stood"
            faults.append(self._fault("missing", reason))
        elif seq is not None and seq > last_seq:
            reason = f"entries up to {seq} of {origin} stood there, and are there up to {last_seq}"
            faults.append(self._fault("missing", reason, last_seq + 1))
        elif (seq, hash) != (last_seq, last_hash):
            reason = f"the last entry of {origin} is not the one that the trigger let in"
            faults.append(self._fault("weakened", reason, last_seq))
        strays = set(self.origins()) - {
            name for (name,) in self._rows("SELECT origin FROM chained_logging.heads")
        }
        for stray in sorted(strays - {origin}):
            faults.append(self._fault("weakened", f"heads has lost where {stray} ends"))
        return faults

    def _fault(self, kind: str, reason: str, seq: int | None = None) -> Fault:
        return Fault(kind, self.name, None, seq, None, reason)

    def _prepare(self, month: str) -> None:
        """Have a partition made for a month, if it can be now. If not, the default serves."""
        now = time.monotonic()
        if not _MONTH.fullmatch(month) or self._months.get(month, 0) > now:
            return
        query = "SELECT chained_logging.add_month(%s::timestamptz) <> 'entries_default'"
        with self._asking() as connection:
            try:
                row = connection.execute(query, (f"{month}-01 00:00:00+00",)).fetchone()
            except self._psycopg.errors.LockNotAvailable:  # somebody reads for long
                row = None
        self._months[month] = now + (86_400 if row and row[0] else _RETRY_MONTH)

    def _rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self._asking() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextlib.contextmanager
    def _asking(self, advice: str = "grant it") -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give the connection, and take errors for what they are.

        No more of an error than its first line is shown: its details quote rows.
        """
        try:
            yield self._connect()
        except self._psycopg.Error as error:
            state = error.sqlstate or ""
            message = f"{self.name}: {error.diag.message_primary or str(error).strip()}"
            passing = isinstance(error, self._psycopg.OperationalError) or state[:2] in _PASSING
            if passing:
                self.close()
            if state in _STANDS_ALREADY:
                raise DestinationError(
                    f"{self.name}: these entries stand there already, or somebody else ships this "
                    "log at the same time"
                ) from None
            if passing:
                raise DestinationError(message) from None
            if state == "42501":
                message += f": {advice}"
            elif state in ("3F000", "42P01", "42883"):
                message += ": run init first"
            raise Refused(message) from None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            connection = self._psycopg.connect(**self._parameters, autocommit=True)
            try:
                for name, value in _SETTINGS.items():
                    connection.execute("SELECT set_config(%s, %s, false)", (name, value))
                # What is acknowledged is on the disk, whatever the server's or the role's default.
                connection.execute(
                    "SELECT set_config('synchronous_commit', 'on', false)"
                    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
                )
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


_PORTS: Final = re.compile(r"\d*(,\d*)*", re.ASCII)


def _shown(given: dict[str, Any]) -> str:
    """Return the URL with nothing in it that opens something."""
    user = f"{given['user']}@" if given.get("user") else ""
    host = str(given.get("host") or given.get("hostaddr") or "")
    port = f":{given['port']}" if given.get("port") else ""
    if host.startswith("/"):  # the folder of a socket
        return f"postgresql://{user}{port}/{given.get('dbname') or ''}?host={host}"
    return f"postgresql://{user}{host}{port}/{given.get('dbname') or ''}"


def _timestamp(record: Record) -> str:
    """Return the timestamp in a body; the database compares it with what it reads there itself.

    The last occurrence is the top-level field: only one more string and a number follow, and a
    quotation mark inside a JSON string is escaped.
    """
    at = record.body.rfind(b',"timestamp":"') + 14
    return record.body[at : at + 27].decode(errors="replace")


@cache
def _text(name: str) -> str:
    return (resources.files("chained_logging.ship") / name).read_text("utf-8")


def _expected(found: dict[str, str]) -> dict[str, str]:
    """Return what the catalog should hold, given which months are there.

    A month has what the default partition has, under its own name.
    """
    lines = _text("postgres_catalog.txt").splitlines()
    expected = dict(line.split("\t", 1) for line in lines)
    default = {key: value for key, value in expected.items() if "entries_default" in key}
    for year, month in sorted(set(_PARTITION.findall("\n".join(found)))):
        first = dt.date(int(year), int(month), 1)
        after = (first + dt.timedelta(days=31)).replace(day=1)
        bound = f"FOR VALUES FROM ('{first} 00:00:00+00') TO ('{after} 00:00:00+00')"
        for key, value in default.items():
            name = f"entries_{year}_{month}"
            value = value.replace("entries_default", name)
            if key == "table chained_logging.entries_default":
                value = value.replace("DEFAULT", bound)
            expected[key.replace("entries_default", name)] = value
    return expected


_PARTITION: Final = re.compile(
    r"^table chained_logging\.entries_([0-9]{4})_(0[1-9]|1[0-2])$", re.MULTILINE
)

"""A log in PostgreSQL, asked as it is: see :class:`chained_logging.review.query.Store`.

Fields, records and words are found by one index, over ``chained_logging.searched(body)``
(``ship/postgres/schema.sql``). Where a field has a column, that is a condition too, so that the
database may choose: a common value is found sooner by reading the newest entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.archive.fetched import moved_from
from chained_logging.review.filter import COLUMNS, Filter
from chained_logging.review.neighbours import first_fault, with_neighbours
from chained_logging.review.query import Answer, Misfit
from chained_logging.review.sources import only
from chained_logging.review.terms import LETTERS, Choice, Term, Word, terms
from chained_logging.ship.postgres import PostgresDestination

# A shipper's session reads entries along one index. Questions need all that the planner can do.
_SETTINGS: Final = {
    "enable_bitmapscan": "on",
    "enable_seqscan": "on",
    "enable_sort": "on",
    "statement_timeout": "600000",
    "work_mem": "'64MB'",
}
_COMMON: Final = ("actor", "actor_type", "action", "result", "tenant", "on_behalf_of", "session")
"""The fields of a filter that are compared with columns, too."""
_LONG: Final = 1500  # bytes of a lexeme; of a longer one, its beginning and its hash are kept

_FOUND: Final = """
    SELECT seq,
      to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') COLLATE "C"
        AS timestamp,
      actor_id, actor_type, on_behalf_of, action, resource_type, resource_id, result,
      CASE WHEN ip_address_unknown THEN 'unknown' ELSE host(ip_address) END COLLATE "C"
        AS ip_address,
      user_agent, session_id, tenant_id, trace_id,
      array_to_json(changed_fields)::text COLLATE "C" AS changed_fields
    FROM chained_logging.entries WHERE origin = :origin
"""
_RANGES: Final = {
    "since": '"timestamp" >= :since::timestamptz',
    "until": '"timestamp" < :until::timestamptz',
    "first_seq": "seq >= :first_seq",
    "last_seq": "seq <= :last_seq",
}
_RECORDS: Final = """
    SELECT seq, body, hash, signature FROM chained_logging.entries
    WHERE origin = :origin AND seq = ANY(:wanted)
    UNION ALL
    SELECT seq, NULL, hash, signature FROM chained_logging.stubs
    WHERE origin = :origin AND seq = ANY(:wanted)
"""
_ENDS: Final = "SELECT min(seq), max(seq) FROM chained_logging.entries WHERE origin = :origin"
_PARAMETER: Final = re.compile(r"(?<!:):([a-z_]+)\b")


class PostgresLog:
    """A log in PostgreSQL.

    :param url: of the database.
    :param origin: the log's name, where the database holds several.
    :raises ShipError: if the database does not hold that log, or several; also DestinationError.
    """

    def __init__(self, url: str, origin: str | None = None) -> None:
        self._destination = PostgresDestination(url)
        self._origin = only(self._destination, origin)
        self.name = f"{self._destination.name} {self._origin}"
        self._fault: str | None = None

    @property
    def fault(self) -> str | None:
        """The first fault of the entries that were read; None if all is well."""
        return self._fault

    def table(
        self, sql: str, wanted: Filter, values: dict[str, Any], reads: Sequence[str] | None
    ) -> Answer:
        values["origin"] = self._origin
        found = " AND ".join([_FOUND, *_conditions(wanted, values)])
        return self._ask(f"WITH found AS ({found}) {sql}", values)

    def _ask(self, sql: str, values: Mapping[str, Any]) -> Answer:
        with self._destination.session.snapshot(_SETTINGS) as connection:
            cursor = connection.execute(_named(sql), values)
            columns = tuple(column.name for column in cursor.description or ())
            return Answer(columns, cursor.fetchall())

    def records(self, wanted: Sequence[int]) -> list[Record]:
        values = {"origin": self._origin, "wanted": with_neighbours(wanted)}
        ((first, last),) = self._ask(_ENDS, values).rows
        there: dict[int, Record | Stub] = {}
        found: dict[int, Record] = {}
        for seq, body, hash, signature in self._ask(_RECORDS, values).rows:
            if body is None:
                there[seq] = Stub(seq, hash, signature)
            else:
                there[seq] = found[seq] = Record(seq, body.encode(), hash, signature)
        if missing := sorted({*wanted} - found.keys()):
            raise Misfit(f"entry {missing[0]} is not there any more")
        self._fault = self._fault or first_fault(wanted, there, first, last)
        return [found[seq] for seq in wanted]

    def stream(self, after: int) -> Iterator[tuple[bytes, str]]:
        records = self._destination.records(self._origin, after + 1)
        return ((record.body, record.hash) for record in records)

    def moved(self) -> dict[str, int]:
        """Return up to which number entries were moved from here, by archive."""
        return moved_from(self._destination, self._origin)

    def refresh(self) -> None:
        """Nothing: each question is asked of the log as it is."""

    def rebuild(self) -> None:
        """Nothing is derived here. The database keeps its indexes; ``verify`` checks them."""

    def close(self) -> None:
        self._destination.close()


def _named(sql: str) -> bytes:
    """Return SQL with its parameters as psycopg has them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).encode()


def _conditions(wanted: Filter, values: dict[str, Any]) -> Iterator[str]:
    for name, condition in _RANGES.items():
        value = getattr(wanted, name)
        if value is not None:
            values[name] = value
            yield condition
    for name in _COMMON:
        given = getattr(wanted, name)
        if given:
            values[name] = [_valid(value) for value in given]
            yield f"{COLUMNS[name]} = ANY(:{name})"
    match = " & ".join(map(_either, terms(wanted)))
    if match:
        values["match"] = match
        yield "chained_logging.searched(body) @@ :match::tsquery"


def _either(choice: Choice) -> str:
    return "(" + " | ".join(" & ".join(map(_spelled, every)) for every in choice) + ")"


def _spelled(term: Term | Word) -> str:
    """Return a term in the language of ``tsquery``."""
    if isinstance(term, Word):
        end = ":*" if term.prefix else ""
        return "(" + " | ".join(_quoted(form) + end for form in term.forms) + ")"
    value = term.value
    if term.of in ("record", "parameter"):
        value = f"{len(value)}:{value}/{term.kind}"
    return _quoted(f"{LETTERS[term.of]}={value}")


def _quoted(lexeme: str) -> str:
    lexeme = _valid(lexeme)
    data = lexeme.encode()
    if len(data) > _LONG:
        lexeme = lexeme[:100] + sha256(data).hexdigest()
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _valid(text: str) -> str:
    """Return text that the database takes: no entry has what is replaced here."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")

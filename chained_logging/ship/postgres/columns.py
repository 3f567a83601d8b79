"""Checks that the columns, which are queried, agree with the bodies, which are verified.

The database derives each column from the body, by functions and a catalog that its owner can
change. If they are changed back, what was stored meanwhile stays. So each value is compared here,
with the body as Python reads it. The types are read as the text that PostgreSQL sends; no function
of the database takes part.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from chained_logging.ship.fault import MAX_FAULTS, Fault
from chained_logging.ship.postgres.connection import Session

_PAGE: Final = 500
_COLUMNS: Final = (
    "seq", "body", "timestamp", "prev_hash", "id", "actor_id", "actor_type", "action",
    "resource_type", "resource_id", "result", "ip_address", "ip_address_unknown", "user_agent",
    "session_id", "reason", "changed_fields", "old_values", "context", "on_behalf_of", "tenant_id",
    "trace_id", "resources",
)  # fmt: skip
_QUERY: Final = f"""
    SELECT tableoid, {", ".join(f'"{name}"' for name in _COLUMNS)}
    FROM chained_logging.entries WHERE origin = %s AND seq >= %s ORDER BY seq LIMIT {_PAGE}
"""  # noqa: S608 -- names from above
_PARTITIONS: Final = (
    "SELECT inhrelid, relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = 'chained_logging.entries'::regclass"
)
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SECONDS: Final = re.compile(r"(.{10}) (.{8})(?:\.([0-9]{1,6}))?\+00")
_read: Final = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal).decode


def column_faults(session: Session, origin: str) -> list[Fault]:
    """Return the columns of a log's entries that differ from the body beside them, at most
    :data:`chained_logging.ship.fault.MAX_FAULTS`.

    :raises: as :meth:`.connection.Session.rows`.
    """
    faults: list[Fault] = []
    tables = _Tables(session)
    for table, row in _rows(session, origin):
        for name, reason in _differences(row, tables(table)):
            if len(faults) < MAX_FAULTS:
                seq = row["seq"] if isinstance(row["seq"], int) else None
                faults.append(Fault("weakened", session.name, seq, name, reason))
    return faults


class _Tables:
    """Names of partitions by their OIDs; one may be made while we read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[int, str] = {}

    def __call__(self, oid: int) -> tuple[str, frozenset[str]]:
        if oid not in self._names:
            self._names = dict(self._session.rows(_PARTITIONS))
        return self._names.get(oid, "?"), frozenset(self._names.values())


def _rows(session: Session, origin: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a log, each with the OID of its partition."""
    from psycopg.types.string import TextLoader

    start = 0
    while True:
        with session.asking() as connection, connection.cursor() as cursor:
            for kind in ("timestamptz", "uuid", "inet", "bool", "jsonb"):
                cursor.adapters.register_loader(kind, TextLoader)
            rows = cursor.execute(_QUERY.encode(), (origin, start)).fetchall()
        for table, *values in rows:
            yield table, dict(zip(_COLUMNS, values, strict=True))
        if len(rows) < _PAGE:
            return
        # The last number is read again, as there may be more rows of it. Where they fill a page,
        # somebody took the trigger away, and the chain tells.
        first, last = rows[0][1], rows[-1][1]
        start = last if last > first else last + 1


def _differences(
    row: dict[str, Any], table: tuple[str, frozenset[str]]
) -> Iterator[tuple[str, str]]:
    """Yield each column in doubt, and why."""
    try:
        body = _read(row["body"])
        timestamp = body["timestamp"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return  # the verifier says what is wrong with it
    holds_nul = "\\u0000" in row["body"] and _NUL.search(row["body"]) is not None
    equal = [body.get(name) for name in _EQUAL] == [row[name] for name in _EQUAL]
    for name, expected in (_RULED if equal else _EXPECTED).items():
        if not _same(expected, body.get(name), row[name], holds_nul):
            yield name, f"the column {name} does not say what the body says"
    if (row["ip_address_unknown"] == "t") is not (body.get("ip_address") == "unknown"):
        yield "ip_address_unknown", "the column ip_address_unknown does not say what the body says"
    month = f"entries_{str(timestamp)[:7].replace('-', '_')}"
    if table[0] != month and (table[0] != "entries_default" or month in table[1]):
        yield "timestamp", f"the entry is in the partition {table[0]}, where no question finds it"


_Same = Callable[[Any, Any, bool], bool]


def _same(rule: _Same, ours: Any, theirs: Any, holds_nul: bool) -> bool:
    try:
        return rule(ours, theirs, holds_nul)
    except (TypeError, ValueError, RecursionError):
        return False


def _plain(ours: Any, theirs: Any, holds_nul: bool) -> bool:
    return bool(ours == theirs)


def _time(ours: Any, theirs: Any, holds_nul: bool) -> bool:
    found = _SECONDS.fullmatch(theirs)
    return found is not None and ours == f"{found[1]}T{found[2]}.{found[3] or '':0<6}Z"


def _address(ours: Any, theirs: Any, holds_nul: bool) -> bool:
    if ours is None or ours == "unknown":
        return theirs is None
    return bool(_parsed(theirs) == _parsed(ours))


_parsed: Final = functools.lru_cache(4096)(ipaddress.ip_address)


def _object(ours: Any, theirs: Any, holds_nul: bool) -> bool:
    if holds_nul:  # only the body has what jsonb cannot hold
        return theirs is None
    return bool(ours == (None if theirs is None else _read(theirs)))


def _records(ours: Any, theirs: Any, holds_nul: bool) -> bool:
    return bool(ours == (None if theirs is None else _read(theirs)))


_EXPECTED: Final[dict[str, _Same]] = {name: _plain for name in _COLUMNS if name != "body"} | {
    "timestamp": _time,
    "ip_address": _address,
    "old_values": _object,
    "context": _object,
    "resources": _records,
}
del _EXPECTED["ip_address_unknown"]
_EQUAL: Final = [name for name, rule in _EXPECTED.items() if rule is _plain]
_RULED: Final = {name: rule for name, rule in _EXPECTED.items() if rule is not _plain}

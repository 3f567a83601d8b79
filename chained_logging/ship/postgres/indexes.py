"""Checks that each index holds what its table holds.

An index may lack the newest rows of its table, or hold former ones, since a superuser can have
PostgreSQL skip it for a while. Or it may hold rows out of order, where no search finds them, if
PostgreSQL compared differently for a while. Queries are answered from indexes, so each index is
read as a whole, as is its table. Both must hold the same keys, and the index must be in order. The
index of ``resources`` cannot be read as a whole: it is searched for each record that the table
names, and must find the same rows. That of words and fields must find each row by its result. If
the extension ``amcheck`` is installed and the role may use it, it checks the structure of each
other index too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chained_logging.ship.postgres.connection import Session

if TYPE_CHECKING:
    import psycopg


class _Index(NamedTuple):
    name: str
    table: str
    keys: str
    only: str = "true"


_INDEXES: Final = (
    _Index("entries_pkey", "entries", 'origin, seq, "timestamp"'),
    _Index("entries_actor_id_timestamp_idx", "entries", 'actor_id, "timestamp"'),
    _Index(
        "entries_resource_type_resource_id_timestamp_idx",
        "entries",
        'resource_type, resource_id, "timestamp"',
    ),
    _Index("entries_timestamp_idx", "entries", '"timestamp"'),
    _Index("entries_action_timestamp_idx", "entries", 'action, "timestamp"'),
    _Index(
        "entries_timestamp_actor_id_idx",
        "entries",
        '"timestamp", actor_id',
        "result = ANY (ARRAY['failure', 'denied'])",
    ),
    _Index("heads_pkey", "heads", "origin"),
    _Index("checkpoints_pkey", "checkpoints", "origin, size, digest"),
    _Index("stubs_pkey", "stubs", "origin, seq"),
    _Index("purges_pkey", "purges", "origin, first"),
    _Index("holds_pkey", "holds", "origin, seq"),
    _Index("lifts_pkey", "lifts", "origin, hold"),
)
_COMMON: Final = {
    "statement_timeout": "0",  # as long as there are rows
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
}
_BY_INDEX: Final = {"enable_seqscan": "off", "enable_indexscan": "on", "enable_indexonlyscan": "on"}
_BY_TABLE: Final = {
    "enable_seqscan": "on", "enable_indexscan": "off", "enable_indexonlyscan": "off"
}  # fmt: skip
_SUM: Final = """
    SELECT count(*), sum(hash_record_extended(ROW({keys}), 0)) FROM (
      SELECT {keys} FROM chained_logging.{table} WHERE {only}
    ) AS held
"""
_SUM_IN_ORDER: Final = """
    SELECT count(*), sum(hash_record_extended(key, 0)), bool_or(before > key) FROM (
      SELECT ROW({keys}) AS key, lag(ROW({keys})) OVER () AS before FROM (
        SELECT {keys} FROM chained_logging.{table} WHERE {only} ORDER BY {keys}
      ) AS held
    ) AS held
"""
# An index on a partitioned table is one on each partition.
_LEAVES: Final = """
    WITH RECURSIVE found AS (
      SELECT to_regclass(%s)::oid AS oid
      UNION ALL SELECT inhrelid FROM pg_inherits JOIN found ON inhparent = found.oid)
    SELECT relname::text FROM found JOIN pg_class USING (oid)
"""
_RECORDS: Final = "entries_resources_idx"
_NAMED: Final = """
    SELECT origin, seq, "timestamp", record FROM chained_logging.entries, jsonb_array_elements(
      CASE jsonb_typeof(resources) WHEN 'array' THEN resources ELSE '[]' END) AS record
    GROUP BY origin, seq, "timestamp", record
"""
_NAMED_SUM: Final = f"""
    SELECT count(*), coalesce(sum(hash_record_extended(ROW(named.*), 0)), 0)
    FROM ({_NAMED}) AS named
"""  # noqa: S608 -- text from above
_DISTINCT: Final = f"SELECT DISTINCT record::text FROM ({_NAMED}) AS named"  # noqa: S608 -- same
_FOUND_SUM: Final = """
    SELECT count(*),
      coalesce(sum(hash_record_extended(ROW(origin, seq, "timestamp", record), 0)), 0)
    FROM unnest(%s::jsonb[]) AS asked (record) JOIN chained_logging.entries
      ON resources @> jsonb_build_array(record)
"""
_SEARCHED: Final = "entries_searched_idx"
_BY_RESULT: Final = """
    SELECT 'q=' || result, count(*), sum(hash_record_extended(ROW(origin, seq, "timestamp"), 0))
    FROM chained_logging.entries GROUP BY result
"""
_SEARCHED_SUM: Final = """
    SELECT count(*), sum(hash_record_extended(ROW(origin, seq, "timestamp"), 0))
    FROM chained_logging.entries
    WHERE chained_logging.searched(body) @@ array_to_tsvector(ARRAY[%s])::text::tsquery
"""
_PAGE: Final = 500
_AMCHECK: Final = """
    SELECT p.oid::regprocedure::text FROM pg_extension AS e
    JOIN pg_depend AS d ON d.refobjid = e.oid AND d.classid = 'pg_proc'::regclass
    JOIN pg_proc AS p ON p.oid = d.objid
    WHERE extname = 'amcheck' AND proname = 'bt_index_check' AND pronargs = 2
      AND p.probin = '$libdir/amcheck'
      AND has_function_privilege(p.oid, 'EXECUTE')
"""
_BTREES: Final = """
    SELECT c.oid::regclass::text, c.oid FROM pg_class AS c JOIN pg_am AS a ON a.oid = relam
    JOIN pg_index ON indexrelid = c.oid
    WHERE relnamespace = to_regnamespace('chained_logging') AND relkind = 'i'
      AND amname = 'btree' AND indisvalid
"""


def index_faults(session: Session) -> list[str]:
    """Return in sentences which indexes do not hold what their tables hold.

    :raises: as :meth:`.connection.Session.rows`.
    """
    reasons = []
    with session.snapshot(_COMMON) as connection:
        for index in _INDEXES:
            by_table, _ = _held(connection, index, _BY_TABLE)
            by_index, plan = _held(connection, index, _BY_INDEX)
            leaves = {name for (name,) in connection.execute(_LEAVES, (_name(index),))}
            if not set(_scans(plan)) <= leaves:
                reasons.append(f"index {_name(index)} is not one that can be read")
            elif by_index[2]:
                reasons.append(f"index {_name(index)} is not in order: a search may miss rows")
            elif by_table != by_index[:2]:
                reasons.append(
                    f"index {_name(index)} does not hold what the table holds: {by_index[0]:,} "
                    f"rows, and the table has {by_table[0]:,}"
                )
        reasons += _records_faults(connection)
        reasons += _searched_faults(connection)
    return reasons + _amcheck(session)


def _records_faults(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Return a sentence if the index of `resources` misses what the table names."""
    name = f"chained_logging.{_RECORDS}"
    _set(connection, _BY_TABLE | {"enable_bitmapscan": "off"})
    named = connection.execute(_NAMED_SUM.encode()).fetchone()
    assert named is not None  # noqa: S101 -- an aggregate returns a row
    leaves = {leaf for (leaf,) in connection.execute(_LEAVES, (name,))}
    count = total = 0
    with connection.cursor("records") as records:
        records.execute(_DISTINCT.encode())  # which is planned now, to read the table
        _set(connection, _BY_INDEX | {"enable_bitmapscan": "on"})
        while page := records.fetchmany(_PAGE):
            asked = ([record for (record,) in page],)
            plan = connection.execute(b"EXPLAIN (FORMAT JSON) " + _FOUND_SUM.encode(), asked)
            if not set(_lookups(plan.fetchone())) <= leaves:
                return [f"index {name} is not one that can be read"]
            found = connection.execute(_FOUND_SUM.encode(), asked).fetchone()
            assert found is not None  # noqa: S101 -- the same
            count, total = count + found[0], total + found[1]
    if (count, total) == named:
        return []
    return [
        f"index {name} does not hold what the table holds: it finds {count:,} resources of "
        f"entries, and the table has {named[0]:,}"
    ]


def _searched_faults(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Return a sentence if the index of words and fields does not have each row under its result.

    Each row has one. That the other words of a row are there would take as long as making it.
    """
    name = f"chained_logging.{_SEARCHED}"
    _set(connection, _BY_TABLE | {"enable_bitmapscan": "off"})
    leaves = {leaf for (leaf,) in connection.execute(_LEAVES, (name,))}
    named = connection.execute(_BY_RESULT.encode()).fetchall()
    _set(connection, _BY_INDEX | {"enable_bitmapscan": "on", "work_mem": "'256MB'"})
    for result, *held in named:
        plan = connection.execute(b"EXPLAIN (FORMAT JSON) " + _SEARCHED_SUM.encode(), (result,))
        if not set(_lookups(plan.fetchone())) <= leaves:
            return [f"index {name} is not one that can be read"]
        found = connection.execute(_SEARCHED_SUM.encode(), (result,)).fetchone()
        if found != tuple(held):
            return [
                f"index {name} does not hold what the table holds: it finds {(found or [0])[0]:,} "
                f"rows with {result}, and the table has {held[0]:,}"
            ]
    return []


def _set(connection: psycopg.Connection[tuple[Any, ...]], settings: dict[str, str]) -> None:
    for setting, value in settings.items():
        connection.execute(f"SET LOCAL {setting} = {value}".encode())


def _lookups(node: Any) -> Iterator[str]:
    """Yield by which index each table of a plan is asked; a question mark for none."""
    if isinstance(node, list | tuple):
        for part in node:
            yield from _lookups(part)
    elif isinstance(node, dict):
        if "Index Name" in node:
            yield node["Index Name"]
        elif "Relation Name" in node and node["Node Type"] != "Bitmap Heap Scan":
            yield "?"
        for part in node.values():
            yield from _lookups(part)


def _name(index: _Index) -> str:
    return f"chained_logging.{index.name}"


def _held(
    connection: psycopg.Connection[tuple[Any, ...]], index: _Index, settings: dict[str, str]
) -> tuple[tuple[Any, ...], Any]:
    """Return how many keys are held, a sum over all, for an index whether one is smaller than the
    one before; and the plan by which they were read."""
    template = _SUM_IN_ORDER if settings is _BY_INDEX else _SUM
    query = template.format(**index._asdict()).encode()
    _set(connection, settings)
    plan = connection.execute(b"EXPLAIN (FORMAT JSON) " + query).fetchone()
    held = connection.execute(query).fetchone()
    assert held is not None  # noqa: S101 -- an aggregate returns a row
    return held, plan


def _scans(node: Any) -> Iterator[str]:
    """Yield by which index each table of a plan is read; a question mark for none."""
    if isinstance(node, list | tuple):
        for part in node:
            yield from _scans(part)
    elif isinstance(node, dict):
        if "Relation Name" in node:
            yield node.get("Index Name", "?")
        for part in node.values():
            yield from _scans(part)


def _amcheck(session: Session) -> list[str]:
    import psycopg

    found = session.rows(_AMCHECK)
    if not found:
        return []
    function = found[0][0].partition("(")[0]  # quoted by regprocedure where it needs to be
    reasons = []
    for name, oid in session.rows(_BTREES):
        with session.asking() as connection:
            try:
                connection.execute(f"SELECT {function}(%s::oid::regclass, true)".encode(), (oid,))
            except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as error:
                reasons.append(f"index {name} is damaged: {error.diag.message_primary}")
    return reasons

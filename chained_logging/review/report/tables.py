"""The tables of a report: what a period's entries have in common, asked for in SQL.

A table shows the first :data:`MOST` of its rows, and says how many more there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from chained_logging.review.filter import Filter
from chained_logging.review.overview import OWN
from chained_logging.review.query import Engine
from chained_logging.review.questions import narrowed, question

MOST: Final = 50

Kind = Literal["text", "number", "time", "result", "names"]


class Column(NamedTuple):
    """A column, and what its values are."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """Some rows, and how many there are in all.

    :ivar caption: what the rows are.
    :ivar total: at least as many as there are `rows`.
    :ivar command: the options of ``chained-logging query`` that show all of it.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    total: int = 0
    command: str = ""

    @property
    def more(self) -> int:
        """How many rows are not shown."""
        return self.total - len(self.rows)


_ENTRIES: Final = Column("entries", "number")
_FIRST, _LAST = Column("first", "time"), Column("last", "time")
_WHO, _ACTION, _RESULT = Column("actor"), Column("action"), Column("result", "result")
_FAILED: Final = "count(CASE WHEN result IN ('failure', 'denied') THEN 1 END)"
_NAMED: Final = "resource_type || '/' || resource_id"


def actors(engine: Engine, wanted: Filter) -> Table:
    """Return who acted, the most active first."""
    return _asked(
        engine,
        wanted,
        "Actors",
        f"""
        SELECT actor_id, actor_type, count(*) AS entries, count(DISTINCT {_NAMED}), {_FAILED},
          min(timestamp), max(timestamp), count(*) OVER ()
        FROM found GROUP BY actor_id, actor_type
        ORDER BY entries DESC, actor_id, actor_type LIMIT :most
        """,  # noqa: S608 -- names from here
        *(_WHO, Column("type"), _ENTRIES, Column("resources", "number")),
        *(Column("failed or denied", "number"), _FIRST, _LAST),
    )


def actions(engine: Engine, wanted: Filter) -> Table:
    """Return what was done, the most frequent first."""
    return _asked(
        engine,
        wanted,
        "Actions",
        """
        SELECT action, count(*) AS entries, count(DISTINCT actor_id),
          count(CASE WHEN result = 'success' THEN 1 END),
          count(CASE WHEN result = 'failure' THEN 1 END),
          count(CASE WHEN result = 'denied' THEN 1 END),
          count(CASE WHEN result NOT IN ('success', 'failure', 'denied') THEN 1 END),
          count(*) OVER ()
        FROM found GROUP BY action ORDER BY entries DESC, action LIMIT :most
        """,
        *(_ACTION, _ENTRIES, Column("actors", "number"), Column("success", "number")),
        *(Column("failure", "number"), Column("denied", "number"), Column("unknown", "number")),
    )


def resource_types(engine: Engine, wanted: Filter) -> Table:
    """Return of which types the resources were, the most frequent first."""
    return _asked(
        engine,
        wanted,
        "Types of resources",
        f"""
        SELECT resource_type, count(*) AS entries, count(DISTINCT resource_id),
          count(DISTINCT actor_id), {_FAILED}, count(*) OVER ()
        FROM found GROUP BY resource_type ORDER BY entries DESC, resource_type LIMIT :most
        """,  # noqa: S608 -- names from here
        *(Column("type"), _ENTRIES, Column("resources", "number"), Column("actors", "number")),
        Column("failed or denied", "number"),
    )


def resources(engine: Engine, wanted: Filter) -> Table:
    """Return to which resources most was done."""
    return _asked(
        engine,
        wanted,
        "Resources",
        f"""
        SELECT {_NAMED}, count(*) AS entries, count(DISTINCT actor_id), {_FAILED},
          min(timestamp), max(timestamp), count(*) OVER ()
        FROM found GROUP BY resource_type, resource_id
        ORDER BY entries DESC, resource_type, resource_id LIMIT :most
        """,  # noqa: S608 -- names from here
        *(Column("resource"), _ENTRIES, Column("actors", "number")),
        *(Column("failed or denied", "number"), _FIRST, _LAST),
    )


def on_behalf(engine: Engine, wanted: Filter) -> Table:
    """Return who acted for somebody else."""
    return _asked(
        engine,
        wanted,
        "Who acted for somebody else",
        f"""
        SELECT actor_id, actor_type, on_behalf_of, count(*) AS entries, min(timestamp),
          max(timestamp), count(*) OVER ()
        FROM found WHERE on_behalf_of IS NOT NULL AND NOT {OWN}
        GROUP BY actor_id, actor_type, on_behalf_of
        ORDER BY entries DESC, actor_id, actor_type, on_behalf_of LIMIT :most
        """,  # noqa: S608 -- names from here
        *(_WHO, Column("type"), Column("for"), _ENTRIES, _FIRST, _LAST),
    )


def readers(engine: Engine, wanted: Filter) -> Table:
    """Return who read the log.

    :param wanted: finds the entries that say so.
    """
    return _asked(
        engine,
        wanted,
        "Readers of the log",
        """
        SELECT coalesce(on_behalf_of, actor_id) AS reader, count(*) AS entries, min(timestamp),
          max(timestamp), count(*) OVER ()
        FROM found GROUP BY coalesce(on_behalf_of, actor_id)
        ORDER BY entries DESC, reader LIMIT :most
        """,
        *(Column("reader"), Column("times", "number"), _FIRST, _LAST),
    )


def failures(engine: Engine, wanted: Filter) -> Table:
    """Return what failed or was denied, by actor and address: the named question."""
    return _answer(
        engine,
        wanted,
        "failed-attempts",
        "Failed and denied attempts",
        *(_WHO, Column("address"), _ACTION, _RESULT, _ENTRIES, Column("resources", "number")),
        *(_FIRST, _LAST),
    )


def logins(engine: Engine, wanted: Filter) -> Table:
    """Return who signed in and out, or could not: the named question."""
    return _answer(
        engine,
        wanted,
        "logins",
        "Logins and logouts",
        *(_WHO, Column("address"), _ACTION, _RESULT, _ENTRIES, _FIRST, _LAST),
    )


def grouped(engine: Engine, wanted: Filter, name: str, caption: str) -> Table:
    """Return the entries that answer a named question, by actor, action and type of resource."""
    asked = question(name)
    return _asked(
        engine,
        narrowed(wanted, asked.narrowed),
        caption,
        f"""
        SELECT actor_id, action, resource_type, result, count(*) AS entries, min(timestamp),
          max(timestamp), count(*) OVER ()
        FROM ({asked.sql}) AS answer GROUP BY actor_id, action, resource_type, result
        ORDER BY entries DESC, actor_id, action, resource_type, result LIMIT :most
        """,  # noqa: S608 -- a question of ours
        *(_WHO, _ACTION, Column("type of resource"), _RESULT, _ENTRIES, _FIRST, _LAST),
    )


def newest(engine: Engine, wanted: Filter, name: str, caption: str, detail: str) -> Table:
    """Return the newest entries that answer a named question.

    :param detail: a further column of the question.
    """
    asked = question(name)
    within = narrowed(wanted, asked.narrowed)
    return _asked(
        engine,
        within,
        caption,
        f"""
        SELECT seq, timestamp, actor_id, action, {_NAMED}, result, {detail}, count(*) OVER ()
        FROM ({asked.sql}) AS answer ORDER BY seq DESC LIMIT :most
        """,  # noqa: S608 -- a question of ours
        *(Column("number", "number"), Column("time", "time"), _WHO, _ACTION, Column("resource")),
        *(_RESULT, _DETAILS[detail]),
        command=f"--question {name}",
    )


_DETAILS: Final = {
    "changed_fields": Column("changed", "names"),
    "ip_address": Column("address"),
}


def _answer(engine: Engine, wanted: Filter, name: str, caption: str, *columns: Column) -> Table:
    """Return the first rows of the answer to a named question."""
    asked = question(name)
    within = narrowed(wanted, asked.narrowed)
    rows = engine.table(f"{asked.sql} LIMIT :most", within, {"most": MOST}).rows
    total = len(rows)
    if total == MOST:
        counted = f"SELECT count(*) FROM ({asked.sql}) AS answer"  # noqa: S608 -- a question of ours
        ((total,),) = engine.table(counted, within).rows
    return Table(caption, columns, tuple(rows), total, f"--question {name}")


def _asked(
    engine: Engine, wanted: Filter, caption: str, sql: str, *columns: Column, command: str = ""
) -> Table:
    """Return a table whose SQL counts all rows in its last column."""
    rows = engine.table(sql, wanted, {"most": MOST}).rows
    total = rows[0][-1] if rows else 0
    return Table(caption, columns, tuple(row[:-1] for row in rows), total, command)

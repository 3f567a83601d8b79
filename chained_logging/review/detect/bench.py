"""A table of entries on which the conditions of rules are tried: some thousands at a time.

Whatever store a log is in, its entries are tried here, in an SQLite database in memory. So one SQL
means the same for each log, and what a rule's SQL can reach is this table alone.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import re2

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.detect.fields import Fields, Needed, Row
from chained_logging.review.detect.reading import Entry
from chained_logging.review.detect.rule import Needs

MOST: Final = 1900
"""Fields that a set of rules can ask for: a table has at most 2,000 columns."""
MOST_VALUES: Final = 200_000
"""Single values of lists on a table: many of them must not make a rule take too long."""
_INDEXED: Final = ("action", "eventName")
_STEPS: Final = 50_000_000  # of SQLite's machine, for one rule on one table: some seconds
_STEP: Final = 100_000
_TABLES: Final = frozenset({"entries", "several"})
_FUNCTIONS: Final = frozenset(
    {"like", "glob", "regexp", "coalesce", "replace", "abs", "typeof", "strftime", "lower"}
)


class RuleError(ChainedLoggingError, ValueError):
    """A rule that cannot be loaded or run: which one, and why."""


class Bench:
    """A table ``entries`` with a column for each field, and one ``several`` with single values of
    fields that have more than one.

    An entry without what some rules need cannot fit them. It has only the fields on the table that
    other rules ask for: the others are NULL, so what is needed is not there either.

    :param names: of the fields that rules ask for.
    :param needs: what those rules need that do not look at all entries.
    :param of_all: of the fields that the other rules ask for; None for all fields.
    :raises RuleError: if they are too many.
    """

    def __init__(
        self, names: Iterable[str], needs: Needs = (), of_all: Iterable[str] | None = None
    ) -> None:
        self._fields = Fields({name.lower(): name for name in sorted(names)}.values())
        if len(self._fields.names) > MOST:
            raise RuleError(f"the rules ask for more than {MOST} fields: load fewer at a time")
        self._columns = {name.lower(): at for at, name in enumerate(self._fields.names)}
        self._needed = Needed(self._fields, needs)
        self._of_all = None if of_all is None else {self._columns[name.lower()] for name in of_all}
        self.rows: dict[int, Row] = {}
        self._trying = False
        self._database = self._made()

    def _made(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        # Sigma compares without regard to case.
        columns = "".join(f", {quoted(name)} TEXT COLLATE NOCASE" for name in self._fields.names)
        database.execute(f"CREATE TABLE entries (number INTEGER PRIMARY KEY{columns})")
        database.execute(
            "CREATE TABLE several (number INTEGER, field TEXT, value TEXT COLLATE NOCASE)"
        )
        database.execute("CREATE INDEX several_of ON several (number, field, value)")
        for name in _INDEXED:
            if name.lower() in self._columns:
                database.execute(f"CREATE INDEX by_{name} ON entries ({quoted(name)})")
        database.create_function("regexp", 2, _matches, deterministic=True)
        database.set_authorizer(self._allows)
        return database

    def _allows(self, action: int, what: str | None, name: str | None, *unused: Any) -> int:
        """Let a rule read its table, and do nothing else."""
        allowed = (
            not self._trying
            or action == sqlite3.SQLITE_SELECT
            or (action == sqlite3.SQLITE_READ and what in _TABLES)
            or (action == sqlite3.SQLITE_FUNCTION and (name or "").lower() in _FUNCTIONS)
        )
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def put(self, entries: Iterable[Entry]) -> int:
        """Have these entries on the table, and no others; return how many.

        Where lists in them have very many items, that is fewer than were given, and one at least.
        """
        # Entries with the same fields are inserted together: a column left out costs nothing.
        alike: defaultdict[tuple[int, ...], list[tuple[Any, ...]]] = defaultdict(list)
        several: list[tuple[int, str, str]] = []
        needed, of_all = self._needed, self._of_all
        self.rows = {}
        for seq, fields, body, _ in entries:
            row, more = self._fields.row(fields, body)
            self.rows[seq] = row
            if of_all is not None and not needed.by(row, more):
                row = {column: row[column] for column in of_all if column in row}
            alike[tuple(row)].append((seq, *row.values()))
            for column, values in more.items():
                if column in row:
                    name = self._fields.names[column].lower()
                    several += [(seq, name, value) for value in values]
            if len(several) > MOST_VALUES:
                break
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM entries")
        self._database.execute("DELETE FROM several")
        for columns, rows in alike.items():
            self._database.executemany(self._insertion(columns), rows)
        self._database.executemany("INSERT INTO several VALUES (?, ?, ?)", several)
        self._database.execute("COMMIT")
        return len(self.rows)

    def _insertion(self, columns: tuple[int, ...]) -> str:
        names = "".join(f", {quoted(self._fields.names[column])}" for column in columns)
        marks = ", ?" * len(columns)
        return f"INSERT INTO entries (number{names}) VALUES (?{marks})"  # noqa: S608 -- quoted

    def fitting(self, condition: str) -> list[int]:
        """Return the ``seq`` of the entries on which a condition is true, in order.

        :raises RuleError: if it cannot be tried.
        """
        with self._only_reading():
            try:
                sql = f"SELECT number FROM entries WHERE {condition} ORDER BY number"  # noqa: S608
                return [seq for (seq,) in self._database.execute(sql)]
            except sqlite3.Error as problem:
                raise RuleError(f"cannot be run: {problem}") from None

    @contextmanager
    def _only_reading(self) -> Iterator[None]:
        """While a rule is tried, it may only read, and not for long."""
        steps = iter(range(_STEPS // _STEP))
        self._trying = True
        self._database.set_progress_handler(lambda: next(steps, None) is None, _STEP)
        try:
            yield
        finally:
            self._trying = False
            self._database.set_progress_handler(None, 0)

    def value(self, seq: int, field: str) -> str | None:
        """Return the value of a field, as text."""
        return self.rows[seq].get(self._columns[field.lower()])


def quoted(name: str) -> str:
    """Return a name as SQLite has it: no text in it is SQL."""
    return "`" + name.replace("`", "``") + "`"


@lru_cache(maxsize=1024)
def expression(pattern: str) -> Any:
    """Return a regular expression that takes linear time, whatever the text.

    :raises RuleError: if it is not one of RE2.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        raise RuleError(f"must have regular expressions that RE2 takes: {problem}") from None


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and expression(pattern).search(text) is not None

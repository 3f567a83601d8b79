"""``query``: which entries a log has, as a table or for other programs."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import click

from chained_logging.cli.archive import archive_option
from chained_logging.cli.options import log_argument, origin_option, refuse_options
from chained_logging.cli.output import complain, write
from chained_logging.cli.reading import reason_option, record_reading
from chained_logging.cli.types import Parsed
from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical
from chained_logging.formats import csv
from chained_logging.review.archive.moved import last_moved
from chained_logging.review.filter import ANY, Filter, seq_range
from chained_logging.review.moments import moment, spoken
from chained_logging.review.opening import is_url, open_log, stored
from chained_logging.review.purged import purged
from chained_logging.review.query import Engine
from chained_logging.review.questions import NAMES, narrowed, question
from chained_logging.review.reading import Reading
from chained_logging.review.rows import HEADS, cells, more
from chained_logging.review.silence import explain, explain_answer
from chained_logging.sinks import JSONL_SUFFIXES
from chained_logging.text import printable

_WIDTHS: Final = dict(zip(HEADS, (8, 27, 20, 16, 30, 8, 15), strict=True))
_FOLLOWED: Final = 1.0  # seconds between two looks at a log that is followed

_LOOKED_AT: Final = 1000  # entries that a question is about: a database's chain is not read whole

SINCE: Final = Parsed("TIME", moment)
UNTIL: Final = Parsed("TIME", lambda text: moment(text, latest=True))
_SEQ: Final = Parsed("RANGE", seq_range)

_FIELDS: Final = {
    "actor": ("ID", "this actor_id"),
    "actor_type": ("TYPE", "this type of actor: user, service, admin or system"),
    "on_behalf_of": ("ID", "an actor who acted for this person"),
    "action": ("NAME", "this action"),
    "resource": (
        "NAME",
        "this resource, alone or among others, or as a parameter of the request: TYPE, ID, "
        "TYPE/ID, a URL, an ARN or a path",
    ),
    "result": ("RESULT", "this result: success, failure, denied or unknown"),
    "ip": ("ADDRESS", "this address"),
    "user_agent": ("TEXT", "this user agent"),
    "session": ("ID", "this session_id"),
    "tenant": ("ID", "this tenant_id"),
    "trace_id": ("ID", "this trace (32 hexadecimal digits)"),
    "id": ("ID", "this id, which ordinary log lines have as audit_id"),
    "changed": ("FIELD", "this field among the changed ones"),
    "text": ("WORDS", "all of these words in context, reason or old_values; inv* is a beginning"),
}
"""The options that can be given several times, and what an entry must have."""


def filter_options(command: Any) -> Any:
    """Add an option for each field of a filter. :func:`filter_of` takes what they are given."""
    times = (
        "such as 30d, today, 2026-01-31 or 2026-01-31T09:30. A time is local unless it ends with "
        "Z or an offset."
    )
    options = [
        click.option(f"--{name.replace('_', '-')}", name, metavar=kind, multiple=True, help=help)
        for name, (kind, what) in _FIELDS.items()
        for help in [f"Only entries with {what}."]
    ]
    options += [
        click.option("--since", type=SINCE, help=f"Only entries from this time on, {times}"),
        click.option("--until", type=UNTIL, help=f"Only entries before this time, {times}"),
        click.option("--seq", type=_SEQ, help="Only these numbers: 7, 100-200 or 100-."),
        click.option(
            "--incomplete", is_flag=True, help="Only entries with a missing or invalid field."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def filter_of(given: dict[str, Any]) -> Filter:
    """Return the filter that the options of :func:`filter_options` make.

    :raises ValueError: if a text has no word in it.
    """
    first, last = given.pop("seq") or (None, None)
    traces = tuple(map(str.lower, given.pop("trace_id")))
    return Filter(**given, trace_id=traces, first_seq=first, last_seq=last)


@click.command()
@log_argument(exists=True, stores=True)
@filter_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N matches.")
@click.option("--question", "asked", type=click.Choice(NAMES), help="Answer this question.")
@origin_option
@archive_option
@click.option("--json", "as_json", is_flag=True, help="Print the stored entries as JSON Lines.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every field as CSV.")
@click.option("--follow", is_flag=True, help="Go on with entries that are appended later.")
@click.option(
    "--fresh", is_flag=True, help="Read the whole log, and use no index that is there already."
)
@click.option(
    "--index", "indexed", is_flag=True, help="Make the index of a log in SQLite, and keep it."
)
@reason_option
@click.option("--no-pager", is_flag=True, help="On a terminal: print the table at once.")
def query(
    log: str,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    follow: bool,
    fresh: bool,
    indexed: bool,
    asked: str | None,
    origin: str | None,
    archive: str | None,
    no_pager: bool,
    reason: str | None,
    **filters: Any,
) -> None:
    """Find entries of LOG.

    An option that is given several times finds entries with any of its values. Different options
    must all fit.

    The entries are not verified: use chained-logging verify for that. Control characters are shown
    as escapes.

    The log records that it was read: by whom, with which options, how many entries, and why.
    """
    refuse_options(as_json, "cannot be combined with --json", "as_csv")
    wanted = filter_of(filters)
    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    refuse_options(fresh, "cannot be combined with --fresh", "indexed")
    refuse_options(asked is not None, "cannot be combined with --question", "limit", "follow")
    if (
        as_json
        and wanted == ANY
        and not (limit or follow or asked or indexed or archive or is_url(log))
    ):  # as it stands, whatever it is
        read = record_reading(log, Reading("query", reason=reason))
        for entry in takewhile(lambda entry: entry.seq != read, stored(log)):
            write(entry.line + b"\n")
        return
    with _opened(log, archive, origin=origin, fresh=fresh, indexed=indexed) as engine:
        say_times(wanted)
        before = _recorded(log, engine, wanted, asked, limit, reason)
        wanted = wanted if follow else before
        if asked is not None:
            _answer(engine, asked, wanted, as_json, as_csv)
        else:
            _Found(engine, wanted, as_json, as_csv).give(limit, follow, paged=not no_pager)
        sys.stdout.flush()
        for each in purged(engine, wanted):
            complain(each.sentence)
        if engine.store.fault is not None:
            complain(f"{engine.store.fault}: run chained-logging verify")
            raise SystemExit(1)


@contextlib.contextmanager
def _opened(log: str, archive: str | None, **options: Any) -> Iterator[Engine]:
    """Open a log, with what is in an archive."""
    if archive is None:
        with open_log(log, **options) as engine:
            for words, where in _elsewhere(log, engine):
                complain(
                    f"{words} are in the archive {where}, and are not looked at: give it with "
                    "--archive"
                )
            yield engine
        return
    from chained_logging.review.archive.stores import at_hand

    if is_url(log):
        with open_log(log, archive=(archive, ()), **options) as engine:
            yield engine
        return
    if Path(log).suffix not in JSONL_SUFFIXES:
        raise click.UsageError("--archive is for logs in JSON Lines and in postgresql://")
    with (
        at_hand(archive, Path(log)) as paths,
        open_log(log, archive=(archive, paths), **options) as engine,
    ):
        yield engine


def _elsewhere(log: str, engine: Engine) -> Iterator[tuple[str, str]]:
    """Yield what is in archives, in words, and where."""
    if log.startswith(("postgresql://", "postgres://")):
        from chained_logging.review.postgres import PostgresLog

        if isinstance(engine.store, PostgresLog):
            for archive, last in engine.store.moved().items():
                yield f"entries of past months, up to {last:,},", archive
    elif moved := last_moved(engine):
        yield f"entries 0 to {moved.last_seq:,}", moved.archive


def _recorded(
    log: str,
    engine: Engine,
    wanted: Filter,
    asked: str | None,
    limit: int | None,
    reason: str | None,
) -> Filter:
    """Record the reading, and return the filter for what there was before."""
    count = engine.count(wanted)
    about = {"question": asked} if asked else {}
    shown = min(count, limit or count)
    read = record_reading(log, Reading("query", wanted, shown, reason, about))
    ends = wanted.last_seq is not None
    return wanted.narrowed(last_seq=read - 1) if read and count and not ends else wanted


def _answer(engine: Engine, asked: str, wanted: Filter, as_json: bool, as_csv: bool) -> None:
    """Print the answer to a named question, after a look at some of what it is about."""
    columns, rows = engine.ask(asked, wanted)
    about = narrowed(wanted, question(asked).narrowed)
    deque(engine.every(about, limit=_LOOKED_AT, order="newest"), maxlen=0)  # notes faults
    if as_json:
        for row in rows:
            write(canonical(dict(zip(columns, row, strict=True))) + b"\n")
    elif as_csv:
        for row in (columns, *rows):
            write(csv.row(row).encode())
    else:
        complain(question(asked).asks)
        for line in _table(columns, rows):
            click.echo(line)
    if not rows:
        sys.stdout.flush()
        for sentence in explain_answer(engine, wanted):
            complain(sentence)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    shown = [list(map(_shown, row)) for row in rows]
    widths = [min(40, max(map(len, column))) for column in zip(columns, *shown, strict=True)]
    for row in (columns, *shown):
        yield "  ".join(map(_cell, row, widths)).rstrip()


def _shown(value: object) -> str:
    """Return a value as a cell of a table shows it."""
    return "-" if value is None else printable(str(value))


def say_times(wanted: Filter) -> None:
    """Say which instants a person's times are."""
    said = [
        f"{name} {spoken(time)}"
        for name, time in (("since", wanted.since), ("before", wanted.until))
        if time is not None
    ]
    if said:
        complain(", ".join(said))


class _Found:
    """The entries that somebody asked for, in one of the forms."""

    def __init__(self, engine: Engine, wanted: Filter, as_json: bool, as_csv: bool) -> None:
        self._engine = engine
        self._wanted = wanted
        self._table = not (as_json or as_csv)
        self._count = 0
        self._next = 0  # where to go on to follow
        self._form: Callable[[AuditEntry], bytes] = _json if as_json else _csv if as_csv else _row
        self._head = csv.row(csv.COLUMNS) if as_csv else _head() if self._table else ""

    def give(self, limit: int | None, follow: bool, *, paged: bool) -> None:
        """Print the answer, through a pager if it is a table on a terminal."""
        lines = self._lines(limit)
        if self._table and paged and not follow and sys.stdout.isatty():
            click.echo_via_pager(line.decode() for line in lines)
        else:
            for line in lines:
                write(line)
        if self._count == 0:
            sys.stdout.flush()
            for sentence in explain(self._engine, self._wanted):
                complain(sentence)
        elif self._table:
            complain(f"{self._count:,} {'entry' if self._count == 1 else 'entries'}")
        while follow:
            sys.stdout.flush()
            time.sleep(_FOLLOWED)
            self._engine.store.refresh()
            for line in self._later():
                write(line)

    def _lines(self, limit: int | None) -> Iterator[bytes]:
        yield self._head.encode()
        yield from self._formed(self._found(limit))

    def _found(self, limit: int | None) -> Iterable[AuditEntry]:
        if limit is None:
            return self._engine.every(self._wanted)
        limit = min(limit, sys.maxsize - 1)
        return reversed(list(self._engine.every(self._wanted, limit=limit, order="newest")))

    def _later(self) -> Iterator[bytes]:
        first = max(self._next, self._wanted.first_seq or 0)
        yield from self._formed(self._engine.every(self._wanted.narrowed(first_seq=first)))

    def _formed(self, entries: Iterable[AuditEntry]) -> Iterator[bytes]:
        for entry in entries:
            self._count += 1
            self._next = entry.seq + 1
            yield self._form(entry)


def _json(entry: AuditEntry) -> bytes:
    return entry.line + b"\n"


def _csv(entry: AuditEntry) -> bytes:
    return csv.row(csv.values(entry)).encode()


def _head() -> str:
    return "  ".join(head.ljust(width) for head, width in _WIDTHS.items()).rstrip() + "\n"


def _row(entry: AuditEntry) -> bytes:
    fitted = [
        _cell(printable(text), width, more(entry) if head == "resource" else "")
        for text, (head, width) in zip(cells(entry), _WIDTHS.items(), strict=True)
    ]
    row = "  ".join(fitted).rstrip()
    if entry.incomplete:
        row += printable("  incomplete: " + ", ".join(entry.context["invalid"]))
    return f"{row}\n".encode()


def _cell(text: str, width: int, end: str = "") -> str:
    width -= len(end)
    if len(text) > width:
        text = text[: width - 1] + "…"
    return (text + end).ljust(width + len(end))

"""``show``: entries as a table."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from chained_logging.cli.options import log_argument
from chained_logging.cli.output import complain, write
from chained_logging.cli.types import Parsed
from chained_logging.event.entry import AuditEntry
from chained_logging.review.query import ANY, Filter, legible, moment, read_entries
from chained_logging.text import printable

_TIME: Final = Parsed("TIME", moment)
_TRACE: Final = Parsed("ID", str.lower)

_COLUMNS: Final = {
    "seq": 8,
    "timestamp": 27,
    "actor": 20,
    "action": 16,
    "resource": 30,
    "result": 8,
    "address": 15,
}
"""The head of each column, and its width in characters."""


def _filters(command: Any) -> Any:
    """Add an option for each field of :class:`~chained_logging.review.query.Filter`."""
    times = "such as 2026-01-31 or 2026-01-31T09:30. A time without an offset is in UTC."
    options = (
        click.option("--actor", metavar="ID", help="Show only entries with this actor_id."),
        click.option(
            "--on-behalf-of",
            metavar="ID",
            help="Show only entries whose actor acted for this person.",
        ),
        click.option("--tenant", metavar="ID", help="Show only entries with this tenant_id."),
        click.option(
            "--trace-id",
            type=_TRACE,
            help="Show only entries of this trace (32 hexadecimal digits).",
        ),
        click.option("--action", metavar="NAME", help="Show only entries with this action."),
        click.option(
            "--resource",
            metavar="NAME",
            help="Show only entries that name this resource, alone or among others: TYPE, TYPE/ID, "
            "a URL, an ARN or a path.",
        ),
        click.option(
            "--result",
            metavar="RESULT",
            help="Show only entries with this result: success, failure, denied or unknown.",
        ),
        click.option("--since", type=_TIME, help=f"Show only entries from this time on, {times}"),
        click.option("--until", type=_TIME, help=f"Show only entries before this time, {times}"),
        click.option(
            "--incomplete", is_flag=True, help="Show only entries with a missing or invalid field."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@log_argument(exists=True)
@_filters
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Show only the last N matches."
)
@click.option("--json", "as_json", is_flag=True, help="Print the stored entries as JSON Lines.")
def show(log: str, limit: int | None, as_json: bool, **filters: Any) -> None:
    """Print the entries of LOG as a table.

    The entries are not verified: use chained-logging verify for that. Control characters are shown
    as escapes.
    """
    wanted = Filter(**filters)
    entries = read_entries(Path(log), wanted)
    if not as_json or wanted != ANY:  # otherwise each is printed as stored
        entries = (entry for entry in legible(entries, log) if wanted.matches(entry))
    if limit:
        entries = iter(deque(entries, maxlen=min(limit, sys.maxsize)))
    if as_json:
        for entry in entries:
            write(entry.line + b"\n")
    else:
        _print_table(entries)


def _print_table(entries: Iterable[AuditEntry]) -> None:
    click.echo("  ".join(head.ljust(width) for head, width in _COLUMNS.items()).rstrip())
    count = 0
    for entry in entries:
        count += 1
        click.echo(_row(entry))
    complain(f"{count} {'entry' if count == 1 else 'entries'}")


def _row(entry: AuditEntry) -> str:
    cells = (
        str(entry.seq),
        entry.timestamp,
        _actor(entry),
        entry.action,
        _resource(entry),
        entry.result,
        entry.ip_address or "-",
    )
    fitted = zip(cells, _COLUMNS.values(), strict=True)
    row = "  ".join(_cell(printable(text), width) for text, width in fitted).rstrip()
    if entry.incomplete:
        row += printable("  incomplete: " + ", ".join(entry.context["invalid"]))
    return row


def _actor(entry: AuditEntry) -> str:
    actor: str = entry.actor_id
    if entry.actor_type != "user":
        actor += f" ({entry.actor_type})"
    return f"{actor} for {entry.on_behalf_of}" if entry.on_behalf_of else actor


def _resource(entry: AuditEntry) -> str:
    """Return the cell of an entry's resource, with how many others it names."""
    more = f" +{len(entry.resources)}" if entry.resources else ""
    width = _COLUMNS["resource"] - len(more)
    return _cell(f"{entry.resource_type}/{entry.resource_id}", width).rstrip() + more


def _cell(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"

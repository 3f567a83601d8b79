"""The commands. Thin: what they do is elsewhere.

Exit 0: well, or intact. 1: tampered or incomplete. 2: could not be done or checked.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from chained_logging.chain import MAX_BODY
from chained_logging.entry import AuditEntry, InvalidEntry
from chained_logging.log import AuditLog
from chained_logging.review.export import export_log
from chained_logging.review.query import Filter, printable, read_entries
from chained_logging.verify import main as verify_main

# Ten times a body: what a line of input may hold. Larger values are stored as their digests.
_MAX_INPUT = 10 * MAX_BODY


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chained_logging")
def cli() -> None:
    """Keep an audit log that anyone can check."""


@cli.command()
@click.argument("log", type=click.Path(dir_okay=False))
@click.option("--strict", is_flag=True, help="Refuse an event with a missing or invalid field.")
@click.option("--fsync", is_flag=True, help="Have each entry on the disk before the next.")
@click.option("--origin", help="The name of a new log.")
@click.option("--json", "as_json", is_flag=True, help="Print each stored entry.")
def append(log: str, strict: bool, fsync: bool, origin: str | None, as_json: bool) -> None:
    """Append entries to LOG from JSON Lines on standard input.

    Each line is an object with the fields of an entry, under their names or
    aliases: {"action": "backup", "actor": "cron", "actor_type": "service",
    "resource": "database/main"}. A line that cannot be taken is named by its
    number on standard error, and the rest is appended all the same; the exit
    status is then 1.
    """
    refused = appended = incomplete = 0
    durability = "fsync" if fsync else "os"
    with AuditLog(
        log,
        durability=durability,  # type: ignore[arg-type]  # one of the two, as written above
        on_failure="raise",
        strict=strict,
        origin=origin,
    ) as audit:
        for number, line in _input_lines():
            try:
                entry = audit.append_many([_event(line)])[0]
            except InvalidEntry as problem:
                refused += 1
                click.echo(f"line {number}: {problem}", err=True)
            except ValueError as problem:
                refused += 1
                click.echo(f"line {number}: {printable(str(problem))}", err=True)
            else:
                appended += 1
                incomplete += entry.incomplete
                if as_json:
                    _write(entry.line + b"\n")
    summary = f"{appended} appended, {incomplete} of them incomplete, {refused} refused"
    click.echo(summary, err=True)
    sys.exit(1 if refused else 0)


def _input_lines() -> Iterator[tuple[int, bytes | None]]:
    """Yield numbered lines of standard input; None for one that is too long."""
    stdin = sys.stdin.buffer
    number = 0
    while line := stdin.readline(_MAX_INPUT):
        number += 1
        too_long = len(line) == _MAX_INPUT and not line.endswith(b"\n")
        while too_long and line and not line.endswith(b"\n"):
            line = stdin.readline(_MAX_INPUT)
        if too_long:
            yield number, None
        elif line.strip():
            yield number, line


def _event(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise ValueError(f"is longer than {_MAX_INPUT:,} bytes")
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"is not JSON: {problem}") from None
    if not isinstance(event, dict):
        raise ValueError("is not a JSON object")
    return event


@cli.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> None:
    """Check everything in LOG… that can be checked.

    The same as running chained_logging/verify.py, which needs nothing of this package.
    """
    sys.exit(verify_main(list(arguments)))


def _filters(command: Any) -> Any:
    options = (
        click.option("--actor", help="Only entries of this actor_id."),
        click.option("--action", help="Only this action."),
        click.option("--resource", help="Only this resource: TYPE or TYPE/ID."),
        click.option("--result", help="Only success, failure, denied or unknown."),
        click.option("--since", help="Not before this time (RFC 3339, or a date, in UTC)."),
        click.option("--until", help="Before this time."),
        click.option("--incomplete", is_flag=True, help="Only incomplete entries."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@click.argument("log", type=click.Path(dir_okay=False, exists=True))
@_filters
@click.option("--limit", type=click.IntRange(min=1), help="The last N that match.")
@click.option("--json", "as_json", is_flag=True, help="Print stored entries, one a line.")
def show(log: str, limit: int | None, as_json: bool, **options: Any) -> None:
    """Print the entries of LOG as a table.

    Nothing is verified here. Control characters are shown as escapes.
    """
    from collections import deque

    matching = (e for e in read_entries(Path(log)) if _filter(options).matches(e))
    entries: Iterator[AuditEntry] = iter(deque(matching, maxlen=limit)) if limit else matching
    if as_json:
        for entry in entries:
            _write(entry.line + b"\n")
        return
    widths = (8, 27, 20, 16, 30, 8, 15)
    heads = ("seq", "timestamp", "actor", "action", "resource", "result", "address")
    click.echo("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip())
    count = 0
    for entry in entries:
        count += 1
        cells = (
            str(entry.seq),
            entry.timestamp,
            entry.actor_id + ("" if entry.actor_type == "user" else f" ({entry.actor_type})"),
            entry.action,
            f"{entry.resource_type}/{entry.resource_id}",
            entry.result,
            entry.ip_address or "-",
        )
        mark = "  incomplete: " + ", ".join(entry.context["invalid"]) if entry.incomplete else ""
        row = "  ".join(_cell(printable(c), w) for c, w in zip(cells, widths, strict=True))
        click.echo(row.rstrip() + printable(mark))
    click.echo(f"{count} {'entry' if count == 1 else 'entries'}", err=True)


def _cell(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _filter(options: dict[str, Any]) -> Filter:
    return Filter(
        actor=options["actor"],
        action=options["action"],
        resource=options["resource"],
        result=options["result"],
        since=_moment(options["since"], "--since"),
        until=_moment(options["until"], "--until"),
        incomplete=options["incomplete"],
    )


def _moment(text: str | None, option: str) -> str | None:
    if text is None:
        return None
    from chained_logging.values import timestamp_text

    try:
        moment = dt.datetime.fromisoformat(text)
        return timestamp_text(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):
        raise click.UsageError(f"{option} is not a time: {printable(text)!r}") from None


@cli.command()
@click.argument("log", type=click.Path(dir_okay=False, exists=True))
@click.argument("file", type=click.Path(dir_okay=False), required=False)
def export(log: str, file: str | None) -> None:
    """Copy the stored entries of LOG, byte for byte, to FILE or standard output.

    A FILE with the suffix of a log (.jsonl, .db) becomes a log of that kind
    with the same entries and the same hashes. An existing FILE is refused.
    """
    if file is None:
        for entry in read_entries(Path(log)):
            _write(entry.line + b"\n")
        return
    count, last = export_log(Path(log), Path(file))
    click.echo(f"{count} entries, the last hash {last}", err=True)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)


def main() -> NoReturn:
    """Run a command; a failure is one sentence and exit status 2, never a traceback."""
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # the reader has seen enough: `show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (OSError, ValueError) as problem:
        click.echo(f"chained-logging: {printable(str(problem))}", err=True)
        sys.exit(2)
    sys.exit(0)

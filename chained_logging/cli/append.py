"""``append``: events on standard input become entries."""

from __future__ import annotations

import sys
from typing import Any

import click

from chained_logging.cli.options import log_argument, open_writer, writer_options
from chained_logging.cli.output import complain, write
from chained_logging.event.input import numbered_lines, parse_event


@click.command()
@log_argument()
@writer_options
@click.option("--json", "as_json", is_flag=True, help="Print each stored entry as JSON.")
def append(log: str, as_json: bool, **writer: Any) -> None:
    """Append entries to LOG from JSON Lines on standard input.

    Each line is a JSON object with the fields of one entry, by name or alias:
    {"action": "backup", "actor": "cron", "actor_type": "service",
    "resource": "database/main"}.

    Refused lines are reported with their numbers on standard error. The other
    lines are still appended, and the exit status is 1.
    """
    refused = appended = incomplete = 0
    with open_writer(log, **writer) as audit:
        for number, line in numbered_lines(sys.stdin.buffer):
            try:
                entry = audit.append_many([parse_event(line)])[0]
            except ValueError as problem:
                refused += 1
                complain(f"line {number}: {problem}")
            else:
                appended += 1
                incomplete += entry.incomplete
                if as_json:
                    write(entry.line + b"\n")
    complain(f"{appended} appended, {incomplete} of them incomplete, {refused} refused")
    sys.exit(1 if refused else 0)

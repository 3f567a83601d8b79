"""``append``: events on standard input, or in files, become entries."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Final

import click

from chained_logging.cli.options import log_argument, open_writer, writer_options
from chained_logging.cli.output import complain, write
from chained_logging.cli.types import FilePath
from chained_logging.event.input import numbered_lines, parse_event

Given = tuple[str, dict[str, Any] | str]
"""Where an event was, and its fields; or, as text, why it is refused."""


@click.command()
@log_argument()
@click.argument("files", type=FilePath(dir_okay=False, exists=True), nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.Choice(["cloudtrail"]),
    help="What wrote the events: AWS CloudTrail.",
)
@writer_options
@click.option("--json", "as_json", is_flag=True, help="Print each stored entry as JSON.")
def append(
    log: str, files: Sequence[str], source: str | None, as_json: bool, **writer: Any
) -> None:
    """Append entries to LOG from JSON Lines on standard input, or in FILES.

    Each line is a JSON object with the fields of one entry, by name or alias:
    {"action": "backup", "actor": "cron", "actor_type": "service",
    "resource": "database/main"}.

    With --from cloudtrail, each line is an event of AWS CloudTrail; or a file,
    also packed with gzip, has the events in Records, as AWS delivers them.

    Refused lines are reported with their numbers on standard error. The other
    lines are still appended, and the exit status is 1.
    """
    refused = appended = incomplete = 0
    with open_writer(log, **writer) as audit:
        for where, event in _given(files, _SOURCES[source]):
            try:
                entries = audit.append_many([_accepted(event)])
            except ValueError as problem:
                refused += 1
                complain(f"{where}: {problem}")
                continue
            appended += 1
            incomplete += entries[0].incomplete
            if as_json:
                for entry in entries:
                    write(entry.line + b"\n")
    complain(f"{appended} appended, {incomplete} of them incomplete, {refused} refused")
    sys.exit(1 if refused else 0)


def _given(
    files: Sequence[str], read: Callable[[io.BufferedReader], Iterator[Given]]
) -> Iterator[Given]:
    for name in files or ("-",):
        is_input = name == "-"
        with nullcontext(sys.stdin.buffer) if is_input else open(name, "rb") as file:
            for where, event in read(file):  # type: ignore[arg-type]  # both are buffered
                yield where if is_input else f"{name}: {where}", event


def _accepted(event: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(event, str):
        raise ValueError(event)
    return event


def _plain(file: io.BufferedReader) -> Iterator[Given]:
    for number, line in numbered_lines(file):
        try:
            yield f"line {number}", parse_event(line)
        except ValueError as problem:
            yield f"line {number}", str(problem)


def _cloudtrail(file: io.BufferedReader) -> Iterator[Given]:
    from chained_logging.collector import cloudtrail, cloudtrail_files  # brings asyncio

    for where, event in cloudtrail_files.read(file):
        yield where, event if isinstance(event, str) else cloudtrail.fields(event)


_SOURCES: Final = {None: _plain, "cloudtrail": _cloudtrail}

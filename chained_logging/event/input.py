"""Events that other programs write: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedIOBase
from typing import IO, Any, Final

from chained_logging.format.line import MAX_BODY

MAX_LINE: Final = 10 * MAX_BODY
"""Largest size of one event, in bytes. Values that an entry cannot hold are stored as their
digests."""
Readable = IO[bytes] | BufferedIOBase
TOO_LONG: Final = f"a line must have at most {MAX_LINE:,} bytes"


def parse_event(line: bytes | str) -> dict[str, Any]:
    """Parse an event.

    :param line: the JSON; or, as text, why the line was refused.
    :raises ValueError: if the line is not a JSON object, or was refused.
    """
    if isinstance(line, str):
        raise ValueError(line)
    try:
        event = json.loads(line.decode())  # of bytes it would take UTF-16, and a byte order mark
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"is not JSON: {problem}") from None
    if not isinstance(event, dict):
        raise ValueError("is not a JSON object")
    return event


def numbered_lines(file: Readable) -> Iterator[tuple[int, bytes | str]]:
    """Yield the lines of a file that are not blank, each with its number, counted from 1.

    A line that is too long is never held in memory: :data:`TOO_LONG` is yielded in its place.
    """
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        whole = len(line) <= MAX_LINE or line.endswith(b"\n")
        if not whole:
            _skip(file)
            yield number, TOO_LONG
        elif line.strip():
            yield number, line


def _skip(file: Readable) -> None:
    """Read on to the end of the line."""
    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass

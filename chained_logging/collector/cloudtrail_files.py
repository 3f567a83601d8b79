"""Reads events of AWS CloudTrail: JSON Lines, or the files that AWS delivers, also as gzip."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.event.input import MAX_LINE, numbered_lines, parse_event

MAX_FILE: Final = 64 << 20
"""Largest size of a file with ``Records``, in bytes, unpacked: it is read as a whole."""
_GZIP: Final = b"\x1f\x8b"
_BLANKS: Final = re.compile(r"\s*")
_BROKEN: Final = (OSError, EOFError, zlib.error)

Read = tuple[str, dict[str, Any] | str]
"""Where an event was, and the event; or, as text, why it is refused."""


def read(file: io.BufferedReader) -> Iterator[Read]:
    """Yield the events of a file, in order. What is refused costs no other event.

    :param file: JSON Lines; or JSON with ``Records``, a list, or several such one after another.
    """
    packed = file.peek(2)[:2] == _GZIP
    try:
        yield from _read(gzip.GzipFile(fileobj=file) if packed else file)
    except _BROKEN as problem:
        if not packed:
            raise
        yield "the file", f"is not whole: {problem}"


def _read(file: io.BufferedIOBase) -> Iterator[Read]:
    head = file.readline(MAX_LINE + 1)
    if _is_event(head):
        yield from _lines(itertools.chain([(1, head)], _counted(file, 1)))
        return
    data = head + file.read(max(0, MAX_FILE + 1 - len(head)))
    if len(data) > MAX_FILE:
        yield "the file", f"must have at most {MAX_FILE:,} bytes, unpacked: divide it"
        return
    documents = _documents(data)
    if documents is None:  # the first line is the one that is wrong
        yield from _lines(_counted(io.BytesIO(data), 0))
        return
    events = itertools.chain.from_iterable(map(_records, documents))
    for number, event in enumerate(events, 1):
        yield f"record {number}", event


def _counted(file: io.BufferedIOBase, before: int) -> Iterator[tuple[int, bytes | str]]:
    return ((number + before, line) for number, line in numbered_lines(file))


def _is_event(line: bytes) -> bool:
    try:
        return "Records" not in parse_event(line)
    except ValueError:
        return False


def _lines(lines: Iterable[tuple[int, bytes | str]]) -> Iterator[Read]:
    for number, line in lines:
        try:
            document = parse_event(line)
        except ValueError as problem:
            yield f"line {number}", str(problem)
            continue
        for event in _records(document):
            yield f"line {number}", event


def _documents(data: bytes) -> list[Any] | None:
    """Return the JSON values of a file that stand one after another; None if it is not such."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    try:
        text = data.decode()
        at = _next(text, 0)
        while at < len(text):
            value, end = decoder.raw_decode(text, at)
            found.append(value)
            at = _next(text, end)
    except (ValueError, RecursionError):
        return None
    return found


def _next(text: str, at: int) -> int:
    """Return where the blanks at a place of a text end."""
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _records(document: Any) -> Iterator[dict[str, Any] | str]:
    """Yield the events of a JSON value: an event, a list of them, or an object with ``Records``."""
    if isinstance(document, dict) and isinstance(document.get("Records"), list):
        document = document["Records"]
    for event in document if isinstance(document, list) else [document]:
        yield event if isinstance(event, dict) else "is not a JSON object"

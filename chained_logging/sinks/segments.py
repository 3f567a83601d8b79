"""Sealed segments of a JSON Lines log: their names, and the manifest that lists them.

When a log ``audit.jsonl`` is large or old enough, it is renamed to
``audit.00000000000000000000.jsonl``, after the ``seq`` of its first entry, and
continues in a new ``audit.jsonl``. A sealed segment is never written to again.
``audit.jsonl.manifest`` gets one line for each segment, in canonical JSON. It is
a catalogue for tools that ship or count segments; only the chain proves them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from chained_logging.errors import NotALog
from chained_logging.files.durable import replace_file
from chained_logging.files.own import open_file, open_regular, require_own
from chained_logging.format.canonical import canonical
from chained_logging.format.line import position
from chained_logging.format.stub import Stub
from chained_logging.sinks.lines import parsed


class Segment(NamedTuple):
    """One line of the manifest."""

    bytes: int
    file: str
    first_prev_hash: str
    first_seq: int
    last_hash: str
    last_seq: int
    sha256: str


def segment_path(log: Path, first_seq: int) -> Path:
    """Return a sealed segment's path: with 20 digits, so that names sort as entries do."""
    return log.with_name(f"{log.stem}.{first_seq:020d}{log.suffix}")


def segment_paths(log: Path) -> list[Path]:
    """Return the sealed segments beside a log, first to last."""
    name = re.compile(re.escape(log.stem) + r"\.[0-9]{20}" + re.escape(log.suffix))
    return sorted(path for path in log.parent.iterdir() if name.fullmatch(path.name))


def manifest_path(log: Path) -> Path:
    """Return the path of a log's manifest."""
    return log.with_name(f"{log.name}.manifest")


def listed_name(path: Path) -> str:
    """Return a segment's name as the manifest spells it: bytes that are not UTF-8 as ``\\xff``."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


def read_manifest(log: Path) -> list[Segment]:
    """Return the listed segments, first to last. A torn last line is skipped.

    :raises NotALog: if any other line does not describe a segment.
    """
    try:
        with open_regular(manifest_path(log)) as file:
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    try:
        return [Segment(**json.loads(line)) for line in lines]
    except (TypeError, ValueError) as error:
        raise NotALog(f"{manifest_path(log)} is not a manifest: {error}") from None


def complete_manifest(log: Path) -> list[Segment]:
    """List segments that a crash left sealed but unlisted, and return all of them.

    Only the holder of the log's lock may call this.

    :raises FAILURES: if a segment or the manifest cannot be read or written.
    """
    require_own(manifest_path(log))
    segments = read_manifest(log)
    listed = {segment.file for segment in segments}
    missing = [path for path in segment_paths(log) if listed_name(path) not in listed]
    if missing:
        for path in missing:
            segments.append(describe(path, segments[-1].last_hash if segments else None))
        lines = [canonical(segment._asdict()) + b"\n" for segment in segments]
        # Rewrite all of it, as the last line may be torn.
        replace_file(manifest_path(log), b"".join(lines))
    return segments


def describe(path: Path, before: str | None = None) -> Segment:
    """Read a whole segment, and return its line for the manifest.

    :param before: the hash of the entry before it, for a segment that begins with a stub, which
        does not name that hash; None if it is not known.
    :raises FAILURES: if it cannot be read, or does not begin and end with an entry or a stub.
    """
    digest, size, first, last = hashlib.sha256(), 0, b"", b""
    with open_file(path, "rb") as file:
        for line in file:
            digest.update(line)
            size += len(line)
            first, last = first or line, line
    try:
        begin, end = parsed(first[:-1]), parsed(last[:-1])
        first_prev = before or "" if isinstance(begin, Stub) else position(begin.body)[1]
    except ValueError as error:
        raise NotALog(f"{path} is not a segment: {error}") from None
    facts: dict[str, Any] = {"bytes": size, "file": listed_name(path), "sha256": digest.hexdigest()}
    return Segment(
        first_prev_hash=first_prev,
        first_seq=begin.seq,
        last_hash=end.hash,
        last_seq=end.seq,
        **facts,
    )

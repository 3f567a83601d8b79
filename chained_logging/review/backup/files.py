"""A log's files, copied while it is written to.

SQLite's own backup copies one state of a database. Of a JSON Lines log, the sealed segments are
copied, and the beginning of the file that is written to, up to the last whole line. Checkpoints are
copied first: so none of them covers an entry that the copy lacks.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from chained_logging.errors import NotALog, StoreError
from chained_logging.files.own import open_regular
from chained_logging.format.canonical import canonical
from chained_logging.format.line import MAX_BODY
from chained_logging.review.backup.staging import Staging, blocks_of, sha256_of
from chained_logging.sinks.checkpoint_file import checkpoint_path
from chained_logging.sinks.segments import (
    Segment,
    describe,
    listed_name,
    manifest_path,
    read_manifest,
    segment_paths,
)

_MAX_LINE: Final = 2 * MAX_BODY
_ATTEMPTS: Final = 20
_EVIDENCE: Final = (".torn-*", ".unsigned.jsonl")


class Files(NamedTuple):
    """What a backup consists of, by name.

    :ivar made: what was copied, in the order in which it takes its place in the backup: what the
        backup is then is a log at every moment.
    :ivar kept: sealed segments that the backup has already.
    :ivar damaged: segments of the backup that were changed since they were copied there.
    """

    made: list[str]
    kept: list[str]
    damaged: list[str]


def copy_database(log: Path, staging: Staging) -> Files:
    """Copy one state of an SQLite log. Writers do not wait.

    :raises StoreError: if the database cannot be read, or the disk does not take it.
    """
    target = staging.file(log.name)
    staging.keep_only(())
    staging.write(log.name, ())  # for its owner alone
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # a file by itself
    except sqlite3.Error as error:
        raise StoreError(f"{log} cannot be copied to {staging.folder}: {error}") from error
    staging.sync(log.name)
    return Files([log.name, *_evidence(log, staging)], [], [])


def copy_lines(log: Path, staging: Staging) -> Files:
    """Copy a JSON Lines log with what is beside it. Writers do not wait.

    :raises OSError: if it cannot be read, or the disk does not take it.
    :raises NotALog: if a segment is not one.
    """
    side = _checkpoints(log, staging)
    with contextlib.ExitStack() as stack:
        # The file first: should it be sealed meanwhile, it still is what it was.
        active = stack.enter_context(_opened(log))
        sealed = _sealed_before(log, active)
        listed = {segment.file: segment for segment in read_manifest(log)}
        made = [path for path in sealed if not _is_there(path, listed, staging)]
        for path in made:
            _copy(path, staging, listed)
        size = _whole_lines(active)
        staging.write(log.name, blocks_of(active, size))
    kept = _kept(log, staging, {path.name for path in made})
    side += _manifest(log, staging, listed)
    new = [path.name for path in made if not (staging.folder / path.name).exists()]
    other = [path.name for path in made if path.name not in new]  # rewritten by a retention
    names = [*new, log.name, *other, *side, *_evidence(log, staging)]
    staging.keep_only(names)
    return Files(names, kept, _damaged(other, staging, log))


def _opened(log: Path) -> BinaryIO:
    for _ in range(_ATTEMPTS):
        try:
            return open_regular(log)
        except FileNotFoundError:
            time.sleep(0.005)  # another process may just be sealing it
    return open_regular(log)


def _sealed_before(log: Path, active: BinaryIO) -> list[Path]:
    """Return the segments that were sealed when the log's file was opened."""
    found = []
    for path in segment_paths(log):
        if os.path.samestat(os.stat(path), os.fstat(active.fileno())):
            break
        found.append(path)
    return found


def _is_there(path: Path, listed: dict[str, Segment], staging: Staging) -> bool:
    """Whether the backup, or an earlier call, has a segment with its SHA-256 already."""
    known = listed.get(listed_name(path))
    there = staging.folder / path.name
    size = known and there.exists() and there.stat().st_size
    return known is not None and size == known.bytes and sha256_of(there) == known.sha256


def _copy(path: Path, staging: Staging, listed: dict[str, Segment]) -> None:
    known = listed.get(listed_name(path))
    if known is None or sha256_of(staging.file(path.name)) != known.sha256:
        with open_regular(path) as file:
            staging.write(path.name, blocks_of(file))


def _whole_lines(file: BinaryIO) -> int:
    """Return how many bytes of whole lines a file has now. They are on the disk then."""
    os.fsync(file.fileno())
    size = os.fstat(file.fileno()).st_size
    tail = os.pread(file.fileno(), _MAX_LINE, max(0, size - _MAX_LINE))
    end = tail.rfind(b"\n") + 1
    if not end and size > _MAX_LINE:
        raise NotALog(f"{file.name} does not end with an entry: run chained-logging verify")
    return size - len(tail) + end


def _checkpoints(log: Path, staging: Staging) -> list[str]:
    path = checkpoint_path(log)
    try:
        with open_regular(path) as file:
            data = file.read()
    except FileNotFoundError:
        return []
    staging.write(path.name, [data[: data.rfind(b"\n") + 1]])
    return [path.name]


def _kept(log: Path, staging: Staging, made: set[str]) -> list[str]:
    """Return the segments of the backup that stay, those that left the log among them."""
    there = segment_paths(staging.folder / log.name)
    return [path.name for path in there if path.name not in made]


def _damaged(names: list[str], staging: Staging, log: Path) -> list[str]:
    """Return the segments of the backup that are not as its manifest says."""
    before = {one.file: one for one in read_manifest(staging.folder / log.name)}
    paths = [staging.folder / name for name in names]
    known = [(path, before.get(listed_name(path))) for path in paths]
    return [path.name for path, one in known if one and one.sha256 != sha256_of(path)]


def _manifest(log: Path, staging: Staging, listed: dict[str, Segment]) -> list[str]:
    """List the segments that the backup will have, as the log lists its own."""
    before = {one.file: one for one in read_manifest(staging.folder / log.name)}
    found = {path.name: path for path in segment_paths(staging.folder / log.name)}
    found |= {path.name: path for path in segment_paths(staging.file(log.name))}
    segments: list[Segment] = []
    for _, path in sorted(found.items()):
        digest = sha256_of(path)
        lines = (known.get(listed_name(path)) for known in (listed, before))
        same = next((line for line in lines if line and line.sha256 == digest), None)
        prev = segments[-1].last_hash if segments else None
        segments.append(same or describe(path, prev))
    if not segments:
        return []
    name = manifest_path(log).name
    staging.write(name, [canonical(segment._asdict()) + b"\n" for segment in segments])
    return [name]


def _evidence(log: Path, staging: Staging) -> Iterator[str]:
    """Copy what was moved aside, once: it never changes."""
    for pattern in _EVIDENCE:
        for path in sorted(log.parent.glob(f"{_escaped(log.name)}{pattern}")):
            there = staging.folder / path.name
            if there.exists() and there.stat().st_size == path.stat().st_size:
                continue
            with open_regular(path) as file:
                staging.write(path.name, blocks_of(file))
            yield path.name


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

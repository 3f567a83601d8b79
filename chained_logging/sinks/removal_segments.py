"""Removing entries from sealed segments: each is rewritten whole, with stubs in their place.

The new file is made beside the old one, without the log's lock, and takes its name when all of it
is on the disk. Until then its name is one that no other command takes: two may run at the same
time. Then its line in the manifest is replaced. A crash between the two leaves a line that says
another length, by which it is found.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from chained_logging.errors import BrokenLog
from chained_logging.files.durable import replace_file, sync_directory, sync_file
from chained_logging.files.own import new_file, open_regular, require_own
from chained_logging.format.canonical import canonical
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub, stub_line
from chained_logging.sinks.lines import MAX_LINE, head_of, parsed
from chained_logging.sinks.removal import MayGo, Named, Removal
from chained_logging.sinks.segments import (
    Segment,
    describe,
    listed_name,
    manifest_path,
    read_manifest,
    segment_paths,
)

_DRAFTS: Final = f"*.{'[0-9]' * 19}.new"  # the digits are nanoseconds


def removals(log: Path, named: Named) -> Iterator[Removal]:
    """Yield what removes the named entries, a segment at a time."""
    paths = iter(segment_paths(log))
    path, wanted = next(paths, None), list[tuple[int, int]]()
    end = -1 if path is None else head_of(path).seq
    for first, last in named:
        while path is not None and first <= last:
            if first > end:
                if wanted:
                    yield _Rewriting(log, path, wanted)
                path, wanted = next(paths, None), []
                end = -1 if path is None else head_of(path).seq
                continue
            wanted.append((first, min(last, end)))
            first = end + 1 if last > end else last + 1
    if path is not None and wanted:
        yield _Rewriting(log, path, wanted)


class _Rewriting:
    """Rewrites one segment."""

    def __init__(self, log: Path, path: Path, named: list[tuple[int, int]]) -> None:
        self._log = log
        self._path = path
        self._named = named
        self._draft: Path | None = None
        self._from: os.stat_result | None = None
        self._listed: Segment | None = None
        self._gone = 0

    def prepare(self, may_go: MayGo) -> None:
        require_own(self._path)
        self._discard()
        self._gone = 0
        draft = self._path.with_name(f"{self._path.name}.{time.time_ns()}.new")
        with open_regular(self._path) as old, new_file(draft) as new:
            self._draft = draft
            self._from = found = os.fstat(old.fileno())
            self._copy(old, new, may_go)
            new.flush()
            os.fchmod(new.fileno(), found.st_mode & 0o777)
            if found.st_gid != os.fstat(new.fileno()).st_gid:
                os.fchown(new.fileno(), -1, found.st_gid)
            sync_file(new.fileno())
        if self._gone:  # it takes as long as the segment is large: not under the log's lock
            self._listed = describe(draft)._replace(file=listed_name(self._path))

    def _discard(self) -> None:
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)
        self._draft = None

    def _copy(self, old: BinaryIO, new: BinaryIO, may_go: MayGo) -> None:
        ranges = iter(self._named)
        first, last = next(ranges, (0, -1))
        while line := old.readline(MAX_LINE):
            item = None
            with contextlib.suppress(ValueError):  # junk stays: the verifier names it
                item = parsed(line[:-1]) if line.endswith(b"\n") else None
            if isinstance(item, Record):
                while last >= first and item.seq > last:
                    first, last = next(ranges, (0, -1))
                if first <= item.seq <= last and may_go(item):
                    line = stub_line(Stub(item.seq, item.hash, item.signature)) + b"\n"
                    self._gone += 1
            new.write(line)

    def commit(self, may_go: MayGo) -> int:
        if not self._gone:
            self._discard()
            return 0
        now, was, draft = os.stat(self._path), self._from, self._draft
        is_same = was is not None and (now.st_ino, now.st_size) == (was.st_ino, was.st_size)
        if draft is None or not draft.exists() or not is_same:
            self._discard()
            raise BrokenLog(f"{self._path} was changed while it was rewritten: run it again")
        os.rename(draft, self._path)
        sync_directory(self._path)
        mend_manifest(self._log, self._listed)
        return self._gone


def give_back(log: Path) -> Iterator[Removal]:
    """Yield what mends the manifest, and removes drafts, after a crash."""
    yield _Mending(log)


class _Mending:
    """Mends what a killed removal left."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def prepare(self, may_go: MayGo) -> None:
        """Nothing."""

    def commit(self, may_go: MayGo) -> int:
        segments = tuple(f"{path.name}." for path in segment_paths(self._log))
        for draft in self._log.parent.glob(_DRAFTS):
            if draft.name.startswith(segments):
                draft.unlink(missing_ok=True)
        mend_manifest(self._log)
        return 0


def mend_manifest(log: Path, rewritten: Segment | None = None) -> None:
    """Replace the lines of the manifest that are not of their segments' length any more.

    Only the holder of the log's lock may call this.

    :param rewritten: one that was just read.
    :raises FAILURES: if a segment or the manifest cannot be read or written.
    """
    listed = read_manifest(log)
    here = {listed_name(path): path for path in segment_paths(log)}
    mended = [_described(segment, here.get(segment.file), rewritten) for segment in listed]
    if mended != listed:
        lines = [canonical(segment._asdict()) + b"\n" for segment in mended]
        replace_file(manifest_path(log), b"".join(lines))


def _described(segment: Segment, path: Path | None, rewritten: Segment | None) -> Segment:
    if rewritten is not None and rewritten.file == segment.file:
        return rewritten._replace(first_prev_hash=segment.first_prev_hash)
    if path is None or path.stat().st_size == segment.bytes:
        return segment
    return describe(path, segment.first_prev_hash)

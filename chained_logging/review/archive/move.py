"""Old segments are moved to an archive: stored, verified there, recorded, and then removed.

The order makes a kill at any moment harmless: a segment is removed here only when the archive has
it and the log says so. The next call finishes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import BrokenLog, Busy, NotALog, Refused
from chained_logging.event.entry import AuditEntry
from chained_logging.files.durable import sync_directory
from chained_logging.files.lock import FileLock
from chained_logging.files.own import open_regular
from chained_logging.format.line import recorded_at
from chained_logging.format.record import Record
from chained_logging.log import AuditLog
from chained_logging.review.archive.front import Front
from chained_logging.review.archive.moved import ACTION
from chained_logging.review.archive.names import archived_name
from chained_logging.review.archive.stores import DAY, Archive
from chained_logging.review.verdict import spoken_verdict
from chained_logging.ship.progress import read_all_progress
from chained_logging.sinks import JSONL_SUFFIXES
from chained_logging.sinks.lines import stored
from chained_logging.sinks.segments import Segment, describe, segment_paths
from chained_logging.verify import verify

_OURS: Final = b'{"action":"archive.move","actor_id":"chained_logging","actor_type":"system",'


@dataclass
class Moved:
    """What was moved to an archive.

    :ivar archive: its folder, or its URL without secrets.
    :ivar files: the names in the archive, in the order of the log.
    :ivar entries: how many entries they hold.
    :ivar bytes: how many bytes they had here.
    :ivar packed: how many they have there.
    :ivar stays: why the next segment stays; None if all that may go has gone.
    """

    archive: str
    files: list[str] = field(default_factory=list)
    entries: int = 0
    bytes: int = 0
    packed: int = 0
    stays: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def move(log: AuditLog, archive: Archive, days: float, *, now: float | None = None) -> Moved:
    """Move the segments of a log to an archive, the oldest first, and record each.

    The newest sealed segment stays. So does all that a destination of ``ship`` has not yet got.

    :param log: open in this process; others may write to it. If it was opened with its key, the
        entries hold statements signed by it.
    :param days: how old the last entry of a segment must be.
    :raises NotALog: if the log is a database, which is one file.
    :raises BrokenLog: if a segment is not intact, or arrived changed. It then stays here.
    :raises Refused: if the archive has another file of that name.
    :raises Busy: if another call is running.
    :raises OSError: if a file cannot be read or written; also LogError, DestinationError.
    """
    if log.path.suffix not in JSONL_SUFFIXES:
        raise NotALog(
            f"{log.path} is a database, which is one file: only sealed segments of JSON Lines are "
            "moved to an archive"
        )
    lock = FileLock(log.path.with_name(f"{log.path.name}.archive.lock"))
    if not lock.try_acquire():
        lock.close()
        raise Busy(f"another process moves segments of {log.path}")
    try:
        return _Move(log, archive, (time.time() if now is None else now) - days * DAY).run()
    finally:
        lock.release()
        lock.close()


class _Move:
    def __init__(self, log: AuditLog, archive: Archive, before: float) -> None:
        self._log, self._archive, self._before = log, archive, before
        self._recorded = list(recorded(log))

    def run(self) -> Moved:
        """Move what may go."""
        moved = Moved(self._archive.name)
        paths = segment_paths(self._log.path)[:-1]
        before = self._before_these() if paths else None
        for path in paths:
            segment = describe(path)
            moved.stays = self._why_not(path, segment)
            if moved.stays is not None:
                break
            packed = self._put(path, segment)
            if before is not None:
                before.take(path)
            if not self._is_recorded(path, segment):
                self._record(path, segment, packed, before)
            path.unlink()
            sync_directory(path)
            moved.files.append(archived_name(path))
            moved.entries += segment.last_seq - segment.first_seq + 1
            moved.bytes += segment.bytes
            moved.packed += len(packed)
        return moved

    def _why_not(self, path: Path, segment: Segment) -> str | None:
        """Return why a segment stays; None if it may go."""
        last = _last_time(path)
        if last is not None and last >= self._before:
            return f"{path.name} is not old enough"
        for progress in read_all_progress(self._log.path):
            if progress.seq < segment.last_seq:
                return (
                    f"{path.name} was not shipped to {progress.destination} yet: ship it first, or "
                    "remove the progress of a destination that is given up"
                )
        return None

    def _put(self, path: Path, segment: Segment) -> bytes:
        """Store a segment, and check what the archive has then."""
        report = verify(path, from_hash=segment.first_prev_hash if segment.first_seq else None)
        if not report.intact:
            verdict = spoken_verdict(report)
            raise BrokenLog(f"{path} is not intact: {'; '.join(verdict.faults)}: it stays here")
        name = archived_name(path)
        with open_regular(path) as file:
            self._archive.put(name, gzip.compress(file.read(), mtime=0))
        packed = self._archive.get(name)
        if packed is None or _sha256_inside(packed, segment.bytes) != segment.sha256:
            raise Refused(
                f"{self._archive.name} holds another {name}: give each log an archive of its own"
            )
        return packed

    def _is_recorded(self, path: Path, segment: Segment) -> bool:
        wanted = self._archive.name, archived_name(path), segment.sha256
        said = ((one.get("archive"), one.get("file"), one.get("sha256")) for one in self._recorded)
        return wanted in said

    def _record(self, path: Path, segment: Segment, packed: bytes, before: Front | None) -> None:
        context = {
            "archive": self._archive.name,
            "file": archived_name(path),
            "packed_sha256": hashlib.sha256(packed).hexdigest(),
            **{name: value for name, value in segment._asdict().items() if name != "file"},
            **({} if before is None else before.to_dict()),
        }
        self._log.decide(ACTION, context, loosens=False)

    def _before_these(self) -> Front | None:
        """Return what was moved before; None if the log's front is gone otherwise."""
        first = describe(segment_paths(self._log.path)[0]).first_seq
        if first == 0:
            return Front(self._log.origin)
        fronts = (Front.of(self._log.origin, context) for context in self._recorded)
        return next((one for one in fronts if one is not None and one.size == first), None)


def recorded(log: AuditLog) -> Iterator[dict[str, Any]]:
    """Yield what the log says was moved to archives."""
    for record in log.records():
        if record.body.startswith(_OURS):
            said = AuditEntry(record.body, record.hash).context
            if isinstance(said, dict):
                yield said


def _last_time(path: Path) -> float | None:
    """Return when the last entry of a segment was recorded; None if it holds stubs alone."""
    last = None
    with open_regular(path) as file:
        for item in stored(file, 0):
            last = item.body if isinstance(item, Record) else last
    return None if last is None else recorded_at(last)


def _sha256_inside(packed: bytes, size: int) -> str | None:
    """Return the SHA-256 of what is compressed; None if that is not of this size.

    Others may write to an archive: no more is unpacked than was put there.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return hashlib.sha256(data).hexdigest() if len(data) == size else None

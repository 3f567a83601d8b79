"""The files of a JSON Lines log: sealed segments, what logrotate moved away, gzip, the log itself.

A place is an offset in a file, as it is when it is not compressed. Which file that is tells the
``seq``: each file holds the entries from its first one on. So a place stays the same when a file
is sealed, moved away beside the log, or compressed.
"""

from __future__ import annotations

import bisect
import contextlib
import gzip
import itertools
import os
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from chained_logging.errors import NotALog, NotAnEntry
from chained_logging.files.own import open_regular
from chained_logging.format.line import MAX_BODY, position
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.review.sources import Found
from chained_logging.sinks import open_sink
from chained_logging.sinks.lines import parsed

_MAX_LINE: Final = MAX_BODY + 256
_BLOCK: Final = 1 << 20
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.005  # seconds until a file that is being moved has its new name
_MAGIC: Final = b"\x1f\x8b"
_DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)
# audit.00000000000000000007.jsonl, audit.jsonl.1, audit.jsonl-20261127.gz
_NAME: Final = r"{stem}(\.[0-9]{{20}})?{suffix}([.-][0-9]{{1,14}})?(\.gz)?"


class _File(NamedTuple):
    """An open file of a log.

    :ivar first: the ``seq`` of its first entry.
    """

    first: int
    path: Path
    handle: IO[bytes]


class JsonlSource:
    """See :class:`chained_logging.review.sources.Source`.

    :param path: the log. The files beside it with its name and a number or a date, as segments and
        logrotate have them, are read too, but for those that hold only what another one holds.
    :param archive: the name of an archive, and the files in it that belong to the log.
    """

    local = True

    def __init__(self, path: Path, archive: tuple[str, Sequence[Path]] | None = None) -> None:
        self.name = f"{path} and {archive[0]}" if archive else str(path)
        self._path = path
        self._archived = list(archive[1]) if archive else []

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._paths())

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        files = self._files()
        ends: list[int | None] = [*files, None][1:]
        for (first, path), end in zip(files.items(), ends, strict=True):
            if end is None or end > seq:
                file = self._open(first, path)
                with file.handle:
                    yield from _entries(file, place if first <= seq else 0, end)

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | Stub | None]:
        files = self._files()
        firsts = [*files]
        found: dict[int, Record | Stub | None] = {}
        # In order, since a compressed file is only read forward.
        for number, part in itertools.groupby(
            sorted(wanted), lambda one: bisect.bisect_right(firsts, one[0]) - 1
        ):
            if number >= 0:
                file = self._open(firsts[number], files[firsts[number]])
                with file.handle:
                    found |= {seq: _entry_at(file, place) for seq, place in part}
        return (found.get(seq) for seq, _ in wanted)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        return (stored for _, stored in open_sink(self._path).checkpoints())

    def close(self) -> None:
        """Nothing is left open."""

    def _open(self, first: int, path: Path) -> _File:
        """Open a file that :meth:`_files` has named, wherever it was moved since."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                file = _opened(path)
                if file.first == first:
                    return file
                file.handle.close()
            time.sleep(_PAUSE)
            path = self._files().get(first, path)
        raise FileNotFoundError(f"the file of {self._path} that begins with entry {first} is gone")

    def _files(self) -> dict[int, Path]:
        """Return the files that have entries, in order, by the ``seq`` of their first ones.

        A log may have more files than a process may hold open, so each is closed again. One that
        is sealed, moved or compressed meanwhile has two names. The first counts, as of copies.

        :raises NotALog: if one does not begin with an entry.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return self._found()
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError  # for the type checker

    def _found(self) -> dict[int, Path]:
        once: dict[int, Path] = {}
        for path in self._paths():
            file = _opened(path)
            file.handle.close()
            once.setdefault(file.first, path)
        once.pop(-1, None)
        return dict(sorted(once.items()))

    def _paths(self) -> list[Path]:
        """Return the files of the log, the log itself first."""
        stem, suffix = re.escape(self._path.stem), re.escape(self._path.suffix)
        name = re.compile(_NAME.format(stem=stem, suffix=suffix), re.ASCII)
        found = [path for path in self._path.parent.iterdir() if name.fullmatch(path.name)]
        found.sort(key=lambda path: (path.name != self._path.name, path.suffix == ".gz", path.name))
        if not found:
            raise FileNotFoundError(f"{self._path} does not exist")
        return [*found, *self._archived]


def _opened(path: Path) -> _File:
    """Open a file, and read where it begins: -1 if it holds no entry yet."""
    handle: IO[bytes] = open_regular(path)
    try:
        packed = handle.read(2) == _MAGIC
        handle.seek(0)
        if packed:
            unpacked = gzip.GzipFile(fileobj=handle, mode="rb")
            unpacked.myfileobj = cast(Any, handle)  # which is closed with it
            handle = cast(IO[bytes], unpacked)
        line = handle.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            return _File(-1, path, handle)
        return _File(parsed(line[:-1]).seq, path, handle)
    except ValueError:
        handle.close()
        raise NotALog(f"{path} does not begin with an entry: it is not a log") from None
    except _DAMAGED as error:
        handle.close()
        raise _damage(path, error) from None
    except BaseException:
        handle.close()
        raise


def _damage(path: Path, error: Any) -> NotAnEntry:
    return NotAnEntry(f"{path} is damaged, or not complete: {error}")


def _entries(file: _File, start: int, end: int | None) -> Iterator[Found]:
    """Yield the entries of a file from a place on.

    :param end: the ``seq`` that the next file begins with, if there is one.
    """
    overlaps = end is not None and _last(file) >= end
    place = start
    try:
        for line in _lines(file, start):
            # The rest of the form is checked where an entry is shown, and by the verifier.
            if line[-75:-66] == b',"hash":"' and line[-2:] == b'"}':
                found = Found(place, line[:-75] + b"}", line[-66:-2].decode())
            else:
                found = _odd(place, line)
            if overlaps and end is not None and _seq(found) >= end:
                return
            yield found
            place += len(line) + 1
    except _DAMAGED as error:
        raise _damage(file.path, error) from None
    except ValueError as error:
        raise NotAnEntry(f"{file.path}, at byte {place:,}: {error}") from None


def _odd(place: int, line: bytes) -> Found:
    """Return what a line holds: a stub, or an entry that may be signed."""
    item = parsed(line)
    if isinstance(item, Stub):
        return Found(place, b"", item.hash, item.seq)
    return Found(place, item.body, item.hash)


def _seq(found: Found) -> int:
    return position(found.body)[0] if found.stub is None else found.stub


def _lines(file: _File, start: int) -> Iterator[bytes]:
    """Yield whole lines. One that is torn, at the end, is left out."""
    file.handle.seek(start)
    rest = b""
    while block := file.handle.read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > _MAX_LINE:
            raise ValueError("the line is longer than an entry can be")


def _last(file: _File) -> int:
    """Return the last ``seq`` of a file; of a compressed one, that it may be any."""
    if isinstance(file.handle, gzip.GzipFile):
        return 1 << 62
    size = os.fstat(file.handle.fileno()).st_size
    tail = os.pread(file.handle.fileno(), 2 * _MAX_LINE, max(0, size - 2 * _MAX_LINE))
    with contextlib.suppress(ValueError, IndexError):
        return parsed(tail.split(b"\n")[-2]).seq
    return 1 << 62


def _entry_at(file: _File, place: int) -> Record | Stub | None:
    """Return the entry at a place, or its stub; None if neither is there."""
    try:
        file.handle.seek(place)
        line = file.handle.readline(_MAX_LINE)
        return parsed(line.removesuffix(b"\n"))
    except (*_DAMAGED, ValueError):
        return None

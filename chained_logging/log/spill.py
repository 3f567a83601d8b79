"""The spill file: a backlog of events that the log could not take yet.

``<log>.spill`` holds one body per line, as it would be at ``seq`` 0. It is locked while it is
written to and while its events are chained. This lock is not the log's, which may be what is
unavailable. Before events are chained, the next ``seq`` is noted in the file. If a crash comes
between chaining them and removing the file, those in the log from that ``seq`` on are not chained
again.

The file is not trusted: a line is an event only if a caller could have logged it, so no event can
bear the log's own name. A file that is not the log's own (see :mod:`chained_logging.files.own`) is
neither read nor written, and is left as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from chained_logging.errors import Busy, ForeignFile
from chained_logging.event.draft import Draft
from chained_logging.event.fields import ADDRESSLESS, FIELDS, OURSELVES, REQUIRED, UNKNOWN
from chained_logging.event.oversize import DIGEST, pointed_at
from chained_logging.event.records import PART, is_part
from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.lock import PATIENCE, lock_file
from chained_logging.files.own import open_file, open_own, require_own
from chained_logging.format.canonical import canonical_text
from chained_logging.format.line import GENESIS, MAX_BODY

_MAX_LINE: Final = MAX_BODY + 2


# The first survives a restart of the machine; the last is memory. Nothing in them is trusted
# outside a folder of our own.
FOLDERS = tuple(dict.fromkeys(("/var/tmp", tempfile.gettempdir(), "/dev/shm")))  # noqa: S108


def spills_of(log: Path) -> list[Spill]:
    """Return the files in which a log's events can wait: one beside it, others on other disks.

    The others are in a folder that only this user can access, as everybody can write to its parent.
    """
    name = f"{sha256(os.fsencode(log)).hexdigest()[:16]}-{log.name}.spill"
    private = [Path(folder) / f"chained_logging-{os.geteuid()}" for folder in FOLDERS]
    return [Spill(Path(f"{log}.spill")), *(_SpillElsewhere(folder / name) for folder in private)]


class Spill:
    """A file of waiting events; see the module.

    :ivar refused: why an existing file is not used; None if it is.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.refused: str | None = None
        self._fd = -1  # while it is held

    def exists(self) -> bool:
        """Whether events wait here."""
        try:
            there, self.refused = require_own(self.path), None
        except ForeignFile as error:
            there, self.refused = False, str(error)
        return there

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep others out while the events are chained.

        :raises Busy: if somebody else holds the file.
        :raises FAILURES: if the file cannot be opened.
        """
        self._fd = self._open(0)
        try:
            yield
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def add(
        self, drafts: Sequence[Draft], *, sync: bool = True, patience: float = PATIENCE
    ) -> None:
        """Add events, on the disk or, without `sync`, in the kernel's cache.

        :raises Busy: if others use the file for longer than `patience` seconds.
        :raises FAILURES: if the write fails; the file is then cut back to its old size.
        """
        if self._fd >= 0:  # called by a signal handler while the events are being chained
            raise Busy(f"the events in {self.path} are being chained")
        fd = self._open(os.O_CREAT, patience)
        try:
            self._append(fd, [draft.body(0, GENESIS) for draft in drafts], sync=sync)
        finally:
            os.close(fd)

    def mark(self, seq: int, *, sync: bool) -> None:
        """Note the ``seq`` from which the events will be chained. Call it while they are held."""
        self._append(self._fd, [b"%d" % seq], sync=sync)

    def start(self) -> int | None:
        """Return the ``seq`` from which on the log may hold some of the events.

        :raises FAILURES: if the file cannot be read.
        """
        # The lowest: a power failure may take the log back to before a mark.
        return min((item for item in self.read() if isinstance(item, int)), default=None)

    def read(self) -> Iterator[Draft | int | bytes]:
        """Yield what waits: events, marks, and lines that are neither.

        :raises FAILURES: if the file cannot be read.
        """
        with open_file(open_own(self.path, os.O_RDONLY), "rb") as file:
            inside = False  # in a line that is too long for an event and comes in pieces
            while line := file.readline(_MAX_LINE):
                whole = not inside and (line.endswith(b"\n") or len(line) < _MAX_LINE)
                inside = not line.endswith(b"\n")
                if line.strip():
                    yield _parse(line) if whole else line

    def set_aside(self) -> str:
        """Copy the lines that are not events to a separate file, and return its name."""
        aside = self.path.with_name(f"{self.path.name}.torn-{time.time_ns()}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open_file(fd, "wb") as file:
            file.writelines(line for line in self.read() if isinstance(line, bytes))
            file.flush()
            os.fsync(fd)
        return aside.name

    def remove(self, *, sync: bool) -> None:
        """Remove the file: all of it is in the log."""
        if require_own(self.path):
            self.path.unlink(missing_ok=True)
        if sync:
            sync_directory(self.path)

    def _append(self, fd: int, lines: Sequence[bytes], *, sync: bool) -> None:
        size = os.fstat(fd).st_size
        # Begin with a line feed, so that a torn line before it spoils no other.
        data = b"".join(b"\n%b\n" % line for line in lines)
        try:
            while data:
                data = data[os.write(fd, data) :]
            if sync:
                sync_file(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
        if size == 0 and sync:
            sync_directory(self.path)

    def _open(self, create: int, patience: float = PATIENCE) -> int:
        while True:
            fd = open_own(self.path, os.O_RDWR | os.O_APPEND | create)
            try:
                lock_file(fd, f"another process holds {self.path}", patience)
                if os.fstat(fd).st_nlink:  # else its last holder has chained and removed it
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)


class _SpillElsewhere(Spill):
    """A spill file in a private folder, below a folder that everybody can write to."""

    def exists(self) -> bool:
        return self._private() and super().exists()

    def _private(self) -> bool:
        """Whether the folder is there, and nobody else's."""
        try:
            found = os.lstat(self.path.parent)
        except OSError:
            return False
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and not stat.S_IMODE(found.st_mode) & 0o077

    def _open(self, create: int, patience: float = PATIENCE) -> int:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path.parent, 0o700)
        if not self._private():
            raise ForeignFile(f"{self.path.parent} must be a folder that only this user can access")
        return super()._open(create, patience)


def _parse(line: bytes) -> Draft | int | bytes:
    """Return an event, a mark, or the line as it is: the file may have been edited."""
    text = line.strip()
    try:
        if text.isdigit() and len(text) < 20:
            return int(text)
        _check_event(orjson.loads(text))
        return Draft.from_body(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return line


_ID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_OTHERS: Final = frozenset({"context", "id", "prev_hash", "seq", "v"})


def _check_event(fields: dict[str, Any]) -> None:
    """Check that an event of a caller could have become this.

    :raises ValueError: if not; also KeyError and TypeError.
    """
    if fields["actor_id"] == OURSELVES:
        raise ValueError("it bears the name of the log itself")
    whole = type(fields["v"]) is type(fields["seq"]) is int
    if not whole or (fields["v"], fields["seq"]) != (1, 0):
        raise ValueError("it is not the body of an event")
    if not REQUIRED | _OTHERS | {"timestamp"} <= fields.keys() <= FIELDS.keys() | _OTHERS:
        raise ValueError("its fields are not those of an entry")
    if not _ID.fullmatch(fields["id"]) or fields["prev_hash"] != GENESIS:
        raise ValueError("its id is not a UUID of version 7")
    invalid = _check_marks(fields)
    for name in fields.keys() - _OTHERS:
        _check_field(name, fields[name], fields["actor_type"], name in invalid)


def _check_marks(fields: dict[str, Any]) -> dict[str, Any]:
    """Check the keys of the context that are the log's own, and return ``invalid``.

    :raises ValueError: if no call could have made them; also AttributeError and TypeError.
    """
    invalid: dict[str, Any] = fields["context"].get("invalid", {})
    if not invalid.keys() <= FIELDS.keys():
        raise ValueError("context.invalid names fields that do not exist")
    if invalid.keys() & (fields.keys() - REQUIRED - {"timestamp", "resources"}):
        raise ValueError("context.invalid names a field that is there")
    oversize: list[str] = fields["context"].get("oversize", [])
    if not isinstance(oversize, list) or oversize != sorted(oversize):
        raise ValueError("context.oversize is not a sorted array")
    for pointer in oversize:
        if not DIGEST.fullmatch(pointed_at(fields, pointer)):
            raise ValueError("context.oversize points to something other than a digest")
    if PART in fields["context"] and not is_part(fields):
        raise ValueError("context.resources_part does not say which part it is")
    return invalid


def _check_field(name: str, value: Any, actor_type: str, invalid: bool) -> None:
    if invalid and name in REQUIRED:
        valid = value == UNKNOWN
    elif value is None:
        valid = name == "ip_address" and actor_type in ADDRESSLESS
    else:
        kept = FIELDS[name].rule(value)
        if isinstance(kept, orjson.Fragment):
            valid = canonical_text(value) == _text(kept)
        else:
            valid = kept == value
    if not valid:
        raise ValueError(f"its {name} is not one that an entry can have")


def _text(fragment: orjson.Fragment) -> str:
    contents = fragment.contents
    return contents if isinstance(contents, str) else contents.decode()

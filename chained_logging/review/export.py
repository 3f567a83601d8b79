"""Copies of a log in another form, with every hash unchanged."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from chained_logging.errors import ForeignFile, NoCheckpoint, NotALog
from chained_logging.event.entry import AuditEntry
from chained_logging.files.durable import sync_directory
from chained_logging.files.own import refuse_what_is_there
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import GENESIS, check_next, position
from chained_logging.format.note import Note
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.spelling import NoteError
from chained_logging.format.stub import Stub, holds
from chained_logging.formats.table import FORMATS
from chained_logging.log.ways import own_checkpoints
from chained_logging.sinks import Sink, open_sink


def export_log(source: Path, target: Path) -> tuple[int, str]:
    """Copy a log into a new one, and check each hash and link on the way.

    :returns: the number of entries and the last hash.
    :raises FileExistsError: if the target exists.
    :raises ValueError: if the source is broken. The incomplete copy is removed.
    """
    log = open_sink(source)
    checkpoints = (stored for _, stored in log.checkpoints())
    return write_log(target, log.stored(), checkpoints, str(source))


def write_log(
    target: Path,
    items: Iterator[Record | Stub],
    checkpoints: Iterator[StoredCheckpoint],
    source: str,
) -> tuple[int, str]:
    """Write entries, stubs and checkpoints into a new log, and check each hash and link.

    The log is made in a temporary folder beside the target, and renamed once it is complete. A
    failure leaves nothing behind, and no existing file is touched.

    :param source: the name of their source, for error messages.
    :returns: the number of entries and stubs, and the last hash.
    :raises FileExistsError: if the target or one of its side files exists.
    :raises ValueError: if the source is broken.
    """
    refuse_what_is_there(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        made = Path(folder, target.name)
        count, last = _write(open_sink(made), items, checkpoints, source)
        os.chmod(made, 0o600)
        # The log comes last: until it is there, the export does not exist.
        for name in (".checkpoints", ""):
            _give_name(made.with_name(made.name + name), target.with_name(target.name + name))
    sync_directory(target)
    return count, last


def _write(
    sink: Sink,
    items: Iterator[Record | Stub],
    checkpoints: Iterator[StoredCheckpoint],
    source: str,
) -> tuple[int, str]:
    count, last = 0, GENESIS
    try:
        sink.head()
        sink.notices.clear()
        while batch := list(itertools.islice(items, 1000)):
            for item in batch:
                if not holds(item) or (count and _link(item, last) != last):
                    raise ValueError(
                        f"{source} is broken at seq {item.seq}: run chained-logging verify"
                    )
                count, last = count + 1, item.hash
            sink.take(batch)
        for stored in checkpoints:
            sink.add_checkpoint(stored)
        sink.sync()
    finally:
        sink.close()
    return count, last


def _link(item: Record | Stub, last: str) -> str:
    """Return the hash that an item says the one before it has. A stub says none."""
    return last if isinstance(item, Stub) else position(item.body)[1]


def _give_name(made: Path, target: Path) -> None:
    """Move a file without replacing another one.

    :raises FileExistsError: if the name is taken by now.
    """
    if not made.exists():
        return
    try:
        os.link(made, target)
    except FileExistsError:
        raise FileExistsError(f"{target} exists already: choose another name") from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(f"{target} exists already: choose another name") from None
        os.rename(made, target)
    else:
        os.unlink(made)


def converted(source: Path, form: str) -> Iterator[bytes]:
    """Yield the entries of a log in a format of another program, each hash and link checked. What
    retention removed is left out.

    :param form: a name in :data:`chained_logging.formats.table.FORMATS`.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: if the log is broken, or an entry cannot be converted.
    """
    chosen = FORMATS[form]
    yield chosen.head
    sink = open_sink(source)
    try:
        origin, seq, prev = "", None, None
        for item in sink.stored():
            if seq is None:
                seq, origin = item.seq, _origin(item)
            try:
                if isinstance(item, Record):
                    check_next(item.body, item.hash, seq, prev)
                elif item.seq != seq:
                    raise ValueError(f"entry {seq - 1} is followed by {item.seq}")
            except ValueError as error:
                raise ValueError(
                    f"{source} is broken: {error}. Run chained-logging verify"
                ) from None
            if isinstance(item, Record):
                yield chosen.encode(AuditEntry(*item[1:]), origin)
            seq, prev = seq + 1, item.hash
    finally:
        sink.close()


def write_converted(source: Path, form: str, target: Path) -> int:
    """Write the entries of a log into a new file, as :func:`converted` gives them.

    :returns: the number of entries.
    :raises FileExistsError: if the target exists.
    :raises: as :func:`converted`. A failure leaves nothing behind.
    """
    refuse_what_is_there(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        made = Path(folder, target.name)
        count = -1  # the head
        with open(made, "xb", opener=partial(os.open, mode=0o600)) as file:
            for count, data in enumerate(converted(source, form)):  # noqa: B007
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _give_name(made, target)
    sync_directory(target)
    return count


def _origin(first: Record | Stub) -> str:
    """Return a log's name by its first entry; empty if that is not there any more."""
    if isinstance(first, Stub):
        return ""
    entry = AuditEntry(*first[1:])
    return str(entry.resource_id) if entry.action == "log.open" else ""


def _body(item: Record | Stub) -> bytes:
    if isinstance(item, Stub):
        raise ValueError(
            f"entry {item.seq} was removed, and tiles hold each entry: export them before a purge, "
            "and add what is new later"
        )
    return item.body


def export_tiles(log: Path, folder: Path) -> tuple[int, int]:
    """Write a log as C2SP ``tlog-tiles``, up to its newest checkpoint, or add what is new.

    The partial tiles of all earlier checkpoints are written too: the specification asks for those
    "for which a checkpoint was produced".

    :returns: the number of entries, and the number of files written.
    :raises NoCheckpoint: if the log has no checkpoint.
    :raises ValueError: if an entry was removed: tiles hold each of them.
    :raises OSError: if a file cannot be read or written; also LogError.
    :raises ProofError: if the checkpoint is not for these entries, or the folder belongs to
        another log.
    """
    from chained_logging.transparency.tiles import resume_at, with_partials, write_tiles

    if folder.is_symlink():
        raise ForeignFile(f"{folder} is a symbolic link: name the folder itself")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if held and not held & {".lock", "checkpoint", "tile"}:
        raise NotALog(f"{folder} holds other files: give the tiles an empty folder")
    sink = open_sink(log)
    checkpoints = own_checkpoints(sink)
    if not checkpoints:
        raise NoCheckpoint(f"{log} must have a checkpoint: run chained-logging checkpoint first")
    checkpoint = max(reversed(checkpoints), key=lambda one: one.size)
    start = resume_at(folder)
    bodies = map(_body, sink.stored(start))
    size = checkpoint.size
    sizes = set(with_partials((one.size for one in checkpoints), start, size))
    notes = (stored.note for stored in checkpoints if stored.size in sizes)
    earlier = {said.size: said.root for said in map(_said, notes) if said is not None}
    note = checkpoint.note.encode()
    return size, write_tiles(folder, bodies, note, size, start=start, earlier=earlier)


def _said(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(Note.parse(note.encode()).text)
    except NoteError:  # chained-logging verify reports it
        return None

"""Writing tiles: a log laid out as a folder, which grows with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from chained_logging.files.durable import sync_directory
from chained_logging.files.lock import FileLock
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import EMPTY_ROOT, ProofError, leaf_hash
from chained_logging.format.note import Note
from chained_logging.format.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    encode_entries,
    entries_path,
    tile_path,
)
from chained_logging.transparency.tiles.border import Border
from chained_logging.transparency.tiles.reader import TileReader
from chained_logging.transparency.tiles.staging import Staging


def write_tiles(
    folder: Path,
    entries: Iterable[bytes],
    checkpoint_note: bytes,
    size: int,
    *,
    start: int = 0,
    earlier: Mapping[int, bytes] | None = None,
) -> int:
    """Lay out the first `size` entries of a log, and publish the checkpoint over them.

    On a folder that has tiles already it goes on: what is there is compared, only what is new is
    written, and the partial tiles that became full are removed once the new checkpoint is there.
    Other partial tiles stay: C2SP ``tlog-tiles`` asks for those of every checkpoint that was ever
    published. A run that is stopped anywhere leaves the old checkpoint, which still holds; the
    next one completes it.

    Memory is bounded by a bundle of 256 entries, whatever the size. Two calls for one folder, also
    in two processes, take turns.

    :param entries: the bodies, from entry `start` on. More than needed may follow; they are not
        read.
    :param checkpoint_note: the signed checkpoint of that size. Its root is computed again and
        compared; its signatures are not verified here, and may have become more since the last
        call (cosignatures).
    :param start: where `entries` begins, so that a log that has grown by a few entries need not be
        read again: a multiple of 256 that the published checkpoint covers, and best what
        :func:`resume_at` returns. What comes before is then not compared, see
        :func:`check_tiles`.
    :param earlier: checkpoints that were made since `start`, size and root. For each that these
        entries lead to the partial tiles are written too, except those of tiles that are full by
        now: anyone who was given such a checkpoint can get a proof to it, see
        :func:`with_partials`.
    :returns: how many files were written.
    :raises ProofError: if the entries do not have this root, are too few, or one is longer than
        65,535 bytes; if the published checkpoint is of another log, larger, or not of a beginning
        of these entries; or if a tile it vouches for has other content. The published checkpoint
        then stays as it was.
    :raises NoteError: if the note is not a checkpoint.
    :raises OSError: if the files cannot be read or written.
    """
    checkpoint = Checkpoint.parse(Note.parse(checkpoint_note).text)
    if checkpoint.size != size:
        raise ProofError(f"the checkpoint is over {checkpoint.size} entries, not {size}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_directory(folder)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire()
        reader = None
        with suppress(FileNotFoundError):
            reader = TileReader(folder)
        old = reader.checkpoint if reader else Checkpoint(checkpoint.origin, 0, EMPTY_ROOT)
        if old.origin != checkpoint.origin:
            raise ProofError(f"{folder} holds the log {old.origin!r}, not {checkpoint.origin!r}")
        if old.size > size:
            raise ProofError(f"{folder} holds {old.size} entries already: {size} would be fewer")
        if not 0 <= start <= old.size or start % TILE_WIDTH:
            raise ProofError(f"entries cannot continue at {start}: see resume_at()")
        border = Border() if reader is None else Border.of(reader, start)
        staging = Staging(folder, old.size)
        try:
            _write(staging, border, iter(entries), old, checkpoint_note, earlier or {})
        finally:
            staging.close()
        return staging.written
    finally:
        lock.release()
        lock.close()


def with_partials(sizes: Iterable[int], start: int, size: int) -> list[int]:
    """Return those of the sizes, between `start` and `size`, at which a tree has partial tiles that
    are not full at `size`: a few hundred, however many checkpoints there are."""
    found: list[int] = []
    known: set[tuple[int, int, int]] = set()
    for each in sizes:
        if start < each < size:
            partials = {
                (level, index, width)
                for level in range(8)
                for index, width in [divmod(each >> (TILE_HEIGHT * level), TILE_WIDTH)]
                if width and not is_full(level, index, size)
            }
            if not partials <= known:
                known |= partials
                found.append(each)
    return found


def is_full(level: int, index: int, size: int) -> bool:
    return index < size >> (TILE_HEIGHT * (level + 1))


def resume_at(folder: Path) -> int:
    """Return the first entry that :func:`write_tiles` needs to go on; 0 for a folder without a log.

    It is the beginning of the bundle that the published checkpoint ends in.

    :raises NoteError: if the published checkpoint is malformed.
    """
    try:
        return TileReader(folder).checkpoint.size // TILE_WIDTH * TILE_WIDTH
    except FileNotFoundError:
        return 0


def _write(
    staging: Staging,
    border: Border,
    entries: Iterator[bytes],
    old: Checkpoint,
    note: bytes,
    earlier: Mapping[int, bytes],
) -> None:
    new = Checkpoint.parse(Note.parse(note).text)
    bundle: list[bytes] = []
    stops = sorted(size for size in {old.size, *earlier} if border.size < size < new.size)
    while True:
        if border.size == old.size and border.root() != old.root:
            raise ProofError(
                f"the published checkpoint over {old.size} entries is not one of these entries, "
                "or a tile at its border was changed"
            )
        if border.size == new.size:
            break
        # Up to the end of the bundle, but for a look at the tree as each checkpoint has it.
        stop = min(new.size, (border.size // TILE_WIDTH + 1) * TILE_WIDTH)
        while stops and stops[0] <= border.size:
            stops.pop(0)
        stop = min([stop, *stops[:1]])
        block = list(islice(entries, stop - border.size))
        if len(block) < stop - border.size:
            raise ProofError(f"there are {border.size + len(block)} entries, not {new.size}")
        bundle += block
        full = border.append([leaf_hash(entry) for entry in block])
        for level, index, hashes in full:
            staging.add(tile_path(level, index), b"".join(hashes), border.size)
        if border.size % TILE_WIDTH == 0:
            path = entries_path(border.size // TILE_WIDTH - 1)
            staging.add(path, encode_entries(bundle), border.size)
            bundle = []
        if border.size in earlier and border.root() == earlier[border.size]:
            _add_partials(staging, border, bundle, new.size)
    if border.root() != new.root:
        raise ProofError(f"the {new.size} entries have another root than the checkpoint says")
    _add_partials(staging, border, bundle, new.size)
    staging.move()
    staging.add("checkpoint", note)
    staging.move()
    staging.remove_overtaken()


def _add_partials(staging: Staging, border: Border, bundle: list[bytes], size: int) -> None:
    """Take the partial tiles of a tree as it is, but for those that are full at a later size."""
    for level, index, hashes in border.partial():
        if not is_full(level, index, size):
            staging.add(tile_path(level, index, len(hashes)), b"".join(hashes), border.size)
    index = border.size // TILE_WIDTH
    if bundle and not is_full(0, index, size):
        staging.add(entries_path(index, len(bundle)), encode_entries(bundle), border.size)

"""A whole log as a folder of files that any web server can publish: C2SP ``tlog-tiles``.

    checkpoint                          the signed note
    tile/<L>/<N>[.p/<W>]                256 hashes, or W of them at the tree's right border
    tile/entries/<N>[.p/<W>]            256 entries, or W of them

With the folder, anyone can check the log without this package, and make any proof about it by
reading a few tiles of 8 KiB. The entries are what `chained_logging` calls bodies, so that the hash
of an entry in the tree, SHA-256(0x00 ‖ body), is the one that its stored line shows.

:func:`write_tiles` makes the folder and lets it grow. A reader that runs meanwhile, or after a
crash or a power failure, never finds a checkpoint whose tiles are missing: a file gets its name
once its content is on the disk, and the checkpoint comes last. All files but the checkpoint are
immutable once a checkpoint has vouched for them, and what would change one is refused.

Files are made with mode 0600 and folders with 0700, since the bundles hold all that was audited.
To publish them, give the web server access, for instance by an ACL or a group on the folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.lock import FileLock
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    ProofError,
    leaf_hash,
    node_hash,
    root,
)
from chained_logging.format.note import MAX_NOTE, Note, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.tile import (
    MAX_ENTRY,
    TILE_WIDTH,
    decode_entries,
    encode_entries,
    entries_path,
    parse_tile_path,
    tile_path,
)
from chained_logging.format.vkey import ED25519, VerifierKey

_TILE_HEIGHT: Final = 8  # 2**8 hashes
_MAX_BUNDLE: Final = TILE_WIDTH * (2 + MAX_ENTRY)
_BATCH: Final = 128  # files that are synced together: one commit of the file system serves many


# --- Writing.


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
        border = _Border() if reader is None else _Border.of(reader, start)
        staging = _Staging(folder, old.size)
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
                for index, width in [divmod(each >> (_TILE_HEIGHT * level), TILE_WIDTH)]
                if width and not _is_full(level, index, size)
            }
            if not partials <= known:
                known |= partials
                found.append(each)
    return found


def _is_full(level: int, index: int, size: int) -> bool:
    return index < size >> (_TILE_HEIGHT * (level + 1))


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
    staging: _Staging,
    border: _Border,
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


def _add_partials(staging: _Staging, border: _Border, bundle: list[bytes], size: int) -> None:
    """Take the partial tiles of a tree as it is, but for those that are full at a later size."""
    for level, index, hashes in border.partial():
        if not _is_full(level, index, size):
            staging.add(tile_path(level, index, len(hashes)), b"".join(hashes), border.size)
    index = border.size // TILE_WIDTH
    if bundle and not _is_full(0, index, size):
        staging.add(entries_path(index, len(bundle)), encode_entries(bundle), border.size)


class _Staging:
    """Files on their way into the folder.

    They are written aside, brought onto the disk together, and then get their names, so that a
    name never stands for half a file. A name whose content is right is left as it is.
    """

    def __init__(self, folder: Path, vouched: int) -> None:
        """:param vouched: the size of the published checkpoint."""
        self._folder = folder
        self._vouched = vouched
        self._aside = folder / ".new"
        self._waiting: list[Path] = []
        self._named: set[Path] = set()
        self._overtaken: list[Path] = []
        self.written = 0
        # What a run left that was killed.
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(mode=0o700)

    def add(self, path: str, data: bytes, end: int | None = None) -> None:
        """Take a file.

        :param end: the number of entries at which the tile ends. Up to the published checkpoint
            tiles are immutable. Beyond it there may be those of a run that was stopped, or whose
            entries turned out to be wrong: nobody was told of them.
        """
        target = self._folder / path
        # Also where the content is there: who wrote it may have been killed before the names
        # were on the disk.
        self._named.add(target)
        partials = Path(f"{target}.p")
        if end is not None and partials.is_dir():
            self._overtaken.append(partials)
        try:
            present = _read(target, len(data))
        except FileNotFoundError:
            pass
        else:
            if present == data:
                return
            if end is not None and end <= self._vouched:
                raise ProofError(
                    f"{path} is there with other content, though the published checkpoint covers "
                    "it: either it was changed, or the entries were"
                )
        aside = self._aside / str(len(self._waiting))
        fd = os.open(
            aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with open(fd, "wb") as file:
            file.write(data)
        self._waiting.append(target)
        if len(self._waiting) >= _BATCH:
            self.move()

    def move(self) -> None:
        """Give the files their names, and bring both onto the disk."""
        # All were written before the first is synced, so that the disk has had a start.
        for number in range(len(self._waiting)):
            fd = os.open(self._aside / str(number), os.O_RDWR | os.O_CLOEXEC)
            try:
                sync_file(fd)
            finally:
                os.close(fd)
        for number, target in enumerate(self._waiting):
            if not target.parent.is_dir():
                # Each with this mode; makedirs() gives it to the last only.
                for parent in reversed(target.relative_to(self._folder).parents[:-1]):
                    (self._folder / parent).mkdir(mode=0o700, exist_ok=True)
            os.rename(self._aside / str(number), target)
        names = {
            name
            for target in self._named
            for name in (target, *target.parents)
            if name.is_relative_to(self._folder) and name != self._folder
        }
        for directory in {name.parent for name in names}:
            sync_directory(directory / "_")
        self.written += len(self._waiting)
        self._waiting.clear()
        self._named.clear()

    def remove_overtaken(self) -> None:
        """Remove the partial tiles of those that became full (C2SP ``tlog-tiles`` allows it)."""
        for partials in self._overtaken:
            shutil.rmtree(partials, ignore_errors=True)

    def close(self) -> None:
        """Remove what got no name."""
        shutil.rmtree(self._aside, ignore_errors=True)


# --- The tree's right border, in tiles.


def _over(row: list[bytes]) -> bytes:
    """Return the root over a number of hashes that is a power of 2."""
    while len(row) > 1:
        row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=True)]
    return row[0]


_Tile = tuple[int, int, list[bytes]]  # level, index, hashes


class _Border:
    """The partial tiles of a tree, one a level: all that is needed to go on, and its root."""

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = [[]]

    @classmethod
    def of(cls, reader: TileReader, size: int) -> _Border:
        """Take up a published tree at a multiple of 256."""
        border = cls()
        border.size = size
        level = 1
        while count := size >> (_TILE_HEIGHT * level):
            width = count % TILE_WIDTH
            row = reader.tile(level, count // TILE_WIDTH) if width else []
            border._rows.append(row[:width])
            level += 1
        return border

    def append(self, leaves: list[bytes]) -> list[_Tile]:
        """Append leaves, not beyond the end of a tile; return the tiles that they complete."""
        self._rows[0] += leaves
        self.size += len(leaves)
        full: list[_Tile] = []
        for level, row in enumerate(self._rows):
            if len(row) < TILE_WIDTH:
                break
            if level + 1 == len(self._rows):
                self._rows.append([])
            full.append((level, (self.size >> (_TILE_HEIGHT * (level + 1))) - 1, row))
            self._rows[level] = []
            self._rows[level + 1].append(_over(row))
        return full

    def partial(self) -> list[_Tile]:
        """Return the tiles at the border, without empty ones."""
        return [
            (level, self.size >> (_TILE_HEIGHT * (level + 1)), row)
            for level, row in enumerate(self._rows)
            if row
        ]

    def root(self) -> bytes:
        """Return the root of the tree. All subtrees it is made of lie in the partial tiles."""
        return root(self._node, self.size)

    def _node(self, level: int, index: int) -> bytes:
        row, height = divmod(level, _TILE_HEIGHT)
        begin = (index << height) % TILE_WIDTH
        return _over(self._rows[row][begin : begin + (1 << height)])


# --- Reading.


class TileReader:
    """The tree and the entries in a folder, as its checkpoint was when the reader was made.

    An object is a :data:`chained_logging.format.merkle.NodeReader`: called with a level and an
    index it returns the hash of that node, so that it goes where
    :func:`~chained_logging.format.merkle.root`,
    :func:`~chained_logging.format.merkle.inclusion_proof` and
    :func:`~chained_logging.format.merkle.consistency_proof` take `nodes`. Bounds and lengths are
    checked; that the hashes are true is not, and shows when a proof is verified, or by
    :func:`check_tiles`.

    The folder may grow meanwhile: if a partial tile is gone, the full one is read.

    :raises FileNotFoundError: if there is no checkpoint.
    :raises NoteError: if the checkpoint is malformed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        data = _read(folder / "checkpoint", MAX_NOTE)
        self.note: Note = Note.parse(data)
        """The published note. Its signatures are not verified."""
        self.checkpoint: Checkpoint = Checkpoint.parse(self.note.text)
        """What it says."""
        self._tile = lru_cache(maxsize=256)(self._read_tile)  # 2 MiB of hashes
        self._bundle = lru_cache(maxsize=1)(self._read_bundle)

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of node ``(level, index)``, over the 2**level leaves from
        ``index * 2**level`` on.

        :raises ProofError: if the tree has no such node, or its tile is missing or malformed.
        :raises OSError: if the tile cannot be read.
        """
        if level < 0 or index < 0 or (index + 1) << min(level, 64) > self.checkpoint.size:
            raise ProofError(f"a tree of {self.checkpoint.size} has no node ({level}, {index})")
        row, height = divmod(level, _TILE_HEIGHT)
        tile, begin = divmod(index << height, TILE_WIDTH)
        return _over(list(self._tile(row, tile)[begin : begin + (1 << height)]))

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile: 256, or fewer at the border.

        :raises ProofError: if the tree has no such tile, or it is missing or malformed.
        :raises OSError: if it cannot be read.
        """
        return list(self._tile(level, index))

    def bundle(self, index: int) -> list[bytes]:
        """Return the entries of a bundle: 256, or fewer at the border.

        :raises ProofError: as :meth:`tile`.
        :raises OSError: as :meth:`tile`.
        """
        return list(self._bundle(index))

    def entry(self, index: int) -> bytes:
        """Return an entry. Hold its leaf hash against a proof: it is not compared here.

        :raises ProofError: if the tree has no such entry, or its bundle is missing or malformed.
        :raises OSError: if the bundle cannot be read.
        """
        if not 0 <= index < self.checkpoint.size:
            raise ProofError(f"there is no entry {index} in a tree of {self.checkpoint.size}")
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def _read_tile(self, level: int, index: int) -> tuple[bytes, ...]:
        width = self._width(level, index)
        path, data = self._find(tile_path(level, index), width, TILE_WIDTH * HASH_SIZE)
        hashes = [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
        if len(data) != parse_tile_path(path).width * HASH_SIZE:
            raise ProofError(f"{path} is {len(data)} bytes long")
        return tuple(hashes[:width])

    def _read_bundle(self, index: int) -> tuple[bytes, ...]:
        width = self._width(0, index)
        path, data = self._find(entries_path(index), width, _MAX_BUNDLE)
        try:
            entries = decode_entries(data)
        except ProofError as error:
            raise ProofError(f"{path}: {error}") from None
        if len(entries) != parse_tile_path(path).width:
            raise ProofError(f"{path} has {len(entries)} entries")
        return tuple(entries[:width])

    def _width(self, level: int, index: int) -> int:
        count = self.checkpoint.size >> (_TILE_HEIGHT * level) if 0 <= level < 64 else 0
        width = min(TILE_WIDTH, count - index * TILE_WIDTH)
        if index < 0 or width < 1:
            raise ProofError(
                f"a tree of {self.checkpoint.size} has no tile {index} at level {level}"
            )
        return width

    def _find(self, full: str, width: int, limit: int) -> tuple[str, bytes]:
        """Return the path and the content of a tile; or, if it was overtaken, of the full one."""
        wanted = full if width == TILE_WIDTH else f"{full}.p/{width}"
        for path in (wanted, full):
            with suppress(FileNotFoundError, NotADirectoryError):
                return path, _read(self._folder / path, limit)
        raise ProofError(f"{wanted} is missing, though the checkpoint needs it")


def _read(path: Path, limit: int) -> bytes:
    """Return the content of a file, or the first `limit` + 1 bytes: enough to see it is longer."""
    with open(path, "rb") as file:
        # Not the limit at once: as much memory would be taken.
        return file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)


# --- Checking.


def check_tiles(folder: Path, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Verify a whole folder; return what its checkpoint states.

    That is: the log's signature; every entry against its hash in the tree; every tile of every
    level against the hashes below it, byte for byte; the root against the checkpoint's; and the
    partial tiles of earlier checkpoints, as far as they were kept. Nothing may be missing. What a
    stopped run has left beyond the checkpoint is not part of the log and not looked at, nor are
    files that are not tiles.

    Memory is bounded by a bundle of 256 entries.

    :param keys: those of the log, of type Ed25519, under whatever names; and those of witnesses
        whose cosignature must hold where there is one. The caller compares the origin.
    :raises NoteError: if the checkpoint is malformed, a known key's signature does not hold, or
        no key of the log signed it.
    :raises ProofError: if something is missing or not what the rest says, naming the file.
    :raises OSError: if a file cannot be read.
    """
    try:
        reader = TileReader(folder)
    except FileNotFoundError:
        raise ProofError(f"{folder} has no checkpoint") from None
    verified = verify_note(reader.note, keys)
    if not any(found.key.type == ED25519 for found in verified):
        raise NoteError("the checkpoint has the signatures of witnesses only, not the log's")
    checkpoint = reader.checkpoint
    border = _Border()
    while border.size < checkpoint.size:
        index = border.size // TILE_WIDTH
        entries = reader.bundle(index)
        _check_partials(folder, entries_path(index), entries, encode_entries)
        for tile in border.append([leaf_hash(entry) for entry in entries]):
            _check_tile(reader, folder, tile)
    for tile in border.partial():
        _check_tile(reader, folder, tile)
    if border.root() != checkpoint.root:
        raise ProofError(
            f"the {checkpoint.size} entries have another root than the checkpoint says"
        )
    return checkpoint


def _check_tile(reader: TileReader, folder: Path, tile: _Tile) -> None:
    level, index, hashes = tile
    path = tile_path(level, index)
    for at, (said, computed) in enumerate(zip(reader.tile(level, index), hashes, strict=True)):
        if said != computed:
            below = f"entry {index * TILE_WIDTH + at}" if level == 0 else "the tiles below it"
            raise ProofError(f"{path}: hash {at} is not that of {below}: one of them was changed")
    _check_partials(folder, path, hashes, b"".join)


def _check_partials(
    folder: Path, path: str, parts: list[bytes], encode: Callable[[list[bytes]], bytes]
) -> None:
    """Check the partial tiles that were kept of a tile: they are its beginnings."""
    try:
        names = os.listdir(folder / f"{path}.p")
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            width = parse_tile_path(f"{path}.p/{name}").width
        except ProofError:  # something else
            continue
        if width > len(parts):  # beyond the checkpoint
            continue
        expected = encode(parts[:width])
        with suppress(FileNotFoundError):  # overtaken this moment
            if _read(folder / f"{path}.p/{name}", len(expected)) != expected:
                raise ProofError(f"{path}.p/{name} is not how {path} begins: one was changed")

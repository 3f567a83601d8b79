"""The folder of tiles against a reader written from the specification alone, and against damage."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest
from folders import SUPPORT
from hypothesis import given, settings
from hypothesis import strategies as st
from note_keys import LOG_KEY, ORIGIN, OTHER_KEY, WITNESS, WITNESS_KEY
from tile_folders import bodies, body, checkpoint, hashes, signed, write

from chained_logging.files import durable
from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import ProofError
from chained_logging.format.spelling import NoteError
from chained_logging.format.tile import encode_entries, entries_path, tile_path
from chained_logging.transparency.tiles import (
    TileReader,
    check_tiles,
    resume_at,
    staging,
    with_partials,
    write_tiles,
)


def files(folder: Path) -> dict[str, bytes]:
    """Return all that is published: what begins with a dot is not."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    }


# --- An oracle: C2SP tlog-tiles and RFC 6962 section 2.1, word for word and slow.


def mth(leaves: list[bytes]) -> bytes:
    """Return MTH(D[n]) for leaf hashes, as RFC 6962 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def spelled(number: int) -> str:
    text = str(number)
    text = text.zfill((len(text) + 2) // 3 * 3)
    parts = [text[at : at + 3] for at in range(0, len(text), 3)]
    return "/".join(["x" + part for part in parts[:-1]] + parts[-1:])


def expected_files(entries: list[bytes]) -> dict[str, bytes]:
    """Return the tiles of a tree, by the formula of the specification."""
    size = len(entries)
    leaves = [hashlib.sha256(b"\0" + each).digest() for each in entries]
    found = {}
    for level in range(64):
        row = size // 256**level
        if not row:
            break
        above = [mth(leaves[i * 256**level : (i + 1) * 256**level]) for i in range(row)]
        for n in range((row + 255) // 256):
            part = above[n * 256 : (n + 1) * 256]
            suffix = "" if len(part) == 256 else f".p/{len(part)}"
            found[f"tile/{level}/{spelled(n)}{suffix}"] = b"".join(part)
    for n in range((size + 255) // 256):
        part = entries[n * 256 : (n + 1) * 256]
        suffix = "" if len(part) == 256 else f".p/{len(part)}"
        found[f"tile/entries/{spelled(n)}{suffix}"] = b"".join(
            len(each).to_bytes(2, "big") + each for each in part
        )
    return found


def naive_root(folder: Path) -> tuple[int, bytes, list[bytes]]:
    """Read a folder as a stranger would; return size, root and all entries."""
    _, size_line, *_ = (folder / "checkpoint").read_text().split("\n")
    size = int(size_line)
    leaves, entries = [], []
    for n in range((size + 255) // 256):
        width = min(256, size - n * 256)
        suffix = "" if width == 256 else f".p/{width}"
        tile = (folder / f"tile/0/{spelled(n)}{suffix}").read_bytes()
        assert len(tile) == 32 * width
        leaves += [tile[at : at + 32] for at in range(0, len(tile), 32)]
        bundle = (folder / f"tile/entries/{spelled(n)}{suffix}").read_bytes()
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    assert [hashlib.sha256(b"\0" + each).digest() for each in entries] == leaves
    return size, mth(leaves), entries


# --- The layout.


@pytest.mark.long
def test_every_size_up_to_600(tmp_path: Path) -> None:
    leaves = hashes(600)
    for size in range(601):
        write(tmp_path, size, resume_at(tmp_path))  # each goes on from the one before
        reader = TileReader(tmp_path)
        root = merkle.root(leaves[:size])
        assert reader.checkpoint == Checkpoint(ORIGIN, size, root)
        assert merkle.root(reader, size) == root
        if size % 37 == 0 or size % 256 in (0, 1, 255):
            fresh = tmp_path / "fresh"
            write(fresh, size)
            assert files(fresh) == {
                **expected_files(list(bodies(size))),
                "checkpoint": checkpoint(size),
            }
            assert naive_root(fresh) == (size, root, list(bodies(size)))
            assert check_tiles(fresh, [LOG_KEY]) == reader.checkpoint
            assert check_tiles(tmp_path, [LOG_KEY]) == reader.checkpoint
            shutil.rmtree(fresh)
    # Of the partial tiles those of checkpoints in tiles that are not full were kept, and no other.
    there = set(files(tmp_path))
    assert there == {
        "checkpoint",
        *expected_files(list(bodies(512))),
        *(f"tile/{row}/002.p/{width}" for row in ("0", "entries") for width in range(1, 89)),
        "tile/1/000.p/1",
    }


@pytest.mark.long
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_around_a_full_tile_of_level_1(tmp_path: Path, size: int) -> None:
    leaves = hashes(size)
    note = signed(merkle.root(leaves), size)
    for folder, begin in ((tmp_path / "once", 0), (tmp_path / "grown", 65_300)):
        if begin:
            start = signed(merkle.root(leaves[:begin]), begin)
            write_tiles(folder, bodies(begin), start, begin)
        entries = bodies(size, resume_at(folder))
        write_tiles(folder, entries, note, size, start=resume_at(folder))
        assert check_tiles(folder, [LOG_KEY]).size == size
        reader = TileReader(folder)
        assert merkle.root(reader, size) == merkle.root(leaves)
        for index in (0, 255, 256, 40_000, 65_279, 65_280, size - 1):
            proof = merkle.inclusion_proof(reader, index, size)
            assert proof == merkle.inclusion_proof(leaves, index, size)
            assert reader.entry(index) == body(index)
        for old in (1, 256, 65_280, 65_534, size):
            assert merkle.consistency_proof(reader, old, size) == merkle.consistency_proof(
                leaves, old, size
            )
    once, grown = files(tmp_path / "once"), files(tmp_path / "grown")
    assert once.items() <= grown.items()
    assert all(".p/" in path for path in set(grown) - set(once))
    assert ("tile/1/000" in once) == (size >= 65_536)
    assert ("tile/2/000.p/1" in once) == (size >= 65_536)


def test_the_example_of_the_specification(tmp_path: Path) -> None:
    size = 70_000
    write_tiles(tmp_path, bodies(size), signed(merkle.root(hashes(size)), size), size)
    there = files(tmp_path)
    by_level = {
        row: sorted(path for path in there if path.startswith(f"tile/{row}/"))
        for row in ("0", "1", "2", "3", "entries")
    }
    assert [len(paths) for paths in by_level.values()] == [274, 2, 1, 0, 274]
    assert len(there["tile/0/273.p/112"]) == 112 * 32
    assert by_level["1"] == ["tile/1/000", "tile/1/001.p/17"]
    assert by_level["2"] == ["tile/2/000.p/1"]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(
            lambda byte, length: bytes([byte]) * length,
            st.integers(0, 255),
            st.integers(0, 40) | st.sampled_from([65_534, 65_535]),
        ),
        max_size=300,
    ),
    st.lists(st.integers(0, 300), max_size=3),
)
def test_any_entries_in_any_steps(
    tmp_path_factory: pytest.TempPathFactory, entries: list[bytes], steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("tiles")
    leaves = [merkle.leaf_hash(each) for each in entries]
    for size in [*sorted(step for step in steps if step < len(entries)), len(entries)]:
        note = signed(merkle.root(leaves[:size]), size)
        write_tiles(folder, iter(entries), note, size)
        assert naive_root(folder) == (size, merkle.root(leaves[:size]), entries[:size])
        assert check_tiles(folder, [LOG_KEY]).size == size
    assert expected_files(entries).items() <= files(folder).items()
    shutil.rmtree(folder)


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    assert write(tmp_path, 600) == 3 + 3 + 1 + 1
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in files(tmp_path)}
    assert write(tmp_path, 600) == 0
    # 3 full tiles, 1 partial one, and the same of bundles; level 1; the checkpoint.
    assert write(tmp_path, 1030) == 2 * 3 + 1 + 1
    assert write(tmp_path, 1040, resume_at(tmp_path)) == 2 + 1
    now = {path: (tmp_path / path).stat().st_mtime_ns for path in files(tmp_path)}
    assert {path for path in before if now.get(path) == before[path]} == {
        *expected_files(list(bodies(512))),
        "tile/1/000.p/2",
    }
    assert set(now) - {"checkpoint"} == {
        *expected_files(list(bodies(1040))),
        "tile/0/004.p/6",
        "tile/entries/004.p/6",
        "tile/1/000.p/2",
        *(f"tile/1/000.p/{width}" for width in (2, 4)),
    }


def test_more_entries_than_the_checkpoint_are_not_read(tmp_path: Path) -> None:
    endless = map(body, count())
    write_tiles(tmp_path, endless, checkpoint(300), 300)
    assert next(endless) == body(300)


def test_more_signatures_are_published(tmp_path: Path) -> None:
    write(tmp_path, 300)
    note = notes.Note.parse(checkpoint(300))
    cosigned = note.with_signatures(notes.cosign(note.text, WITNESS_KEY.name, WITNESS, 7)).format()
    assert write_tiles(tmp_path, bodies(300, 256), cosigned, 300, start=256) == 1
    assert TileReader(tmp_path).note.format() == cosigned
    assert check_tiles(tmp_path, [LOG_KEY, WITNESS_KEY]).size == 300


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "public" / "log"
    write(folder, 300)
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


# --- What is refused, and leaves the published log as it was.


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 300)
    before = files(tmp_path)
    other = [*bodies(100), b"forged", *bodies(400, 101)]
    leaves = [merkle.leaf_hash(each) for each in other]
    forged = signed(merkle.root(leaves), 400)
    grown = signed(merkle.root(hashes(400)), 400)
    for entries, note, size, start, match in (
        (bodies(399), grown, 400, 0, "there are 399 entries, not 400"),
        (bodies(400), grown, 401, 0, "over 400 entries, not 401"),
        (iter(other), grown, 400, 0, "published checkpoint covers it"),
        (iter(other), forged, 400, 0, "published checkpoint covers it"),
        (iter(other), forged, 400, 256, "is not one of these entries"),
        (bodies(400, 257), grown, 400, 256, "is not one of these entries"),
        (bodies(400), signed(bytes(32), 400), 400, 0, "another root"),
        (bodies(299), checkpoint(299), 299, 0, "holds 300 entries already"),
        (bodies(400), signed(merkle.root(hashes(400)), 400, "x"), 400, 0, "holds the log 'exa"),
        (bodies(400, 10), grown, 400, 10, "see resume_at"),
        (bodies(400), grown, 400, -256, "see resume_at"),
        (bodies(400, 512), grown, 400, 512, "see resume_at"),
        ((*bodies(399), bytes(65_536)), grown, 400, 0, "another root|does not fit"),
        (iter([*other[:100], *bodies(300, 100)]), signed(bytes(32), 300), 300, 256, "published"),
    ):
        with pytest.raises(ProofError, match=match):
            write_tiles(tmp_path, entries, note, size, start=start)
        assert before.items() <= files(tmp_path).items()
        assert check_tiles(tmp_path, [LOG_KEY]).size == 300
        assert not (tmp_path / ".new").exists()
    with pytest.raises(NoteError):
        write_tiles(tmp_path, bodies(400), b"no note", 400)
    assert write(tmp_path, 400)
    assert check_tiles(tmp_path, [LOG_KEY]).size == 400


def test_an_entry_that_is_too_long_is_refused(tmp_path: Path) -> None:
    entries = [bytes(65_535), bytes(65_536)]
    leaves = [merkle.leaf_hash(each) for each in entries]
    write_tiles(tmp_path, entries, signed(merkle.root(leaves[:1]), 1), 1)
    with pytest.raises(ProofError, match="65536 bytes does not fit"):
        write_tiles(tmp_path, entries, signed(merkle.root(leaves), 2), 2)


def test_wrong_tiles_of_a_refused_run_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_BATCH", 1)
    write(tmp_path, 300)
    wrong = [*bodies(300), *(b"wrong %d" % number for number in range(700))]
    with pytest.raises(ProofError, match="another root"):
        write_tiles(tmp_path, wrong, checkpoint(900), 900)
    assert files(tmp_path)["tile/0/001"] != expected_files(list(bodies(900)))["tile/0/001"]
    assert check_tiles(tmp_path, [LOG_KEY]).size == 300  # by the partial ones
    assert merkle.root(TileReader(tmp_path), 300) == merkle.root(hashes(300))
    write(tmp_path, 900)
    assert check_tiles(tmp_path, [LOG_KEY]).size == 900
    assert expected_files(list(bodies(900))).items() <= files(tmp_path).items()


# --- Damage.


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 600 entries that had checkpoints at 20, 300 and 590."""
    folder = tmp_path_factory.mktemp("grown")
    for size in (20, 300, 590, 600):
        write(folder, size)
    return folder


def test_every_file_is_checked(grown: Path, tmp_path: Path) -> None:
    there = files(grown)
    # 44 of 300 went when its tile became full.
    assert {path for path in there if ".p/" in path} == {
        *(f"tile/{row}/002.p/{width}" for row in ("0", "entries") for width in (78, 88)),
        "tile/1/000.p/1",
        "tile/1/000.p/2",
    }
    folder = tmp_path / "log"
    shutil.copytree(grown, folder)
    chance = random.Random(1)
    for path, data in there.items():
        every = range(len(data)) if len(data) < 300 else chance.sample(range(len(data)), 40)
        for at in every:
            damaged = bytearray(data)
            damaged[at] ^= 1 << chance.randrange(8)
            (folder / path).write_bytes(damaged)
            with pytest.raises((ProofError, NoteError)):
                check_tiles(folder, [LOG_KEY])
        for other in (b"", data[:-1], data + b"\0", data[:-32], data + data[-32:]):
            (folder / path).write_bytes(other)
            with pytest.raises((ProofError, NoteError)):
                check_tiles(folder, [LOG_KEY])
        (folder / path).write_bytes(data)
    assert check_tiles(folder, [LOG_KEY]).size == 600
    needed = {"checkpoint", *expected_files(list(bodies(600)))}
    for path, data in there.items():
        (folder / path).unlink()
        if path in needed:
            with pytest.raises(ProofError, match=r"missing|no checkpoint"):
                check_tiles(folder, [LOG_KEY])
        else:  # the specification asks a log for it, but this checkpoint can do without
            check_tiles(folder, [LOG_KEY])
        (folder / path).write_bytes(data)


def test_a_changed_entry_with_all_its_hashes_is_found(grown: Path, tmp_path: Path) -> None:
    # Who can write the folder can make it consistent, but not sign it.
    entries = list(bodies(600))
    entries[123] = b'{"seq":124}'
    for path, data in expected_files(entries).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "checkpoint").write_bytes(checkpoint(600))
    with pytest.raises(ProofError, match="another root"):
        check_tiles(tmp_path, [LOG_KEY])
    root = mth([merkle.leaf_hash(each) for each in entries])
    for note in (
        Checkpoint(ORIGIN, 600, root).format() + "\n" + checkpoint(600).decode().split("\n\n")[1],
        notes.sign_note(Checkpoint(ORIGIN, 600, root).format(), ORIGIN, WITNESS).format().decode(),
    ):
        (tmp_path / "checkpoint").write_text(note)
        with pytest.raises(NoteError):
            check_tiles(tmp_path, [LOG_KEY])


def test_the_logs_own_signature_is_needed(tmp_path: Path) -> None:
    write(tmp_path, 3)
    note = notes.Note.parse(checkpoint(3))
    cosignature = notes.cosign(note.text, WITNESS_KEY.name, WITNESS, 7)
    (tmp_path / "checkpoint").write_bytes(notes.Note(note.text, (cosignature,)).format())
    for keys in ([LOG_KEY], [LOG_KEY, WITNESS_KEY], [OTHER_KEY], []):
        with pytest.raises(NoteError):
            check_tiles(tmp_path, keys)


def test_what_is_beyond_the_checkpoint_or_no_tile_is_not_looked_at(
    grown: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    shutil.copytree(grown, folder)
    for path in ("tile/0/002", "tile/0/002.p/200", "tile/0/002.p/note.txt", "tile/0/003", "x"):
        (folder / path).write_bytes(b"anything")
    (folder / "tile/0/001.p").write_bytes(b"anything")
    assert check_tiles(folder, [LOG_KEY]).size == 600


# --- The reader.


def test_nodes_and_tiles_within_bounds_only(grown: Path) -> None:
    reader = TileReader(grown)
    leaves = hashes(600)
    for level in range(10):
        for index in range(600 >> level):
            expected = mth(leaves[index << level : (index + 1) << level])
            assert reader(level, index) == expected, (level, index)
    for level, index in (
        *((level, 600 >> level) for level in range(70)),
        (-1, 0),
        (0, -1),
        (10, 0),
        (64, 0),
        (1 << 70, 0),
        (0, 1 << 70),
    ):
        with pytest.raises(ProofError, match="no node"):
            reader(level, index)
    assert reader.tile(0, 2) == leaves[512:]
    assert reader.bundle(2) == list(bodies(600, 512))
    assert [reader.entry(index) for index in (0, 255, 256, 599)] == [
        body(index) for index in (0, 255, 256, 599)
    ]
    for level, index in ((0, 3), (0, -1), (1, 1), (2, 0), (-1, 0), (64, 0)):
        with pytest.raises(ProofError, match="no tile"):
            reader.tile(level, index)
    for index in (600, -1, -600):
        with pytest.raises(ProofError, match="no entry"):
            reader.entry(index)
    with pytest.raises(ProofError, match="no tile"):
        reader.bundle(3)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 600), st.data())
def test_proofs_from_tiles(grown: Path, size: int, data: st.DataObject) -> None:
    reader = TileReader(grown)
    root = merkle.root(reader, size)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(reader, index, size)
    merkle.verify_inclusion(merkle.leaf_hash(reader.entry(index)), index, size, proof, root)
    proof = merkle.consistency_proof(reader, size, 600)
    merkle.verify_consistency(size, root, 600, reader.checkpoint.root, proof)


def test_a_reader_goes_on_while_the_folder_grows(tmp_path: Path) -> None:
    write(tmp_path, 300)
    reader = TileReader(tmp_path)
    write(tmp_path, 800)
    assert not (tmp_path / "tile/0/001.p").exists()
    assert merkle.root(reader, 300) == reader.checkpoint.root
    assert reader.bundle(1) == list(bodies(300, 256))
    assert reader.tile(0, 1) == hashes(300)[256:]
    with pytest.raises(ProofError):
        reader.entry(300)


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    assert resume_at(tmp_path) == 0
    with pytest.raises(FileNotFoundError):
        TileReader(tmp_path)
    with pytest.raises(ProofError, match="has no checkpoint"):
        check_tiles(tmp_path, [LOG_KEY])
    (tmp_path / "checkpoint").write_bytes(b"no note")
    for call in (TileReader, resume_at):
        with pytest.raises(NoteError):
            call(tmp_path)


# --- Kills, failures, and two at once.


def test_the_order_of_what_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A model of a disk: contents are safe once synced, names once their directory was.
    synced: set[int] = set()
    pending: set[Path] = set()
    rename, sync_file, sync_directory = os.rename, durable.sync_file, durable.sync_directory

    def on_rename(source: Path, target: Path) -> None:
        assert os.stat(source).st_ino in synced, f"{target} gets its name before its content"
        if target.name == "checkpoint":
            assert not pending, "the checkpoint gets its name before the tiles have theirs"
        rename(source, target)
        at = target
        while at != tmp_path:
            pending.add(at)
            at = at.parent

    def on_sync_file(fd: int) -> None:
        sync_file(fd)
        synced.add(os.fstat(fd).st_ino)

    def on_sync_directory(path: Path) -> None:
        sync_directory(path)
        pending.difference_update([each for each in pending if each.parent == path.parent])

    monkeypatch.setattr(staging, "sync_file", on_sync_file)
    monkeypatch.setattr(staging, "sync_directory", on_sync_directory)
    monkeypatch.setattr(os, "rename", on_rename)
    monkeypatch.setattr(staging, "_BATCH", 3)
    for size in (10, 256, 1500, 1501, 4000):
        write(tmp_path, size)
        assert not pending


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from tile_folders import write
    from chained_logging.transparency.tiles import staging

    folder, left = Path(sys.argv[1]), int(sys.argv[2])
    staging._BATCH = 2

    def counted(function):
        def call(*arguments, **keywords):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)
        return call

    for module, name in ((os, "rename"), (staging, "sync_file"), (staging, "sync_directory"),
                         (staging.shutil, "rmtree"), (os, "mkdir")):
        setattr(module, name, counted(getattr(module, name)))
    write(folder, int(sys.argv[3]))
"""


def _run(text: str, *arguments: object) -> int:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)],
        cwd=SUPPORT,
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.long
def test_killed_anywhere(tmp_path: Path) -> None:
    sizes = iter((300, 700, 1300))
    size, old = next(sizes), 0
    # Each kill comes some calls later than the one before, on the folder that it left behind.
    for step in count(1):
        status = _run(_KILLED, tmp_path, step * 4, size)
        if (tmp_path / "checkpoint").exists():
            held = check_tiles(tmp_path, [LOG_KEY]).size
            assert held in (old, size)
            assert naive_root(tmp_path)[1] == merkle.root(hashes(held))
        else:
            assert old == 0
        if status == 0:
            assert held == size
            old = size
            size = next(sizes, 0)
            if not size:
                break
        else:
            assert status == -signal.SIGKILL
    assert step > 6
    assert expected_files(list(bodies(1300))).items() <= files(tmp_path).items()
    assert not (tmp_path / ".new").exists()


def test_a_full_disk_leaves_the_published_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "300", 300)
    for failing in range(1, 4 + 4 + 3 + 1 + 1):  # full, bundles, partial, the checkpoint
        folder = tmp_path / str(failing)
        shutil.copytree(tmp_path / "300", folder)
        calls = count(1)

        def sync(fd: int, calls: Iterator[int] = calls, failing: int = failing) -> None:
            if next(calls) == failing:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(staging, "sync_file", sync)
            patch.setattr(staging, "_BATCH", 3)
            with pytest.raises(OSError, match="No space left"):
                write(folder, 1500)
        assert check_tiles(folder, [LOG_KEY]).size == 300
        write(folder, 1500)
        assert check_tiles(folder, [LOG_KEY]).size == 1500


def test_an_iterator_that_raises(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield from bodies(600)
        raise RuntimeError("the log cannot be read")

    write(tmp_path, 300)
    with pytest.raises(RuntimeError, match="the log cannot be read"):
        write_tiles(tmp_path, broken(), checkpoint(900), 900)
    assert check_tiles(tmp_path, [LOG_KEY]).size == 300
    write(tmp_path, 900)


_WRITER = """
    import sys
    from pathlib import Path
    from tile_folders import write
    from chained_logging.format.merkle import ProofError
    for size in map(int, sys.argv[2:]):
        try:
            write(Path(sys.argv[1]), size)
        except ProofError as error:
            assert "already" in str(error), error
"""


def test_two_writers_and_a_reader_at_once(tmp_path: Path) -> None:
    write(tmp_path, 1)
    sizes = [range(5, 3000, 211), range(9, 3000, 307)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_WRITER), tmp_path, *map(str, each)],
            cwd=SUPPORT,
        )
        for each in sizes
    ]
    seen = 0
    try:
        while any(writer.poll() is None for writer in writers):
            size = check_tiles(tmp_path, [LOG_KEY]).size
            assert size >= seen
            seen = size
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert check_tiles(tmp_path, [LOG_KEY]).size == max(map(max, sizes))


def test_memory_is_bounded(tmp_path: Path) -> None:
    size, length = 3000, 9_000  # 27 MB in all

    def endless() -> Iterator[bytes]:
        for number in count():
            yield b"%d" % number + bytes(length)

    leaves = [merkle.leaf_hash(each) for each in islice(endless(), size)]
    note = signed(merkle.root(leaves), size)
    del leaves
    tracemalloc.start()
    write_tiles(tmp_path, endless(), note, size)
    write_tiles(tmp_path, endless(), note, size)
    check_tiles(tmp_path, [LOG_KEY])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 256 * length  # as entries and as bytes, the one that was before, and the new


# --- Checkpoints between two exports.


def _expected(size: int, final: int) -> dict[str, bytes]:
    """Return the partial tiles of a tree, without those that are full at a later size."""
    found: dict[str, bytes] = {}
    row, level = hashes(size), 0
    while row:
        index, width = divmod(len(row), 256)
        if width and final // 256 ** (level + 1) <= index:
            path = tile_path(level, index, width)
            found[path] = b"".join(row[index * 256 :])
            if level == 0:
                entries = list(bodies(size, index * 256))
                found[entries_path(index, width)] = encode_entries(entries)
        row = [mth(row[at : at + 256]) for at in range(0, index * 256, 256)]
        level += 1
    return found


@pytest.mark.parametrize(
    ("exports", "between"),
    [
        ([340], [300, 320, 340]),
        ([340, 500], [300, 320, 340, 350, 499]),
        ([340, 600], [300, 512, 513, 599, 600]),
        ([1000], [1, 255, 256, 257, 767, 768, 769, 999]),
        ([300, 300], [299]),
    ],
)
def test_partial_tiles_of_each_checkpoint_are_there(
    tmp_path: Path, exports: list[int], between: list[int]
) -> None:
    for size in exports:
        start = resume_at(tmp_path)
        sizes = with_partials(between, start, size)
        roots = {each: merkle.root(hashes(each)) for each in sizes}
        write_tiles(
            tmp_path, bodies(size, start), checkpoint(size), size, start=start, earlier=roots
        )
    final, there = exports[-1], files(tmp_path)
    for size in [*between, *exports]:
        for path, content in _expected(size, final).items():
            assert there[path] == content, (size, path)
    check_tiles(tmp_path, [LOG_KEY])


def test_a_checkpoint_of_other_entries_brings_no_tiles(tmp_path: Path) -> None:
    write_tiles(tmp_path, bodies(340), checkpoint(340), 340, earlier={300: bytes(32)})
    assert not (tmp_path / "tile/0/001.p/44").exists()


def test_few_of_many_checkpoints_have_partial_tiles() -> None:
    found = with_partials(range(1, 200_000), 0, 200_000)
    assert len(found) < 3 * 256
    assert 199_999 in found

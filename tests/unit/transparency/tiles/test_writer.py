"""The folder of tiles against a reader written from the specification alone, and against damage."""

from __future__ import annotations

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
from note_keys import LOG_KEY, ORIGIN, WITNESS, WITNESS_KEY
from tile_folders import bodies, body, checkpoint, hashes, signed, write
from tile_oracle import expected_files, files, mth, naive_root

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


# --- Kills, failures, and two at once.


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

"""Paths of tiles and bundles of entries against C2SP tlog-tiles."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chained_logging.format.merkle import ProofError
from chained_logging.format.tile import (
    Tile,
    decode_entries,
    encode_entries,
    entries_path,
    parse_tile_path,
    tile_path,
)


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/000", (0, 0, 256)),
        ("tile/63/x001/x234/067", (63, 1_234_067, 256)),
        ("tile/0/273.p/112", (0, 273, 112)),
        ("tile/1/001.p/17", (1, 1, 17)),
        ("tile/2/000.p/1", (2, 0, 1)),
        ("tile/10/999.p/255", (10, 999, 255)),
        ("tile/5/x001/000", (5, 1000, 256)),
        ("tile/entries/x001/x234/067", (None, 1_234_067, 256)),
        ("tile/entries/000.p/1", (None, 0, 1)),
        ("tile/entries/x009/x223/x372/x036/x854/x775/807", (None, 2**63 - 1, 256)),
    ],
)
def test_paths_of_tiles(path: str, tile: tuple[int | None, int, int]) -> None:
    level, index, width = tile
    if level is None:
        assert entries_path(index, width) == path
    else:
        assert tile_path(level, index, width) == path
    assert parse_tile_path(path) == Tile(*tile)


@given(st.none() | st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_a_path_is_read_as_it_was_written(level: int | None, index: int, width: int) -> None:
    path = entries_path(index, width) if level is None else tile_path(level, index, width)
    assert parse_tile_path(path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x00/001",
        "tile/0/001/001",
        "tile/0/x001",
        "tile/0/X001/001",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/entries/1",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000 ",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/٠٠١",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/" + "x001/" * 7 + "001",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(ProofError, match="of a tile"):
        parse_tile_path(path)


@given(st.text() | st.from_regex(r"tile/(entries|[0-9]{0,2})/(x?[0-9]{3}/?){0,9}(\.p/[0-9]{0,4})?"))
def test_text_is_a_path_or_refused(text: str) -> None:
    try:
        tile = parse_tile_path(text)
    except ProofError:
        return
    if tile.level is None:
        assert entries_path(tile.index, tile.width) == text
    else:
        assert tile_path(tile.level, tile.index, tile.width) == text


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257), (0, 0, -1)],
)
def test_a_tile_that_cannot_be_has_no_path(level: int, index: int, width: int) -> None:
    with pytest.raises(ProofError):
        tile_path(level, index, width)
    if 0 <= level < 64:
        with pytest.raises(ProofError):
            entries_path(index, width)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
@example([b""])
@example([b"x" * 65_535])
@example([b""] * 256)
def test_entries_come_out_of_a_bundle_as_they_went_in(entries: list[bytes]) -> None:
    bundle = encode_entries(entries)
    assert decode_entries(bundle) == entries
    assert bundle[:2] == len(entries[0]).to_bytes(2, "big")


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_entries_that_do_not_fit_are_refused(entries: list[bytes]) -> None:
    with pytest.raises(ProofError):
        encode_entries(entries)


@pytest.mark.parametrize("bundle", [b"", b"\0", b"\0\1", b"\0\0\0", b"\xff\xffx", bytes(2 * 257)])
def test_what_is_no_bundle_is_refused(bundle: bytes) -> None:
    with pytest.raises(ProofError):
        decode_entries(bundle)


@given(st.binary())
def test_bytes_are_a_bundle_or_refused(data: bytes) -> None:
    try:
        entries = decode_entries(data)
    except ProofError:
        return
    assert encode_entries(entries) == data

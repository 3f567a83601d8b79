"""A log with stubs is queried, exported and proven like any other; its stubs are found nowhere."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from commands import command
from stubbed import Chain, SigningKey
from verifiers import MODULE

from chained_logging.review.export import converted, export_log, export_tiles
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log, open_source
from chained_logging.review.query import Engine

KEY = SigningKey("first")
STORES = ["log.jsonl", "log.db"]


def usual() -> Chain:
    chain = Chain(KEY)
    for number in range(40):
        chain.add(actor_id=("ann", "bob")[number % 2], context={"n": number})
    chain.checkpoint()
    chain.purge([*range(5, 12), 14, 16, *range(20, 30)])
    chain.grow(3)
    chain.checkpoint()
    return chain


def seqs(engine: Engine, wanted: Filter) -> list[int]:
    return [entry.seq for entry in engine.every(wanted)]


@pytest.mark.parametrize("name", STORES)
def test_what_is_left_is_found_and_no_fault(tmp_path: Path, name: str) -> None:
    chain = usual()
    left = [seq for seq in range(len(chain)) if seq not in chain.stubs]
    with open_log(str(chain.write(tmp_path / name))) as engine:
        assert seqs(engine, Filter()) == left
        assert engine.count() == len(left)
        assert seqs(engine, Filter(actor=("bob",))) == [
            seq for seq in left if seq <= 40 and seq and seq % 2 == 0
        ]
        assert engine.store.fault is None


@pytest.mark.parametrize("cut", [8, 14, 31])
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_begin_and_end_with_stubs_are_one_log(
    tmp_path: Path, cut: int, packed: bool
) -> None:
    chain = usual()
    lines = chain.lines()
    first = b"".join(line + b"\n" for line in lines[:cut])
    segment = tmp_path / f"log.{cut:020}.jsonl{'.gz' if packed else ''}"
    segment.write_bytes(gzip.compress(first) if packed else first)
    path = chain.write(tmp_path / "log.jsonl", lines[cut:])
    left = [seq for seq in range(len(chain)) if seq not in chain.stubs]
    with open_log(str(path)) as engine:
        assert seqs(engine, Filter()) == left
        assert engine.store.fault is None


def test_an_index_notices_that_entries_were_removed(tmp_path: Path) -> None:
    chain = usual()
    stubs, chain.stubs = chain.stubs, set()
    path = chain.write(tmp_path / "log.jsonl")
    with open_log(str(path), indexed=True) as engine:
        assert seqs(engine, Filter()) == [*range(len(chain))]
        chain.stubs = stubs
        chain.write(path)
        engine.store.refresh()
        assert seqs(engine, Filter()) == [s for s in range(len(chain)) if s not in stubs]
        assert engine.count() == len(chain) - len(stubs)


def test_an_index_goes_on_where_a_log_ended_with_stubs(tmp_path: Path) -> None:
    chain = usual()
    lines = chain.lines()
    path = chain.write(tmp_path / "log.jsonl", lines[:25])
    with open_log(str(path), indexed=True) as engine:
        engine.count()
        chain.write(path)
        engine.store.refresh()
        assert engine.count() == len(chain) - len(chain.stubs)
        assert engine.store.fault is None


@pytest.mark.parametrize("name", STORES)
def test_a_stub_that_somebody_else_made_of_a_neighbour_shows(tmp_path: Path, name: str) -> None:
    chain = usual()
    chain.hashes[14] = "ab" * 32
    with open_log(str(chain.write(tmp_path / name))) as engine:
        assert len(seqs(engine, Filter(first_seq=15, last_seq=15))) == 1
        assert engine.store.fault == "entry 15 does not follow entry 14"


@pytest.mark.parametrize("name", STORES)
def test_a_source_reads_stubs_where_they_stand(tmp_path: Path, name: str) -> None:
    chain = usual()
    source = open_source(str(chain.write(tmp_path / name)))
    found = list(source.entries())
    assert [one.stub for one in found] == [
        seq if seq in chain.stubs else None for seq in range(len(chain))
    ]
    assert [one.leaf for one in found] == chain.hashes
    wanted = [(seq, found[seq].place) for seq in (3, 14, 8, 33)]
    read = list(source.read(wanted))
    assert [one.seq for one in read if one is not None] == [3, 14, 8, 33]
    assert [type(one).__name__ for one in read] == ["Record", "Stub", "Stub", "Record"]
    source.close()


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("target", STORES)
def test_an_export_holds_the_stubs_and_verifies(tmp_path: Path, name: str, target: str) -> None:
    chain = usual()
    path = chain.write(tmp_path / name)
    count, last = export_log(path, tmp_path / f"copy-{target}")
    assert (count, last) == (len(chain), chain.hashes[-1])
    report = MODULE.verify(tmp_path / f"copy-{target}", public_key=KEY.vkey)
    assert (report.status, report.faults) == ("intact", [])
    assert report.stubs == len(chain.stubs)


@pytest.mark.parametrize("name", STORES)
def test_what_export_prints_verifies(tmp_path: Path, name: str) -> None:
    chain = usual()
    done = command("export", chain.write(tmp_path / name))
    assert done.stdout.encode() == b"".join(line + b"\n" for line in chain.lines())


@pytest.mark.parametrize("name", STORES)
def test_other_formats_hold_the_entries_that_are_left(tmp_path: Path, name: str) -> None:
    chain = usual()
    path = chain.write(tmp_path / name)
    rows = [data for data in converted(path, "ocsf") if data]
    assert len(rows) == len(chain) - len(chain.stubs)
    lines = [line for seq, line in enumerate(chain.lines()) if seq != 14]
    with pytest.raises(ValueError, match="entry 13 is followed by 15"):
        list(converted(chain.write(tmp_path / "cut.jsonl", lines), "ocsf"))


def test_tiles_of_entries_that_were_removed_are_refused(tmp_path: Path) -> None:
    path = usual().write(tmp_path / "log.jsonl")
    with pytest.raises(ValueError, match="entry 5 was removed"):
        export_tiles(path, tmp_path / "tiles")

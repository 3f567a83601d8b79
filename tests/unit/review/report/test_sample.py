"""A sample can be drawn again, and each entry of it is proven."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from periods import event, write_log
from signed_logs import ORIGIN, Key, pin

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.report.sample import Sample, sample
from chained_logging.review.selection import drawn
from chained_logging.sinks import open_sink
from chained_logging.transparency.proof import LogTree
from chained_logging.verify import verify_proof

EVENTS = [event(n / 4) for n in range(100)]
OCTOBER = Filter(since="2024-10-05T00:00:00.000000Z", until="2024-10-20T00:00:00.000000Z")


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"audit.{request.param}"


def taken(path: Path, size: int = 101, count: int = 7, wanted: Filter = OCTOBER) -> Sample:
    with open_log(str(path)) as engine:
        return sample(engine, str(path), wanted, size, count)


def test_the_root_of_the_checkpoint_draws_from_the_period(path: Path) -> None:
    key = Key()
    write_log(path, EVENTS, key=key, origin=ORIGIN)
    found = taken(path)
    ((_, kept),) = open_sink(path).checkpoints()
    root = Checkpoint.parse(Note.parse(kept.note.encode()).text).root
    assert (found.root, found.missing) == (base64.b64encode(root).decode(), None)
    assert (found.first, found.last, found.population) == (16, 75, 60)
    assert [one.entry.seq for one in found.entries] == [16 + at for at in drawn(root, 60, 7)]
    for one in found.entries:
        report = verify_proof(str(one.proof).encode(), pin(key))
        assert report["status"] == "proven"
        assert report["entry"].encode() == one.entry.line


def test_without_a_checkpoint_it_says_that_nothing_is_proven(path: Path) -> None:
    write_log(path, EVENTS)
    found = taken(path)
    assert [one.proof for one in found.entries] == [None] * 7
    assert "have no proofs" in str(found.missing)
    again = taken(path)
    assert [one.entry.seq for one in found.entries] == [one.entry.seq for one in again.entries]
    assert found.root != taken(path, size=90).root


def test_an_empty_period_and_a_broken_log(path: Path) -> None:
    write_log(path, EVENTS, key=Key(), origin=ORIGIN)
    nothing = taken(path, wanted=Filter(since="2030-01-01T00:00:00.000000Z"))
    assert nothing.missing == "The period has no entries."
    assert taken(path, count=0).entries == ()
    with open_log(str(path)) as engine:
        if path.suffix == ".jsonl":
            path.write_bytes(path.read_bytes().replace(b'"read"', b'"reap"', 1))
            broken = sample(engine, str(path), OCTOBER, 101, 1)
            assert "could not be drawn" in str(broken.missing)


def test_a_proof_in_a_large_log_is_the_one_that_prove_prints(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    write_log(path, [event(n / 400) for n in range(2_500)], key=Key(), origin=ORIGIN)
    found = taken(path, 2_501, 40, Filter(since="2024-10-01T00:00:00.000000Z"))
    tree = LogTree(path)
    seqs = [one.entry.seq for one in found.entries]
    assert min(seqs) < 1_024 < 2_048 < max(seqs)
    assert [str(one.proof).encode() for one in found.entries] == [
        tree.inclusion(seq).format() for seq in seqs
    ]

"""The hashes that the next checkpoint needs: whole and in order, or none."""

from __future__ import annotations

from chained_logging.format.record import Head, Record
from chained_logging.log.recent import RecentHashes


def written(*seqs: int) -> list[Record]:
    return [Record(seq, b"{}", f"{seq:064x}") for seq in seqs]


def head(seq: int) -> Head:
    return Head(seq, f"{seq:064x}")


def hashes(*seqs: int) -> list[str]:
    return [record.hash for record in written(*seqs)]


def test_what_was_written_here_is_known() -> None:
    recent = RecentHashes()
    recent.add(written(3))
    recent.add(written(4, 5))
    assert recent.between(3, head(5)) == hashes(3, 4, 5)
    assert recent.between(4, head(5)) == hashes(4, 5)


def test_an_entry_of_another_writer_makes_a_gap() -> None:
    recent = RecentHashes()
    recent.add(written(3))
    assert recent.between(2, head(3)) == []
    assert recent.between(3, head(4)) == []
    recent.add(written(5))
    assert recent.between(3, head(5)) == []
    assert recent.between(5, head(5)) == hashes(5)


def test_another_hash_at_the_end_is_not_believed() -> None:
    recent = RecentHashes()
    recent.add(written(3, 4))
    assert recent.between(3, Head(4, "f" * 64)) == []


def test_what_a_checkpoint_covers_is_forgotten() -> None:
    recent = RecentHashes()
    recent.add(written(3, 4, 5))
    recent.forget_before(5)
    assert recent.between(4, head(5)) == []
    assert recent.between(5, head(5)) == hashes(5)

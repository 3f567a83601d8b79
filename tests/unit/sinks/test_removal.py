"""What every store promises when it lets entries go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from retention_logs import SEALED, fill, left, old, stubs

from chained_logging.format.record import Record
from chained_logging.sinks import Sink, open_sink
from chained_logging.sinks.removal import Named
from chained_logging.sinks.sqlite import SqliteSink


@pytest.fixture
def sink(path: Path) -> Iterator[Sink]:
    fill(path, [old(9, note=f"secret-{n}-") for n in range(40)])
    sink = open_sink(path, **(SEALED if path.suffix == ".jsonl" else {}))
    sink.head()
    if isinstance(sink, SqliteSink):  # let it: the log would write an entry that names them
        with sink.transaction() as connection:
            connection.execute("DROP TRIGGER stubs_of_entries")
    yield sink
    sink.close()


def remove(sink: Sink, named: Named, *kept: int) -> int:
    def may_go(record: Record) -> bool:
        return record.seq not in kept

    count = 0
    for piece in sink.removals(named):
        piece.prepare(may_go)
        piece.prepare(may_go)  # as when something changed since
        count += piece.commit(may_go)
    for piece in sink.give_back():
        piece.prepare(may_go)
        piece.commit(may_go)
    return count


def test_exactly_what_is_named_and_may_go_becomes_stubs(sink: Sink, path: Path) -> None:
    before = left(path)
    head = sink.head()
    assert remove(sink, [(2, 5), (7, 7), (9, 30)], 3, 20) == 25
    assert stubs(path) == {2, 4, 5, 7, *range(9, 31)} - {20}
    after = left(path)
    assert {seq: hash for seq, (hash, _) in after.items()} == {
        seq: hash for seq, (hash, _) in before.items()
    }
    assert {seq for seq in after if after[seq] == before[seq]} == set(after) - stubs(path)
    assert sink.head() == head
    assert remove(sink, [(2, 5), (7, 7), (9, 30)], 3, 20) == 0


def test_nothing_is_named_and_nothing_happens(sink: Sink, path: Path) -> None:
    before = left(path)
    assert remove(sink, []) == 0
    assert remove(sink, [(10**6, 10**6 + 3)]) == 0
    assert left(path) == before


def test_what_may_go_lies_in_what_is_not_written_to(sink: Sink, path: Path) -> None:
    end = sink.removable()
    assert end == 40 if path.suffix == ".jsonl" else end > 10**9
    assert path in sink.files()

"""What every store of entries promises."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sink_records import chained

from chained_logging.errors import ForeignFile
from chained_logging.format.record import EMPTY, Head, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.sinks import Sink, open_sink


@pytest.fixture
def sink(path: Path) -> Iterator[Sink]:
    sink = open_sink(path)
    assert sink.head() == EMPTY
    yield sink
    sink.close()


def test_what_was_written_is_read_in_order(sink: Sink, path: Path) -> None:
    records = chained(5)
    sink.write(records[:3])
    sink.write(records[3:])
    assert sink.head() == (4, records[-1].hash)
    assert list(sink.records()) == records
    assert list(sink.records(3)) == records[3:]
    assert list(sink.readable(3)) == records[3:]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_copy_takes_stubs_too_and_goes_on_after_them(sink: Sink, path: Path) -> None:
    records = chained(6)
    signature = base64.b64encode(bytes(64)).decode()
    items = [Stub(r.seq, r.hash, signature) if r.seq in (1, 2, 5) else r for r in records]
    sink.take(items[:2])
    sink.take(items[2:])
    assert sink.head() == (5, records[5].hash)
    assert list(sink.stored()) == items
    assert list(sink.stored(2)) == items[2:]
    assert list(sink.records()) == list(sink.readable()) == [records[i] for i in (0, 3, 4)]
    other = open_sink(path)
    assert other.head() == (5, records[5].hash)
    (after,) = chained(1, other.head())
    other.write([after])
    other.close()
    assert sink.head() == (6, after.hash)
    assert list(sink.stored(5)) == [items[5], after]


def test_signatures_are_kept(sink: Sink) -> None:
    (record,) = chained(1)
    signed = record._replace(signature=base64.b64encode(bytes(64)).decode())
    sink.write([signed])
    assert list(sink.records()) == [signed]


def test_another_writer_is_noticed(sink: Sink, path: Path) -> None:
    records = chained(3)
    sink.write(records[:1])
    other = open_sink(path)
    assert other.head() == (0, records[0].hash)
    other.write(records[1:])
    other.close()
    assert sink.head() == (2, records[-1].hash)


def test_it_is_opened_again_after_it_was_closed(sink: Sink) -> None:
    records = chained(2)
    sink.write(records[:1])
    sink.close()
    assert sink.head() == (0, records[0].hash)
    sink.write(records[1:])
    assert list(sink.records()) == records


def test_it_continues_after_a_given_head(sink: Sink) -> None:
    sink.write(chained(1))
    sink.resume(Head(7, "f" * 64))
    (after,) = chained(1, Head(7, "f" * 64))
    sink.write([after])
    assert [record.seq for record in sink.records()] == [0, 8]


def test_checkpoints_are_kept_in_order_each_with_a_mark(sink: Sink) -> None:
    sink.write(chained(3))
    stored = [StoredCheckpoint(f"note {size}", size, "", None) for size in (1, 3)]
    again = stored[0]._replace(note="note 1, cosigned", timestamp="dGltZQ==")
    for one in (*stored, again):
        sink.add_checkpoint(one)
    marks, found = zip(*sink.checkpoints(), strict=True)
    assert list(found) == [*stored, again]
    assert [one for _, one in sink.checkpoints(marks[0])] == [stored[1], again]
    assert [one.size for one in sink.recent_checkpoints()] == [3, 1, 1]
    assert sink.recent_checkpoints()[1] == again  # of one size the later comes first


def test_a_second_name_is_refused(sink: Sink, path: Path) -> None:
    sink.write(chained(1))
    sink.close()
    os.link(path, path.with_name("second"))
    with pytest.raises(ForeignFile, match="more than one name"):
        sink.head()

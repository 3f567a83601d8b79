"""Of several destinations, the one that is furthest is restored, and a log never forks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from s3_logs import ORIGIN, Log, forged

from chained_logging import verify
from chained_logging.errors import DestinationError, Refused, ShipError
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.furthest import Furthest, furthest
from chained_logging.review.restore import restore
from chained_logging.sinks import open_sink


class Store:
    """A destination in memory."""

    def __init__(
        self, name: str, records: Sequence[Record], notes: Sequence[StoredCheckpoint] = ()
    ) -> None:
        self.name = f"memory://{name}"
        self._records = list(records)
        self._notes = [note for note in notes if note.size <= len(records)]
        self.reads = 0
        self.closed = False

    def head(self, origin: str) -> Head:
        return Head(*self._records[-1][::2]) if self._records else EMPTY

    def records(self, origin: str, start: int = 0) -> Any:
        self.reads += 1
        return iter(self._records[start:])

    def checkpoints(self, origin: str) -> Any:
        return iter(self._notes)

    def origins(self) -> list[str]:
        return [ORIGIN]

    def inspect(self, origin: str) -> list[Any]:
        return []

    def close(self) -> None:
        self.closed = True


class Silent(Store):
    def head(self, origin: str) -> Head:
        raise DestinationError(f"{self.name}: connection refused")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "lost.jsonl", 40)


def chosen(*stores: Any, key: PrivateKey | None = None) -> Furthest:
    return furthest(stores, ORIGIN, None if key is None else key.public_key)


def test_the_furthest_is_taken_whatever_the_order(log: Log) -> None:
    stores = [Store(str(size), log.records[:size]) for size in (10, 40, 25)]
    for order in (stores, stores[::-1]):
        best = chosen(*order)
        assert best.name == "memory://40"
        assert (best.head(ORIGIN).seq, best.warnings) == (39, [])
        assert list(best.records(ORIGIN)) == log.records
    best.close()
    assert all(store.closed for store in stores)


def test_checkpoints_of_the_others_count_too(log: Log, tmp_path: Path) -> None:
    """The furthest lacks the newest checkpoint, which another one has."""
    old = [note for note in log.checkpoints if note.size < 30]
    stores: list[Any] = [Store("a", log.records, old), Store("b", log.records, log.checkpoints)]
    best: Any = chosen(*stores, key=log.key)
    pem = public_pem(log.key.public_key)
    done = restore(best, ORIGIN, tmp_path / "audit.db", public_key=pem)
    assert (done.entries, done.set_aside) == (40, 0)


def test_two_histories_are_refused_with_the_place_and_both_names(log: Log) -> None:
    other = [*log.records[:17], *forged(log.records[16], 30)]
    one, two = Store("a", log.records), Store("b", other)
    with pytest.raises(Refused) as refusal:
        chosen(one, two)
    assert "memory://b and memory://a hold two histories" in str(refusal.value)
    assert "they differ from entry 17 on" in str(refusal.value)
    assert one.reads < 20


def test_two_logs_of_one_name_differ_from_the_first_entry(log: Log, tmp_path: Path) -> None:
    other = Log(tmp_path / "other.jsonl", 12)
    with pytest.raises(Refused, match="differ from entry 0 on"):
        chosen(Store("a", log.records), Store("b", other.records))


@pytest.mark.parametrize("length", [3, 60])
def test_the_key_tells_whose_history_it_is(log: Log, tmp_path: Path, length: int) -> None:
    before = log.checkpoints[-2].size
    tail = [*log.records[:before], *forged(log.records[before - 1], length)]
    genuine = Store("genuine", log.records, log.checkpoints)
    shorter = Store("shorter", log.records[: before - 2], log.checkpoints)
    attacked = Store("attacked", tail, log.checkpoints[:-1])
    best: Any = chosen(attacked, shorter, genuine, key=log.key)
    assert best.name == "memory://genuine"
    assert [store.name for store in best.agreeing] == ["memory://shorter"]
    (warning,) = best.warnings
    assert f"memory://attacked holds another history of {ORIGIN}" in warning
    assert f"from entry {before} on" in warning
    target = tmp_path / "audit.jsonl"
    pem = public_pem(log.key.public_key)
    assert restore(best, ORIGIN, target, public_key=pem).entries == 40
    assert list(open_sink(target).records())[:-1] == log.records
    assert verify(target, public_key=pem).intact


def test_a_fork_that_the_key_signed_on_both_sides_is_refused(log: Log, tmp_path: Path) -> None:
    """Two hosts went on with one log, or the key was stolen."""
    from chained_logging import AuditLog

    for side in ("a", "b"):
        copy = tmp_path / side / "audit.jsonl"
        copy.parent.mkdir()
        copy.write_bytes(log.path.read_bytes())
        with AuditLog(copy, key=log.key) as forked:
            forked.append("read", actor=side, ip="10.0.0.1")
    sinks = [open_sink(tmp_path / side / "audit.jsonl") for side in ("a", "b")]
    stores = [
        Store(side, list(sink.records()), [note for _, note in sink.checkpoints()])
        for side, sink in zip("ab", sinks, strict=True)
    ]
    with pytest.raises(Refused, match=r"the log's key vouches for both from entry 40 on"):
        chosen(*stores, key=log.key)


def test_one_that_does_not_answer_might_be_ahead(log: Log) -> None:
    best = chosen(Silent("down", []), Store("up", log.records))
    assert best.warnings == [
        "memory://down does not answer: connection refused. If it holds more than 40 entries, the "
        "restored log is a second history: ask it before anything is logged"
    ]
    with pytest.raises(DestinationError, match="down does not answer"):
        chosen(Silent("down", []))


def test_one_without_the_log_is_said(log: Log) -> None:
    best = chosen(Store("empty", []), Store("up", log.records))
    assert best.warnings == [f"memory://empty does not hold the log '{ORIGIN}'"]
    with pytest.raises(ShipError, match="memory://empty does not hold the log"):
        chosen(Store("empty", []))


def test_it_is_only_read(log: Log) -> None:
    best = chosen(Store("a", log.records))
    assert best.origins() == [ORIGIN]
    assert best.inspect(ORIGIN) == []
    best.tend(ORIGIN)
    with pytest.raises(Refused, match="only read"):
        best.write(ORIGIN, [], [])

"""How a store differs from a log, entry by entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging import AuditLog
from chained_logging.errors import ShipError
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.ship import check
from chained_logging.ship.check import compare, has_moved_front, origins


def records(*numbers: int, body: bytes = b"{}") -> list[Record]:
    return [Record(seq, body, "", None) for seq in numbers]


def found(
    ours: list[Record], theirs: list[Record], reached: int = -1
) -> tuple[list[tuple[str, int | None]], int]:
    faults, behind = compare(iter(ours), iter(theirs), "store", reached)
    assert all(fault.where == "store" for fault in faults)
    return [(fault.kind, fault.seq) for fault in faults], behind


def test_equal_logs_have_no_differences() -> None:
    assert found(records(0, 1, 2), records(0, 1, 2), reached=2) == ([], 0)
    assert found([], []) == ([], 0)


def test_a_store_that_is_behind_is_no_difference() -> None:
    assert found(records(0, 1, 2, 3), records(0, 1)) == ([], 2)


def test_a_store_that_lost_what_it_had_is_one() -> None:
    assert found(records(0, 1, 2, 3), records(0, 1), reached=2) == ([("missing", 2)], 2)


def test_an_entry_that_is_missing_in_the_middle_is_named() -> None:
    assert found(records(0, 1, 2, 3, 4), records(0, 3, 4)) == ([("missing", 1)], 0)


def test_an_entry_that_the_log_lacks_is_named() -> None:
    assert found(records(0, 1), records(0, 1, 2, 3)) == ([("missing", 2), ("missing", 3)], 0)


def test_an_edited_entry_is_named() -> None:
    theirs = [*records(0), *records(1, body=b"{ }"), *records(2)]
    assert found(records(0, 1, 2), theirs) == ([("edited", 1)], 0)


def test_an_entry_that_was_removed_on_one_side_is_the_same_by_its_hash() -> None:
    a, b, c = (Record(seq, b"{}", f"{seq}" * 64, "s") for seq in range(3))
    removed = Stub(1, b.hash, b.signature)
    for ours, theirs in (([a, removed, c], [a, b, c]), ([a, b, c], [a, removed, c])):
        assert compare(iter(ours), iter(theirs), "store") == ([], 0)
    for wrong in (removed._replace(hash="f" * 64), removed._replace(signature=None)):
        faults, _ = compare(iter([a, wrong, c]), iter([a, b, c]), "store")
        assert [(fault.kind, fault.seq) for fault in faults] == [("edited", 1)]


def test_a_front_in_an_archive_is_no_difference(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log.jsonl") as log:
        for _ in range(6):
            log.append("read", actor="u", resource="a/1", ip="10.0.0.1")
        every = list(log.records())

    def compared(there: list[Record], reached: int = -1) -> tuple[list[tuple[str, int]], int]:
        faults, behind = compare(iter(every[3:]), iter(there), "store", reached, moved=True)
        return [(fault.kind, fault.seq or 0) for fault in faults], behind

    assert compared(every, 6) == ([], 0)
    assert compared(every[:5]) == ([], 2)
    assert compared(every[:3], 6)[0] == [("missing", 3)]
    for there in ([*every[:2], every[2]._replace(hash="f" * 64)], every[:2]):
        assert compared([*there, *every[3:]])[0] == [("edited", len(there) - 1)]


def test_a_front_that_nobody_moved_is_one(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log.jsonl") as log:
        for _ in range(6):
            log.append("read", actor="u", resource="a/1", ip="10.0.0.1")
        log.append("archive.move", actor="u", resource="a/1", context={"last_seq": 2})
        assert not has_moved_front(list(log.records())[3:])
        log.note("archive.move", last_seq=2)
        every = list(log.records())
    assert has_moved_front(every[3:])
    assert not has_moved_front(every)
    assert not has_moved_front(every[4:])
    faults, _ = compare(iter(every[3:]), iter(every), "store")
    assert [(fault.kind, fault.seq) for fault in faults] == [("missing", n) for n in range(3)]


def test_so_many_differences_are_listed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_FAULTS", 3)
    faults, _ = found(records(*range(9)), records(*range(9), body=b"{ }"))
    assert faults == [("edited", 0), ("edited", 1), ("edited", 2)]


class Store:
    name = "store"

    def origins(self) -> list[str]:
        return ["a", "b"]


def test_the_logs_of_a_store() -> None:
    assert origins(Store()) == ["a", "b"]  # type: ignore[arg-type]
    assert origins(Store(), "b") == ["b"]  # type: ignore[arg-type]
    with pytest.raises(ShipError, match="'c'"):
        origins(Store(), "c")  # type: ignore[arg-type]

"""A store removes what the log's key decided, and what a policy, a root and the holds allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from purged_logs import decide, old
from signed_logs import ORIGIN, OWN, Key, append_lines

from chained_logging import AuditLog
from chained_logging.errors import BrokenChain
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.reading import Reader
from chained_logging.review.retention.at_store import StoreView, apply_at_store, look_at_store
from chained_logging.review.retention.holds import add_hold, release_holds
from chained_logging.ship.holds import Covered

ANN = Reader("ann")


class Store:
    """A store that believes everything."""

    name = "store"
    batch_entries = batch_bytes = 1
    batch_seconds = 1.0

    def __init__(self, items: Iterable[Record | Stub]) -> None:
        self.items = list(items)
        self.approved: list[int] = []

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        return (item for item in self.items if item.seq >= start)

    def any_of(self, origin: str, ranges: Iterable[tuple[int, int]]) -> bool:
        return any(
            isinstance(item, Record) and any(a <= item.seq <= b for a, b in ranges)
            for item in self.items
        )

    def approve(self, origin: str, seq: int) -> None:
        self.approved.append(seq)

    def purge(self, origin: str, seq: int, ranges: Any, goes: Any) -> Iterator[int]:
        assert seq in self.approved
        yield 0
        yield 2

    def give_back(self) -> Iterator[tuple[str, bool]]:
        yield "month", True


def look(log: AuditLog | Path, key: Key | None = None) -> tuple[StoreView, Any]:
    from chained_logging.sinks import open_sink

    store: Any = Store(open_sink(log if isinstance(log, Path) else log.path).stored())
    return look_at_store(store, ORIGIN, key and key.public_key), store


def doubts(view: StoreView) -> list[str | None]:
    return [one.doubt for one in view.due]


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def log(path: Path, key: Key) -> Iterator[AuditLog]:
    with AuditLog(path, origin=ORIGIN, key=key) as log:
        log.append_many(old(10))
        yield log


def test_what_the_key_decided_is_due_and_carried_out(log: AuditLog, key: Key) -> None:
    decide(log, [1, 2, 3, 7])
    decide(log, [5])
    view, store = look(log, key)
    assert [(one.apply.seq, one.left, one.doubt) for one in view.due] == [
        (11, 4, None),
        (12, 1, None),
    ]
    assert (view.count(), view.signed, view.confirmed) == (5, True, True)
    said: list[int] = []
    done = apply_at_store(store, view, said.append)
    assert store.approved == [11, 12]
    assert (done.removed, done.parts, said) == (4, [("month", True)], [0, 2, 2, 4])


def test_stubs_count_for_the_root_and_are_not_left(log: AuditLog, key: Key) -> None:
    decide(log, [1, 2, 3])
    decide(log, [5])
    _, store = look(log, key)
    for seq in (1, 3, 5):
        store.items[seq] = Stub(seq, store.items[seq].hash)
    view = look_at_store(store, ORIGIN)
    assert [(one.apply.seq, one.left, one.doubt) for one in view.due] == [(11, 1, None)]
    assert not view.confirmed


def test_what_a_hold_keeps_is_said_and_a_release_is_approved(log: AuditLog, key: Key) -> None:
    decide(log, [1, 2, 3])
    add_hold(log, "c", Covered(), "r", ANN)
    view, store = look(log, key)
    assert [(one.left, dict(one.held)) for one in view.due] == [(3, {"c": 3})]
    assert view.count() == 0
    release_holds(log, "c", "r", ANN)
    view, store = look(log, key)
    assert view.count() == 3
    apply_at_store(store, view)
    assert store.approved == [13, 11]


@pytest.mark.parametrize(
    ("seqs", "change", "doubt"),
    [
        ([1, 2], {"root": "0" * 64}, "the root over what it names is another one"),
        ([1, 11], {}, "its policy does not cover entry 11"),
        ([1, 12], {}, "its policy does not cover entry 12"),
        ([1], {"selector": {"action": ["write"]}}, "its policy does not cover entry 1"),
    ],
)
def test_a_decision_that_is_not_right_is_left_alone(
    log: AuditLog, key: Key, seqs: list[int], change: dict[str, Any], doubt: str
) -> None:
    log.append("read", **EVENT)
    add_hold(log, "c", Covered(actor_id="nobody"), "r", ANN)
    decide(log, seqs, **change)
    decide(log, [5])
    view, store = look(log, key)
    assert doubts(view) == [doubt, None]
    apply_at_store(store, view)
    assert store.approved == [14]


def forged(action: str = "retention.apply", **change: Any) -> dict[str, Any]:
    about = {"policy": "p", "days": 1, "before": "2026-01-01T00:00:00.000000Z", "selector": {}}
    about |= {"ranges": [[1, 2]], "count": 2, "root": "", "origin": ORIGIN}
    resource = ("audit_log", ORIGIN)
    return {**OWN, "action": action, "resource": resource, "context": about | change}


@pytest.mark.parametrize("statement", [{}, {"statement": "A" * 86 + "=="}])
def test_what_somebody_else_wrote_is_named_and_not_due(
    log: AuditLog, key: Key, statement: dict[str, str]
) -> None:
    log.close()
    append_lines(log.path, [forged(**statement)], own=True)
    view, _ = look(log.path, key)
    assert view.due == []
    assert view.survey.applies.remarks == [
        "entry 11 lets nothing be removed: the log's key did not sign its statement"
    ]


def test_another_log_under_the_name_is_refused(log: AuditLog, key: Key) -> None:
    decide(log, [1])
    with pytest.raises(ValueError, match="first key is not the one"):
        look(log, Key())
    _, store = look(log, key)
    with pytest.raises(ValueError, match="another log under the name other"):
        look_at_store(store, "other")


def test_a_log_without_a_key_is_said_to_be_one(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many(old(3))
        decide(log, [1])
        view, _ = look(log)
        assert (view.signed, view.confirmed, view.count()) == (False, False, 1)
        with pytest.raises(ValueError, match="first key is not the one"):
            look(log, Key())


@pytest.mark.parametrize("how", ["edited", "gone", "relinked"])
def test_a_broken_chain_is_not_carried_out(log: AuditLog, key: Key, how: str) -> None:
    decide(log, [1, 2])
    _, store = look(log, key)
    if how == "edited":
        store.items[4] = store.items[4]._replace(body=store.items[4].body.replace(b"read", b"rite"))
    elif how == "gone":
        del store.items[4]
    else:
        store.items[4] = Stub(4, "0" * 64)
    with pytest.raises(BrokenChain, match=r"broken after entry [34] of example\.com/audit"):
        look_at_store(store, ORIGIN, key.public_key)

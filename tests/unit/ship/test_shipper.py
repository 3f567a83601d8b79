"""The shipper: each entry arrives once, verified, and what is more than an outage is an alert."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chains import EVENT
from folder_store import FolderStore
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.errors import DestinationError, Refused
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.format.stub import Stub
from chained_logging.ship import shipper as module
from chained_logging.ship.progress import Progress, read_progress
from chained_logging.ship.shipper import Shipper, status


class Store(FolderStore):
    """A destination that may be down."""

    down = 0

    def head(self, origin: str) -> Any:
        if Store.down:
            Store.down -= 1
            raise DestinationError("it is down")
        return super().head(origin)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a store in a file."""
    monkeypatch.setattr(module, "destination_name", str)
    monkeypatch.setattr(module, "open_destination", lambda url, signer: Store(Path(url)))
    monkeypatch.setattr(Store, "batch_entries", 10)
    monkeypatch.setattr(Store, "down", 0)
    return str(tmp_path / "store.db")


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many([{"action": "read", **EVENT}] * 24)
        yield log


def there(url: str) -> list[Any]:
    store = FolderStore(Path(url))
    try:
        return list(store.records(ORIGIN))
    finally:
        store.close()


def test_each_entry_arrives_once_in_batches(log: AuditLog, url: str) -> None:
    said: list[tuple[str, int, int]] = []
    shipper = Shipper(log, [url], on_progress=lambda *given: said.append(given))
    for _ in range(2):
        (progress,) = shipper.ship()
        assert (progress.seq, progress.problem) == (24, None)
        assert there(url) == list(log.records())
    assert said == [(url, count, 25) for count in (10, 20, 25)]
    assert read_progress(log.path, url).seq == 24


def test_checkpoints_come_with_the_entries_that_they_cover(path: Path, url: str) -> None:
    with AuditLog(path, origin=ORIGIN, key=Key()) as log:
        for _ in range(2):
            log.append("read", **EVENT)
            log.checkpoint()
        Shipper(log, [url]).ship()
        stored = [checkpoint for _, checkpoint in log.checkpoints_after()]
    store = FolderStore(Path(url))
    assert list(store.checkpoints(ORIGIN)) == stored
    store.close()


def test_a_destination_that_is_down_is_tried_again(log: AuditLog, url: str) -> None:
    Store.down = 1
    (progress,) = Shipper(log, [url]).ship()
    assert (progress.seq, progress.problem) == (24, None)
    Store.down = 1_000
    (progress,) = Shipper(log, [url]).ship(patience=0)
    assert (progress.problem, progress.alert) == (f"{url}: it is down", False)


@pytest.mark.parametrize("kind", [DestinationError, Refused])
def test_what_a_receiver_says_cannot_make_our_progress_unreadable(
    log: AuditLog, url: str, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def refuse(self: Store, origin: str) -> Any:
        raise kind("é" * 1_000_000)

    alerts: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Store, "head", refuse)
        Shipper(log, [url], on_alert=alerts.append).ship(patience=0)
    assert str(read_progress(log.path, url).problem).startswith(f"{url}: éé")
    assert max(map(len, alerts), default=0) < 5_000
    (progress,) = Shipper(log, [url]).ship()
    assert (progress.seq, progress.problem) == (24, None)


def test_a_broken_chain_is_shipped_up_to_the_break_and_is_an_alert(
    tmp_path: Path, url: str
) -> None:
    alerts: list[str] = []
    with AuditLog(tmp_path / "audit.jsonl", origin=ORIGIN) as log:
        log.append_many([{"action": f"a-{n}", **EVENT} for n in range(24)])
        data = log.path.read_bytes()
        log.path.write_bytes(data.replace(b'"action":"a-15"', b'"action":"a-16"'))
        shipper = Shipper(log, [url], on_alert=alerts.append)
        for _ in range(2):
            (progress,) = shipper.ship()
            assert progress.alert
    assert [record.seq for record in there(url)] == list(range(16))
    assert len(alerts) == 1  # said once
    assert "is broken after entry 15" in alerts[0]


class StubStore(Store):
    """A destination that takes stubs."""

    took: ClassVar[list[Record | Stub]] = []

    def head(self, origin: str) -> Any:
        return Head(*self.took[-1][:1], self.took[-1].hash) if self.took else EMPTY

    def write(self, origin: str, records: Any, checkpoints: Any) -> None:
        self.took.extend(records)

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        return iter(self.took[start:])


def purged(log: AuditLog, gone: set[int]) -> list[Record | Stub]:
    return [
        Stub(one.seq, one.hash, one.signature) if one.seq in gone else one for one in log.records()
    ]


class Purged:
    """A log of which a part was removed."""

    def __init__(self, log: AuditLog, items: list[Record | Stub]) -> None:
        self._log, self._items = log, items

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        return iter(self._items[start:])


def test_stubs_are_shipped_where_they_are_taken(
    log: AuditLog, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_destination", lambda url, signer: StubStore(Path(url)))
    monkeypatch.setattr(StubStore, "took", [])
    items = purged(log, {1, 2, 9, 10, 11, 20})
    (progress,) = Shipper(Purged(log, items), [url]).ship()
    assert (progress.seq, progress.problem) == (24, None)
    assert StubStore.took == items


def test_where_stubs_are_not_taken_it_is_an_alert(log: AuditLog, url: str) -> None:
    (progress,) = Shipper(Purged(log, purged(log, {13})), [url]).ship()
    assert progress.alert
    assert "takes no stubs, and retention removed entry 13" in str(progress.problem)
    assert progress.seq == 9  # the batches before it


def test_an_entry_after_a_stub_must_hold_its_hash(
    log: AuditLog, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_destination", lambda url, signer: StubStore(Path(url)))
    monkeypatch.setattr(StubStore, "took", [])
    items = purged(log, {13})
    items[13] = Stub(13, "f" * 64)
    (progress,) = Shipper(Purged(log, items), [url]).ship()
    assert "broken after entry 13" in str(progress.problem)


def test_another_history_there_is_an_alert_and_stays(log: AuditLog, url: str) -> None:
    with AuditLog(log.path.with_name("other.jsonl"), origin=ORIGIN) as other:
        other.append("other", **EVENT)
        Shipper(other, [url]).ship()
    (progress,) = Shipper(log, [url]).ship()
    assert progress.alert
    assert "holds another entry 1 than the log" in str(progress.problem)
    assert len(there(url)) == 2


def test_a_log_that_is_shorter_than_what_is_there_is_an_alert(log: AuditLog, url: str) -> None:
    Shipper(log, [url]).ship()
    with AuditLog(log.path.with_name("other.jsonl"), origin=ORIGIN) as other:
        (progress,) = Shipper(other, [url]).ship()
    assert "holds 25 entries and the log 1" in str(progress.problem)


def test_what_is_gone_there_is_an_alert_and_shipped_again(log: AuditLog, url: str) -> None:
    alerts: list[str] = []
    Shipper(log, [url]).ship()
    Path(url).unlink()
    Shipper(log, [url], on_alert=alerts.append).ship()
    assert len(alerts) == 1
    assert "held 25 entries and now holds 0" in alerts[0]
    assert there(url) == list(log.records())


def test_one_process_ships_at_a_time(log: AuditLog, url: str) -> None:
    first, second = Shipper(log, [url]), Shipper(log, [url])
    (route,) = first._routes
    assert route.lock.try_acquire()
    (progress,) = second.ship()
    assert progress.problem == "another process ships this log there"
    first.forked()  # a child leaves its parent's locks
    (progress,) = second.ship()
    assert progress.problem is None


def test_a_thread_delivers_what_comes_and_the_rest_when_it_is_stopped(
    log: AuditLog, url: str
) -> None:
    shipper = Shipper(log, [url], interval=0.05)
    shipper.start()
    try:
        deadline = time.monotonic() + 20
        while len(there(url)) < 25 and time.monotonic() < deadline:
            time.sleep(0.02)
        log.append("more", **EVENT)
    finally:
        shipper.stop()
    assert there(url) == list(log.records())
    assert not any(thread.name == "chained_logging ship" for thread in threading.enumerate())


def test_how_far_a_destination_is_behind(log: AuditLog, url: str) -> None:
    (row,) = Shipper(log, [url]).status()
    assert (row["destination"], row["seq"], row["lag_entries"]) == (url, -1, 25)
    assert 0 <= row["lag_seconds"] < 60
    row = status(log, Progress(url, 24, "x"))
    assert (row["lag_entries"], row["lag_seconds"]) == (0, 0.0)


def test_a_destination_is_named_once(log: AuditLog, url: str) -> None:
    with pytest.raises(ValueError, match="named twice"):
        Shipper(log, [url, url])

"""The verifier reads central stores as it reads files, and names what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from folder_store import FolderStore
from signed_logs import Key

from chained_logging import AuditLog
from chained_logging.keys import public_pem
from chained_logging.review import stores
from chained_logging.review.stores import CentralStores
from chained_logging.review.verdict import Evidence, judge
from chained_logging.ship.fault import Fault
from chained_logging.verify import Fault as VerifierFault

WEAK = Fault("weakened", "the bucket", 3, None, "its lock is off")
SAME = VerifierFault("weakened", "the bucket", None, 3, None, "its lock is off")
URL = "nats://host/S"


class Store(FolderStore):
    pinned: bytes | None = None
    closed = False

    def inspect(self, origin: str) -> list[Fault]:  # type: ignore[override]
        return [WEAK] if origin == "one" else []

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def log(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "one.jsonl"
    with AuditLog(path, origin="one", key=key, sign="each") as opened:
        opened.append_many([{**EVENT, "action": "read"}] * 3)
    return path


@pytest.fixture
def store(log: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store(log.with_name("store"))
    with AuditLog(log, key=key, sign="each") as opened:
        made.write("one", list(opened.records()), opened.checkpoints())
        made.write("two", list(opened.records())[:2], [])
    monkeypatch.setattr(stores, "open_destination", lambda _: made)
    return made


def test_each_log_is_yielded_with_its_lines_and_its_faults(store: Store, log: Path) -> None:
    lines = log.read_bytes().splitlines()
    read = [
        (stream.name, list(stream.lines), list(faults))
        for stream, faults in CentralStores().streams(URL, None)
    ]
    assert read == [
        (f"{store.name} one", lines, [SAME]),
        (f"{store.name} two", lines[:2], []),
    ]
    assert store.closed


def test_one_log_is_yielded_alone_and_with_its_checkpoints(store: Store) -> None:
    ((stream, _),) = CentralStores().streams(URL, "one")
    expected = [(one.note.encode(), one.timestamp) for one in store.checkpoints("one")]
    assert expected
    assert list(stream.notes) == expected


def test_the_key_tells_the_log_from_others_of_its_name(
    store: Store, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[bytes] = []
    monkeypatch.setattr(stores, "pin", lambda _, public_key: pinned.append(public_key))
    file = tmp_path / "key.pem"
    file.write_text(public_pem(key.public_key))
    list(CentralStores().streams(URL, "one", str(file)))
    list(CentralStores().streams(URL, "one", str(tmp_path / "none")))
    assert pinned == [key.public_key]
    judge(URL, origin="one", evidence=Evidence(public_key=file.read_text()))  # as reports give it
    assert pinned == [key.public_key] * 2


def test_a_log_is_compared_with_what_the_store_holds(store: Store, log: Path, key: Key) -> None:
    assert CentralStores().differences(str(log), URL, None) == ([SAME], 0, store.name)
    assert store.closed
    with AuditLog(log, key=key, sign="each") as opened:
        opened.append("read", **EVENT)
    faults, behind, _ = CentralStores().differences(str(log), URL, "two")
    assert (faults, behind) == ([], len(log.read_bytes().splitlines()) - 2)

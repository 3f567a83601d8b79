"""What all feeds have: our own progress says where to go on, and nothing is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import run
from feed_records import as_record
from format_entries import ORIGIN
from signed_logs import Key

from chained_logging import AuditEntry, AuditLog
from chained_logging.errors import DestinationError, Refused
from chained_logging.format.stub import Stub
from chained_logging.ship import init_destination, open_destination
from chained_logging.ship import shipper as module
from chained_logging.ship.destination import OpenDestination, StubDestination
from chained_logging.ship.feeds.address import parsed
from chained_logging.ship.feeds.feed import Feed
from chained_logging.ship.progress import progress_path, read_progress
from chained_logging.ship.shipper import Shipper

URL = "https://siem.example/hook"


class Kept(Feed):
    """A feed that keeps what it was sent, and may lose the acknowledgement."""

    batch_entries = 10
    sent: list[AuditEntry]
    lost = 0

    def __init__(self, url: str = URL) -> None:
        super().__init__(parsed(url, (), 443))

    def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
        assert origin == ORIGIN
        Kept.sent.extend(entries)
        if Kept.lost:
            Kept.lost -= 1
            raise DestinationError("no acknowledgement")


@pytest.fixture
def log(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "destination_name", str)
    monkeypatch.setattr(module, "open_destination", lambda url, signer: Kept(url))
    Kept.sent, Kept.lost = [], 0
    with AuditLog(path, origin=ORIGIN, key=Key()) as log:
        log.append_many([{"action": "read", **EVENT}] * 24)
        yield log


def seqs() -> list[int]:
    return [entry.seq for entry in Kept.sent]


def test_each_entry_is_sent_once_if_nothing_goes_wrong(log: AuditLog) -> None:
    for _ in range(3):
        (progress,) = Shipper(log, [URL]).ship()
        assert (progress.seq, progress.problem) == (24, None)
    assert seqs() == list(range(25))
    log.append("read", **EVENT)
    Shipper(log, [URL]).ship()
    assert seqs() == list(range(26))


def test_what_was_not_acknowledged_is_sent_again(log: AuditLog) -> None:
    Kept.lost = 2
    (progress,) = Shipper(log, [URL]).ship(20)
    assert (progress.seq, progress.problem) == (24, None)
    assert seqs() == [*range(10), *range(10), *range(25)]


def test_the_progress_is_beside_the_log_for_its_owner_alone(log: AuditLog) -> None:
    Shipper(log, [URL]).ship()
    path = progress_path(log.path, URL)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_bytes())["seq"] == 24
    assert read_progress(log.path, URL).hash == list(log.records())[-1].hash
    path.unlink()  # then nothing is known, and all comes again
    Shipper(log, [URL]).ship()
    assert seqs() == [*range(25), *range(25)]


def test_another_history_is_not_sent_after_the_first(log: AuditLog, tmp_path: Path) -> None:
    Shipper(log, [URL]).ship()
    progress = read_progress(log.path, URL)
    progress.hash = "0" * 64
    module.write_progress(log.path, progress)
    (progress,) = Shipper(log, [URL]).ship()
    assert progress.alert
    assert "another entry 24 than the log" in str(progress.problem)


def test_checkpoints_alone_are_not_sent() -> None:
    Kept.sent = []
    Kept().write(ORIGIN, [], [])
    assert Kept.sent == []


def test_stubs_are_not_sent(log: AuditLog) -> None:
    records = list(log.records())
    stub = Stub(1, records[1].hash)
    Kept().write(ORIGIN, [records[0], stub, records[2]], [])
    assert [entry.seq for entry in Kept.sent] == [0, 2]
    Kept().write(ORIGIN, [stub], [])
    assert len(Kept.sent) == 2
    assert isinstance(Kept(), StubDestination)


def test_an_entry_that_cannot_be_converted_is_an_alert() -> None:
    class Converting(Kept):
        def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
            for entry in entries:
                self.payload(entry, origin)

    body = b'{"action":7,"prev_hash":"GENESIS","seq":0,"v":1}'
    with pytest.raises(Refused, match="entry 0 was not written by a log"):
        Converting(f"{URL}#format=ocsf").write(ORIGIN, [as_record(AuditEntry(body, "0" * 64))], [])


def test_the_payload_is_the_stored_line_or_a_format_without_its_line_end(log: AuditLog) -> None:
    entry = AuditEntry(*next(log.records())[1:])
    assert Kept().payload(entry, ORIGIN) == entry.line
    event = Kept(f"{URL}#format=ocsf").payload(entry, ORIGIN)
    assert json.loads(event)["raw_data"].encode() == entry.line
    assert not event.endswith(b"\n")


def test_a_feed_cannot_be_read_back(tmp_path: Path) -> None:
    feed = open_destination("syslog+tls://127.0.0.1:1")
    assert isinstance(feed, OpenDestination)
    for ask in (feed.origins, *(lambda each=each: each(ORIGIN) for each in (
        *(feed.head, feed.records, feed.checkpoints, feed.inspect),
    ))):  # fmt: skip
        with pytest.raises(Refused, match="is a feed and cannot be read back: use postgresql"):
            ask()
    said = run("restore", "syslog+tls://127.0.0.1:1", tmp_path / "a.db", status=2)
    assert "cannot be read back" in said
    with pytest.raises(ValueError, match="needs no preparation"):
        init_destination("syslog+tls://127.0.0.1:1")

"""Legal holds of S3 follow the holds of the log, on servers that enforce them and on others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command, run
from s3_logs import ORIGIN, Log, kinds, opened, prepared, refused
from servers_s3 import Bucket

from chained_logging import AuditLog
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold
from chained_logging.ship.holds import Covered, Hold, Holds
from chained_logging.ship.s3 import S3Destination
from chained_logging.ship.s3.legal import bring_holds, under
from chained_logging.ship.s3.names import SEGMENTS, Name
from chained_logging.ship.s3.store import Denied, Version
from chained_logging.ship.shipper import Shipper

WHY = ("--reason", "r")


class Shipped:
    """A log, each batch of which is one segment."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.bucket, self.path, self.key = prepared(bucket), folder / "audit.db", folder / "key"
        run("keygen", self.key)
        with AuditLog(self.path, key=self.key, origin=ORIGIN) as log:
            self.ship(log)

    def add(self, action: str) -> None:
        with AuditLog(self.path, key=self.key) as log:
            log.append(action, **EVENT)
            self.ship(log)

    def ship(self, log: AuditLog) -> None:
        (progress,) = Shipper(log, [self.bucket.url]).ship(30)
        assert progress.problem is None

    def held(self) -> list[int]:
        """Return which segments are held, by number."""
        with opened(self.bucket) as store:
            standing = store.standing(store.base(ORIGIN), SEGMENTS)
            return [at for at, (_, version) in enumerate(standing) if store.is_held(version)]


@pytest.fixture
def shipped(attacked_s3: Bucket, tmp_path: Path) -> Shipped:
    return Shipped(attacked_s3, tmp_path)


def test_segments_are_held_until_the_last_hold_ends(shipped: Shipped) -> None:
    for action in ("a", "b"):
        shipped.add(action)
    done = command("hold", "add", shipped.path, "--case", "c-1", "--action", "a", *WHY)
    assert "a legal hold is on 1 segments, new on 1" in done.stderr
    assert shipped.held() == [1]
    for action in ("a", "b"):
        shipped.add(action)
    assert shipped.held() == [1, 3]
    assert "hold" not in kinds(shipped.bucket)
    with opened(shipped.bucket) as store:
        _, version = store.standing(store.base(ORIGIN), SEGMENTS)[3]
        one = {"Key": version.key, "VersionId": version.id}
        refused(shipped.bucket.client.delete_object, Bucket=shipped.bucket.name, **one)
    run("hold", "add", shipped.path, "--case", "c-2", "--action", "a", *WHY)
    run("hold", "release", shipped.path, "--case", "c-1", "--key", shipped.key, *WHY)
    assert shipped.held() == [1, 3]
    run("hold", "release", shipped.path, "--case", "c-2", "--key", shipped.key, *WHY)
    assert shipped.held() == []


def test_what_a_killed_command_left_is_named_and_finished(moto: Bucket, tmp_path: Path) -> None:
    shipped = Shipped(moto, tmp_path)
    shipped.add("a")
    with AuditLog(shipped.path, key=shipped.key) as log:
        add_hold(log, "c", Covered(action="a"), "r", Reader("ann"))
        log.append("b", **EVENT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(S3Destination, "hold", denied)
            shipped.ship(log)
    assert "hold" in kinds(moto)
    pem = tmp_path / "pem"
    pem.write_text(public_pem(PrivateKey.load(shipped.key).public_key))
    of = ("--origin", ORIGIN, "--public-key", pem)
    done = command("retention", "plan", moto.url, *of)
    assert "no legal hold: run hold sync" in done.stderr
    run("hold", "sync", moto.url, *of)
    assert shipped.held() == [1]
    assert "hold" not in kinds(moto)
    with AuditLog(shipped.path, key=shipped.key) as log:  # and the shipper finishes it, too
        add_hold(log, "d", Covered(action="b"), "r", Reader("ann"))
        shipped.ship(log)
    assert shipped.held() == [1, 2]


def denied(*arguments: Any, **options: Any) -> None:
    raise Denied("refused")


def test_what_may_not_be_held_is_shipped_all_the_same(
    moto: Bucket, log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(moto)
    put = S3Destination.put

    def unheld(store: Any, *arguments: Any, held: bool = False, **options: Any) -> Any:
        return denied() if held else put(store, *arguments, **options)

    monkeypatch.setattr(S3Destination, "put", unheld)
    with opened(moto) as store:
        store.write(ORIGIN, log.records[:10], [], held=True)
        assert store.head(ORIGIN).seq == 9
    assert "run hold sync" in caplog.text


@pytest.mark.long
def test_a_log_in_the_store_lifts_nothing_without_its_key(moto: Bucket, tmp_path: Path) -> None:
    shipped = Shipped(moto, tmp_path)
    shipped.add("a")
    run("hold", "add", shipped.path, "--case", "c", "--action", "a", *WHY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        release = ("hold", "release", shipped.path, "--case", "c", "--key", shipped.key, *WHY)
        assert "run hold sync" in run(*release, status=1)
    with AuditLog(shipped.path, sign="follow") as log:
        shipped.ship(log)
    run("hold", "sync", moto.url)
    assert shipped.held() == [1]
    run("hold", "sync", shipped.path)
    assert shipped.held() == []


# --- Which segments, without a server.


def record(seq: int, action: str) -> Record:
    return Record(seq, draft({"action": action, **EVENT}).body(seq, "0" * 64), "1" * 64)


def segment(first: int, last: int) -> tuple[Name, Version]:
    return Name(SEGMENTS, first, last), Version(f"{first}", "v", 0.0)


def hold(action: str) -> Hold:
    return Hold(action, Covered(action=action), 9, "", None, None)


def test_each_segment_with_a_covered_entry_is_found_also_where_they_overlap() -> None:
    items = [record(seq, "ab"[seq in (4, 5)]) for seq in range(10)]
    items[8:9] = [Stub(8, "1" * 64)]  # type: ignore[list-item]
    segments = [segment(0, 3), segment(3, 4), segment(5, 7), segment(5, 9), segment(8, 8)]
    kept, over = under([hold("b")], [hold("a")], items, segments)
    assert kept == {segments[1], segments[2], segments[3]}
    assert over == {segments[0], segments[1], segments[2], segments[3]}


def test_nothing_is_read_without_a_hold() -> None:
    assert under([], [], iter(lambda: pytest.fail("read"), None), [segment(0, 1)]) == (set(), set())


class Store:
    def __init__(self) -> None:
        self.held = {"0", "2"}
        self.put: list[tuple[str, bool]] = []

    def base(self, origin: str) -> str:
        return ""

    def standing(self, base: str, kind: str, after: int = -1) -> list[Any]:
        return [segment(0, 1), segment(2, 3), segment(4, 5), segment(6, 7)]

    def is_held(self, version: Version) -> bool:
        return version.key in self.held

    def hold(self, version: Version, on: bool) -> None:
        self.put.append((version.key, on))


def test_only_what_differs_is_changed_and_only_what_was_ours_is_lifted() -> None:
    items = [record(seq, "aabbcc--"[seq]) for seq in range(8)]
    holds = Holds(active=[hold("a"), hold("c")], released=[hold("b"), hold("c")])
    store = Store()
    assert bring_holds(store, ORIGIN, holds, items) == (2, 1, 0)
    assert store.put == [("4", True)]
    store = Store()
    assert bring_holds(store, ORIGIN, holds, items, lift=True) == (2, 1, 1)
    assert sorted(store.put) == [("2", False), ("4", True)]


def test_an_entry_that_cannot_be_read_is_held() -> None:
    assert AuditEntry(b"[]", "").body
    kept, _ = under([hold("a")], [], [Record(0, b'{"action":"a"', "")], [segment(0, 0)])
    assert kept

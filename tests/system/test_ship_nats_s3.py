"""A stream landed in a bucket where others may put objects: nobody stops the landing."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats_logs import Stream, ship, stream, write
from s3_logs import ORIGIN, forged, kinds, lines, opened

from chained_logging import verify
from chained_logging.format.record import Record
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.restore import restore
from chained_logging.review.stores import CentralStores
from chained_logging.ship import open_destination
from chained_logging.ship.land import Landing
from chained_logging.ship.s3 import init
from chained_logging.ship.s3.names import encode_origin
from chained_logging.verify import main as verify_main

if TYPE_CHECKING:
    from servers_s3 import Bucket

__all__ = ["stream"]  # a fixture

BASE = f"logs/{encode_origin(ORIGIN)}/"


def attack(bucket: Bucket, log: list[Record]) -> None:
    """Put what continues the log, junk behind that, and junk in each name that may come next."""
    end = len(log)
    for count in (3, 30):
        tail = gzip.compress(lines(forged(log[-1], count)))
        bucket.put(f"{BASE}segments/{end:020d}-{end + count - 1:020d}.jsonl.gz", tail)
    bucket.put(f"{BASE}segments/{end + 900:020d}-{end + 900:020d}.jsonl.gz", b"junk")
    for number in range(end, end + 6):
        bucket.put(f"{BASE}checkpoints/{number:020d}.json", b"{}\n")
    for number in range(3):
        bucket.put(f"{BASE}digests/{number:020d}.digest", b"{}\n")


@pytest.mark.long
@pytest.mark.parametrize("signs", [True, False])
def test_what_somebody_puts_behind_a_log_does_not_stop_its_landing(
    stream: Stream, moto: Bucket, tmp_path: Path, signs: bool
) -> None:
    key, digest_key = PrivateKey.generate(), PrivateKey.generate()
    assert init(moto.url, retention="30d", signer=digest_key) == []
    path, pem = tmp_path / "audit.jsonl", tmp_path / "audit.pub"
    pem.write_text(public_pem(key.public_key))
    alerts: list[str] = []
    moto.put(f"{BASE}segments/{0:020d}-{9:020d}.jsonl.gz", b"junk")  # before anything else

    def landing() -> Landing:
        signer = digest_key if signs else None
        return Landing(
            stream.url,
            lambda: open_destination(moto.url, signer=signer),
            patience=1,
            on_alert=alerts.append,
        )

    log: list[Record] = []
    for _ in range(2):
        one = landing()  # as after a restart; and it goes on as well
        for count in (5, 4):
            log = write(path, count, ORIGIN, key=key)
            ship(path, stream.url)
            assert one.land(20)
        assert alerts == []
        attack(moto, log)
        time.sleep(1.1)  # moto's times have but seconds
    with opened(moto) as store:
        assert list(store.records(ORIGIN))[: len(log)] == log
    if signs:
        assert kinds(moto) == {"foreign"}
    assert verify_main([moto.url, "--public-key", str(pem)], CentralStores()) == 0
    with opened(moto) as store:
        done = restore(store, ORIGIN, tmp_path / "new.db", public_key=str(pem))
    assert done.entries == len(log)
    assert verify(tmp_path / "new.db", public_key=pem.read_text()).intact


def test_a_log_without_a_key_is_stopped_alone(stream: Stream, moto: Bucket, tmp_path: Path) -> None:
    assert init(moto.url, retention="30d") == []
    alerts: list[str] = []
    one = Landing(stream.url, lambda: open_destination(moto.url), on_alert=alerts.append)
    log = write(tmp_path / "audit.jsonl", 5)
    ship(tmp_path / "audit.jsonl", stream.url)
    assert one.land(20)
    tail = gzip.compress(lines(forged(log[-1], 3)))
    moto.put(f"{BASE}segments/{len(log):020d}-{len(log) + 2:020d}.jsonl.gz", tail)
    for name, origin in (("audit", ORIGIN), ("other", "example.com/audit/other")):
        write(tmp_path / f"{name}.jsonl", 5, origin)
        ship(tmp_path / f"{name}.jsonl", stream.url)
    assert one.land(20)
    assert [ORIGIN in alert for alert in alerts] == [True]
    with opened(moto) as store:
        assert len(list(store.records("example.com/audit/other"))) == 6

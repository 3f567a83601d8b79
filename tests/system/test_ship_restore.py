"""A log restored from central storage that others may add to, lose from, and be killed over."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command
from s3_logs import ORIGIN, Log, forged, lines, locked, opened, prepared
from servers_s3 import Bucket

from chained_logging import AuditLog, verify
from chained_logging.format.record import StoredCheckpoint
from chained_logging.keys import public_pem
from chained_logging.review.restore import ASIDE
from chained_logging.sinks import open_sink


def key_of(log: Log, folder: Path) -> Path:
    path = folder / "audit.pub"
    path.write_text(public_pem(log.key.public_key))
    return path


def junk(size: int, origin: str = ORIGIN) -> list[bytes]:
    """Return checkpoints that no key of the log signed: bytes, and one by another key."""
    with_key = StoredCheckpoint(f"{origin}\n{size}\n{'A' * 43}=\n\n— {origin} AAAAAAAA\n", size, "")
    return [b"{}\n", b"\x00\xff", json.dumps(with_key.to_dict()).encode()]


@pytest.fixture
def shipped(moto: Bucket, tmp_path: Path) -> tuple[Bucket, Log, str]:
    """A bucket with a log in it, and what the keys of its objects begin with."""
    log = Log(tmp_path / "lost.jsonl", 60)
    prepared(moto)
    with opened(moto, signer=log.key) as store:
        log.ship(store, 20)
    return moto, log, moto.versions("/segments/")[0]["Key"].partition("segments/")[0]


def restored_by_command(bucket: Bucket, target: Path, *options: object) -> Any:
    return command("restore", bucket.url, target, "--origin", ORIGIN, *options)


def test_a_forged_end_is_named_and_set_aside(
    shipped: tuple[Bucket, Log, str], tmp_path: Path
) -> None:
    bucket, log, base = shipped
    tail = forged(log.records[-1])
    name = f"{base}segments/{tail[0].seq:020d}-{tail[-1].seq:020d}.jsonl.gz"
    bucket.put(name, gzip.compress(lines(tail)), **locked())
    key = key_of(log, tmp_path)
    done = command("verify", bucket.url, "--public-key", key)
    assert "3 entries after it NOT SIGNED" in done.stdout
    target = tmp_path / "audit.db"
    done = restored_by_command(bucket, target, "--public-key", key)
    assert done.returncode == 0, done.stderr
    assert f"3 entries that no key vouches for were set aside: {target}{ASIDE}" in done.stderr
    kept = list(open_sink(target).records())
    assert kept[:-1] == log.records
    assert Path(f"{target}{ASIDE}").read_bytes() == lines(tail)
    with AuditLog(target, key=log.key, on_failure="raise") as again:
        again.append(action="read", **EVENT)
    assert verify(target, public_key=key.read_text()).intact
    # Without a key it is said what cannot be known.
    done = restored_by_command(bucket, tmp_path / "other.db")
    assert "no signature covers the last 3 entries" in done.stderr


def test_junk_checkpoints_count_for_nothing_and_stop_nothing(
    shipped: tuple[Bucket, Log, str], tmp_path: Path
) -> None:
    bucket, log, base = shipped
    for size, data in zip((3, 5, 7, 900), [*junk(7), junk(900)[2]], strict=True):
        bucket.put(f"{base}checkpoints/{size:020d}.json", data, **locked())
    key = key_of(log, tmp_path)
    done = command("verify", bucket.url, "--public-key", key)
    assert "INTACT" in done.stdout, done.stdout
    assert "4 objects or checkpoints in the store are FOREIGN" in done.stdout
    target = tmp_path / "audit.jsonl"
    done = restored_by_command(bucket, target, "--public-key", key)
    assert done.returncode == 0, done.stderr
    with AuditLog(target, key=log.key, on_failure="raise") as again:
        again.append(action="read", **EVENT)
    report = verify(target, public_key=key.read_text())
    assert report.intact, report.faults
    assert report.foreign == 0


def test_a_store_that_lost_its_newest_segment_is_said_to(moto: Bucket, tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 60)
    prepared(moto, "GOVERNANCE")
    with opened(moto, signer=log.key) as store:
        log.ship(store, 20)
    moto.delete(moto.versions("/segments/")[-1])
    target = tmp_path / "audit.jsonl"
    done = restored_by_command(moto, target, "--public-key", key_of(log, tmp_path))
    assert done.returncode == 1
    assert "WARNING" in done.stderr
    assert "digest 0 lists it, and it is gone" in done.stderr
    assert 0 < len(list(open_sink(target).records())) <= 41

"""Somebody with the shipper's credentials for S3: each attack is refused, or named."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from s3_logs import (
    DAY,
    ORIGIN,
    Log,
    check_restored,
    kinds,
    lines,
    locked,
    log,
    opened,
    prepared,
    read,
    refused,
    shipped,
)

from chained_logging.errors import Refused
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.digest import parse_digest

if TYPE_CHECKING:
    from servers_s3 import Bucket

__all__ = ["log"]  # a fixture


@pytest.fixture
def s3(attacked_s3: Bucket) -> Bucket:
    return attacked_s3


@pytest.fixture(autouse=True)
def restored_afterwards(request: pytest.FixtureRequest, log: Log, tmp_path: Path) -> Iterator[None]:
    """After each attack a restore brings back the log, or refuses; and names what it found."""
    name = next(n for n in ("s3", "moto", "radosgw") if n in request.fixturenames)
    bucket = request.getfixturevalue(name)
    yield
    check_restored(bucket, log, tmp_path / "restored.jsonl")


# --- Attacks by somebody with the shipper's credentials.


def test_attack_overwriting_a_segment_is_named_and_changes_nothing(s3: Bucket, log: Log) -> None:
    shipped(s3, log)
    victim = s3.versions("/segments/")[1]
    forged = lines(log.records[10:20]).replace(b"user-1", b"user-2")
    s3.put(victim["Key"], gzip.compress(forged))
    assert kinds(s3) == {"foreign"}
    assert read(s3) == log.records
    with opened(s3) as store:
        assert store.head(ORIGIN).seq == 39


def test_attack_delete_markers_are_named_and_hide_nothing(s3: Bucket, log: Log) -> None:
    shipped(s3, log)
    for version in s3.versions():
        s3.client.delete_object(Bucket=s3.name, Key=version["Key"])
    assert "Contents" not in s3.client.list_objects_v2(Bucket=s3.name)
    assert kinds(s3) == {"deleted"}
    with opened(s3) as store:
        assert store.origins() == [ORIGIN]
        assert list(store.records(ORIGIN)) == log.records
        assert list(store.checkpoints(ORIGIN)) == log.checkpoints


def test_attack_deleting_or_shortening_under_compliance_is_refused(
    radosgw: Bucket, log: Log
) -> None:
    shipped(radosgw, log)
    soon = {"Mode": "COMPLIANCE", "RetainUntilDate": time.time() + 60}
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": time.time() + 30 * DAY}
    for version in radosgw.versions():
        refused(radosgw.delete, version)
        where = {"Bucket": radosgw.name, "Key": version["Key"], "VersionId": version["VersionId"]}
        for retention in (soon, weaker):
            refused(
                radosgw.client.put_object_retention,
                **where,
                Retention=retention,
                BypassGovernanceRetention=True,
            )
    refused(
        radosgw.client.put_bucket_versioning,
        Bucket=radosgw.name,
        VersioningConfiguration={"Status": "Suspended"},
    )
    assert kinds(radosgw) == set()
    assert read(radosgw) == log.records


def test_attack_deleting_a_version_under_governance_is_named(s3: Bucket, log: Log) -> None:
    shipped(s3, log, "GOVERNANCE")
    s3.delete(s3.versions("/segments/")[1])
    assert kinds(s3) == {"missing"}
    assert read(s3) == log.records[:10] + log.records[20:]


def test_attack_replacing_a_version_under_governance_is_named(moto: Bucket, log: Log) -> None:
    shipped(moto, log, "GOVERNANCE")
    victim = moto.versions("/segments/")[1]
    moto.delete(victim)
    moto.put(victim["Key"], gzip.compress(lines(log.records[10:20]).replace(b"user-1", b"user-2")))
    assert kinds(moto) >= {"replaced", "unlocked"}
    with opened(moto) as store:  # by the digest that lists it
        (named,) = (f for f in store.inspect(ORIGIN) if f.kind == "replaced")
        assert "and digest 1 lists" in named.reason


def test_attack_shortening_the_retention_is_named(s3: Bucket, log: Log) -> None:
    shipped(s3, log, "GOVERNANCE")
    for part in ("/segments/", "/digests/", "policy.json"):
        victim = s3.versions(part)[0]
        s3.client.put_object_retention(
            Bucket=s3.name,
            Key=victim["Key"],
            VersionId=victim["VersionId"],
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": time.time() + 60},
            BypassGovernanceRetention=True,
        )
        with opened(s3) as store:
            named = [f.where for f in store.inspect(ORIGIN) if f.kind == "retention"]
        assert f"s3://{s3.name}/{victim['Key']}" in named


def test_attack_a_lax_servers_shortened_compliance_is_named(moto: Bucket, log: Log) -> None:
    shipped(moto, log)
    victim = moto.versions("/segments/")[0]
    moto.client.put_object_retention(
        Bucket=moto.name,
        Key=victim["Key"],
        VersionId=victim["VersionId"],
        Retention={"Mode": "COMPLIANCE", "RetainUntilDate": time.time() + DAY},
    )
    assert kinds(moto) == {"retention"}


def test_attack_suspending_versioning_is_named(moto: Bucket, log: Log) -> None:
    shipped(moto, log)
    moto.client.put_bucket_versioning(
        Bucket=moto.name, VersioningConfiguration={"Status": "Suspended"}
    )
    assert kinds(moto) == {"bucket"}


def test_attack_changing_the_default_retention_is_named(radosgw: Bucket, log: Log) -> None:
    s3 = radosgw  # moto refuses it
    shipped(s3, log)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.client.put_object_lock_configuration(
        Bucket=s3.name,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    assert kinds(s3) == {"bucket"}


def test_attack_a_forged_segment_is_named_and_not_read(
    s3: Bucket, log: Log, tmp_path: Path
) -> None:
    shipped(s3, log)
    forged = Log(tmp_path / "forged.jsonl", 40)
    base = s3.versions("/segments/")[0]["Key"].partition("segments/")[0]
    # Between two that are there, over a boundary, and over everything.
    for first, last in ((12, 15), (5, 14), (0, 38)):
        data = gzip.compress(lines(forged.records[first : last + 1]))
        s3.put(f"{base}segments/{first:020d}-{last:020d}.jsonl.gz", data, **locked())
    s3.put(f"{base}segments/readme.txt", b"hello", **locked())
    assert read(s3) == log.records
    assert kinds(s3) == {"foreign"}
    with opened(s3) as store:  # at once, too
        assert {fault.kind for fault in store.inspect(ORIGIN)} == {"foreign"}


def test_attack_a_forged_object_is_never_listed_by_a_later_digest(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto, digest_interval=0, signer=log.key) as store:
        log.ship(store, 20, 20)
        base = moto.versions("/segments/")[0]["Key"].partition("segments/")[0]
        # It continues the chain as it stands: its author has computed every hash.
        more = log.records[20:25]
        moto.put(
            f"{base}segments/{20:020d}-{24:020d}.jsonl.gz", gzip.compress(lines(more)), **locked()
        )
        store.tend(ORIGIN)
        digests = [parse_digest(moto.content(v)).digest for v in moto.versions("/digests/")]
        assert {listed.name[9:29] for digest in digests for listed in digest.objects} >= {"0" * 20}
        assert not any(f"{20:020d}" in o.name for d in digests for o in d.objects)
    # Two hours later nothing has listed it.
    assert kinds(moto) == {"foreign"}


def test_attack_a_forged_end_in_time_for_the_digest_is_not_listed(
    moto: Bucket, log: Log, tmp_path: Path
) -> None:
    prepared(moto)
    forged = Log(tmp_path / "forged.jsonl", 40)
    with opened(moto, signer=log.key, digest_interval=0) as store:
        log.ship(store, 10, 20)
        base = moto.versions("/segments/")[0]["Key"].partition("segments/")[0]
        data = gzip.compress(lines(forged.records[5:20]))
        time.sleep(1.1)  # moto's times have but seconds
        moto.put(f"{base}segments/{5:020d}-{19:020d}.jsonl.gz", data, **locked())
        store.tend(ORIGIN)
        log.ship(store, 20)
    digests = [parse_digest(moto.content(version)).digest for version in moto.versions("/digests/")]
    listed = {listed.name for digest in digests for listed in digest.objects}
    assert f"segments/{5:020d}-{19:020d}.jsonl.gz" not in listed
    assert f"segments/{10:020d}-{19:020d}.jsonl.gz" in listed
    assert read(moto) == log.records
    assert kinds(moto) == {"foreign"}


@pytest.mark.parametrize("how", ["cut", "bomb", "line", "other", "huge"])
def test_attack_a_truncated_or_hostile_segment_is_named(moto: Bucket, log: Log, how: str) -> None:
    shipped(moto, log)
    base = moto.versions("/segments/")[0]["Key"].partition("segments/")[0]
    good = gzip.compress(lines(log.records[10:15]))
    data = {
        "cut": good[: len(good) // 2],
        "bomb": gzip.compress(bytes(100 << 20)),
        "line": gzip.compress(b'{"action":"' + b"x" * (1 << 20) + b'"}\n'),
        "other": lines(log.records[10:15]),
        "huge": bytes(40 << 20),
    }[how]
    moto.put(f"{base}segments/{10:020d}-{14:020d}.jsonl.gz", data, **locked())
    assert read(moto) == log.records
    assert kinds(moto) == {"foreign"}


def test_attack_a_truncated_segment_at_the_end_is_refused_by_name(moto: Bucket, log: Log) -> None:
    shipped(moto, log)
    base = moto.versions("/segments/")[0]["Key"].partition("segments/")[0]
    key = f"{base}segments/{40:020d}-{49:020d}.jsonl.gz"
    moto.put(key, gzip.compress(b"{")[:-4], **locked())
    with opened(moto) as store, pytest.raises(Refused, match=key):
        store.head(ORIGIN)
    assert read(moto) == log.records
    assert kinds(moto) == {"foreign"}


def test_attack_a_shorter_policy_is_named(moto: Bucket, log: Log) -> None:
    shipped(moto, log, "GOVERNANCE")
    victim = moto.versions("policy.json")[0]
    shorter = moto.content(victim).replace(b'"days":30', b'"days":3')
    version = moto.put("logs/policy.json", shorter, **locked(3))
    assert kinds(moto) == {"foreign"}
    moto.delete(victim)  # so that the shorter one is all there is
    assert version
    assert kinds(moto) == {"policy"}
    for found in moto.versions("policy.json"):
        with contextlib.suppress(ClientError):
            moto.delete(found)


def test_attack_a_digest_in_the_way_stops_neither_log_nor_digests(s3: Bucket, log: Log) -> None:
    prepared(s3)
    with opened(s3, signer=log.key, digest_interval=0) as store:
        log.ship(store, 20, 20)
        store.tend(ORIGIN)
        last = s3.versions("/digests/")[-1]
        number = parse_digest(s3.content(last)).digest.number
        blocked = last["Key"].replace(f"{number:020d}", f"{number + 1:020d}")
        s3.put(blocked, parse_digest(s3.content(last)).digest.sign(PrivateKey.generate()))
        log.ship(store, 20)
        store.tend(ORIGIN)
        assert list(store.records(ORIGIN)) == log.records
    mine = [v["Key"] for v in s3.versions(f"/digests/{number + 1:020d}-")]
    assert len(mine) == 1
    assert kinds(s3) == {"foreign"}


# --- The four that CloudTrail's validator passes.


def test_attack_the_newest_digests_deleted_is_named(s3: Bucket, log: Log) -> None:
    memory = shipped(s3, log, "GOVERNANCE")
    for version in s3.versions("/digests/")[-2:]:
        s3.delete(version)
    assert kinds(s3) == {"undigested"}
    assert kinds(s3, memory=memory) == {"undigested", "missing"}
    with opened(s3) as store:  # at once, with what the shipper remembers
        store.remember(ORIGIN, memory)
        assert {fault.kind for fault in store.inspect(ORIGIN)} == {"missing"}


def test_attack_all_digests_deleted_is_named(moto: Bucket, log: Log) -> None:
    memory = shipped(moto, log, "GOVERNANCE")
    for version in moto.versions("/digests/"):
        moto.delete(version)
    assert kinds(moto) == {"undigested"}
    assert "missing" in kinds(moto, memory=memory)


def test_attack_an_object_that_no_digest_lists_is_named(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto, signer=log.key, digest_interval=0) as store:
        log.ship(store, 20, 20)
        store.tend(ORIGIN)
        base = moto.versions("/segments/")[0]["Key"].partition("segments/")[0]
        forged = gzip.compress(lines(log.records[5:9]).replace(b"user-1", b"user-2"))
        moto.put(f"{base}checkpoints/{3:020d}.json", b"{}\n", **locked())
        moto.put(f"{base}segments/{5:020d}-{8:020d}.jsonl.gz", forged, **locked())
        time.sleep(2.1)
        log.ship(store, 20)
        store.tend(ORIGIN)
    with opened(moto, slack=1) as reader:
        named = {
            fault.where.rpartition("/")[2]
            for fault in reader.inspect(ORIGIN)
            if fault.kind in ("added", "foreign")
        }
    assert named == {f"{3:020d}.json", f"{5:020d}-{8:020d}.jsonl.gz"}


def test_attack_a_digest_signed_again_by_the_keys_holder_is_named(moto: Bucket, log: Log) -> None:
    memory = shipped(moto, log, "GOVERNANCE")
    digests = moto.versions("/digests/")
    full = [version for version in digests if parse_digest(moto.content(version)).digest.objects]
    assert full[-1] == digests[-1]  # after which nothing names its hash
    for victim, told in ((full[0], None), (full[-1], memory)):
        genuine = parse_digest(moto.content(victim)).digest
        objects = genuine.objects[1:]  # a segment less
        moto.delete(victim)
        forged = type(genuine)(
            **{name: getattr(genuine, name) for name in genuine.__slots__} | {"objects": objects}
        )
        moto.put(victim["Key"], forged.sign(log.key), **locked())
        assert "digest" in kinds(moto) if told is None else "replaced" in kinds(moto, memory=told)


def test_attack_a_digest_signed_by_another_key_is_named(moto: Bucket, log: Log) -> None:
    shipped(moto, log, "GOVERNANCE")
    victim = moto.versions("/digests/")[-1]
    digest = parse_digest(moto.content(victim)).digest
    moto.delete(victim)
    for signer in (PrivateKey.generate(), None):
        version = moto.put(victim["Key"], digest.sign(signer))
        assert kinds(moto) == {"foreign", "undigested"}  # as the genuine one is gone
        moto.delete({"Key": victim["Key"], "VersionId": version})

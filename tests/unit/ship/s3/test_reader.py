"""A log in a bucket, read afresh."""

from __future__ import annotations

import pytest
from s3_logs import ORIGIN, Log, locked, opened, prepared
from servers_s3 import Bucket

from chained_logging.errors import Unfit
from chained_logging.ship.s3.names import CHECKPOINTS, SEGMENTS
from chained_logging.ship.s3.reader import Reader


def test_the_end_is_found_among_more_objects_than_a_listing_shows(radosgw: Bucket) -> None:
    with opened(radosgw) as store:
        base, store._page = store.base(ORIGIN), 3
        assert store.last_number(base, "digests") == -1
        for count, number in enumerate([0, 1, 2, 3, 5, 9, 40, 41, 10**6, 10**12 + 7, 2**63 - 1]):
            key = f"{base}digests/{number:020d}.digest"
            radosgw.client.put_object(Bucket=radosgw.name, Key=key, Body=b"")
            assert store.last_number(base, "digests") == number
            assert store.last_number(base, "segments") == -1
            assert len(store.standing(base, "digests")) == count + 1
            assert [name.first for name, _ in store.standing(base, "digests", 4)] == [
                other for other in (5, 9, 40, 41, 10**6, 10**12 + 7, 2**63 - 1) if other <= number
            ]


def test_entries_checkpoints_and_logs_are_read(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        assert store.origins() == []
        assert store.size_named(ORIGIN) == 0
        log.ship(store, 15)
    reader = Reader(moto.url)
    assert reader.origins() == [ORIGIN]
    assert list(reader.records(ORIGIN)) == log.records
    assert list(reader.records(ORIGIN, 20)) == log.records[20:]
    assert list(reader.checkpoints(ORIGIN)) == log.checkpoints
    assert reader.size_named(ORIGIN) == 40
    assert reader.last_number(reader.base(ORIGIN), SEGMENTS) == 30
    assert [name.first for name, _ in reader.standing(reader.base(ORIGIN), SEGMENTS)] == [0, 15, 30]
    sizes = [stored.size for stored in log.checkpoints]
    after = reader.standing(reader.base(ORIGIN), CHECKPOINTS, sizes[0])
    assert [name.first for name, _ in after] == sizes[1:]
    reader.close()


def test_what_is_no_checkpoint_counts_for_nothing(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 40)
        base = store.base(ORIGIN)
    moto.put(f"{base}checkpoints/{7:020d}.json", b"{}", **locked())
    reader = Reader(moto.url)
    assert list(reader.checkpoints(ORIGIN)) == log.checkpoints
    reader.close()


def test_an_object_is_read_once_and_its_facts_kept(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 40)
    reader = Reader(moto.url)
    ((name, version),) = reader.standing(reader.base(ORIGIN), SEGMENTS)
    facts = reader.learn(name, version)
    assert facts.last_hash == log.records[-1].hash
    assert facts.mode == "COMPLIANCE"
    assert reader.learn(name, version) is facts
    reader.close()


def test_an_origin_that_is_too_long_for_a_key_is_refused() -> None:
    with pytest.raises(Unfit, match="too long for a key of S3"):
        Reader("s3://bucket/logs").base("x" * 1_000)

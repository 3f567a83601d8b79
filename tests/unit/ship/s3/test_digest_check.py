"""A log's digests are a chain without a gap, made in time and signed by the log."""

from __future__ import annotations

import hashlib
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from s3_logs import ORIGIN, Log

from chained_logging.format.record import Head
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.digest import Digest, Listed, format_time
from chained_logging.ship.s3.digest_check import DigestCheck
from chained_logging.ship.s3.names import DIGESTS, SEGMENTS, Name
from chained_logging.ship.s3.objects import describe, log_key
from chained_logging.ship.s3.store import Content, Version

NOW = float(int(time.time()))
START = NOW - 10 * 3600


class Bucket:
    """Digests in memory, and what was said of them."""

    def __init__(self, keys: list[Any]) -> None:
        self.said: list[tuple[str, str]] = []
        self.objects: dict[Name, Any] = {}
        self._content: dict[str, bytes] = {}
        store: Any = SimpleNamespace(fetch=self.fetch, get=self.get, slack=900.0)
        self.check = DigestCheck(store, ORIGIN, keys, NOW, self.report)

    def put(self, data: bytes, number: int, at: float, mark: str = "") -> Version:
        name = Name(DIGESTS, number, number, mark)
        version = Version(name.format(), str(len(self._content)), at)
        self._content[version.id] = data
        self.objects[name] = version, describe(name, data, None, None)[0]
        return version

    def fetch(self, version: Version) -> Any:
        return None, self._content[version.id]

    def get(self, version: Version) -> Content:
        return Content(self._content[version.id], None, None)

    def report(self, kind: str, key: str, reason: str, seq: int | None = None) -> None:
        self.said.append((kind, reason))

    def run(self) -> list[tuple[str, str]]:
        self.check.check(self.objects)
        return self.said


def made(log: Log, count: int, signer: Any = None, **changes: Any) -> list[bytes]:
    """Return digests, each of which follows the one before, an hour later."""
    digests: list[bytes] = []
    for number in range(count):
        previous = hashlib.sha256(digests[-1]).hexdigest() if digests else None
        objects = (Listed(Name(SEGMENTS, number, number).format(), "a" * 64, 9, "v"),)
        digest = Digest(
            number,
            changes.get("origin", ORIGIN),
            format_time(START + number * 3600),
            format_time(START + (number + 1) * 3600),
            previous,
            30,
            "COMPLIANCE",
            Head(number, log.records[number].hash),
            -1,
            objects,
        )
        digests.append(digest.sign(signer))
    return digests


@pytest.fixture
def bucket(log: Log) -> Bucket:
    return Bucket([log_key(ORIGIN, log.key)])


def put_all(bucket: Bucket, digests: list[bytes], *without: int) -> None:
    for number, data in enumerate(digests):
        if number not in without:
            bucket.put(data, number, START + (number + 1) * 3600)


@pytest.mark.parametrize("signed", [True, False])
def test_a_chain_that_was_made_in_time_is_in_no_doubt(
    bucket: Bucket, log: Log, signed: bool
) -> None:
    put_all(bucket, made(log, 4, log.key if signed else None))
    assert bucket.run() == []
    assert list(bucket.check.found) == [3, 2, 1, 0]
    assert [number for _, number in bucket.check.listed.values()] == [0, 1, 2, 3]


def test_a_digest_that_is_gone_is_named(bucket: Bucket, log: Log) -> None:
    put_all(bucket, made(log, 5, log.key), 0, 2, 3)
    assert bucket.run() == [
        ("missing", "digest 0 before it is missing or malformed"),
        ("missing", "digest 2 to 3 before it is missing or malformed"),
    ]


def test_a_digest_of_another_chain_is_named(bucket: Bucket, log: Log) -> None:
    digests = made(log, 3, log.key)
    other = made(Log(log.path.with_name("other.jsonl"), 40), 2, log.key)
    put_all(bucket, [digests[0], other[1], digests[2]])
    said = bucket.run()
    assert {kind for kind, _ in said} == {"digest"}
    assert any("another digest 0" in reason for _, reason in said)


def test_a_digest_that_was_put_late_is_named(bucket: Bucket, log: Log) -> None:
    (data,) = made(log, 1, log.key)
    bucket.put(data, 0, START + 3600 + 2_000)
    ((kind, reason),) = bucket.run()
    assert kind == "digest"
    assert "was put 2000 s later" in reason


def test_of_two_of_one_number_the_signed_one_counts(bucket: Bucket, log: Log) -> None:
    (good,) = made(log, 1, log.key)
    (forged,) = made(log, 1, PrivateKey.generate())
    bucket.put(forged, 0, START + 3600)  # first
    bucket.put(good, 0, START + 3601, hashlib.sha256(good).hexdigest()[:16])
    assert bucket.run() == [("foreign", "there is another digest 0, which counts")]
    assert bucket.check.found[0].trusted


def test_an_unsigned_digest_beside_signed_ones_counts_for_nothing(bucket: Bucket, log: Log) -> None:
    put_all(bucket, made(log, 2, log.key))
    unsigned = made(log, 3)[2]
    bucket.put(unsigned, 2, START + 3 * 3600)
    ((kind, reason),) = bucket.run()
    assert kind == "foreign"
    assert "it is not signed by any of the keys" in reason
    assert bucket.check.unsigned == {
        Name(SEGMENTS, 2, 2).format(): START + 3 * 3600,
    }


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"garbage", "counts for nothing"), (b"other", "it is of another log, or of another number")],
)
def test_what_is_no_digest_of_the_log_is_foreign(
    bucket: Bucket, log: Log, data: bytes, why: str
) -> None:
    if data == b"other":
        (data,) = made(log, 1, log.key, origin="example.com/other")
    bucket.put(data, 0, START)
    ((kind, reason),) = bucket.run()
    assert kind == "foreign"
    assert why in reason


def test_two_that_were_put_at_once_are_a_race_and_not_an_attack(bucket: Bucket, log: Log) -> None:
    one, other = made(log, 1, log.key)[0], made(log, 1)[0]
    first = bucket.put(one, 0, START)
    name = Name(DIGESTS, 0, 0)
    assert bucket.check.raced(name, first, bucket.put(one, 0, START + 5))
    assert not bucket.check.raced(name, first, bucket.put(one, 0, START + 5_000))
    assert not bucket.check.raced(name, first, bucket.put(other, 0, START + 5))
    assert not bucket.check.raced(name, first, bucket.put(b"garbage", 0, START + 5))
    assert json.loads(other)["number"] == 0

"""A credential that may only add objects, under any key: nobody believes it, waits or loses."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chains import EVENT
from commands import command
from hostile import GENESIS, GZIP
from s3_logs import DAY, HOUR, ORIGIN, Log, forged, kinds, lines, locked, opened, prepared

from chained_logging import AuditLog
from chained_logging.errors import Unfit
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.record import EMPTY, Record
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.restore import restore
from chained_logging.review.stores import CentralStores
from chained_logging.ship.progress import Progress, progress_path
from chained_logging.ship.s3 import init
from chained_logging.ship.s3.digest import Listed, parse_digest
from chained_logging.ship.s3.names import encode_origin
from chained_logging.ship.s3.objects import is_signed
from chained_logging.ship.s3.policy import POLICY_SIGNER, Policy
from chained_logging.ship.shipper import Shipper
from chained_logging.sinks import open_sink
from chained_logging.verify import main as verify_main

if TYPE_CHECKING:
    from servers_s3 import Bucket

BASE = f"logs/{encode_origin(ORIGIN)}/"
YEARS = Policy(18_000, "COMPLIANCE")


class Host:
    """A host that ships its log again and again."""

    def __init__(self, bucket: Bucket, path: Path, key: PrivateKey | None) -> None:
        self.bucket, self.path, self.key = bucket, path, key

    def append(self, count: int) -> None:
        with AuditLog(self.path, key=self.key, origin=ORIGIN, on_failure="raise") as log:
            log.append_many([{"action": "read", **EVENT}] * count)

    def ship(self, count: int = 10) -> Progress:
        """Append entries, and deliver everything."""
        self.append(count)
        with AuditLog(self.path, sign="follow", on_failure="raise") as log:
            (progress,) = Shipper(log, [self.bucket.url], signer=self.key).ship(20)
        return progress

    def records(self) -> list[Record]:
        return list(open_sink(self.path).records())

    def assert_there(self, pinned: bool = False) -> None:
        """Check that all entries are there, that the log is intact, and that it is restored.

        :param pinned: whether only its key tells it from another log of this name.
        """
        with opened(self.bucket) as store:
            if pinned and self.key is not None:
                store.pin(self.key.public_key)
            assert list(store.records(ORIGIN)) == self.records()
        assert pinned or kinds(self.bucket) <= {"foreign"}
        pem = self.path.with_suffix(".pub")
        assert self.key is not None
        pem.write_text(public_pem(self.key.public_key))
        assert verify_main([self.bucket.url, "--public-key", str(pem)], CentralStores()) == 0
        target = self.path.with_name("restored.db")
        with opened(self.bucket) as store:
            done = restore(store, ORIGIN, target, public_key=str(pem))
        assert done.problems == []
        assert list(open_sink(target).records())[:-1] == self.records()


@pytest.fixture
def s3(attacked_s3: Bucket) -> Bucket:
    return attacked_s3


@pytest.fixture
def host(s3: Bucket, tmp_path: Path) -> Host:
    prepared(s3)
    return Host(s3, tmp_path / "audit.jsonl", PrivateKey.generate())


def segment(first: int, last: int) -> str:
    return f"{BASE}segments/{first:020d}-{last:020d}.jsonl.gz"


# --- The policy.


@pytest.mark.long
def test_a_policy_that_a_shipper_put_locks_nothing(host: Host) -> None:
    host.ship()
    for data in (YEARS.format(), YEARS.sign(host.bucket.url, PrivateKey.generate()), b"{}\n"):
        host.bucket.put("logs/policy.json", data, **locked())
    time.sleep(1.1)
    host.ship()
    host.assert_there()
    with opened(host.bucket) as store:
        named = [f for f in store.inspect(ORIGIN) if f.where.endswith("policy.json")]
        assert [fault.kind for fault in named] == ["foreign"] * 3
        for versions in store.grouped(BASE).values():
            for version in versions:
                assert store.get(version).until == pytest.approx(time.time() + 30 * DAY, abs=HOUR)


def test_a_policy_that_names_a_key_follows_no_other_and_is_of_one_place(s3: Bucket) -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    assert init(s3.url, retention="30d", signer=key) == []
    elsewhere = YEARS.sign(s3.url.replace("/logs", "/other"), key)
    for data in (YEARS.sign(s3.url, other), elsewhere, YEARS.format()):
        s3.put("logs/policy.json", data, **locked())
    with opened(s3) as store:
        assert store._current().days == 30
    assert init(s3.url, retention="60d", signer=key) == []
    with opened(s3) as store:
        assert store._current().days == 60
        assert store._current().key is not None
        assert store._current().key.startswith(POLICY_SIGNER)  # type: ignore[union-attr]


def test_what_was_put_before_init_is_said(s3: Bucket, tmp_path: Path) -> None:
    s3.put("logs/policy.json", b"{}\n", **locked())
    done = command("init", s3.url, "--retention", "30d")
    assert done.returncode == 2
    assert "is not a policy, and somebody else put it" in done.stderr


# --- Segments and checkpoints.

DEEP = b"[" * 5000 + b"]" * 5000
OPENED = GENESIS.replace(b'{"format":1,', b'{"format":' + DEEP + b",")
OPENING = stored_line(OPENED, leaf_hash(OPENED), None) + b"\n"

ATTACKS: dict[str, Callable[[list[Record]], dict[str, bytes]]] = {
    # In every name that may come next, and over all that is there.
    "chained": lambda log: (
        {
            segment(len(log), len(log) + n - 1): gzip.compress(lines(forged(log[-1], n)))
            for n in range(1, 16)
        }
        | {
            segment(0, len(log) + 1): gzip.compress(
                lines([*log[:3], *forged(log[2], len(log) - 1)])
            )
        }
    ),
    "junk": lambda log: {
        segment(len(log), len(log) + 9): b"junk",
        segment(10**15, 10**15): b"junk",
        f"{BASE}segments/readme.txt": b"hello",
    },
    # What nobody's software wrote, in each kind of place.
    "hostile": lambda log: (
        {
            segment(len(log) + 1 + n, len(log) + 1 + n): data
            for n, data in enumerate([*GZIP.values(), gzip.compress(DEEP)])
        }
        | {
            f"{BASE}{name}": data
            for n, data in enumerate([DEEP, b"\xff", b"\xef\xbb\xbf{}", b'{"size":1e999}'])
            for name in (f"digests/{n:020d}-{n:016d}.digest", f"checkpoints/{n + 500:020d}.json")
        }
        | {f"{BASE}segments/{0:020d}-{0:020d}-{0:016d}.jsonl.gz": gzip.compress(OPENING)}
    ),
    "checkpoints to come": lambda log: {
        f"{BASE}checkpoints/{len(log) + n:020d}.json": b"{}\n" for n in range(1, 20)
    },
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_forged_objects_stop_no_shipper_and_no_reader(host: Host, attack: str) -> None:
    host.ship()
    for key, data in ATTACKS[attack](host.records()).items():
        host.bucket.put(key, data, **locked())
    time.sleep(1.1)  # the servers' times have but seconds
    progress = host.ship()
    assert progress.problem is None
    assert host.ship().problem is None
    host.assert_there()
    assert "foreign" in kinds(host.bucket)


def attack_digests(host: Host) -> None:
    """Put digests in every place that may come next, and over and beside what is there, unlocked
    as well."""
    bucket, log, other = host.bucket, host.records(), PrivateKey.generate()
    last = genuine_of(bucket)[-1]
    genuine = parse_digest(bucket.content(last)).digest
    sha256 = hashlib.sha256(bucket.content(last)).hexdigest()
    for number in (0, *range(genuine.number + 1, genuine.number + 4), 10**15):
        forged = replace(genuine, number=number, previous=sha256, start=genuine.end, objects=LIES)
        for mark, data in (("", forged.sign(other)), ("-" + "0" * 16, forged.sign(None))):
            bucket.put(f"{BASE}digests/{number:020d}{mark}.digest", data)
    bucket.put(f"{BASE}digests/{genuine.number + 1:020d}-{'1' * 16}.digest", b"junk")
    for part in ("/segments/", "/checkpoints/", "/digests/"):
        bucket.put(bucket.versions(part)[0]["Key"], b"junk")  # over what is there
    copy = gzip.compress(lines(log[-4:]))  # of what is there, as a segment of its own
    bucket.put(segment(log[-4].seq, log[-1].seq), copy)
    copy = gzip.compress(lines(log[1:]))
    bucket.put(segment(1, log[-1].seq), copy)


LIES = (Listed(f"segments/{5:020d}-{6:020d}.jsonl.gz", "0" * 64, 3, "x"),)


def test_forged_digests_stop_no_digest(host: Host) -> None:
    bucket = host.bucket
    bucket.put(f"{BASE}digests/{0:020d}.digest", b"{}\n")  # before the first
    host.ship()
    attack_digests(host)
    time.sleep(1.1)
    if host.bucket.enforces:  # a shipper that remembers nothing goes on too
        progress_path(host.path, bucket.url).unlink()
    for _ in range(2):
        assert host.ship().problem is None
    host.assert_there()
    assert "foreign" in kinds(bucket)
    key = [VerifierKey(ORIGIN, ED25519, host.key.public_key)] if host.key else []
    notes = [parse_digest(bucket.content(v)) for v in genuine_of(bucket)]
    signed = [one.digest for one in notes if one.note is not None and is_signed(one.note, key)]
    assert sorted(digest.number for digest in signed) == [0, 1, 2]
    listed = {one.name for digest in signed for one in digest.objects}
    assert sum(name.startswith("segments/") for name in listed) == 3


def genuine_of(bucket: Bucket) -> list[dict[str, Any]]:
    """Return the versions that are digests of some kind."""
    junk = (b"junk", b"{}\n")
    return [v for v in bucket.versions("/digests/") if bucket.content(v) not in junk]


def test_a_shipper_that_remembers_nothing_goes_on_too(host: Host) -> None:
    host.ship()
    tail = forged(host.records()[-1])
    host.bucket.put(segment(tail[0].seq, tail[-1].seq), gzip.compress(lines(tail)), **locked())
    progress_path(host.path, host.bucket.url).unlink()
    assert host.ship().problem is None
    host.assert_there()


def test_a_log_that_was_rolled_back_is_refused_all_the_same(host: Host) -> None:
    host.ship()
    kept = host.path.with_name("kept")
    kept.mkdir()
    for path in host.path.parent.glob("audit.jsonl*"):
        shutil.copy2(path, kept)
    before = len(host.records())
    host.ship()
    tail = forged(host.records()[-1])
    host.bucket.put(segment(tail[0].seq, tail[-1].seq), gzip.compress(lines(tail)), **locked())
    for path in host.path.parent.glob("audit.jsonl*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy2(path, host.path.parent)
    assert len(host.records()) == before
    progress = host.ship(20)
    assert progress.alert
    assert "rolled back" in (progress.problem or "")


def test_a_log_without_a_key_cannot_tell_and_stops(s3: Bucket, tmp_path: Path) -> None:
    prepared(s3)
    host = Host(s3, tmp_path / "audit.jsonl", None)
    host.ship()
    tail = forged(host.records()[-1])
    s3.put(segment(tail[0].seq, tail[-1].seq), gzip.compress(lines(tail)), **locked())
    progress = host.ship()
    assert progress.alert
    assert "the log" in (progress.problem or "")
    done = command("verify", s3.url)
    assert done.stderr.count("the log has no key, so nobody can tell its entries from what") == 1
    done = command("restore", s3.url, tmp_path / "restored.db")
    assert done.stderr.count("the log has no key, so nobody can tell its entries from what") == 1


def test_a_whole_log_put_under_a_name_before_the_first_ship_changes_nothing(
    moto: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(moto)
    other = Log(tmp_path / "other.jsonl", 40)
    with opened(moto, signer=other.key) as store:
        other.ship(store, 20)
    host = Host(moto, tmp_path / "audit.jsonl", PrivateKey.generate())
    assert host.key is not None
    pem = tmp_path / "audit.pub"
    pem.write_text(public_pem(host.key.public_key))
    # Before the host ships, it is not the log that was expected.
    assert verify_main([moto.url, "--public-key", str(pem)], CentralStores()) == 1
    assert "the log's first key is not the one that was given" in capsys.readouterr().out
    with opened(moto) as store, pytest.raises(ValueError, match="first key is not the one"):
        restore(store, ORIGIN, tmp_path / "none.db", public_key=str(pem))
    host.append(10)
    with opened(moto) as store, pytest.raises(Unfit, match="another log under this name"):
        store.end_for(ORIGIN, EMPTY, host.records())  # as a landing asks
    time.sleep(1.1)
    assert host.ship().problem is None
    # Who has the key, or the log, sees the log.
    host.assert_there(pinned=True)
    assert "FOREIGN" in capsys.readouterr().out
    assert verify_main([str(host.path), "--against", moto.url], CentralStores()) == 0
    capsys.readouterr()
    # Who has neither is told what cannot be known.
    verify_main([moto.url], CentralStores())
    assert "which nothing from elsewhere confirms" in capsys.readouterr().out
    with opened(moto) as store:
        done = restore(store, ORIGIN, tmp_path / "either.db")
    assert "nothing from elsewhere confirms the log's key" in "".join(done.sentences(tmp_path))


def test_a_key_that_is_added_after_the_progress_was_lost_makes_no_fault(
    moto: Bucket, tmp_path: Path
) -> None:
    prepared(moto)
    host = Host(moto, tmp_path / "audit.jsonl", None)
    host.ship()
    time.sleep(3.1)
    host.ship()
    progress_path(host.path, moto.url).unlink()
    host.key = PrivateKey.generate()
    host.ship()
    with opened(moto, digest_interval=1, slack=1) as store:
        assert {fault.kind for fault in store.inspect(ORIGIN)} <= {"foreign"}

"""A log restored from central storage that others may add to, lose from, and be killed over."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command
from s3_logs import ORIGIN, Log, forged, lines, locked, opened, prepared
from servers_s3 import Bucket

from chained_logging import AuditLog, verify
from chained_logging.errors import ForeignFile
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review import restore as module
from chained_logging.review.restore import ASIDE, SCRATCH, restore
from chained_logging.sinks import open_sink
from chained_logging.verify import main


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


def test_a_checkpoint_beyond_the_end_is_said(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 60)
    store: Any = Store(log, log.records[:40])
    done = restore(store, ORIGIN, tmp_path / "audit.jsonl", public_key=str(key_of(log, tmp_path)))
    assert any("the last ones are missing" in problem for problem in done.problems)
    assert done.entries <= 40


class Store:
    """A store with these entries, and all checkpoints of a log."""

    name = "memory://"

    def __init__(self, log: Log, records: list[Record]) -> None:
        self._log, self._records = log, records

    def records(self, origin: str, start: int = 0) -> Any:
        return iter(self._records)

    def checkpoints(self, origin: str) -> Any:
        return iter(self._log.checkpoints)

    def inspect(self, origin: str) -> list[Any]:
        return []


def test_a_store_without_its_front_is_refused_with_the_reason(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 60)
    store: Any = Store(log, log.records[20:])
    with pytest.raises(ValueError, match=r"lacks the front of .*: it begins with entry 20"):
        restore(store, ORIGIN, tmp_path / "audit.db")
    assert not list(tmp_path.glob("audit.db*"))


def test_another_key_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 60)
    store: Any = Store(log, log.records)
    other = public_pem(PrivateKey.generate().public_key)
    with pytest.raises(ValueError, match="first key is not the one that was given"):
        restore(store, ORIGIN, tmp_path / "audit.db", public_key=other)
    assert not list(tmp_path.glob("audit.db*"))


@pytest.mark.parametrize("name", ["", ".checkpoints", "-wal", "-journal", ASIDE])
def test_no_file_is_touched_that_restore_did_not_make(tmp_path: Path, name: str) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    store: Any = Store(log, log.records)
    stranger = tmp_path / f"audit.db{name}"
    stranger.write_text("mine")
    with pytest.raises(FileExistsError, match=f"{stranger.name} is there already"):
        restore(store, ORIGIN, tmp_path / "audit.db")
    assert stranger.read_text() == "mine"
    assert [path.name for path in tmp_path.glob("audit.db*")] == [stranger.name]


def test_a_folder_of_somebody_elses_is_not_cleared(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    store: Any = Store(log, log.records)
    folder = tmp_path / f"audit.db{SCRATCH}"
    folder.mkdir()
    (folder / "letters.txt").write_text("mine")
    with pytest.raises(ForeignFile, match=r"letters\.txt was not made by a restore"):
        restore(store, ORIGIN, tmp_path / "audit.db")
    assert (folder / "letters.txt").read_text() == "mine"


def dies_at(step: int, work: Any) -> bool:
    """Do something in a child that dies at a step; return whether it came to its end."""
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 9)
        return status == 0
    count = 0

    def dying(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os._exit(9)
            return function(*arguments, **options)

        return call

    steps: list[tuple[Any, str]] = [(os, "link"), (os, "rename"), (Path, "unlink")]
    steps += [(Path, "rmdir"), (Path, "mkdir")]
    steps += [(module, name) for name in ("write_log", "AuditLog", "replace_file")]
    for owner, name in steps:
        setattr(owner, name, dying(getattr(owner, name)))
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("suffix", [".db", ".jsonl"])
def test_killed_at_any_moment_it_is_unfinished_and_goes_on(tmp_path: Path, suffix: str) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    tail = forged(log.records[-1])
    store: Any = Store(log, [*log.records, *tail])
    key = key_of(log, tmp_path).read_text()
    for step in range(1, 100):
        folder = tmp_path / str(step)
        folder.mkdir()
        target = folder / f"audit{suffix}"
        scratch = folder / f"{target.name}{SCRATCH}"

        def work(target: Path = target) -> None:
            restore(store, ORIGIN, target, public_key=key)

        ended = dies_at(step, work)
        if scratch.exists() and {path.name for path in scratch.iterdir()} - {"lock"}:
            assert not ended
            assert main(["--quiet", str(target)]) == 2
            assert all(main(["--quiet", str(path)]) == 2 for path in [scratch, *scratch.iterdir()])
            work()
        elif scratch.exists():  # all is done but for the folder
            with contextlib.suppress(FileExistsError):
                work()
        elif not target.exists():
            work()
        assert verify(target, public_key=key).intact
        assert len(list(open_sink(target).records())) == len(log.records) + 1
        assert Path(f"{target}{ASIDE}").read_bytes() == lines(tail)
        assert not scratch.exists()
        assert target.stat().st_nlink == 1
        if ended:
            break
    assert step > 8

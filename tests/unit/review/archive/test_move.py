"""Segments go to an archive only when it has them, and the log says so."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from archived import archive, key, log, moved
from backed_up import ORIGIN, written

from chained_logging import AuditLog, verify
from chained_logging.errors import BrokenLog, Busy, NotALog, Refused
from chained_logging.files.lock import FileLock
from chained_logging.format.merkle import Frontier
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.archive import move as module
from chained_logging.ship.progress import Progress, write_progress
from chained_logging.sinks import open_sink
from chained_logging.sinks.segments import segment_paths

__all__ = ["archive", "key", "log"]  # fixtures


def said(path: Path) -> list[dict[str, Any]]:
    bodies = [json.loads(record.body) for record in open_sink(path).records()]
    return [body["context"] for body in bodies if body["action"] == "archive.move"]


def test_old_segments_go_and_the_log_is_whole_with_them(log: Path, archive: Path) -> None:
    before = list(open_sink(log).records())
    contents = {path.name: path.read_bytes() for path in segment_paths(log)}
    done = moved(log, archive)
    newest = max(contents)
    assert [path.name for path in segment_paths(log)][:1] == [newest]
    assert done.files == sorted(f"{name}.gz" for name in contents if name != newest)
    for name in done.files:
        assert gzip.decompress((archive / name).read_bytes()) == contents[name[:-3]]
    files = sorted(archive.iterdir())
    report = verify(log, *files)
    assert report.intact
    assert report.starts_at_genesis
    assert report.entries == len(before) + len(done.files)
    assert done.entries == before[-1].seq + 1 - sum(
        map(len, (contents[newest].splitlines(), log.read_bytes().splitlines()[: -len(done.files)]))
    )


def test_each_is_recorded_with_what_finds_and_proves_it(log: Path, archive: Path) -> None:
    before = list(open_sink(log).records())
    contents = {f"{path.name}.gz": path.read_bytes() for path in segment_paths(log)}
    done = moved(log, archive)
    entries = said(log)
    assert [entry["file"] for entry in entries] == done.files
    tree = Frontier()
    for entry in entries:
        content = contents[entry["file"]]
        assert entry["archive"] == str(archive)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        packed = (archive / entry["file"]).read_bytes()
        assert entry["packed_sha256"] == hashlib.sha256(packed).hexdigest()
        last = before[entry["last_seq"]]
        assert entry["last_hash"] == last.hash
        for record in before[entry["first_seq"] : entry["last_seq"] + 1]:
            tree.append(bytes.fromhex(record.hash))
        assert base64.b64decode(entry["tree"]) == tree.to_bytes()
        assert "statement" not in entry


def test_with_the_key_the_entry_is_signed(log: Path, archive: Path, key: PrivateKey) -> None:
    moved(log, archive, key=key, sign="checkpoint")
    assert all("statement" in entry for entry in said(log))


def test_the_log_goes_on_and_a_second_move_too(log: Path, archive: Path, key: PrivateKey) -> None:
    moved(log, archive)
    first = said(log)
    written(log, 40, key=key)
    done = moved(log, archive)
    assert done.files
    assert [entry["file"] for entry in said(log)] == done.files  # the others have moved too
    trees = [base64.b64decode(entry["tree"]) for entry in said(log)]
    sizes = [Frontier.from_bytes(tree).size for tree in trees]
    assert sizes == [entry["last_seq"] + 1 for entry in said(log)]
    assert sizes[0] > first[-1]["last_seq"]
    report = verify(log, *archive.iterdir())
    assert report.intact
    assert report.starts_at_genesis


def test_what_is_young_stays(log: Path, archive: Path) -> None:
    done = moved(log, archive, later=0)
    assert done.files == []
    assert str(done.stays).endswith("is not old enough")
    assert not list(archive.iterdir())


def test_what_was_not_shipped_stays(log: Path, archive: Path) -> None:
    paths = segment_paths(log)
    reached = int(paths[2].name.split(".")[1]) - 1  # the first two have arrived
    write_progress(log, Progress("s3://acme-audit/logs", seq=reached))
    done = moved(log, archive)
    assert len(done.files) == 2
    assert f"{paths[2].name} was not shipped to s3://acme-audit/logs yet" in str(done.stays)


def test_an_edited_segment_stays(log: Path, archive: Path) -> None:
    second = segment_paths(log)[1]
    second.write_bytes(second.read_bytes().replace(b"10.0.0.1", b"10.0.0.2", 1))
    with pytest.raises(BrokenLog, match=rf"{second.name} is not intact: .*edited.*it stays here"):
        moved(log, archive)
    assert segment_paths(log)[0] == second
    assert [path.name for path in archive.iterdir()] == [f"audit.{0:020d}.jsonl.gz"]


def test_another_logs_file_is_not_taken_for_this_ones(
    log: Path, archive: Path, tmp_path: Path
) -> None:
    name = f"{segment_paths(log)[0].name}.gz"
    (archive / name).write_bytes(gzip.compress(b"another log's\n"))
    (archive / name).chmod(0o600)
    with pytest.raises(Refused, match=r"holds another .*give each log an archive of its own"):
        moved(log, archive)
    assert segment_paths(log)[0].name == name[:-3]
    assert said(log) == []


def test_no_more_is_unpacked_than_was_put_there(log: Path, archive: Path) -> None:
    name = f"{segment_paths(log)[0].name}.gz"
    (archive / name).write_bytes(gzip.compress(bytes(64 << 20), 1))
    (archive / name).chmod(0o600)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="holds another"):
            moved(log, archive)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_database_is_one_file(tmp_path: Path, archive: Path) -> None:
    path = written(tmp_path / "audit.db", 3)
    with pytest.raises(NotALog, match="is a database, which is one file"):
        moved(path, archive)


def test_two_at_once_are_refused(log: Path, archive: Path) -> None:
    lock = FileLock(log.with_name(f"{log.name}.archive.lock"))
    lock.acquire()
    try:
        with pytest.raises(Busy, match="another process moves segments"):
            moved(log, archive)
    finally:
        lock.close()


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", range(1, 13))
def test_killed_at_any_step_nothing_is_lost_and_the_next_call_finishes(
    log: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before = {record.seq: record for record in open_sink(log).records()}
    count = 0

    def dying(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                raise Died
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in (
            (os, "rename"),
            (Path, "unlink"),
            (AuditLog, "decide"),
            (module, "sync_directory"),
        ):
            patch.setattr(owner, name, dying(getattr(owner, name)))
        with pytest.raises(Died):
            moved(log, archive)
    files = [path for path in archive.iterdir() if path.suffix == ".gz"]
    assert verify(log, *files).starts_at_genesis
    assert verify(log, *files).intact
    moved(log, archive)
    names = sorted(path.name for path in archive.iterdir())
    assert len(segment_paths(log)) <= 2
    assert verify(log, *archive.iterdir()).intact
    recorded = [entry["file"] for entry in said(log)]
    assert sorted(set(recorded)) == sorted(recorded) == [n for n in names if n.endswith(".gz")]
    found = {record.seq for record in open_sink(log).records()}
    for name in names:
        lines = gzip.decompress((archive / name).read_bytes()).splitlines()
        found |= {json.loads(line)["seq"] for line in lines}
    assert found >= set(before)
    with AuditLog(log, sign="follow") as again:
        assert again.origin == ORIGIN
        again.note("log.heartbeat")


def test_a_log_whose_front_is_in_an_archive_gets_a_new_key(
    log: Path, archive: Path, key: PrivateKey
) -> None:
    moved(log, archive, key=key, sign="checkpoint")
    keys = [key, PrivateKey.generate(), PrivateKey.generate()]
    for old, new in pairwise(keys):
        with AuditLog(log, key=old) as opened:
            opened.rotate_key(new)
    with AuditLog(log, key=keys[-1]) as opened:
        opened.append("read", actor="user-1", resource="a/1", ip="10.0.0.1")
        assert opened.stats()["last_error"] is None
    for names in ([], [*archive.iterdir()]):
        report = verify(log, *names, public_key=verifier_key(ORIGIN, key))
        assert report.intact
        assert report.signed_seq == report.last_seq


def test_a_key_that_is_named_in_the_archive_can_be_revoked(
    log: Path, archive: Path, key: PrivateKey
) -> None:
    moved(log, archive, key=key, sign="checkpoint")
    keys = [key, PrivateKey.generate(), PrivateKey.generate()]
    for old, new in pairwise(keys):
        with AuditLog(log, key=old) as opened:
            opened.rotate_key(new)
    with AuditLog(log, key=keys[-1]) as opened:
        for old in keys[:-1]:
            entry = opened.revoke_key(verifier_key(ORIGIN, old), "stolen")
            assert entry.action == "key.revoke"
        with pytest.raises(ValueError, match="never had the key"):
            opened.revoke_key(verifier_key(ORIGIN, PrivateKey.generate()), "stolen")
    report = verify(log, *archive.iterdir())
    assert report.intact
    assert [one["signed"] for one in report.revoked] == [True, True]

"""A log rebuilt from central storage: all of it verified, or nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from s3_logs import ORIGIN, Log, forged, lines

from chained_logging import verify
from chained_logging.errors import ForeignFile, ShipError
from chained_logging.format.record import Record
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review import restore as module
from chained_logging.review.restore import ASIDE, SCRATCH, restore
from chained_logging.sinks import open_sink
from chained_logging.verify import main


def key_of(log: Log, folder: Path) -> Path:
    path = folder / "audit.pub"
    path.write_text(public_pem(log.key.public_key))
    return path


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


@pytest.mark.parametrize("suffix", [".db", ".jsonl"])
def test_a_log_is_restored_byte_for_byte_and_says_so_itself(tmp_path: Path, suffix: str) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    store: Any = Store(log, log.records)
    target = tmp_path / f"audit{suffix}"
    done = restore(store, ORIGIN, target, public_key=str(key_of(log, tmp_path)))
    assert (done.entries, done.set_aside, done.unsigned, done.confirmed) == (20, 0, 0, True)
    assert done.sentences(target) == []
    *records, last = open_sink(target).records()
    assert records == log.records
    context = json.loads(last.body)["context"]
    assert (context["restored_from"], context["entries"]) == ("memory://", 20)
    assert context["last_hash"] == log.records[-1].hash


def test_what_no_key_vouches_for_is_told_or_set_aside(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    tail = forged(log.records[-1])
    store: Any = Store(log, [*log.records, *tail])
    target = tmp_path / "audit.jsonl"
    done = restore(store, ORIGIN, target)
    assert (done.set_aside, done.unsigned, done.confirmed) == (0, 3, False)
    said = " ".join(done.sentences(target))
    assert "no signature covers the last 3 entries" in said
    assert "nothing from elsewhere confirms the log's key" in said
    target = tmp_path / "again.jsonl"
    done = restore(store, ORIGIN, target, public_key=str(key_of(log, tmp_path)))
    assert (done.entries, done.set_aside) == (20, 3)
    assert Path(f"{target}{ASIDE}").read_bytes() == lines(tail)


def test_a_store_without_the_log_or_with_a_gap_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "lost.jsonl", 20)
    for records, why in (
        ([], "does not hold the log"),
        ([*log.records[:5], *log.records[6:]], "is broken at seq 5"),
    ):
        store: Any = Store(log, records)
        with pytest.raises((ShipError, ValueError), match=why):
            restore(store, ORIGIN, tmp_path / "audit.jsonl")
        assert not list(tmp_path.glob("audit*"))


def test_what_is_set_aside_is_not_held_in_memory(tmp_path: Path) -> None:
    body = b'{"reason":"' + b"x" * 60_000 + b'"}'
    many = (Record(seq, body, "0" * 64) for seq in range(500))
    tracemalloc.start()
    try:
        module._set_aside(tmp_path / "log.jsonl", many)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    aside = tmp_path / f"log.jsonl{ASIDE}"
    assert aside.stat().st_size > 500 * len(body)
    assert aside.stat().st_mode & 0o777 == 0o600
    module._set_aside(tmp_path / "other.jsonl", iter(()))
    assert not (tmp_path / f"other.jsonl{ASIDE}").exists()

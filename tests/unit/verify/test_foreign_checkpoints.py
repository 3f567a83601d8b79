"""Notes beside a log that none of its keys signed: they count for nothing, and stop nothing.

The attacker can write the file or table of checkpoints, and has no key.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from folder_store import FolderStore
from signed_logs import ORIGIN, Key, append_lines, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import BrokenLog
from chained_logging.format.line import leaf_hash
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import StoredCheckpoint
from chained_logging.format.vkey import VerifierKey
from chained_logging.review.export import export_tiles
from chained_logging.ship.shipper import Shipper
from chained_logging.sinks import open_sink
from chained_logging.sinks.checkpoints import frontier, make, signed_by_any
from chained_logging.transparency.proof import LogTree


def plant(path: Path, *rows: tuple[Any, Any, Any]) -> None:
    """Add rows of size, note and state, as anybody can who can write the files."""
    if path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            for row in rows:
                connection.execute(
                    "INSERT INTO checkpoints (size, note, state, id)"
                    " SELECT ?, ?, ?, coalesce(max(id), 0) + 1 FROM checkpoints",
                    row,
                )
        return
    with open(f"{path}.checkpoints", "ab") as file:
        for size, note, state in rows:
            if isinstance(note, bytes):
                file.write(note + b"\n")
            else:
                file.write(
                    json.dumps({"note": note, "size": size, "state": state}).encode() + b"\n"
                )


@functools.cache
def tree_of(size: int) -> Frontier:
    """Return the tree of so many entries that no log has."""
    tree = Frontier()
    for number in range(size):
        tree.append(bytes.fromhex(leaf_hash(b"%d" % number)))
    return tree


def foreign(path: Path, key: Key, size: int) -> tuple[int, str, str]:
    """Return a checkpoint of `size` entries by somebody who pretends to be the log's key."""

    class Pretender(Key):
        public_key = key.public_key

    made = make(tree_of(size), [], ORIGIN, Pretender())
    return made.size, made.note, made.state


def broken(path: Path, key: Key, how: str) -> list[tuple[Any, Any, Any]]:
    last = open_sink(path).recent_checkpoints()[0]
    size, note, state = last.size, last.note, last.state
    return {
        "junk": [(5, b"\xff\xfe{", b"\xff")],
        "other types": [("many", 5, 5), (size, note, 7)],
        "not UTF-8": [(7, b"\xff\xff", "x")],
        "a deep array": [(3, b"[" * 100_000, b"x")],
        "empty": [(0, "", "")],
        "wrong signature": [foreign(path, key, size)],
        "beyond the end": [foreign(path, key, 3000)],
        "many beyond the end": [foreign(path, key, 3000 + n) for n in range(20)],
        "our note under another size": [(1 << 40, note, state), (1, note, state)],
        "our note with a junk state": [(size, note, "junk"), (size, note, "")],
        "our note with another state": [(size, note, foreign(path, key, size)[2])],
    }[how]


BROKEN = (
    "junk",
    "other types",
    "not UTF-8",
    "a deep array",
    "empty",
    "wrong signature",
    "beyond the end",
    "many beyond the end",
    "our note under another size",
    "our note with a junk state",
    "our note with another state",
)


@pytest.mark.parametrize(
    ("how", "running"), [(how, bool(number % 3)) for number, how in enumerate(BROKEN)]
)
def test_a_note_that_the_log_did_not_sign_stops_no_checkpoint(
    path: Path, how: str, running: bool, caplog: pytest.LogCaptureFixture
) -> None:
    key = Key()
    log = AuditLog(path, key=key, origin=ORIGIN, checkpoint_interval=600)
    log.append("a", **EVENT)
    log.checkpoint()
    if not running:
        log.close()
    caplog.set_level(logging.ERROR)
    plant(path, *broken(path, key, how))
    if not running:
        log = AuditLog(path, key=key, checkpoint_interval=600)
    for number in range(3):
        log.append(f"b-{number}", **EVENT)
        assert log.checkpoint().split(b"\n")[1] == b"%d" % (3 + number)
        newest = log.last_checkpoint()
        assert newest is not None
        assert newest.size == 3 + number
    log.rotate_key(new := Key())
    log.append("c", **EVENT)
    log.close()
    with AuditLog(path, key=new) as log:
        log.append("d", **EVENT)
    told = [record for record in caplog.records if "foreign" in record.message]
    if "state" not in how:  # of which nothing counts but what it leads to
        assert told
        assert len(told) <= 2  # the restarted one has not seen it before
    # Without what was planted, the log verifies: what it signed is whole.
    clean = path.with_name(f"clean{path.suffix}")
    sink, kept = open_sink(clean), open_sink(path)
    sink.head()
    sink.write(list(kept.records()))
    for _, stored in kept.checkpoints():
        if ours(stored, key, new):
            sink.add_checkpoint(stored)
    sink.close()
    report = verify(clean, public_key=pin(key))
    assert (report.status, report.unsigned) == ("intact", 0), report.faults


def ours(stored: StoredCheckpoint, *keys: Key) -> bool:
    with contextlib.suppress(BrokenLog):
        frontier(stored)
        return signed_by_any(stored, [VerifierKey.parse(pin(key)) for key in keys])
    return False


@pytest.mark.parametrize("how", BROKEN[::2])
def test_it_stops_neither_proofs_nor_tiles_nor_shipping(
    path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, store = Key(), path.with_name("store")
    monkeypatch.setattr(
        "chained_logging.ship.shipper.open_destination", lambda *_, **__: FolderStore(store)
    )
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        for number in range(5):
            log.append(f"a-{number}", **EVENT)
        log.checkpoint()
        plant(path, *broken(path, key, how))
        log.append("b", **EVENT)
        log.checkpoint()
        (place,) = Shipper(log, ["nats://example.com/audit"]).ship()
        assert (place.seq, place.problem) == (6, None)
    assert [one.size for one in FolderStore(store).checkpoints(ORIGIN) if ours(one, key)] == [6, 7]
    assert LogTree(path).inclusion(3).checkpoint.text.split("\n")[1] == "7"
    assert export_tiles(path, path.with_name("tiles"))[0] == 7


def test_entries_that_were_changed_under_a_broken_state_are_not_signed_anew(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    plant(path, *broken(path, key, "our note with a junk state"))
    if path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TRIGGER entries_no_delete")
            connection.execute("DELETE FROM entries WHERE seq = 1")
    else:
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    Path(f"{path}.lock").unlink()
    append_lines(path, [{"action": "forged", **EVENT}])
    with pytest.warns(UserWarning, match="changed since"):  # noqa: SIM117, PT031
        with AuditLog(path, key=key) as log:
            log.append("b", **EVENT)
            with pytest.raises(BrokenLog, match="not those that the log's key signed"):
                log.checkpoint()
    assert not verify(path, public_key=pin(key)).intact


def test_a_cut_log_signs_nothing_that_contradicts_its_checkpoint(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        for number in range(3):
            log.append(f"a-{number}", **EVENT)
    if path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TRIGGER entries_no_delete")
            connection.execute("DELETE FROM entries WHERE seq > 0")
    else:
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    Path(f"{path}.lock").unlink()
    with pytest.warns(UserWarning, match="the end was cut off"):  # noqa: SIM117, PT031
        with AuditLog(path, key=key) as log:
            log.append("b", **EVENT)
            with pytest.raises(BrokenLog, match="covers 4 entries, and there are 2"):
                log.checkpoint()


@pytest.mark.parametrize("size", [100, 600_000, 2_000_000])
def test_a_line_without_an_end_is_left_and_ours_stands_after_it(tmp_path: Path, size: int) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        log.checkpoint()
        with open(f"{path}.checkpoints", "ab") as file:
            file.write(b"x" * size)
        log.append("b", **EVENT)
        log.checkpoint()
    assert [stored.size for _, stored in open_sink(path).checkpoints()] == [2, 3]
    done = subprocess.run(
        [sys.executable, "-m", "chained_logging", "prove", path, "--seq", "2"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

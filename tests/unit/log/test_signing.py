"""Checkpoints, signed entries, rotation and proofs; each attack of docs/threat-model.md is a test.

The attacker here can do all that the row says: edits are made with every hash, and with every
signature that his keys allow, made anew.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain, stored
from signed_logs import ORIGIN, Key, append_lines, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import KeyRotated
from chained_logging.format.canonical import canonical
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.merkle import Frontier
from chained_logging.format.merkle import root as merkle_root
from chained_logging.format.note import Note, verify_note
from chained_logging.format.record import Record
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.statements import entry_message
from chained_logging.sinks.checkpoints import make
from chained_logging.transparency.proof import LogTree

VERIFY = Path(sys.modules["chained_logging.verify"].__file__ or "")


def write(path: Path, key: Any, count: int = 20, **options: Any) -> bytes:
    """Append entries with a checkpoint halfway and one at close; return the newest."""
    options = {"origin": ORIGIN, **options}
    with AuditLog(path, key=key, **options) as log:
        for n in range(count):
            log.append(f"a-{n}", **EVENT)
            if n == count // 2:
                log.checkpoint()
        return log.checkpoint()


def kinds(*paths: Path, **options: Any) -> set[str]:
    report = verify(*paths, **options)
    assert report.status == ("tampered" if report.faults else report.status)
    return {fault.kind for fault in report.faults}


# --- Checkpoints.


def test_checkpoints_are_those_of_the_formats(path: Path) -> None:
    key = Key()
    note = write(path, key)
    (verified,) = verify_note(Note.parse(note), [VerifierKey.parse(pin(key))])
    assert verified.key.name == ORIGIN
    said = Checkpoint.parse(Note.parse(note).text)
    leaves = [sha256(b"\0" + body).digest() for _, body, _ in stored(path)]
    assert (said.origin, said.size, said.root) == (ORIGIN, 21, merkle_root(leaves))
    report = verify(path, public_key=pin(key))
    assert (report.status, report.pinned, report.signed_seq) == ("intact", True, 20)
    assert report.checkpoints == 2
    assert json.loads(stored(path)[0][1])["context"]["public_key"] == pin(key)


def test_checkpoints_go_on_over_restarts_and_processes(path: Path) -> None:
    key = Key()
    for _ in range(4):
        write(path, key, 5)
    with AuditLog(path, key=key) as one, AuditLog(path, key=key) as two:
        for n in range(30):
            (one, two)[n % 2].append("b", **EVENT)
            (two, one)[n % 3 == 0].checkpoint()
    report = verify(path, public_key=pin(key))
    assert (report.status, report.signed_seq) == ("intact", 50)
    check_chain(path)


def test_checkpoints_are_made_by_count_and_by_time(path: Path) -> None:
    with AuditLog(
        path, key=Key(), sync_interval=0.05, checkpoint_every=10, checkpoint_interval=0.5
    ) as log:
        kept = log._sink.recent_checkpoints
        log.append_many([{"action": "a", **EVENT}] * 10)
        deadline = time.monotonic() + 10
        while not kept():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        log.append("one more", **EVENT)
        while kept()[0].size < 12:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_torn_checkpoint_is_of_a_checkpoint_that_never_was(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    write(path, key)
    with open(f"{path}.checkpoints", "ab") as file:
        file.write(b'{"note":"exam')
    assert verify(path, public_key=pin(key)).intact
    write(path, key)
    assert verify(path, public_key=pin(key)).intact


def test_a_database_refuses_to_change_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    write(path, Key())
    db = sqlite3.connect(path)
    for statement in (
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "REPLACE INTO checkpoints SELECT * FROM checkpoints",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            db.execute(statement)
    db.close()


def test_a_key_is_added_to_a_log_that_had_none(path: Path) -> None:
    key = Key()
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("before", **EVENT)
    write(path, key)
    report = verify(path, public_key=pin(key))
    assert (report.status, report.pinned) == ("intact", True)
    with pytest.raises(ValueError, match="key"):
        AuditLog(path, key=Key())


def test_what_a_signer_raises_breaks_no_append(path: Path) -> None:
    class Broken(Key):
        broken = False

        def sign(self, data: bytes) -> bytes:
            if self.broken:
                raise RuntimeError("the HSM is gone")
            return super().sign(data)

    key = Broken()
    log = AuditLog(path, key=key, sync_interval=0.02, checkpoint_interval=0.02)
    log.append("a", **EVENT)
    key.broken = True
    log.append("b", **EVENT)
    deadline = time.monotonic() + 10
    while "HSM" not in str(log.stats()["last_error"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    log.append("c", **EVENT)
    with pytest.warns(UserWarning, match="no checkpoint at close: the HSM is gone"):
        log.close()
    assert len(check_chain(path)) == 4


def test_parameters(tmp_path: Path) -> None:
    for options in (
        {"sign": "each"},
        {"sign": "all"},
        {"checkpoint_every": 0},
        {"checkpoint_interval": 0},
        {"heartbeat": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            AuditLog(tmp_path / "a.jsonl", **options)
    with AuditLog(tmp_path / "a.jsonl") as log, pytest.raises(ValueError, match="needs a key"):
        log.checkpoint()


def test_nobody_else_bears_the_logs_name(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        entry = log.append(
            "key.rotate",
            actor="chained_logging",
            actor_type="system",
            resource="a/b",
            public_key=pin(Key()),
        )
        assert entry.incomplete
        assert entry.actor_id == "unknown"
    assert verify(path, public_key=pin(key)).intact


# --- sign="each".


def test_every_entry_is_signed(path: Path) -> None:
    key = Key()
    write(path, key, sign="each")
    report = verify(path, public_key=pin(key))
    assert (report.status, report.unchecked_signatures) == ("intact", 0)
    with AuditLog(path, key=key, sign="each") as log:
        for entry in log.entries():
            signature = base64.b64decode(entry.signature)
            key._key.public_key().verify(signature, entry_message(entry.hash))


def test_a_signature_of_another_entry_or_log_is_found(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    write(path, key, sign="each")
    lines = path.read_bytes().splitlines(keepends=True)
    signatures = [re.search(rb'"signature":"(.*?)"', line)[1] for line in lines]
    path.write_bytes(
        b"".join([*lines[:5], lines[5].replace(signatures[5], signatures[6]), *lines[6:]])
    )
    assert kinds(path) == {"signature"}


# --- Proofs.


@pytest.fixture
def proven(path: Path) -> tuple[Path, Key]:
    key = Key()
    write(path, key, 40)
    return path, key


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(VERIFY), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_entry_is_proven_without_the_log(proven: tuple[Path, Key], tmp_path: Path) -> None:
    path, key = proven
    module = sys.modules["chained_logging.verify"]
    tree = LogTree(path)
    lines = [stored_line(body, hash).decode() for _, body, hash in stored(path)]
    for stored_one in tree.checkpoints:
        for seq in range(stored_one.size):
            data = tree.inclusion(seq, stored_one.size).format()
            found = module.verify_proof(data, pin(key))
            assert (found["status"], found["entry"]) == ("proven", lines[seq])
    with pytest.raises(ValueError, match="covers entries"):
        tree.inclusion(41)
    file, vkey = tmp_path / "p", tmp_path / "k"
    file.write_bytes(tree.inclusion(7).format())
    vkey.write_text(pin(key))
    done = run("--proof", file, "--public-key", vkey)
    assert done.returncode == 0
    assert done.stdout.startswith("PROVEN")
    assert run("--proof", file).returncode == 2
    vkey.write_text(pin(Key()))
    assert run("--proof", file, "--public-key", vkey).returncode == 1


def test_every_flipped_byte_of_a_proof_is_found(proven: tuple[Path, Key]) -> None:
    path, key = proven
    module = sys.modules["chained_logging.verify"]
    data = LogTree(path).inclusion(7).format()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        assert module.verify_proof(bytes(flipped), pin(key))["status"] != "proven", at


def test_a_later_state_is_proven_to_extend_an_earlier_one(path: Path) -> None:
    key, module = Key(), sys.modules["chained_logging.verify"]
    notes = [write(path, key, 7) for _ in range(5)]
    tree = LogTree(path)
    for old in notes:
        size = Checkpoint.parse(Note.parse(old).text).size
        data = tree.consistency(size)
        assert module.verify_proof(data, pin(key), old)["status"] == "proven"
        for other in notes:
            if other != old:
                assert module.verify_proof(data, pin(key), other)["status"] == "refuted"
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 1
            assert module.verify_proof(bytes(flipped), pin(key), old)["status"] != "proven"


# --- The attacks.


def entries_of(path: Path) -> list[bytes]:
    return [body for _, body, _ in stored(path)]


def forge(path: Path, bodies: list[bytes], signers: Callable[[int], Any] | None = None) -> None:
    """Write a JSON Lines log anew: each hash, and checkpoints at each 10 entries if he can."""
    lines, prev, tree = [], b"GENESIS", Frontier()
    notes = []
    origin = json.loads(bodies[0])["resource_id"]
    for seq, body in enumerate(bodies):
        body = re.sub(rb'("prev_hash":")(GENESIS|[0-9a-f]{64})', rb"\g<1>" + prev, body)
        body = re.sub(rb'("seq":)[0-9]+(,|})(?!.*"seq":)', rb"\g<1>%d\g<2>" % seq, body)
        hash = leaf_hash(body)
        prev = hash.encode()
        lines.append(stored_line(body, hash) + b"\n")
        signer = signers(seq + 1) if signers else None
        if signer is None:
            tree.append(bytes.fromhex(hash))
        else:
            made = make(tree, [Record(seq, body, hash)], origin, signer)
            notes.append(canonical(made._asdict()) + b"\n")
    path.write_bytes(b"".join(lines))
    if signers:
        Path(f"{path}.checkpoints").write_bytes(b"".join(notes))


def edited(bodies: list[bytes], at: int) -> list[bytes]:
    return [*bodies[:at], bodies[at].replace(b"user-1", b"user-2"), *bodies[at + 1 :]]


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, Key, bytes]:
    """A log, its key, and a checkpoint that was kept elsewhere."""
    key = Key()
    path = tmp_path / "audit.jsonl"
    return path, key, write(path, key)


def kept(tmp_path: Path, note: bytes) -> Path:
    file = tmp_path / "kept.note"
    file.write_bytes(note)
    return file


@pytest.mark.parametrize("how", ["edit", "insert", "delete", "reorder"])
def test_a_writer_without_a_key_is_caught_by_the_checkpoints(
    log: tuple[Path, Key, bytes], how: str
) -> None:
    path, key, _ = log
    bodies = entries_of(path)
    forge(
        path,
        {
            "edit": edited(bodies, 7),
            "insert": [*bodies[:7], bodies[9], *bodies[7:]],
            "delete": bodies[:7] + bodies[8:],
            "reorder": [*bodies[:7], bodies[8], bodies[7], *bodies[9:]],
        }[how],
    )
    assert "rewritten" in kinds(path)  # also without anything kept elsewhere
    assert "rewritten" in kinds(path, public_key=pin(key))


def test_a_writer_who_deletes_the_checkpoints_is_caught_by_the_pinned_key(
    log: tuple[Path, Key, bytes],
) -> None:
    path, key, _ = log
    forge(path, edited(entries_of(path), 7))
    Path(f"{path}.checkpoints").unlink()
    assert kinds(path) == set()  # nothing from elsewhere: nothing to see, and the report says so
    assert verify(path).signed_seq is None
    assert kinds(path, public_key=pin(key)) == {"signature"}


def test_a_cut_tail_is_caught_by_checkpoints_beside_and_kept(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:15]))
    assert kinds(path) == {"cut-tail"}
    beside = Path(f"{path}.checkpoints")
    beside.write_bytes(beside.read_bytes().splitlines(keepends=True)[0])  # cut as well
    assert kinds(path, public_key=pin(key)) == set()  # valid in itself: this is why
    assert kinds(path, checkpoints=[kept(tmp_path, note)]) == {"cut-tail"}  # one is kept elsewhere


def drop_checkpoints(path: Path, after: int) -> None:
    """Remove those of more entries than that."""
    beside = Path(f"{path}.checkpoints")
    lines = beside.read_bytes().splitlines(keepends=True)
    beside.write_bytes(b"".join(line for line in lines if json.loads(line)["size"] <= after))


def test_a_rewritten_tail_without_its_checkpoints_is_counted_as_not_signed(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    (tmp_path / "k").write_text(pin(key))
    assert "NOT SIGNED" not in run(path, "--public-key", tmp_path / "k").stdout
    assert verify(path).unsigned == 0
    forge(path, edited(entries_of(path), 15))
    drop_checkpoints(path, 12)
    done = run(path, "--public-key", tmp_path / "k")
    assert done.returncode == 0  # an ordinary log has such a tail for some seconds
    assert "signed up to seq 11, 1 checkpoints; 9 entries after it NOT SIGNED" in done.stdout
    report = json.loads(run(path, "--json").stdout)
    assert (report["signed_seq"], report["unsigned"]) == (11, 9)
    assert kinds(path, public_key=pin(key), checkpoints=[kept(tmp_path, note)]) == {"rewritten"}


def test_a_tail_without_signatures_after_signed_entries_is_named(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    write(path, key, sign="each")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(re.sub(rb',"signature":"[^"]*"', b"", path.read_bytes()))
    forge(path, edited(entries_of(path), 15))
    path.write_bytes(b"".join(lines[:15] + path.read_bytes().splitlines(keepends=True)[15:]))
    drop_checkpoints(path, 12)
    report = verify(path)
    assert (report.status, report.signed_entry, report.unsigned_from) == ("intact", 14, 15)
    assert report.unsigned == 6
    assert "WARNING: entries bear signatures, and some after them none, the first at seq 15" in (
        run(path).stdout
    )
    for careful in (False, True):
        report = verify(path, public_key=pin(key), careful=careful)
        assert [(fault.kind, fault.seq) for fault in report.faults] == [("signature", 15)]


def test_entries_may_stop_to_be_signed_under_a_checkpoint(path: Path) -> None:
    key = Key()
    write(path, key, 5, sign="each")
    with AuditLog(path, sign="follow") as log:  # as by the command, which has no key
        log.note("log.restore", source="a test")
    report = verify(path, public_key=pin(key))
    assert (report.status, report.unsigned, report.unsigned_from) == ("intact", 1, None)
    assert (report.unsigned_own, report.unsigned_own_from) == (1, 6)
    assert "1 in the log's own name none, the first at seq 6" in run(path).stdout
    with pytest.raises(ValueError, match="open it with sign='each'"):
        AuditLog(path, key=key)


def test_a_tail_without_signatures_is_named_once_the_log_goes_on(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    write(path, key, 5, sign="each")
    append_lines(path, [{"action": f"forged-{n}", **EVENT} for n in range(4)])
    write(path, key, 5, sign="each")  # signs what stands there
    report = verify(path)
    assert (report.status, report.unsigned, report.unsigned_from) == ("intact", 0, 6)
    report = verify(path, public_key=pin(key))
    assert [(fault.kind, fault.seq) for fault in report.faults] == [("signature", 6)]


def test_a_key_that_cannot_be_checked_from_the_middle_is_said(tmp_path: Path) -> None:
    path, key, new = tmp_path / "audit.jsonl", Key(), Key()
    for sign, right in (("checkpoint", 2), ("each", 0)):
        write(path, key, sign=sign)
        lines = path.read_bytes().splitlines(keepends=True)
        since = json.loads(lines[4])["hash"]
        tail = tmp_path / "tail.jsonl"
        tail.write_bytes(b"".join(lines[5:]))
        for given, status in ((key, right), (Key(), 2)):
            (tmp_path / "k").write_text(pin(given))
            done = run(tail, "--from-hash", since, "--public-key", tmp_path / "k")
            assert (done.returncode, "NOT CHECKED" in done.stderr) == (status, status == 2)
        assert run(tail, "--from-hash", since).returncode == 0
        path.unlink()
        Path(f"{path}.checkpoints").unlink()
        Path(f"{path}.lock").unlink()
    report = verify(tail, from_hash=since, public_key=pin(key))
    assert (report.pinned, report.signed_entry, report.unsigned) == (True, 20, 0)
    # The key that was given says in a statement which one comes next.
    with AuditLog(path, key=key, sign="each", origin=ORIGIN) as log:
        log.append("a", **EVENT)
        log.rotate_key(new)
        log.append("b", **EVENT)
    lines = path.read_bytes().splitlines(keepends=True)
    tail.write_bytes(b"".join(lines[1:]))
    since = json.loads(lines[0])["hash"]
    assert verify(tail, from_hash=since, public_key=pin(key)).intact
    assert verify(tail, from_hash=since, public_key=pin(new)).status == "unchecked"
    assert verify(tail, from_hash=since).intact


def test_rolling_back_to_an_old_copy_is_caught_by_a_kept_checkpoint(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    write(path, key)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (path, Path(f"{path}.checkpoints")):
        shutil.copy(name, copy)
    note = write(path, key)
    old = copy / path.name
    assert kinds(old, public_key=pin(key)) == set()
    assert kinds(old, public_key=pin(key), checkpoints=[kept(tmp_path, note)]) == {"cut-tail"}


def test_replacing_the_whole_log_with_another_key_is_caught_by_the_pinned_key(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    path.unlink()
    Path(f"{path}.checkpoints").unlink()
    Path(f"{path}.lock").unlink()
    write(path, Key())
    assert verify(path).intact
    assert "key" in kinds(path, public_key=pin(key))
    assert "rewritten" in kinds(path, checkpoints=[kept(tmp_path, note)])


def test_root_with_todays_key_is_caught_by_a_kept_checkpoint_only(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    forge(path, edited(entries_of(path), 7), lambda size: key if size % 10 == 0 else None)
    assert kinds(path, public_key=pin(key)) == set()  # plainly: nothing beside the log shows it
    assert kinds(path, public_key=pin(key), checkpoints=[kept(tmp_path, note)]) == {"rewritten"}


def test_two_histories_shown_to_two_auditors(log: tuple[Path, Key, bytes], tmp_path: Path) -> None:
    path, key, note = log
    fork = tmp_path / "fork" / "audit.jsonl"
    fork.parent.mkdir()
    bodies = entries_of(path)
    forge(fork, edited(bodies, 15), lambda size: key if size == len(bodies) else None)
    assert kinds(path, public_key=pin(key)) == kinds(fork, public_key=pin(key)) == set()
    assert kinds(fork, checkpoints=[kept(tmp_path, note)]) == {"rewritten"}  # as they compare


def test_a_checkpoint_of_another_log_is_refused(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, _ = log
    other = tmp_path / "other.jsonl"
    note = write(other, key, origin="example.com/other")
    assert kinds(path, checkpoints=[kept(tmp_path, note)]) == {"rewritten"}
    shutil.copy(f"{other}.checkpoints", f"{path}.checkpoints")
    assert "rewritten" in kinds(path)


def test_a_checkpoint_signed_by_another_key_is_refused(log: tuple[Path, Key, bytes]) -> None:
    path, _, _ = log
    thief = Key()
    forge(path, edited(entries_of(path), 7), lambda size: thief if size == 21 else None)
    assert "signature" in kinds(path)


# --- A folder of logs.


def test_a_log_of_which_a_folder_holds_only_checkpoints_is_named(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, _, note = log
    folder = tmp_path / "copy"
    for name in ("a", "b"):
        for kind in ("segments", "checkpoints"):
            (folder / name / kind).mkdir(parents=True)
        segment = folder / name / "segments" / f"{0:020d}-{20:020d}.jsonl.gz"
        segment.write_bytes(gzip.compress(path.read_bytes()))
        stored_one = canonical({"note": note.decode(), "size": 21, "state": ""}) + b"\n"
        (folder / name / "checkpoints" / f"{21:020d}.json").write_bytes(stored_one)
    assert run(folder).returncode == 0
    segment.unlink()
    done = run(folder)
    assert (done.returncode, done.stdout.count("INTACT"), done.stderr) == (1, 1, "")
    assert f"missing: {folder / 'b' / 'segments'}" in done.stdout
    segment.parent.rmdir()
    assert run(folder).returncode == 1
    shutil.rmtree(folder / "b")
    (folder / "c.jsonl.checkpoints").write_bytes(stored_one)
    done = run(folder)
    assert (done.returncode, f"missing: {folder / 'c'}" in done.stdout) == (1, True)


def test_checkpoints_whose_log_is_gone_cover_its_segments_and_its_compressed_copy(
    tmp_path: Path,
) -> None:
    folder, key = tmp_path / "f", Key()
    folder.mkdir()
    path = folder / "audit.jsonl"
    write(path, key, max_bytes=2000)
    assert run(folder).returncode == 0
    path.unlink()
    sorted(folder.glob("audit.0*.jsonl"))[-1].unlink()
    done = run(folder)
    assert done.returncode == 1
    assert "cut-tail" in done.stdout
    shutil.rmtree(folder)
    folder.mkdir()
    write(path, key)
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    packed = folder / "audit.jsonl.gz"
    for kept_lines, found in ((lines, set()), (lines[:15], {"cut-tail"})):
        packed.write_bytes(gzip.compress(b"".join(kept_lines)))
        assert kinds(packed) == found
        done = run(folder)
        assert (done.returncode, done.stdout.count("cut-tail")) == (len(found), len(found))


def test_an_empty_log_with_checkpoints_is_not_whole(log: tuple[Path, Key, bytes]) -> None:
    path, _, _ = log
    path.write_bytes(b"")
    assert kinds(path) == {"missing"}


# --- Rotation.


@pytest.fixture
def rotated(tmp_path: Path) -> tuple[Path, Key, Key]:
    path, old, new = tmp_path / "audit.jsonl", Key(), Key()
    with AuditLog(path, key=old, origin=ORIGIN) as log:
        for n in range(10):
            log.append(f"a-{n}", **EVENT)
        seal = log.rotate_key(new)
        assert verify_note(Note.parse(seal), [VerifierKey.parse(pin(old))])
        for n in range(10):
            log.append(f"b-{n}", **EVENT)
    return path, old, new


def test_keys_are_followed_from_the_pinned_one(path: Path) -> None:
    keys = [Key() for _ in range(4)]
    with AuditLog(path, key=keys[0], origin=ORIGIN, sign="each") as log:
        for key in keys[1:]:
            log.append("a", **EVENT)
            log.rotate_key(key)
        log.append("last", **EVENT)
    report = verify(path, public_key=pin(keys[0]))
    assert (report.status, report.signed_seq, report.pinned_seq) == ("intact", 7, 0)
    report = verify(path, public_key=pin(keys[3]))  # one that was given after the last rotation
    assert (report.status, report.pinned, report.pinned_seq) == ("intact", True, 6)
    assert kinds(path, public_key=pin(Key())) == {"key"}
    for old in keys[:3]:
        with pytest.raises(ValueError, match="key"):
            AuditLog(path, key=old)
    with AuditLog(path, key=keys[3], sign="each") as log:
        log.append("more", **EVENT)
    assert verify(path, public_key=pin(keys[0])).intact


def test_a_rotation_in_another_process_is_noticed(path: Path) -> None:
    old, new = Key(), Key()
    with AuditLog(path, key=old, origin=ORIGIN) as behind:
        behind.append("a", **EVENT)
        with AuditLog(path, key=old) as ahead:
            ahead.rotate_key(new)
            ahead.append("b", **EVENT)
            behind.append("c", **EVENT)
            with pytest.raises(KeyRotated):
                behind.checkpoint()
            behind.append("d", **EVENT)
            with pytest.warns(UserWarning, match="rotated"):
                behind.close()
    assert verify(path, public_key=pin(old)).intact


def test_a_key_file_is_read_again_after_a_rotation_elsewhere(path: Path) -> None:
    from chained_logging.keys import PrivateKey

    file = path.with_name("audit.key")
    first, second = PrivateKey.generate(), PrivateKey.generate()
    first.save(file)
    with AuditLog(path, key=file, sign="each", origin=ORIGIN, on_failure="raise") as log:
        log.append("before", **EVENT)
        with AuditLog(path, key=first, sign="each") as other:
            other.rotate_key(second)
        # The log went over, and the file is not there yet: nothing is signed with the old key.
        with pytest.raises(KeyRotated):
            log.append("between", **EVENT)
        file.unlink()
        second.save(file)
        log.append("after", **EVENT)
        log.checkpoint()
    report = verify(path, public_key=pin(first))
    assert (report.status, report.signed_seq) == ("intact", report.last_seq)


def test_a_signed_entry_waits_while_the_key_is_unknown(path: Path) -> None:
    first, second = Key(), Key()
    with AuditLog(path, key=first, sign="each", origin=ORIGIN) as log:
        with AuditLog(path, key=first, sign="each") as other:
            other.rotate_key(second)
        with pytest.warns(UserWarning, match="rotated"):
            log.append("waits", **EVENT)
        with pytest.warns(UserWarning, match="rotated"):
            log.close()
    with AuditLog(path, key=second, sign="each"):
        pass  # chains what waited
    report = verify(path, public_key=pin(first))
    assert (report.status, report.fault_count) == ("intact", 0)
    assert any(b'"waits"' in body for _, body, _ in stored(path))


def test_a_sealed_segment_has_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    options = {"max_bytes": 5_000, "sync_interval": 0.05, "checkpoint_interval": 600}
    with AuditLog(path, key=key, origin=ORIGIN, **options) as log:
        for n in range(12):  # about 10 to a segment
            log.append(f"a-{n}", **EVENT)
        deadline = time.monotonic() + 10
        while (
            not (found := [one.size for one in log.checkpoints()]) and time.monotonic() < deadline
        ):
            time.sleep(0.02)
    (segment,) = tmp_path.glob("audit.0*.jsonl")
    assert found == [len(segment.read_bytes().splitlines())]
    assert verify(path, public_key=pin(key)).intact


def test_history_before_a_rotation_cannot_be_forged_with_todays_key(
    rotated: tuple[Path, Key, Key],
) -> None:
    path, old, new = rotated
    bodies = entries_of(path)
    at = next(n for n, body in enumerate(bodies) if b"key.rotate" in body)
    forged = edited(bodies, 5)
    # He has the new key alone: the seal of the old one he cannot make.
    forge(path, forged, lambda size: new if size > at + 1 and size % 5 == 0 else None)
    assert "key" in kinds(path, public_key=pin(old))
    forge(path, forged, lambda size: new if size % 5 == 0 or size == at + 1 else None)
    assert {"signature", "key"} <= kinds(path, public_key=pin(old))


def test_an_old_entry_is_not_sealed_with_a_newer_key(rotated: tuple[Path, Key, Key]) -> None:
    # systemd-journald accepted this: CVE-2023-31439.
    path, old, new = rotated
    bodies = entries_of(path)
    at = next(n for n, body in enumerate(bodies) if b"key.rotate" in body)

    def signers(size: int) -> Any:
        return {5: new, at + 1: old, len(bodies): new}.get(size)

    forge(path, bodies, signers)
    assert kinds(path, public_key=pin(old)) == {"signature"}


def test_a_rotation_without_its_entry_is_caught(rotated: tuple[Path, Key, Key]) -> None:
    path, old, new = rotated
    bodies = [body for body in entries_of(path) if b"key.rotate" not in body]
    forge(path, bodies, lambda size: new if size % 5 == 0 else None)
    assert "signature" in kinds(path, public_key=pin(old))


def test_after_a_revocation_only_what_was_kept_elsewhere_counts(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    with AuditLog(path, key=key) as audit:
        audit.revoke_key(pin(key), "the laptop was stolen")
    report = verify(path)
    assert report.signed_seq is None
    report = verify(path, public_key=pin(key), checkpoints=[kept(tmp_path, note)])
    assert (report.anchored_seq, report.signed_seq) == (20, 20)


# --- Heartbeats.


def test_a_silence_is_named(path: Path) -> None:
    with AuditLog(path, heartbeat=0.1, sync_interval=0.02) as log:
        time.sleep(0.6)
        assert log.stats()["appended"] == 0
    names = [json.loads(body)["action"] for body in entries_of(path)]
    assert names.count("log.heartbeat") >= 2
    assert kinds(path, max_gap=0.5) == set()
    time.sleep(0.7)
    with AuditLog(path) as log:
        log.append("later", **EVENT)
    assert kinds(path, max_gap=0.5) == {"silence"}
    assert kinds(path) == set()


# --- Without cryptography.


def test_without_cryptography_nothing_is_called_checked(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, _ = log
    (tmp_path / "k").write_text(pin(key))
    alone = [sys.executable, "-I", "-S", str(VERIFY), str(path)]
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "2 signatures NOT CHECKED" in done.stdout
    done = subprocess.run(
        [*alone, "--public-key", str(tmp_path / "k")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "cryptography" in done.stderr
    forge(path, edited(entries_of(path), 7))
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rewritten" in done.stdout


def test_what_is_no_checkpoint_is_one_sentence(
    log: tuple[Path, Key, bytes], tmp_path: Path
) -> None:
    path, key, note = log
    for junk in (b"", b"junk", b"{}\n", note[:-5], b"\xff" * 300, b"a\n1\nAA==\n\n"):
        report = verify(path, checkpoints=[kept(tmp_path, junk)])
        assert report.status == "unchecked"
        assert report.reason
    for junk in ("", "x", pin(key)[:-4], "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END"):
        assert verify(path, public_key=junk).status == "unchecked"
    with open(f"{path}.checkpoints", "ab") as file:
        file.write(b'{"note":"junk"}\n')
    assert kinds(path) == {"checkpoint"}

"""A front that the log itself moved to an archive is no fault; any other missing front is one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from archived import archive, key, log, moved
from backed_up import ORIGIN, written
from verifiers import check, parts_of, run

from chained_logging import AuditLog
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.sinks.segments import segment_paths

__all__ = ["archive", "key", "log"]  # fixtures


def vkey_of(key: PrivateKey) -> str:
    return VerifierKey(ORIGIN, ED25519, key.public_key).format()


@pytest.fixture
def signed(log: Path, archive: Path, key: PrivateKey) -> Path:
    """A log whose front was moved, with the key."""
    moved(log, archive, key=key, sign="checkpoint")
    return log


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_the_log_moved_is_not_missing(signed: Path, key: PrivateKey, jobs: int) -> None:
    written(signed, 30, key=key)
    report = check(signed, public_key=vkey_of(key), jobs=jobs)
    assert report.intact, report.reason
    assert (report.fault_count, report.pinned, report.unsigned) == (0, True, 0)
    assert report.signed_seq == report.last_seq
    assert report.first_seq > 100
    assert not report.starts_at_genesis
    assert any(
        f"entries 0 to {report.first_seq - 1} are in the archive" in one for one in report.remarks
    )
    assert "are in the archive" in run(signed).stderr


def test_a_large_log_is_joined_from_parts(
    signed: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts_of(1000, monkeypatch)
    written(signed, 60, key=key, max_bytes=10**6)
    report = check(signed, public_key=vkey_of(key), jobs=3)
    assert report.intact, report.reason
    assert report.signed_seq == report.last_seq


def test_with_the_archive_all_of_it_is_checked(
    signed: Path, archive: Path, key: PrivateKey
) -> None:
    report = check(signed, *sorted(archive.iterdir()), public_key=vkey_of(key))
    assert report.intact
    assert report.starts_at_genesis
    assert not any("were not checked" in remark for remark in report.remarks)


def test_a_key_that_was_rotated_in_the_archive_is_known(
    log: Path, archive: Path, key: PrivateKey
) -> None:
    new = PrivateKey.generate()
    with AuditLog(log, key=key) as opened:
        opened.rotate_key(new)
    written(log, 40, key=new)
    moved(log, archive, key=new, sign="checkpoint")
    written(log, 5, key=new)
    for given in (key, new):
        report = check(log, public_key=vkey_of(given))
        assert report.intact, (report.reason, report.faults)
        assert report.signed_seq == report.last_seq
    moved(log, archive, key=new, sign="checkpoint")  # the keys are handed on
    assert check(log, public_key=vkey_of(key)).intact


def test_signatures_of_entries_are_checked(tmp_path: Path, archive: Path, key: PrivateKey) -> None:
    log = written(tmp_path / "audit.jsonl", 60, key=key, sign="each")
    moved(log, archive, key=key, sign="each")
    report = check(log, public_key=vkey_of(key))
    assert report.intact, (report.reason, report.faults)
    assert report.signed_entry == report.last_seq
    data = log.read_bytes()
    at = data.index(b'"signature":"') + 20
    log.write_bytes(data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :])
    report = check(log, public_key=vkey_of(key))
    assert "signature" in {fault.kind for fault in report.faults}


def test_another_key_is_named(signed: Path) -> None:
    other = PrivateKey.generate()
    assert check(signed, public_key=vkey_of(other)).status == "tampered"


def test_without_the_keys_statement_it_is_missing(
    log: Path, archive: Path, key: PrivateKey
) -> None:
    moved(log, archive)
    report = check(log, public_key=vkey_of(key))
    assert report.status == "incomplete"
    assert "the log's key did not sign that: give the archive too" in report.faults[0].reason
    assert check(log, *archive.iterdir(), public_key=vkey_of(key)).intact


def test_a_statement_of_a_key_that_was_revoked_counts_no_more(
    signed: Path, archive: Path, key: PrivateKey
) -> None:
    """Anyone who can write to a log may say that its key was stolen: without a statement."""
    row = json.loads(signed.read_bytes().splitlines()[-1])
    row.update(action="key.revoke", seq=row["seq"] + 1, prev_hash=row.pop("hash"))
    row.update(actor_id="chained_logging", actor_type="system", result="success", ip_address=None)
    row.update(resource_type="public_key", resource_id=vkey_of(key), context={"origin": ORIGIN})
    body = rfc8785.dumps(row)
    hash_ = hashlib.sha256(b"\0" + body).hexdigest()
    with signed.open("ab") as file:
        file.write(body[:-1] + f',"hash":"{hash_}"}}\n'.encode())
    report = check(signed)
    assert report.status == "incomplete"
    assert "its key was revoked: give the archive too" in report.faults[0].reason
    assert check(signed, *archive.iterdir()).intact


def test_without_a_key_it_is_said_that_anybody_can_write_such_an_entry(
    tmp_path: Path, archive: Path
) -> None:
    path = written(tmp_path / "audit.jsonl", 60)
    moved(path, archive)
    report = check(path)
    assert report.intact
    assert any("anyone who can write to it can write such" in one for one in report.remarks)


def test_a_front_that_was_cut_further_is_missing(signed: Path, key: PrivateKey) -> None:
    written(signed, 60, key=key)
    segment_paths(signed)[0].unlink()
    report = check(signed, public_key=vkey_of(key))
    assert report.status == "incomplete"
    assert {fault.kind for fault in report.faults} == {"cut-front"}


def test_a_hole_behind_it_is_missing(signed: Path, key: PrivateKey) -> None:
    written(signed, 60, key=key)
    segment_paths(signed)[2].unlink()
    report = check(signed, public_key=vkey_of(key))
    assert report.status == "tampered"
    assert "missing" in {fault.kind for fault in report.faults}


Change = Callable[[dict[str, Any]], None]


def rewritten(path: Path, change: Change, action: str = "archive.move") -> None:
    """Change the last entry of an action, and make all hashes after it right."""
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    at = max(n for n, row in enumerate(rows) if row["action"] == action)
    change(rows[at])
    prev = rows[at]["prev_hash"]
    for row in rows[at:]:
        row.pop("signature", None)
        row.pop("hash")
        row["prev_hash"] = prev
        body = rfc8785.dumps(row)
        prev = row["hash"] = hashlib.sha256(b"\0" + body).hexdigest()
    lines = [rfc8785.dumps({k: v for k, v in row.items() if k != "hash"}) for row in rows]
    stored = [
        line[:-1] + b',"hash":"' + row["hash"].encode() + b'"}\n'
        for line, row in zip(lines, rows, strict=True)
    ]
    path.write_bytes(b"".join(stored))


def wrong_tree(row: dict[str, Any]) -> None:
    state = bytearray(base64.b64decode(row["context"]["tree"]))
    state[-1] ^= 1
    row["context"]["tree"] = base64.b64encode(state).decode()


CHANGES: dict[str, Change] = {
    "the tree": wrong_tree,
    "no tree": lambda row: row["context"].pop("tree"),
    "the size of the tree": lambda row: row["context"].update(tree="AAAAAAAAAAA="),
    "another end": lambda row: row["context"].update(last_seq=row["context"]["last_seq"] - 1),
    "another hash": lambda row: row["context"].update(last_hash="0" * 64),
    "no keys": lambda row: row["context"].update(keys=[]),
    "keys of no form": lambda row: row["context"].update(keys=[7]),
    "a key of another log": lambda row: row["context"].update(
        keys=[
            {"key": VerifierKey("x", ED25519, PrivateKey.generate().public_key).format(), "seq": 0}
        ]
    ),
    "another archive": lambda row: row["context"].update(archive="s3://theirs/x"),
    "no statement": lambda row: row["context"].pop("statement"),
    "a statement of no form": lambda row: row["context"].update(statement=7),
    "another actor": lambda row: row.update(actor_id="user-1", actor_type="user"),
    "not an object": lambda row: row.update(context={"archive": []}),
    "a huge number": lambda row: row["context"].update(last_seq=10**15),
}


@pytest.mark.parametrize("what", CHANGES)
def test_who_changes_the_entry_explains_nothing(
    log: Path, archive: Path, key: PrivateKey, what: str
) -> None:
    """The attacker makes all hashes right, and takes away the checkpoints that would show it."""
    moved(log, archive, key=key, sign="checkpoint")
    assert check(log, public_key=vkey_of(key)).intact
    checkpoints = log.with_name(f"{log.name}.checkpoints")
    kept = checkpoints.read_bytes().splitlines(keepends=True)
    if len([line for line in log.read_bytes().splitlines() if b"archive.move" in line]) == 0:
        pytest.skip("the entry was sealed")
    checkpoints.write_bytes(b"".join(kept[:-1]))
    rewritten(log, CHANGES[what])
    report = check(log, public_key=vkey_of(key))
    assert report.status in ("incomplete", "tampered"), what
    assert report.fault_count


def test_a_forged_entry_explains_no_cut(tmp_path: Path, archive: Path, key: PrivateKey) -> None:
    """Somebody who can write the file cuts the front off, and writes the entry about it, with the
    right tree and the right keys: all that he lacks is the key."""
    log = written(tmp_path / "audit.jsonl", 60, key=key)
    moved(log, archive)  # as he would do it: without the key
    report = check(log, public_key=vkey_of(key))
    assert report.status == "incomplete"
    with AuditLog(log, key=key) as opened:  # the log goes on, and signs what it finds there
        opened.append("read", actor="user-1", ip="10.0.0.1")
    assert check(log, public_key=vkey_of(key)).status == "incomplete"

"""What others sign of a log: witnesses and timestamp authorities, kept beside it and checked.

Two witnesses run as the command does; the authority is ``openssl ts``.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from authority import DAY, NOW, Authority, Issued, Web, reply
from chains import EVENT
from commands import ORIGIN, Running, events, run

from chained_logging import AuditLog, verify
from chained_logging.errors import BrokenLog
from chained_logging.format.merkle import Frontier, root, verify_consistency
from chained_logging.format.note import Note
from chained_logging.format.record import Record
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.net import client as client_module
from chained_logging.net.client import Client
from chained_logging.transparency.anchor import anchor
from chained_logging.transparency.proof import growth_proof

Log = tuple[Path, Path, Path]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def log(path: Path) -> Log:
    """A log, its key's file, and a file with its public key."""
    key, public = path.with_name("audit.key"), path.with_name("audit.vkey")
    public.write_text(run("keygen", key, "--origin", ORIGIN).splitlines()[-1])
    run("append", path, "--key", key, "--origin", ORIGIN, stdin=events(9))
    return path, key, public


@pytest.fixture
def witnesses(log: Log, tmp_path: Path) -> Iterator[list[Running]]:
    running = [Running(tmp_path / f"w{n}", f"witness.example/w{n}", log[2]) for n in (1, 2)]
    yield running
    for witness in running:
        witness.stop()


def test_two_witnesses_cosign_as_the_log_grows(log: Log, witnesses: list[Running]) -> None:
    path, key, public = log
    options = [text for witness in witnesses for text in witness.options]
    for size in (10, 13, 16, 19):
        note = Note.parse(run("checkpoint", path, "--key", key, *options).encode())
        assert note.text.split("\n")[1] == str(size)
        assert {each.name for each in note.signatures} == {
            ORIGIN,
            "witness.example/w1",
            "witness.example/w2",
        }
        run("append", path, "--key", key, stdin=events(3))
    report = verify(path, public_key=public.read_text(), witness_keys=[w.vkey for w in witnesses])
    assert report.intact
    assert {name: found["seq"] for name, found in report.witnessed.items()} == {
        "witness.example/w1": 18,
        "witness.example/w2": 18,
    }
    assert (report.anchored, report.anchored_seq, report.checkpoints) == (True, 18, 5)
    text = run("verify", path, "--witness-key", witnesses[0].vkey)
    assert "INTACT" in text
    assert "witnessed up to seq 18 by witness.example/w1, at 20" in text
    assert "cosignatures of witnesses whose keys were not given" in text


def test_a_witness_that_is_away_is_named_and_catches_up(log: Log, witnesses: list[Running]) -> None:
    path, key, _ = log
    one, two = witnesses
    run("checkpoint", path, "--key", key, *one.options, *two.options)
    two.stop()
    run("append", path, "--key", key, stdin=events(5))
    error = run("checkpoint", path, "--key", key, *one.options, *two.options, status=1)
    assert f"{two.url}: " in error
    assert one.url not in error
    assert verify(path, witness_keys=[one.vkey]).anchored_seq == 14
    run("append", path, "--key", key, stdin=events(5))
    two.start()
    run("checkpoint", path, "--key", key, *one.options, *two.options)
    report = verify(path, witness_keys=[one.vkey, two.vkey])
    assert {found["seq"] for found in report.witnessed.values()} == {19}


def _strip(path: Path, names: set[str]) -> None:
    """Take signatures out of all notes beside a log, as its operator could."""

    def stripped(note: str) -> str:
        text, _, lines = note.rpartition("\n\n")
        kept = [line for line in lines.splitlines() if line.split(" ")[1] not in names]
        return text + "\n\n" + "".join(line + "\n" for line in kept)

    _change(path, lambda row: {**row, "note": stripped(row["note"])})


def _change(path: Path, change: Any) -> None:
    if path.suffix == ".db":
        connection = sqlite3.connect(path)
        (trigger,) = connection.execute(  # made again below, as a careful attacker would
            "SELECT sql FROM sqlite_master WHERE name = 'checkpoints_no_update'"
        ).fetchone()
        connection.execute("DROP TRIGGER checkpoints_no_update")
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM checkpoints").fetchall():
            new = change(dict(row))
            connection.execute(
                "UPDATE checkpoints SET note = ?, timestamp = ? WHERE id = ?",
                (new["note"], new.get("timestamp"), row["id"]),
            )
        connection.execute(trigger)
        connection.commit()
        connection.close()
        return
    file = path.with_name(path.name + ".checkpoints")
    rows = [change(json.loads(line)) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_cosignatures_taken_away_or_changed_are_named(log: Log, witnesses: list[Running]) -> None:
    path, key, _ = log
    one, two = witnesses
    run("checkpoint", path, "--key", key, *one.options)
    (fault,) = verify(path, witness_keys=[one.vkey, two.vkey]).faults
    assert (fault.kind, "w2" in fault.reason) == ("signature", True)

    def later(row: dict[str, Any]) -> dict[str, Any]:
        lines = row["note"].splitlines(keepends=True)
        for at, line in enumerate(lines):
            if "witness.example" in line:
                dash, name, value = line.split()
                raw = bytearray(base64.b64decode(value))
                raw[11] ^= 1  # the time, which is signed
                lines[at] = f"{dash} {name} {base64.b64encode(raw).decode()}\n"
        return {**row, "note": "".join(lines)}

    _change(path, later)
    kinds = [fault.kind for fault in verify(path, witness_keys=[one.vkey]).faults]
    assert kinds == ["signature", "signature"]  # it does not hold, and so there is none
    if path.suffix == ".jsonl":
        _strip(path, {"witness.example/w1"})
        (fault,) = verify(path, witness_keys=[one.vkey]).faults
        assert "no checkpoint here is cosigned" in fault.reason


def test_an_operator_with_all_keys_gets_no_cosignature_for_another_history(
    log: Log, witnesses: list[Running], tmp_path: Path
) -> None:
    path, key, _ = log
    (one, _) = witnesses
    run("checkpoint", path, "--key", key, *one.options)
    for old in tmp_path.glob("audit.jsonl*"), tmp_path.glob("audit.db*"):
        for file in old:
            file.unlink()
    for count, why in ((3, "rolled back"), (30, "does not continue")):
        run("append", path, "--key", key, "--origin", ORIGIN, stdin=events(count))
        error = run("checkpoint", path, "--key", key, *one.options, status=1)
        assert why in error, error
        assert not verify(path, witness_keys=[one.vkey]).intact
    # With its own checkpoint of size 10 the forged log gets as far as the witness's own check.
    forged = tmp_path / "forged.jsonl"
    with AuditLog(forged, key=PrivateKey.load(key), origin=ORIGIN) as audit:
        for _ in range(9):
            audit.append("forged", **EVENT)
        audit.checkpoint()
        audit.append("forged", **EVENT)
    error = run("checkpoint", forged, "--key", key, *one.options, status=1)
    assert "does not continue the one it cosigned" in error


def test_after_a_revocation_what_a_witness_cosigned_counts(
    log: Log, witnesses: list[Running]
) -> None:
    path, key, public = log
    (one, _) = witnesses
    run("checkpoint", path, "--key", key, *one.options)
    run("append", path, "--key", key, stdin=events(5))
    run("revoke-key", path, "--public-key", public, "--reason", "stolen")
    pinned = {"public_key": public.read_text()}
    report = verify(path, **pinned)
    assert [one["key"] for one in report.revoked] == [pinned["public_key"].strip()]
    assert report.signed_seq is None
    report = verify(path, **pinned, witness_keys=[one.vkey])
    assert (report.status, report.signed_seq) == ("intact", 9)


ROOT = Issued("Root", ca=True, valid=(NOW - 9000 * DAY, NOW + 9000 * DAY))
OTHER = Issued("Root", ca=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    folder = tmp_path_factory.mktemp("tsa")
    yield Authority(folder / "usual", Issued("TSA", ROOT))
    shutil.rmtree(folder)  # there are private keys in it


def test_a_timestamp_is_kept_and_checked_without_a_network(
    log: Log, authority: Authority, tmp_path: Path
) -> None:
    path, key, _ = log
    (good := tmp_path / "root.pem").write_bytes(ROOT.pem)
    (bad := tmp_path / "other.pem").write_bytes(OTHER.pem)
    with Web(lambda handler, body: reply(handler, authority.answer(body))) as web:
        run("checkpoint", path, "--key", key, "--timestamp", web.url)
    text = run("verify", path, "--timestamp-root", good)
    assert "INTACT" in text
    assert f"timestamped up to seq 9, {NOW.year}" in text
    assert "1 timestamps NOT CHECKED: no root" in run("verify", path)
    text = subprocess.run(
        [sys.executable, "-m", "chained_logging", "verify", path, "--timestamp-root", bad],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (text.returncode, "timestamp: " in text.stdout) == (1, True)
    # Without openssl nothing is called checked.
    empty = tmp_path / "empty"
    empty.mkdir()
    error = run("verify", path, "--timestamp-root", good, status=2, PATH=str(empty))
    assert "openssl" in error
    # The note that was timestamped is not another one.
    _change(
        path,
        lambda row: {
            **row,
            "timestamp": base64.b64encode(authority.stamp(b"another note")).decode()
            if row.get("timestamp")
            else None,
        },
    )
    assert {f.kind for f in verify(path, timestamp_roots=ROOT.pem).faults} == {"timestamp"}
    _change(path, lambda row: {**row, "timestamp": None})
    (fault,) = verify(path, timestamp_roots=ROOT.pem).faults
    assert "no checkpoint here has a timestamp" in fault.reason


def test_a_timestamp_outlives_the_authoritys_certificate(log: Log, tmp_path: Path) -> None:
    path, key, _ = log
    end = datetime.now(UTC) + timedelta(seconds=4)
    soon = Issued("TSA", ROOT, valid=(NOW - DAY, end))
    authority = Authority(tmp_path / "tsa", soon)
    with Web(lambda handler, body: reply(handler, authority.answer(body))) as web:
        run("checkpoint", path, "--key", key, "--timestamp", web.url)
    while datetime.now(UTC) < end + timedelta(seconds=1):
        time.sleep(0.1)
    report = verify(path, timestamp_roots=ROOT.pem)
    assert report.intact, report.faults
    assert report.timestamped_seq == 9


def test_what_an_authority_refuses_is_named_and_nothing_is_kept(log: Log) -> None:
    path, key, _ = log
    with Web(lambda handler, body: reply(handler, b"no", status=500)) as web:
        error = run("checkpoint", path, "--key", key, "--timestamp", web.url, status=1)
    assert "500" in error
    assert "1234" not in error  # the query of its URL may be a password
    with AuditLog(path, sign="follow") as audit:
        assert [stored.timestamp for stored in audit.checkpoints()] == [None]


def test_the_connection_to_a_witness_is_kept(log: Log, witnesses: list[Running]) -> None:
    path, key, _ = log
    one = witnesses[0]
    keys = [VerifierKey.parse(one.vkey)]
    with AuditLog(path, key=PrivateKey.load(key)) as audit, Client() as client:
        audit.checkpoint()
        made = []
        connect = client_module._connected

        def counted(*arguments: Any) -> Any:
            made.append(1)
            return connect(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "_connected", counted)
            for _ in range(3):
                audit.append("read", actor="u", resource="a/b", ip="10.0.0.1")
                audit.checkpoint()
                done = anchor(audit, witnesses=[one.url], witness_keys=keys, client=client)
                assert done.failures == []
        assert len(made) == 1


def test_a_growth_proof_reads_only_what_came_since() -> None:
    leaves = [sha256(bytes([n])).digest() for n in range(70)]
    for old in range(1, 70):
        tree = Frontier()
        for leaf in leaves[:old]:
            tree.append(leaf)
        for new in range(old, 70):
            since = [Record(n, b"", leaves[n].hex()) for n in range(old, 70)]
            proof = growth_proof(Frontier(old, tree.hashes), since, new)
            verify_consistency(old, root(leaves[:old]), new, root(leaves[:new]), proof)
    with pytest.raises(BrokenLog, match="holds 70 entries, not 71"):
        growth_proof(Frontier(old, tree.hashes), since, 71)


def test_tiles_are_exported_and_go_on(log: Log, tmp_path: Path) -> None:
    path, key, _ = log
    folder = tmp_path / "tiles"
    for size in (10, 310, 310):
        run("export", path, folder, "--format", "tlog-tiles")
        assert (folder / "checkpoint").read_text().splitlines()[1] == str(size)
        if size == 10:
            run("append", path, "--key", key, stdin=events(300))
    bundle = (folder / "tile/entries/000").read_bytes()
    with AuditLog(path, sign="follow") as audit:
        bodies = [record.body for record in audit.records()]
    assert bundle == b"".join(len(b).to_bytes(2, "big") + b for b in bodies[:256])
    unsigned = tmp_path / "unsigned.jsonl"
    run("append", unsigned, stdin=events(1))
    error = run("export", unsigned, tmp_path / "other", "--format", "tlog-tiles", status=2)
    assert "must have a checkpoint" in error


def test_tiles_of_checkpoints_between_exports_are_there(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.db", tmp_path / "tiles"
    with AuditLog(path, key=PrivateKey.generate(), checkpoint_every=10**6) as audit:
        for size in (300, 320, 340):
            while audit.last_seq < size - 1:
                audit.append("read", actor="u", resource="a/b", ip="10.0.0.1")
            audit.checkpoint()
    run("export", path, folder, "--format", "tlog-tiles")
    for width in (44, 64, 84):
        assert (folder / f"tile/0/001.p/{width}").stat().st_size == width * 32
        assert (folder / f"tile/entries/001.p/{width}").exists()


def test_a_key_is_a_logs_or_a_witnesss(log: Log, tmp_path: Path) -> None:
    path, key, public = log
    file = tmp_path / "both"
    assert "never both" in run("keygen", file, "--witness", "a", "--origin", "b", status=2)
    assert not file.exists()
    error = run("checkpoint", path, "--key", key, "--witness", "http://127.0.0.1:1", status=2)
    assert "--witness-key" in error
    arguments = ["--witness", "http://127.0.0.1:1", "--witness-key", public]
    assert "not a witness" in run("checkpoint", path, "--key", key, *arguments, status=2)


@pytest.mark.parametrize("option", ["--witness", "--timestamp"])
def test_a_password_in_a_url_is_refused_and_not_shown(
    log: Log, tmp_path: Path, option: str
) -> None:
    path, key, _ = log
    other = run("keygen", tmp_path / "w", "--witness", "w.example").splitlines()[-1]
    for url in ("http://u:hunter2@127.0.0.1:1/x", "http://u:9/hunter2@127.0.0.1/"):
        arguments = ["--witness-key", other] if option == "--witness" else []
        error = run("checkpoint", path, "--key", key, option, url, *arguments, status=2)
        assert "must not have a user name or a password" in error
        assert "hunter2" not in error


def test_what_is_refused_writes_nothing(path: Path) -> None:
    run("append", path, "--origin", ORIGIN, stdin=events(3))
    key, other = path.with_name("k"), path.with_name("w")
    stolen = run("keygen", key, "--origin", ORIGIN).splitlines()[-1]
    vkey = run("keygen", other, "--witness", "w.example").splitlines()[-1]
    before = path.read_bytes()
    run("checkpoint", path, "--key", key, "--witness", "foo", "--witness-key", vkey, status=2)
    run("checkpoint", path, "--key", key, "--timestamp", "foo", status=2)
    assert "never had" in run("revoke-key", path, "--public-key", stolen, "--reason", "x", status=2)
    run("rotate-key", path.with_name("missing.db"), "--key", key, status=2)
    assert not key.with_name("k.new").exists()
    assert path.read_bytes() == before

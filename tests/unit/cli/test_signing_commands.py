"""The commands for keys, checkpoints and proofs, run as a person would."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from chains import EVENT
from commands import ORIGIN, events, run

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys import PrivateKey


@pytest.fixture
def signed(path: Path) -> tuple[Path, Path, Path]:
    """A log, its key's file, and a file with its first public key."""
    key, public = path.with_name("audit.key"), path.with_name("audit.vkey")
    public.write_text(run("keygen", key, "--origin", ORIGIN).splitlines()[-1])
    run("append", path, "--key", key, "--origin", ORIGIN, stdin=events(9))
    return path, key, public


def test_keygen(tmp_path: Path) -> None:
    file = tmp_path / "key"
    pem, vkey = json.loads(run("keygen", file, "--origin", ORIGIN, "--json")).values()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    assert vkey.startswith(f"{ORIGIN}+")
    before = file.read_bytes()
    for option in ("--origin", "--witness"):
        assert "must not be empty" in run("keygen", tmp_path / "no", option, "", status=2)
    assert not (tmp_path / "no").exists()
    assert "never overwritten" in run("keygen", file, status=2)
    assert file.read_bytes() == before
    locked = tmp_path / "locked"
    run("keygen", locked, CHAINED_LOGGING_PASSPHRASE="a secret")
    assert b"ENCRYPTED" in locked.read_bytes()
    log = tmp_path / "audit.jsonl"
    run("append", log, "--key", locked, stdin=events(1), CHAINED_LOGGING_PASSPHRASE="a secret")
    for wrong in ({}, {"CHAINED_LOGGING_PASSPHRASE": "another"}):
        error = run("append", log, "--key", locked, stdin=events(1), status=2, **wrong)
        assert "passphrase" in error
        assert "another" not in error
    file.chmod(0o640)
    assert "chmod 600" in run("append", log, "--key", file, stdin=events(1), status=2)


def test_checkpoint_and_verify(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    note = path.with_name("kept.note")
    note.write_text(run("checkpoint", path, "--key", key))
    assert note.read_text().splitlines()[:2] == [ORIGIN, "10"]
    run("append", path, "--key", key, "--sign-each", stdin=events(3))
    report = run("verify", path, "--public-key", public, "--checkpoint", note)
    assert "INTACT" in report
    assert "signed up to seq 12" in report
    assert "anchored up to seq 9" in report
    with AuditLog(path.with_name("other" + path.suffix), origin=ORIGIN) as other:
        other.append("x", **EVENT)
    run("verify", other.path, "--public-key", public, status=1)
    assert "does not exist" in run("checkpoint", path.with_name("none.db"), "--key", key, status=2)


def test_proofs(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    older = path.with_name("older.note")
    older.write_text(run("checkpoint", path, "--key", key))
    run("append", path, "--key", key, stdin=events(3))
    proof = path.with_name("p.tlog-proof")
    proof.write_text(run("prove", path, "--seq", 4))
    assert '"action":"a-3"' in run("verify-proof", proof, "--public-key", public)
    assert "no public key" in run("verify-proof", proof, status=2)
    proof.write_text(run("prove", path, "--from", 10))
    options = ("--public-key", public, "--checkpoint", older)
    assert "first 13 entries begin with its first 10" in run("verify-proof", proof, *options)
    assert "covers entries" in run("prove", path, "--seq", 13, status=2)
    assert "no checkpoint of size" in run("prove", path, "--seq", 1, "--to", 5, status=2)
    assert "--seq" in run("prove", path, status=2)


def test_the_key_after_a_rotation_is_printed(signed: tuple[Path, Path, Path]) -> None:
    path, key, _ = signed
    command = [sys.executable, "-m", "chained_logging", "rotate-key", path, "--key", key]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    vkey = VerifierKey.parse(done.stderr.split()[-1])
    assert vkey.public_key == PrivateKey.load(key).public_key
    run("append", path, "--key", key, stdin=events(1))
    proof = path.with_name("proof")
    proof.write_text(run("prove", path, "--seq", 3))
    new = path.with_name("new.vkey")
    new.write_text(vkey.format())
    assert "PROVEN" in run("verify-proof", proof, "--public-key", new)


def test_rotation(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    before = key.read_bytes()
    for size in (11, 12, 13):
        assert run("rotate-key", path, "--key", key).splitlines()[1] == str(size)
    assert key.read_bytes() != before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not Path(f"{key}.new").exists()
    run("append", path, "--key", key, stdin=events(1))
    assert "INTACT" in run("verify", path, "--public-key", public)
    old = path.with_name("old.key")
    old.write_bytes(before)
    old.chmod(0o600)
    assert "the key" in run("append", path, "--key", old, stdin=events(1), status=2)


@pytest.mark.parametrize("stop", ["saved", "rotated", "destroyed"])
def test_an_interrupted_rotation_is_finished(signed: tuple[Path, Path, Path], stop: str) -> None:
    path, key, public = signed
    new = PrivateKey.generate()
    new.save(f"{key}.new")
    if stop != "saved":
        with AuditLog(path, key=PrivateKey.load(key)) as log:
            log.rotate_key(new)
    if stop == "destroyed":
        key.unlink()
    run("rotate-key", path, "--key", key)
    assert PrivateKey.load(key).public_key == new.public_key
    assert not Path(f"{key}.new").exists()
    run("append", path, "--key", key, stdin=events(1))
    assert "INTACT" in run("verify", path, "--public-key", public)


def test_revocation(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    kept = path.with_name("kept" + path.suffix)
    shutil.copy(path, kept)
    entry = json.loads(run("revoke-key", path, "--public-key", public, "--reason", "stolen"))
    assert (entry["action"], entry["resource_id"]) == ("key.revoke", public.read_text())
    assert "not signed" in run("verify", path)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["append", "LOG", "--sign-each"], "--sign-each"),
        (["append", "LOG", "--passphrase-file", "x"], "--passphrase-file"),
        (["collect", "LOG", "--socket", "s", "--token-file", "x"], "--token-file"),
        (["collect", "LOG", "--socket", "s", "--passphrase-file", "x"], "--passphrase-file"),
        (["checkpoint", "LOG", "--key", "KEY", "--witness-key", "x"], "--witness-key"),
        (["init", "postgresql://h/d", "--mode", "GOVERNANCE"], "--mode"),
        (["init", "s3://b/p", "--partitions", "4"], "--partitions"),
        (["init", "postgresql://h/d", "--print", "--retention", "6y"], "--retention"),
        (["ship", "LOG", "--to", "postgresql://h/d", "--key", "KEY"], "--key"),
        (["ship", "LOG", "--to", "s3://b/p", "--interval", "4"], "--interval"),
        (["ship", "LOG", "--status", "--follow"], "--follow"),
        (["land", "nats://h/S", "--to", "postgresql://h/d", "--status", "--once"], "--once"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused(
    tmp_path: Path, command: list[str], option: str
) -> None:
    path, key = tmp_path / "a.jsonl", tmp_path / "a.key"
    AuditLog(path).close()
    PrivateKey.generate().save(key)
    before = path.read_bytes()
    names = {"LOG": str(path), "KEY": str(key)}
    with pytest.raises(click.UsageError, match=f"{option} (needs|applies to|cannot)"):
        cli([names.get(word, word) for word in command], standalone_mode=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("given", ["all", "pem"])
def test_what_keygen_prints_is_taken_as_a_witness_key(tmp_path: Path, given: str) -> None:
    log, key, file = (tmp_path / name for name in ("audit.jsonl", "audit.key", "w1.pub"))
    said = run("keygen", tmp_path / "w1.key", "--witness", "example.com/w1")
    file.write_text(said if given == "all" else said.rsplit("\n", 2)[0])
    PrivateKey.generate().save(key)
    with AuditLog(log, key=key) as audit:
        audit.append("a", **EVENT)
    status = 1 if given == "all" else 2
    anchor = ("--witness", "http://127.0.0.1:9", "--witness-key", file)  # nobody answers there
    made = run("checkpoint", log, "--key", key, *anchor, status=status)
    found = run("verify", log, "--witness-key", file, status=status)
    if given == "pem":
        assert "give the vkey that keygen prints below it" in made
        assert "which keygen prints below the PEM" in found

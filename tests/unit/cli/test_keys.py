"""The commands for keys: made, rotated, also after an interruption, and revoked."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ORIGIN, events, run

from chained_logging import AuditLog
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys import PrivateKey


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

"""Checkpoints and proofs, run as a person would."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from commands import ORIGIN, events, run

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey


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

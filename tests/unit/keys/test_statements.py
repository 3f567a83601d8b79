"""Keys as they are used: given late, rotated while others write, stolen. Each ends intact."""

from __future__ import annotations

import base64
import json
import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from folders import VECTORS
from signed_logs import ORIGIN, Key, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import KeyMissing
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import made_statement, statement_message, verifier_key

FORK = multiprocessing.get_context("fork")


def run(*arguments: object, status: int = 0, stdin: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "chained_logging", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("how", ["code", "command", "rotated at once"])
def test_a_key_is_given_to_a_log_that_has_entries(path: Path, how: str) -> None:
    file = path.with_name("audit.key")
    key = PrivateKey.generate()
    key.save(file)
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    if how == "command":
        run("checkpoint", path, "--key", file)
    else:
        with AuditLog(path, key=key) as log:
            if how == "rotated at once":
                log.rotate_key(Key())
    report = verify(path, public_key=verifier_key(ORIGIN, key))
    assert (report.status, report.unsigned) == ("intact", 0), report.faults
    if how == "code":
        for sign in ("checkpoint", "each"):
            with AuditLog(path, key=key, sign=sign) as log:  # type: ignore[arg-type]
                log.append("b", **EVENT)
        assert verify(path, public_key=verifier_key(ORIGIN, key)).intact


def work(path: Path, file: Path, sign: Any, idle: bool, go: Any, done: Any) -> None:
    with AuditLog(path, key=file, sign=sign, sync_interval=0.02, checkpoint_interval=0.02) as log:
        log.append("before", **EVENT)
        done.release()
        go.wait(60)
        for n in range(0 if idle else 5):
            log.append(f"after-{n}", **EVENT)


@pytest.mark.parametrize("sign", ["checkpoint", "each"])
def test_a_rotation_while_four_processes_work(path: Path, sign: str) -> None:
    file = path.with_name("audit.key")
    first = PrivateKey.generate()
    first.save(file)
    AuditLog(path, key=file, origin=ORIGIN, sign=sign).close()  # type: ignore[arg-type]
    go, done = FORK.Event(), FORK.Semaphore(0)
    workers = [
        FORK.Process(target=work, args=(path, file, sign, n == 3, go, done)) for n in range(4)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        assert done.acquire(timeout=60)
    seal, said = run("rotate-key", path, "--key", file)
    assert verifier_key(ORIGIN, PrivateKey.load(file)) in said
    path.with_name("seal").write_text(seal)
    go.set()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    report = verify(
        path, public_key=verifier_key(ORIGIN, first), checkpoints=[path.with_name("seal")]
    )
    assert report.status == "intact", report.faults
    assert report.entries == 1 + 4 + 1 + 15


@pytest.mark.parametrize("order", ["revoke, rotate", "rotate, revoke", "revoke"])
def test_after_a_theft_the_documented_procedure_ends_intact(path: Path, order: str) -> None:
    file, stolen, vkey = (path.with_name(name) for name in ("audit.key", "stolen", "log.vkey"))
    vkey.write_text(run("keygen", file, "--origin", ORIGIN)[0].splitlines()[-1])
    with AuditLog(path, key=file, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        stolen.write_text(vkey.read_text())
        for step in order.split(", "):
            if step == "revoke":
                reason = ("--public-key", stolen, "--reason", "stolen", "--key", file)
                run("revoke-key", path, *reason)
            else:
                seal, said = run("rotate-key", path, "--key", file)
                path.with_name("new.vkey").write_text(said.splitlines()[-1])
                path.with_name("seal").write_text(seal)
        log.append("b", **EVENT)
    out, _ = run("verify", path, "--public-key", vkey)
    assert "INTACT" in out
    assert "was revoked at seq" in out
    assert "no key signed" not in out
    if "rotate" in order:
        options = (
            "--public-key",
            path.with_name("new.vkey"),
            "--checkpoint",
            path.with_name("seal"),
        )
        assert "the one given is its key since seq" in run("verify", path, *options)[0]
        assert verify(path).unsigned == 0
    else:
        assert verify(path).signed_seq is None


def test_a_second_writer_that_signs_otherwise_is_refused(path: Path) -> None:
    file = path.with_name("audit.key")
    key = PrivateKey.generate()
    key.save(file)
    with AuditLog(path, key=key, origin=ORIGIN, sign="each") as log:
        log.append("a", **EVENT)
        with pytest.raises(ValueError, match="sign='each'"):
            AuditLog(path, key=key)
        with pytest.raises(ValueError, match="is signed: open it with its key"):
            AuditLog(path)
        with pytest.raises(ValueError, match="has the key"):
            AuditLog(path, key=Key(), sign="each")
        line = '{"action":"x","actor":"u","resource":"a/b","ip":"10.0.0.1"}\n'
        assert "sign='each'" in run("append", path, "--key", file, stdin=line, status=2)[1]
        assert "with its key" in run("append", path, stdin=line, status=2)[1]
        run("append", path, "--key", file, "--sign-each", stdin=line)
        with (
            AuditLog(path, sign="follow", on_failure="raise") as keyless,
            pytest.raises(KeyMissing, match="no key"),
        ):
            keyless.append("b", **EVENT)
        log.append("c", **EVENT)
    assert verify(path, public_key=verifier_key(ORIGIN, key)).intact


def test_a_writer_killed_between_a_rotation_and_its_seal_spoils_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Key(), Key()
    with AuditLog(path, key=old, origin=ORIGIN) as log:
        log.append("a", **EVENT)

    def killed(*_: object) -> None:
        raise OSError("killed")

    log = AuditLog(path, key=old)
    log.checkpoint()
    monkeypatch.setattr(log._parts.checkpoints, "sign", killed)
    with pytest.raises(OSError, match="killed"):
        log.rotate_key(new)
    with pytest.warns(UserWarning, match="rotated"):
        log.close()
    assert verify(path, public_key=pin(old)).intact
    with AuditLog(path, key=new) as log:
        log.append("b", **EVENT)
    report = verify(path, public_key=pin(old))
    assert (report.status, report.unsigned) == ("intact", 0)


def test_the_vector_of_a_rotation() -> None:
    for vector in json.loads((VECTORS / "statements.json").read_text()):
        key = VerifierKey.parse(vector["signer"])
        names = ("action", "origin", "seq", "prev_hash", "signer", "key")
        message = statement_message(*(vector[name] for name in names))
        assert message.hex() == vector["message_hex"]
        assert made_statement(key, message, base64.b64decode(vector["statement"]))

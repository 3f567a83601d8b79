"""A key is replaced in its file, and a call that was killed at any step is finished by a second."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chains import EVENT
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.format.note import Note, verify_note
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.log import key_file as module
from chained_logging.log.key_file import replace_key


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "audit.key"
    PrivateKey.generate().save(file)
    return file


@pytest.fixture
def log(path: Path, key: Path) -> Path:
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    return path


def vkey(file: Path) -> str:
    return verifier_key(ORIGIN, PrivateKey.load(file))


def check(log: Path, key: Path, old: str) -> None:
    """The log has the key in the file, which is a new one, and nothing else is left."""
    assert vkey(key) != old
    assert not Path(f"{key}.new").exists()
    with AuditLog(log, key=key) as audit:
        audit.append("b", **EVENT)


def test_the_file_has_the_new_key_and_the_old_one_sealed_its_time(log: Path, key: Path) -> None:
    old = vkey(key)
    done = replace_key(log, key, None)
    verify_note(Note.parse(done.note), [VerifierKey.parse(old)])
    assert done.vkey == vkey(key)
    assert key.stat().st_mode & 0o777 == 0o600
    check(log, key, old)


def test_a_passphrase_is_kept(tmp_path: Path, path: Path) -> None:
    file = tmp_path / "locked.key"
    private = PrivateKey.generate()
    private.save(file, b"open sesame")
    AuditLog(path, key=private, origin=ORIGIN).close()
    replace_key(path, file, b"open sesame")
    assert PrivateKey.load(file, b"open sesame").public_key != private.public_key
    with pytest.raises(ValueError, match="passphrase"):
        PrivateKey.load(file)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["rotate_key", "destroy", "rename"])
@pytest.mark.parametrize("before", [True, False])
def test_a_call_that_was_killed_is_finished(
    log: Path, key: Path, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    owner = {"rotate_key": AuditLog, "destroy": module, "rename": os}[step]
    whole = getattr(owner, step)

    def killed(*args: object) -> None:
        if not before:
            whole(*args)
        raise Killed

    old = vkey(key)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(Killed):
            replace_key(log, key, None)
    if (step, before) != ("rename", False):  # otherwise nothing was left to do
        replace_key(log, key, None)
    check(log, key, old)


def test_a_new_key_that_was_cut_short_is_not_used(log: Path, key: Path) -> None:
    new = Path(f"{key}.new")
    PrivateKey.generate().save(new)
    new.write_bytes(new.read_bytes()[:40])
    old = vkey(key)
    replace_key(log, key, None)
    check(log, key, old)


def test_another_logs_key_changes_nothing(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    PrivateKey.generate().save(other)
    before = other.read_bytes()
    with pytest.raises(ValueError, match="has the key"):
        replace_key(log, other, None)
    assert other.read_bytes() == before
    assert not Path(f"{other}.new").exists()

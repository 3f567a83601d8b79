"""Replacing a log's key in its file. This may be killed at any step, and is finished by a second
call.

The steps: the new key is saved as ``<file>.new``; the log switches to it, under a seal by the old
key; the old key is destroyed; the new file takes its name. A second call finds out how far the
first one came: a file cut short was never used; if the log opens with the new key, it has switched.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from chained_logging.files.own import open_regular
from chained_logging.keys import PrivateKey, destroy
from chained_logging.keys.statements import verifier_key
from chained_logging.log.audit_log import AuditLog


class Replaced(NamedTuple):
    """What those who verify the log need."""

    note: bytes
    """The last checkpoint, by the old key. After an interruption, one by the new key."""
    vkey: str
    """The new public key."""


def replace_key(log: Path, key_file: Path, passphrase: bytes | None) -> Replaced:
    """Make a new key for a log, and put it into the file of the old one, which is destroyed.

    :param log: an existing log.
    :param passphrase: that of the file, for the new key too.
    :raises FAILURES: if a file or the log cannot be read or written.
    :raises ValueError: if the key is not the log's, or the passphrase is not the file's.
    """
    new_file = Path(f"{key_file}.new")
    if _is_cut_short(new_file) and key_file.exists():
        new_file.unlink()  # the log has it only once it is whole and on the disk
    new = PrivateKey.load(new_file, passphrase) if new_file.exists() else None
    done = None if new is None else _finished(log, new)
    if done is None:
        done = _rotate(log, PrivateKey.load(key_file, passphrase), new, new_file, passphrase)
    if key_file.exists():
        destroy(key_file)
    os.rename(new_file, key_file)
    return done


def _finished(log: Path, new: PrivateKey) -> Replaced | None:
    """Return what the log has of its new key; None if it has not switched yet."""
    with contextlib.suppress(ValueError), AuditLog(log, key=new, sign="follow") as audit:
        return Replaced(audit.checkpoint(), verifier_key(audit.origin, new))
    return None


def _rotate(
    log: Path, old: PrivateKey, new: PrivateKey | None, new_file: Path, passphrase: bytes | None
) -> Replaced:
    with AuditLog(log, key=old, sign="follow", on_failure="raise") as audit:
        if new is None:  # only once the old key has proved to be the log's
            new = PrivateKey.generate()
            new.save(new_file, passphrase)
        return Replaced(audit.rotate_key(new), verifier_key(audit.origin, new))


def _is_cut_short(key_file: Path) -> bool:
    """Whether a private key's file was being written when its writer was killed."""
    try:
        with open_regular(key_file) as file:
            return b"-----END" not in file.read(100_000)
    except FileNotFoundError:
        return False

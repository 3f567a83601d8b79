"""The rows of a database, as what they hold. Another program may have stored anything in them."""

from __future__ import annotations

from typing import Any

from chained_logging.format.record import NO_CHECKPOINT, Record, StoredCheckpoint
from chained_logging.format.stub import Stub, read_stub, stub_line


def is_text(*values: object) -> bool:
    """Whether all are text, as a log stores it: SQLite accepts a BLOB in a TEXT column too."""
    return all(isinstance(value, str) for value in values)


def text(stored: bytes) -> str:
    """Return a text, also one that is not UTF-8: one such row would hide all others."""
    return stored.decode("utf-8", "surrogateescape")


def as_record(row: tuple[Any, ...]) -> Record | None:
    """Return an entry, or None if the row is not stored as a log stores it. Nothing is verified."""
    seq, body, hash, signature = row
    if not (type(body) is type(hash) is str and hash.isascii()):
        return None
    if signature is not None and not (type(signature) is str and signature.isascii()):
        return None
    try:
        return Record(seq, body.encode(), hash, signature)
    except UnicodeEncodeError:
        return None


def as_stub(row: tuple[Any, ...]) -> Stub | None:
    """Return a stub, or None if the row is not one as a log stores it."""
    seq, _, hash, signature, _ = row
    try:
        return read_stub(stub_line(Stub(seq, hash, signature)))
    except (ValueError, UnicodeError):
        return None


def as_checkpoint(row: tuple[Any, ...]) -> StoredCheckpoint:
    """Return a checkpoint, or NO_CHECKPOINT if the row is not one as a log stores it."""
    try:
        return StoredCheckpoint.of(*row)
    except ValueError:
        return NO_CHECKPOINT

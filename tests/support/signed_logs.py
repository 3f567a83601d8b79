"""A log's key, and entries that somebody without it appends."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from chains import stored

from chained_logging.event.draft import draft
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.keys.statements import verifier_key

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


class Key:
    """A signer that is not a class of ours, as an HSM's would be."""

    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


ORIGIN = "example.com/audit"


def append_lines(path: Path, events: list[dict[str, Any]], own: bool = False) -> None:
    """Append entries as anybody can who can write the file, with the hashes made right."""
    (seq, _, prev), entries = stored(path)[-1], []
    for event in events:
        seq += 1
        body = draft(event, own=own).body(seq, prev)
        prev = leaf_hash(body)
        entries.append((seq, body, prev))
    if path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            rows = [(seq, body.decode(), hash) for seq, body, hash in entries]
            connection.executemany("INSERT INTO entries (seq, body, hash) VALUES (?, ?, ?)", rows)
        return
    with open(path, "ab") as file:
        file.writelines(stored_line(body, hash) + b"\n" for _, body, hash in entries)


def pin(key: Any) -> str:
    return verifier_key(ORIGIN, key)


OWN = {"actor": "chained_logging", "actor_type": "system"}


def own(action: str, resource: tuple[str, str] = ("audit_log", ORIGIN), **context: Any) -> Any:
    return {"action": action, **OWN, "resource": resource, "context": context}

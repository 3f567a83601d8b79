"""Logs with old entries, and a reader of what is left of them that knows nothing of the package."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.reading import Reader
from chained_logging.review.retention.apply import Done, View, apply, look_at
from chained_logging.review.retention.policies import Policy

ANN = Reader("ann", {"host": "h"})
SEALED = {"max_bytes": 4000}
"""Options of a JSON Lines log that seals every few entries."""


def days_ago(days: float) -> str:
    """Return a timestamp."""
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def old(days: float, **fields: Any) -> dict[str, Any]:
    """Return an event of that age."""
    return {"action": "read", **EVENT, "timestamp": days_ago(days), **fields}


def fill(path: Path, events: Iterable[dict[str, Any]], **options: Any) -> None:
    """Append events to a log, which seals segments if it is one of JSON Lines. Its last entry is
    young, and in JSON Lines alone in the file that is written to."""
    sealing = SEALED if path.suffix == ".jsonl" else {}
    with AuditLog(path, on_failure="raise", **{**sealing, **options}) as log:
        for event in events:
            log.append(**event)
    if path.suffix == ".jsonl":
        with AuditLog(path, on_failure="raise", max_bytes=1, **options) as log:
            log.append("last", **EVENT)


def purge(path: Path, *policies: Policy, **options: Any) -> tuple[View, Done]:
    """Apply policies to a log, without copies."""
    with AuditLog(path, on_failure="raise", sign="follow", **options) as log:
        view = look_at(log.path, log, policies, without_copy=True)
        return view, apply(log, view, ANN)


def left(path: Path) -> dict[int, tuple[str, bytes | None]]:
    """Return what a log holds: by seq the hash, and the body or None for a stub."""
    if path.suffix == ".db":
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            rows = db.execute("SELECT seq, hash, CAST(body AS BLOB) FROM entries").fetchall()
            rows += db.execute("SELECT seq, hash, NULL FROM stubs").fetchall()
        assert len({seq for seq, _, _ in rows}) == len(rows)
        return {seq: (hash, body) for seq, hash, body in sorted(rows)}
    found: dict[int, tuple[str, bytes | None]] = {}
    for name in [*sorted(path.parent.glob(f"{path.stem}.{'[0-9]' * 20}.jsonl")), path]:
        for line in name.read_bytes().splitlines():
            fields = json.loads(line)
            body = None if set(fields) <= {"hash", "seq", "signature"} else _body(line)
            assert fields["seq"] not in found
            found[fields["seq"]] = (fields["hash"], body)
    return found


def _body(line: bytes) -> bytes:
    return line[: line.rindex(b',"hash":"')] + b"}"


def stubs(path: Path) -> set[int]:
    """Return the places of a log's stubs."""
    return {seq for seq, (_, body) in left(path).items() if body is None}


def root(hashes: list[str]) -> str:
    """Return the root of RFC 6962 over leaf hashes."""
    row = [bytes.fromhex(hash) for hash in hashes]
    return _root(row).hex()


def _root(row: list[bytes]) -> bytes:
    if len(row) < 2:
        return row[0] if row else hashlib.sha256().digest()
    split = 1 << (len(row) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root(row[:split]) + _root(row[split:])).digest()


def check_chain(path: Path) -> None:
    """Check that every place has its hash, its link, and an entry that says why it is a stub."""
    found = left(path)
    assert list(found) == list(range(len(found)))
    named: dict[int, int] = {}
    for seq, (hash, body) in found.items():
        if body is None:
            continue
        assert hashlib.sha256(b"\0" + body).hexdigest() == hash
        fields = json.loads(body)
        assert fields["prev_hash"] == (found[seq - 1][0] if seq else "GENESIS")
        if fields["action"] == "retention.apply" and fields["actor_id"] == "chained_logging":
            about = fields["context"]
            seqs = [n for a, b in about["ranges"] for n in range(a, b + 1)]
            assert seqs == sorted(set(seqs))
            assert max(seqs) < seq
            assert not named.keys() & set(seqs)
            assert about["count"] == len(seqs)
            assert about["root"] == root([found[n][0] for n in seqs])
            named |= dict.fromkeys(seqs, seq)
    assert {seq for seq, (_, body) in found.items() if body is None} <= named.keys()


def everything_in(folder: Path) -> bytes:
    """Return each byte of each file in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

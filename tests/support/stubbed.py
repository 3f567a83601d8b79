"""Logs with stubs, written by hand: nothing here is of the package, but for the schema's text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import oracles
import rfc8785

ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")

ORIGIN = "example.com/audit/kept"
NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=3000)
SCHEMA = Path(__file__).parents[2] / "chained_logging/sinks/schema.sql"


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def merkle(leaves: Sequence[bytes]) -> bytes:
    """Return the root of RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node(merkle(leaves[:middle]), merkle(leaves[middle:]))


def frontier(leaves: Sequence[bytes]) -> list[bytes]:
    """Return the roots of the complete subtrees, from the largest."""
    found, at = [], 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> bit & 1:
            found.append(merkle(leaves[at : at + (1 << bit)]))
            at += 1 << bit
    return found


def runs(seqs: Iterable[int]) -> list[list[int]]:
    """Return numbers as ranges, as a `retention.apply` names them."""
    found: list[list[int]] = []
    for seq in sorted(seqs):
        if found and seq == found[-1][1] + 1:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found


class SigningKey:
    """A key of a log, by a seed."""

    def __init__(self, seed: str, name: str = ORIGIN) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(
            hashlib.sha256(seed.encode()).digest()
        )
        raw = b"\1" + self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(raw).decode()}"

    def sign(self, text: str) -> str:
        return base64.b64encode(self._key.sign(text.encode())).decode()

    def note(self, text: str) -> str:
        signature = self.id + base64.b64decode(self.sign(text))
        return f"{text}\n\u2014 {ORIGIN} {base64.b64encode(signature).decode()}\n"


class Chain:
    """A log in memory, each entry of which can become a stub.

    :param key: the log's first key, if it has one.
    :param each: whether it signs each entry.
    """

    def __init__(self, key: SigningKey | None = None, *, each: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.hashes: list[str] = []
        self.signatures: list[str | None] = []
        self.stubs: set[int] = set()
        self.key, self.each = key, each
        self.notes: list[tuple[str, int, str]] = []
        about: dict[str, Any] = {"origin": ORIGIN, "format": 1, "software": "by hand"}
        if key is not None:
            about["public_key"] = key.vkey
        self.own("log.open", about, at=OLD)

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def leaves(self) -> list[bytes]:
        return list(map(bytes.fromhex, self.hashes))

    @property
    def prev(self) -> str:
        return self.hashes[-1] if self.hashes else "GENESIS"

    def add(self, *, at: datetime | None = None, signed: bool = True, **fields: Any) -> int:
        """Append an entry, and return its seq."""
        seq = len(self)
        entry = {
            **{"action": "read", "actor_id": "ann", "actor_type": "user", "context": {}},
            "id": f"018f0000-0000-7000-8000-{seq:012x}",
            "ip_address": "10.0.0.1",
            "prev_hash": self.prev,
            **{"resource_id": "456", "resource_type": "patient_record", "result": "success"},
            **{"seq": seq, "timestamp": stamp(at or OLD + timedelta(seconds=seq)), "v": 1},
            **fields,
        }
        body = rfc8785.dumps(entry)
        self.bodies.append(body)
        self.hashes.append(hashlib.sha256(b"\0" + body).hexdigest())
        by = self.key if signed and self.each else None
        message = f"chained-logging entry v1\n{self.hashes[-1]}\n"
        self.signatures.append(by.sign(message) if by is not None else None)
        return seq

    def grow(self, count: int) -> None:
        for number in range(count):
            self.add(context={"n": number})

    def own(self, action: str, context: dict[str, Any], **fields: Any) -> int:
        """Append an entry of the log's own."""
        name = {"actor_id": "chained_logging", "actor_type": "system", "ip_address": None}
        about = {"resource_type": "audit_log", "resource_id": ORIGIN}
        return self.add(action=action, context=context, **{**name, **about, **fields})

    def apply_context(self, seqs: Iterable[int], **changes: Any) -> dict[str, Any]:
        seqs = sorted(seqs)
        return {
            **{"policy": "hipaa", "standard": "hipaa", "clause": "45 CFR 164.316(b)(2)(i)"},
            **{"days": 2192, "before": stamp(NOW - timedelta(days=2200)), "selector": {}},
            **{"ranges": runs(seqs), "count": len(seqs), "copies": ["s3://copy"]},
            "root": merkle([self.leaves[seq] for seq in seqs]).hex(),
            "origin": ORIGIN,
            **changes,
        }

    def statement(self, context: dict[str, Any], key: SigningKey) -> str:
        digest = hashlib.sha256(rfc8785.dumps(context)).hexdigest()
        return key.sign(
            f"chained-logging retention.apply v1\n{ORIGIN}\n{len(self)}\n{self.prev}\n"
            f"{key.vkey}\n{digest}\n"
        )

    def purge(
        self,
        seqs: Iterable[int],
        *,
        by: SigningKey | None = None,
        fields: dict[str, Any] | None = None,
        stub: bool = True,
        **changes: Any,
    ) -> int:
        """Append a `retention.apply`, make stubs of what it names, and return its seq.

        :param by: who makes the statement, instead of the log's key.
        :param changes: to its context, before the statement is made.
        """
        seqs = list(seqs)
        context = self.apply_context(seqs, **changes)
        context = {name: value for name, value in context.items() if value is not ...}
        key = by or self.key
        if key is not None and "statement" not in changes:
            context["statement"] = self.statement(context, key)
        seq = self.own(
            "retention.apply", context, **{"at": NOW, "on_behalf_of": "bob", **(fields or {})}
        )
        if stub:
            self.stubs.update(seqs)
        return seq

    def checkpoint(self) -> str:
        """Make a checkpoint of what is here, and return its note."""
        leaves = self.leaves
        root = base64.b64encode(merkle(leaves)).decode()
        text = f"{ORIGIN}\n{len(leaves)}\n{root}\n"
        assert self.key is not None
        note = self.key.note(text)
        state = len(leaves).to_bytes(8, "big") + b"".join(frontier(leaves))
        self.notes.append((note, len(leaves), base64.b64encode(state).decode()))
        return note

    def line(self, seq: int) -> bytes:
        hash, signature = self.hashes[seq], self.signatures[seq]
        end = "" if signature is None else f',"signature":"{signature}"'
        if seq in self.stubs:
            return f'{{"hash":"{hash}","seq":{seq}{end}}}'.encode()
        return self.bodies[seq][:-1] + f',"hash":"{hash}"{end}}}'.encode()

    def lines(self) -> list[bytes]:
        return [self.line(seq) for seq in range(len(self))]

    def write(self, path: Path, lines: Sequence[bytes] | None = None) -> Path:
        """Write the log, and its checkpoints beside it."""
        if path.suffix == ".db":
            return self.write_database(path, lines)
        path.write_bytes(b"".join(line + b"\n" for line in lines or self.lines()))
        kept = [
            rfc8785.dumps({"note": note, "size": size, "state": state})
            for note, size, state in self.notes
        ]
        if kept:
            beside = path.with_name(path.name + ".checkpoints")
            beside.write_bytes(b"".join(line + b"\n" for line in kept))
        return path

    def write_database(self, path: Path, lines: Sequence[bytes] | None = None) -> Path:
        text = SCHEMA.read_text().split("\n\n")
        statements = [part for part in text if not part.startswith("--") or "CREATE" in part]
        triggers = [part for part in statements if part.startswith("CREATE TRIGGER")]
        path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA application_id = 0x636C6F67")
            connection.execute("PRAGMA user_version = 1")
            for statement in statements:
                if statement not in triggers:
                    connection.execute(statement.rstrip("\n;"))
            for line in lines or self.lines():
                _insert(connection, line)
            connection.executemany(
                "INSERT INTO checkpoints (note, size, state) VALUES (?, ?, ?)", self.notes
            )
            for statement in triggers:
                connection.execute(statement.rstrip("\n;"))
        return path


def _insert(connection: sqlite3.Connection, line: bytes) -> None:
    found = json.loads(line)
    seq, hash, signature = found["seq"], found.pop("hash"), found.pop("signature", None)
    if "action" not in found:
        row = (seq, hash, signature)
        connection.execute("INSERT INTO stubs (seq, hash, signature) VALUES (?, ?, ?)", row)
        return
    body = line[: line.rindex(b',"hash":"')].decode() + "}"
    connection.execute(
        "INSERT INTO entries (seq, body, hash, signature) VALUES (?, ?, ?, ?)",
        (seq, body, hash, signature),
    )
    if (found["action"], found["actor_id"]) == ("retention.apply", "chained_logging"):
        for first, last in found["context"]["ranges"]:
            taken = connection.execute(
                "SELECT 1 FROM purges WHERE first <= ? AND last >= ?", (last, first)
            ).fetchone()
            if taken is None and 1 <= first <= last < seq:
                connection.execute("INSERT INTO purges VALUES (?, ?, ?)", (first, last, seq))

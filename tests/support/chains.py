"""Events, and a checker of what a log stores that knows nothing of the package."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import rfc8785

THOROUGH = "THOROUGH" in os.environ
"""Whether each repetition is made that a release needs: ``nox -s thorough``."""


def often(count: int) -> int:
    """Return how often to do what `count` times of a thorough run do."""
    return count if THOROUGH else count // 3


EVENT = {"actor": "user-1", "resource": "patient_record/456", "ip": "10.0.0.1"}


def _integer(digits: str) -> int | float:
    value = int(digits)
    return value if abs(value) < 2**53 else float(digits)


def read_json(text: str | bytes) -> Any:
    """Parse JSON as RFC 8785 has it: 10000000000000000 is the double 1e16, no integer."""
    return json.loads(text, parse_int=_integer)


def stored(path: Path) -> list[tuple[int, bytes, str]]:
    """Return (seq, body, hash) of every stored entry, in order, read without the package."""
    if path.suffix == ".db":
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT seq, body, hash FROM entries ORDER BY seq").fetchall()
        finally:
            connection.close()
        return [(seq, body.encode(), hash) for seq, body, hash in rows]
    data = path.read_bytes()
    assert not data or data.endswith(b"\n")
    rows = []
    for line in data.splitlines():
        fields = json.loads(line)
        body = line[: -len(b',"hash":""}') - 64] + b"}"
        rows.append((fields["seq"], body, fields["hash"]))
    return rows


def check_chain(path: Path, start: int = 0, prev: str = "GENESIS") -> list[dict[str, Any]]:
    """Check every byte of a log with rfc8785 and hashlib alone; return the bodies."""
    bodies = []
    for number, (seq, body, hash) in enumerate(stored(path), start):
        fields = read_json(body)
        assert rfc8785.dumps(fields) == body
        assert len(body) <= 65_535
        assert hashlib.sha256(b"\0" + body).hexdigest() == hash
        assert (seq, fields["seq"], fields["prev_hash"]) == (number, number, prev)
        prev = hash
        bodies.append(fields)
    ids = [fields["id"] for fields in bodies]
    assert len(set(ids)) == len(ids)
    return bodies

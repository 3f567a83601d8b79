"""What is read back from a store, with JSON and gzip that nobody's software wrote: read or refused.

Whatever it is, reading it ends in a value or a ValueError with a sentence, soon and in little
memory. How the commands treat it is in the tests of each store.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile import GENESIS, GZIP

from chained_logging.format.canonical import canonical
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import Head, Record
from chained_logging.keys import PrivateKey
from chained_logging.keys.keyring import Keyring
from chained_logging.ship.nats import decode
from chained_logging.ship.s3 import describe, parse_checkpoint
from chained_logging.ship.s3.digest import Digest, Listed, format_time, parse_digest
from chained_logging.ship.s3.names import CHECKPOINTS, SEGMENTS, Name
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.vouched import Vouched
from chained_logging.sinks.checkpoints import sign

ORIGIN = "example.com/web"
VALUES = [
    *(b"[" * depth + b"]" * depth for depth in (300, 600, 900, 5000, 30_000)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (300, 900, 9000)),
    b"1e999", b"-0", b"1" * 400, b"1" * 5000, b"NaN", b"-1", b"1.5", b"true", b"null", b"{}", b"[]",
    b'""', b'"\\ud800"', b'"\xed\xa0\x80"', b'"\\u0000"', b'"' + b"x" * 60_000 + b'"',
]  # fmt: skip
DIGEST = Digest(
    1,
    ORIGIN,
    format_time(0),
    format_time(1),
    "a" * 64,
    30,
    "COMPLIANCE",
    Head(3, "b" * 64),
    2,
    (Listed("segments/x", "c" * 64, 4, "v"),),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, found in inside:
        yield (*path, key)
        if isinstance(found, dict | list):
            yield from places(found, (*path, key))


def variants(data: bytes) -> Iterator[bytes]:
    """Yield JSON with another value in each place, twice the same name, and odd bytes around it."""
    for *path, last in places(json.loads(data)):
        changed = json.loads(data)
        inner = changed
        for key in path:
            inner = inner[key]
        inner[last] = "@"
        text = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
        for value in VALUES:
            yield text.replace(b'"@"', value) + b"\n"
    yield from VALUES
    yield b"\xef\xbb\xbf" + data
    yield data.replace(b"{", b'{"format":1,', 1)
    yield data + data
    yield data.decode().encode("utf-16")


def message(line: bytes, last: int) -> None:
    hash = leaf_hash(line)
    headers = {"Audit-Format": "1", "Audit-First-Seq": "0", "Audit-Last-Seq": str(last)}
    if last == 0:
        line = stored_line(line, hash, None)
    headers["Audit-Last-Hash"] = hash
    decode("A.0.example=2Ecom/web", headers, gzip.compress(line + b"\n")).check()


def entry(body: bytes) -> None:
    """Read an entry in each of the ways that a store's entries are read."""
    record = Record(0, body, leaf_hash(body))
    for action in (b"log.open", b"key.rotate", b"key.revoke"):
        Keyring(ORIGIN).look(record._replace(body=body.replace(b"log.open", action, 1)))
    list(Vouched(ORIGIN).follow([record]))
    line = stored_line(body, record.hash, None) + b"\n"
    describe(Name(SEGMENTS, 0, 0), gzip.compress(line), None, None)
    message(body, 0)


def checkpoint() -> bytes:
    tree = Frontier()
    tree.append(bytes(32))
    return canonical(sign(tree, ORIGIN, PrivateKey.generate()).to_dict()) + b"\n"


READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "a digest": (DIGEST.format().encode(), parse_digest),
    "a policy": (Policy(30, "COMPLIANCE").format(), Policy.parse),
    "a checkpoint": (checkpoint(), lambda d: parse_checkpoint(d, Name(CHECKPOINTS, 1, 1))),
    "a checkpoint in a message": (checkpoint(), lambda d: message(d.rstrip(b"\n"), -1)),
    "an entry": (GENESIS, lambda d: entry(d.rstrip(b"\n"))),
}


@pytest.mark.parametrize("what", READERS)
def test_hostile_json_is_read_or_refused(what: str) -> None:
    data, reader = READERS[what]
    for variant in variants(data):
        with contextlib.suppress(ValueError):
            reader(variant)


@pytest.mark.parametrize("what", GZIP)
def test_hostile_gzip_is_refused_within_bounds(what: str) -> None:
    tracemalloc.start()
    facts, records = describe(Name(SEGMENTS, 0, 0), GZIP[what], None, None)
    headers = {"Audit-Format": "1", "Audit-First-Seq": "0", "Audit-Last-Seq": "-1"}
    headers["Audit-Last-Hash"] = "GENESIS"
    with pytest.raises(ValueError, match=r"payload|neither an entry nor a checkpoint"):
        decode("A.0.example=2Ecom/web", headers, GZIP[what])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert records == []
    assert facts.problem
    assert peak < 80 << 20

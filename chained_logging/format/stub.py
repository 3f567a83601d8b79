"""What is left of an entry that retention removed: its place, its hash, and its signature.

The hash is all that links, Merkle roots and proofs need, so each of them still holds. The format is
in ``docs/format.md``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record

STUB_BEGINS: Final = b'{"hash":"'
"""How the line of a stub begins, and that of no entry."""

_STUB: Final = re.compile(
    rb'\{"hash":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,15})'
    rb'(?:,"signature":"([A-Za-z0-9+/]{86}==)")?\}'
)


class Stub(NamedTuple):
    """A removed entry, as a sink keeps it."""

    seq: int
    hash: str
    signature: str | None = None


def stub_line(stub: Stub) -> bytes:
    """Return the line that stands in the place of an entry's, without its line feed."""
    seq, hash, signature = stub
    end = "" if signature is None else f',"signature":"{signature}"'
    return f'{{"hash":"{hash}","seq":{seq}{end}}}'.encode()


def read_stub(line: bytes) -> Stub:
    """Return the stub in a line, given without its line feed.

    :raises ValueError: if the line has not exactly that form.
    """
    found = _STUB.fullmatch(line)
    if found is None:
        raise ValueError("not a stub: it does not hold a hash and a number, and nothing else")
    hash, seq, signature = found.groups()
    return Stub(int(seq), hash.decode(), None if signature is None else signature.decode())


def holds(item: Record | Stub) -> bool:
    """Whether the hash of an entry is that of its body. A stub has no body that could differ."""
    return isinstance(item, Stub) or leaf_hash(item.body) == item.hash

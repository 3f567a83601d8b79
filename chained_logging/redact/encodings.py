"""Base64 and percent-encoding: what a text means, and where it tells of a secret."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from chained_logging.redact.names import compile_bytes
from chained_logging.redact.spans import Span, end_of

MAX_DEPTH: Final = 4
"""How often a text may be encoded; what is more often is taken for a secret."""

_BYTES: Final = {f"{byte:02x}".encode(): bytes([byte]) for byte in range(256)}


def unquoted(data: bytes) -> bytes:
    """Return bytes with ``%41`` and ``+`` read as in a form."""
    parts = data.replace(b"+", b" ").split(b"%")
    result = [parts[0]]
    for part in parts[1:]:
        byte = _BYTES.get(part[:2].lower())
        result.append(b"%" + part if byte is None else byte + part[2:])
    return b"".join(result)


def holds_login(given: bytes) -> bool:
    """Whether base64 is a name and a password."""
    try:
        return b":" in base64.b64decode(given + b"=" * (-len(given) % 4))
    except (binascii.Error, ValueError):
        return False


def decoded(given: bytes) -> bytes:
    """Decode base64 in either alphabet; return b"" if it is not base64."""
    given = given.rstrip(b"=").translate(_BASE64)
    given = given[: len(given) - (len(given) % 4 == 1)]
    try:
        return base64.b64decode(given + b"=" * (-len(given) % 4))
    except (binascii.Error, ValueError):
        return b""


_BASE64: Final = bytes.maketrans(b"-_", b"+/")


def _stems() -> Iterator[bytes]:
    """Yield what base64 makes of telling words, wherever in three bytes they begin."""
    for word in (
        b"password",
        b"passwd",
        b"secret",
        b"token",
        b"api_key",
        b"apikey",
        b"PRIVATE KEY",
    ):
        for form in {word, word.upper(), word.capitalize()}:
            for before in range(3):
                text = base64.b64encode(b"\0" * before + form)
                yield text[(0, 2, 3)[before] : len(form + b"\0" * before) * 8 // 6]


STEMS: Final = b"|".join(sorted({re.escape(stem) for stem in _stems()}))
_STEM: Final = compile_bytes(STEMS)
_BASE64_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]*=*")


def encoded(data: bytes) -> Iterator[Span]:
    """Find base64 that tells of a secret: what it means is for the caller to look at."""
    at = 0
    while found := _STEM.find(data, at):
        first, end = found[0]
        start = at + len(data[at:first].rstrip(_BASE64_BYTES))
        at = end_of(_BASE64_RUN, data, end)
        yield start, at

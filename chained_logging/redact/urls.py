"""Secrets in URLs: parameters, and names with passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chained_logging.redact.names import URL_NAMES, compile_bytes
from chained_logging.redact.plain import is_plain
from chained_logging.redact.spans import MANY, MARK, Span, all_of, end_of

PARAMETERS: Final = b"|".join(name.replace("-", "[_-]?").encode() for name in URL_NAMES)
_ANY_PARAMETER: Final = compile_bytes(rb"(?i)(?:^|[^A-Za-z0-9])((?:" + PARAMETERS + rb")\]{0,2}=)")
_SIGNATURE: Final = compile_bytes(rb"(?i)[?&;]((?:[a-z\-]*signature|sig|hmac|key|code)=)")
_PARAMETER: Final = re.compile(rb"[^\s&;<>#\"']*")
_LIKELY: Final = 16
_LOGIN: Final = re.compile(rb"[^\s\"<>]{0,512}")
_AUTHORITY: Final = re.compile(rb"[^/?#]*")
_WITH_PORT: Final = re.compile(rb"[^/?#\s:@]*:(?:[0-9]+(?:[/?#]|\Z))?")


def parameters(data: bytes, url: bool) -> Iterator[Span]:
    """Find the parameters of a URL that are as good as a password."""
    at = 0
    pattern = _ANY_PARAMETER if url else _SIGNATURE
    for _ in range(MANY):
        found = pattern.find(data, at)
        if found is None:
            return
        start = found[1][1]
        at = max(end_of(_PARAMETER, data, start), start)
        value = data[start:at]
        likely = url or (len(value) >= _LIKELY and not is_plain(value))
        if likely and value and value != MARK:
            yield start, at
    yield from all_of(data)


def logins(data: bytes) -> Iterator[Span]:
    """Find the names and passwords in URLs."""
    if b"@" not in data:
        return
    at = 0
    while (begin := data.find(b"://", at)) >= 0:
        start = begin + 3
        text = data[start : end_of(_LOGIN, data, start)]
        at = start
        if b"@" not in text:
            at += len(text)
            continue
        end = text.rfind(b"@", 0, end_of(_AUTHORITY, text, 0))
        if end < 0:  # a slash may be one in a password, where no port is before it
            port = _WITH_PORT.match(text)
            if port is not None and port[0].endswith(b":"):
                end = text.rfind(b"@")
        if end >= 0:
            at = start + end
            if text[:end] != MARK:
                yield start, at

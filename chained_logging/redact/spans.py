"""Spans of a text, and how long finders go on looking for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Final

Span = tuple[int, int]
"""Where something begins and ends, in bytes of a text's shadow."""
MANY: Final = 1_000
"""How many secrets a finder looks for in one text. A text with more is one."""
MARK: Final = b"[redacted]"
"""What is in the place of a secret."""


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return spans in order, with those that touch joined."""
    if len(spans) < 2:
        return list(spans)
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            if end > result[-1][1]:
                result[-1] = result[-1][0], end
        elif end > start:
            result.append((start, end))
    return result


def end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Return where a match that begins here ends; here, if nothing matches."""
    found = pattern.match(data, at)
    return found.end() if found else at


def all_of(data: bytes) -> Iterator[Span]:
    """Say that there is too much to look at each: the text goes as a whole."""
    return repeat((0, len(data)), MANY + 1)

"""A text without the secrets in it: found in plain form, in base64, percent-encoded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import re2

from chained_logging.event.values import REDACTED
from chained_logging.redact.encodings import MAX_DEPTH, decoded, encoded, unquoted
from chained_logging.redact.expression import Expression
from chained_logging.redact.names import shadow
from chained_logging.redact.scan import Scanner
from chained_logging.redact.spans import Span

_FEW: Final = 100  # encoded parts of one text that are looked at each by itself
_PARTS: Final = 1_000
_WHOLE: Final = 4_096  # from here on a part is looked at once, not twice
_WORK: Final = 16_000_000  # characters that an application's own pattern may go over in one text
_PART: Final = re.compile(rb"[^\s&;<>\"'?#,()\[\]{}]+")


class Texts:
    """Takes secrets out of texts.

    :param scanner: finds them.
    :param patterns: an application's own expressions, for RE2.
    :raises ValueError: for an expression that RE2 does not take.
    """

    def __init__(self, scanner: Scanner, patterns: Iterable[Any] = ()) -> None:
        self._scanner = scanner
        self._patterns = [compiled(pattern) for pattern in patterns]

    @property
    def has_own(self) -> bool:
        """Whether there are patterns of the application's own."""
        return bool(self._patterns)

    def may_hold(self, text: str) -> bool:
        """Tell quickly that there is nothing in a text."""
        return bool(self._patterns) or self._scanner.may_hold(text.encode("utf-8", "replace"))

    def redacted(self, text: str, *, url: bool = False, cards: bool = True) -> str:
        """Return a text without its secrets.

        :param url: whether it is a URL, or a part of one.
        :param cards: whether a bare number may be a card's.
        """
        text = self._known(text, url, cards, 0)
        return self._own(text) if self._patterns else text

    def _known(self, text: str, url: bool, cards: bool, depth: int) -> str:
        data = shadow(text)
        marked = self._scanner.is_marked(data)
        spans = self._scanner.spans(data, url=url, cards=cards, marked=marked)
        if spans is None:
            return REDACTED
        if spans:
            text = _without(text, spans)
        if marked:
            data = shadow(text)
            spans = list(islice(encoded(data), _FEW))
            if len(spans) == _FEW:
                return REDACTED
            spans = [span for span in spans if self._tells(data, span, depth)]
            if spans:
                text = _without(text, spans)
        if text.isascii() and "%" not in text and "+" not in text:  # the usual case
            return text
        data = shadow(text)
        if b"%" in data or b"+" in data:
            return self._escaped(text, data, url, cards, depth)
        return text

    def _tells(self, data: bytes, span: Span, depth: int) -> bool:
        """Whether base64 means a text with a secret in it."""
        if depth >= MAX_DEPTH:
            return True
        plain = decoded(data[slice(*span)]).decode("utf-8", "replace")
        return self._known(plain, False, True, depth + 1) != plain

    def _escaped(self, text: str, data: bytes, url: bool, cards: bool, depth: int) -> str:
        """Take out each part of a text that is secret once it is read as in a form."""
        if not self._scanner.may_hold(data):
            return text
        parts = [
            span
            for span in _parts(data)
            if b"%" in data[slice(*span)] or b"+" in data[slice(*span)]
        ]
        if len(parts) > _PARTS:
            return REDACTED
        spans: list[Span] = []
        for start, end in parts:
            if len(spans) > _FEW:
                return REDACTED
            secret = self._secret_part(data[start:end], url, cards, depth)
            if secret is not None and text[start + secret : end] != REDACTED:
                spans.append((start + secret, end))
        text = _without(text, spans)
        # A secret of several parts, such as a key in lines.
        if len(parts) > 1 and self._hides(shadow(text), url, cards, depth):
            return REDACTED
        return text

    def _secret_part(self, part: bytes, url: bool, cards: bool, depth: int) -> int | None:
        """Return where in ``name=value``, or in a text alone, what is secret begins."""
        if len(part) < _WHOLE and not self._scanner.may_hold(part):
            return None
        name, equals, value = part.partition(b"=")
        if not equals:
            return 0 if self._hides(part, url, cards, depth) else None
        if self._hides(value, url, cards, depth):
            return len(name) + 1
        if b"%" in name or b"+" in name:
            return len(name) + 1 if self._hides(part, url, cards, depth) else None
        return None

    def _hides(self, data: bytes, url: bool, cards: bool, depth: int) -> bool:
        """Whether something is secret that is percent-encoded."""
        plain = unquoted(data)
        if plain == data:
            return False
        if depth + 1 >= MAX_DEPTH:
            return unquoted(plain.replace(b" ", b"")) != plain.replace(b" ", b"")
        text = plain.decode("utf-8", "replace")
        return self._known(text, url, cards, depth + 1) != text

    def _own(self, text: str) -> str:
        """Take out what the application's own patterns find."""
        for pattern in self._patterns:
            spans: list[Span] = []
            allowed = max(64, _WORK // (len(text) + 1))
            for found in pattern.finditer(text):
                if len(spans) >= allowed:
                    return REDACTED
                spans.append(found.span())
            text = _without(text, spans)
        return text


def compiled(pattern: Any) -> Expression:
    """Compile an application's expression for RE2.

    :raises ValueError: if RE2 does not take it.
    """
    flags = getattr(pattern, "flags", 0)
    source = getattr(pattern, "pattern", pattern)
    if not isinstance(source, str):
        raise ValueError(f"a pattern must be text, not {type(source).__name__}")
    letters = "".join(letter for letter, bit in (("i", 2), ("m", 8), ("s", 16)) if flags & bit)
    if flags & 64:  # re.VERBOSE
        raise ValueError("a pattern must not be verbose: RE2 has no such flag")
    options = re2.Options()
    options.log_errors = False
    try:
        return Expression(f"(?{letters}){source}" if letters else source, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(
            f"the pattern {source!r} must be one that RE2 takes, which has no look-around and no "
            f"back-references: {reason}"
        ) from None


def _parts(data: bytes) -> Iterable[Span]:
    return (found.span() for found in _PART.finditer(data))


def _without(text: str, spans: Iterable[Span]) -> str:
    parts = []
    at = 0
    for start, end in spans:
        if end > start:
            parts += [text[at:start], REDACTED]
            at = end
    return "".join(parts) + text[at:]

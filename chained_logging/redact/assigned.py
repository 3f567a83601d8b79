"""The value behind a name: what joins the two, and where the value ends."""

from __future__ import annotations

import re
from typing import Final

from chained_logging.redact.plain import is_plain
from chained_logging.redact.spans import MARK, Span, end_of

_STRING: Final = re.compile(rb"[bruf]?(\\*[\"'`])", re.IGNORECASE)
# What joins a name to its value: a quotation mark, and a sign of assignment, a colon, the end of a
# tag, the head of a part of a form, or a verb.
JOINT: Final = re.compile(
    rb"(\\*[\"'`])?[ \t\r\n]{0,8}(?:"
    rb"(=>?|:=|(?<=[\"'`])[ \t]{0,4}[:,])[ \t\r\n]{0,8}"
    rb"|(:)[ \t\xa0]{0,8}(?:[\r\n]+[ \t]{1,16}(?![\w.\-]{1,40}:))?"
    rb"|(>)"
    rb"|((?:[; ][^\r\n\"']{0,200})?(?:\r?\n[A-Za-z\-]{1,40}:[^\r\n]{0,200}){0,4}\r?\n\r?\n)"
    rb"|(?<=[ \t])((?:(?:is|was|are|to|as|with|using|set to|changed to|reset to)(?: now)?:?"
    rb"[ \t]{1,8})?)"
    rb")"
)
# The same for RE2, which cannot look around: a JOINT, or more.
JOINED: Final = rb"(?:[ \t\r\n=:>\xa0\xc2]|\\+[nrt]|\\*[\"'`](?:[ \t]*[:=>]|[;\r\n]|\\+[nr])|\z)"
_ASSIGNED: Final = re.compile(rb"(?:(?i:bearer|basic|token|digest|apikey)[ \t]{1,8})?[^\s&;<>]*")
_MEMBER: Final = re.compile(rb"[^\s,}\]]*(?:\[redacted\])?")
ELEMENT: Final = re.compile(rb"[^<]*")
_WORD: Final = re.compile(rb"[^\s\"'<>]+")
_LINE: Final = re.compile(rb"[^\r\n]*")
_BLANKS: Final = re.compile(rb"[ \t]*(?=[\r\n]|\Z)")
_BRACKETS: Final = re.compile(rb"[\[\](){}]")
_OPENING: Final = frozenset({b"[", b"{", b"("})
_ANGLE: Final = re.compile(rb"<[^<>\r\n]*>?")
_MOST_BRACKETS: Final = 200
_PART: Final = re.compile(rb"\r?\n--")
# Signs alone before a mark: nothing is left to hide.
_MARKED: Final = re.compile(rb"[!-/:-@\[-`{-~]*\[redacted\]")
_HEADER: Final = re.compile(
    rb"(?:http[_-])?(?:(?:proxy-)?authorization2?|(?:set-)?cookie2?|(?:x-)?api-?key"
    rb"|(?:http_)?x[-_][\w-]+)",
    re.IGNORECASE,
)


def value_after(data: bytes, joint: re.Match[bytes], name: bytes, before: bytes) -> Span | None:
    """Return where the value behind a name is, by what joins them."""
    quote, assigned, colon, bracket, part, verb = joint.groups()
    assigned = assigned and assigned.strip()
    at = joint.end()
    if assigned == b",":  # a pair in a repr: its value is quoted, and no name like its neighbour
        if before not in (b'"', b"'", b"`") or _STRING.match(data, at) is None:
            return None
        span = _given(data, at, _MEMBER)
        return None if is_plain(data[span[0] : span[1]]) else span
    if assigned:
        return _given(data, at, _MEMBER if quote else _ASSIGNED)
    if bracket:
        return (at, end_of(ELEMENT, data, at)) if quote else None
    if colon:
        return _described(data, at, name, before)
    if part is not None:
        if not quote:
            return None
        end = _PART.search(data, at)
        return at, end.start() if end else len(data)
    return None if quote else _worded(data, at, name, verb)


def _worded(data: bytes, at: int, name: bytes, verb: bytes | None) -> Span | None:
    """Return the value behind a name and a blank, with a verb between them or without one."""
    if _STRING.match(data, at):  # PASSWORD 'x'
        return _given(data, at, _WORD)
    word = _WORD.match(data, at)
    if word is None:
        return None
    if not verb and name[:1] == b"-" and data[at : at + 1] != b"-":  # --password x
        return word.span()
    return None if not verb or is_plain(word[0]) else word.span()


def _given(data: bytes, at: int, bare: re.Pattern[bytes]) -> Span:
    """Return a value that is quoted, in brackets, or bare."""
    string = _STRING.match(data, at)
    if string is not None:
        return string.end(), _unquoted(data, string.end(), string[1])
    if data.startswith(MARK, at):
        return at, at + len(MARK)
    if data[at : at + 1] in _OPENING:
        return at, end_of(bare, data, _closed(data, at))
    if data[at : at + 1] == b"<":
        return at, end_of(_ANGLE, data, at)
    return at, end_of(bare, data, at)


def _described(data: bytes, at: int, name: bytes, before: bytes) -> Span | None:
    """Return the value behind ``name:``. A header's is the line; in a sentence it may be none."""
    if _HEADER.fullmatch(name):
        end = end_of(_LINE, data, at)
        if before in (b'"', b"'"):  # curl -H 'Authorization: …'
            closing = data.find(before, at, end)
            end = closing if closing >= 0 else end
        return at, end
    if _STRING.match(data, at) or data[at : at + 1] in _OPENING:
        return _given(data, at, _MEMBER)
    if before == b":":  # a part of a name: arn:aws:secretsmanager:us-east-1:123456789012:secret:x
        return None
    word = _WORD.match(data, at)
    if word is None or _MARKED.fullmatch(word[0]):
        return None
    if _BLANKS.match(data, word.end()) or not is_plain(word[0]):
        return word.span()
    return None


def _unquoted(data: bytes, at: int, quote: bytes) -> int:
    """Return where a string ends that began with these characters: at the same ones."""
    while (end := data.find(quote, at)) >= 0:
        slashes = end - len(data[at:end].rstrip(b"\\")) - at
        if slashes % 2 == 0:
            return end
        at = end + len(quote)
    return len(data)


def _closed(data: bytes, at: int) -> int:
    """Return where brackets that open here are closed; in a thicket of them, the end."""
    depth = 0
    for number, found in enumerate(_BRACKETS.finditer(data, at)):
        depth += 1 if found[0] in b"[({" else -1
        if depth == 0:
            return found.end()
        if number > _MOST_BRACKETS:
            break
    return len(data)

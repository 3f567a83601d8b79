"""Where the secrets of a text are: the spans of all that is to be taken out.

Each finder goes over the text once. Its expressions run on RE2, or have a fixed length, and what
it looks at beyond a match it takes into the match; so none looks at a rest again, and the time
grows with the text alone. A text with more than :data:`MANY` secrets is one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, repeat
from typing import Any, Final

from chained_logging.redact import digits, tokens
from chained_logging.redact.names import (
    BOUNDARY,
    LABELS,
    LOCATORS,
    LOOKALIKE,
    MAYBE,
    NAME_CHARACTERS,
    URL_NAMES,
    Names,
    compile_bytes,
)

Span = tuple[int, int]
MANY: Final = 1_000

# --- Values behind a name.

_STRING: Final = re.compile(rb"[bruf]?(\\*[\"'`])", re.IGNORECASE)
_JOINT: Final = re.compile(
    rb"(\\*[\"'`])?[ \t\r\n]{0,8}(?:"
    rb"(=>?|:=|(?<=[\"'`])[ \t]{0,4}[:,])[ \t\r\n]{0,8}"
    rb"|(:)[ \t\xa0]{0,8}(?:[\r\n]+[ \t]{1,16}(?![\w.\-]{1,40}:))?"
    rb"|(>)"
    rb"|((?:[; ][^\r\n\"']{0,200})?(?:\r?\n[A-Za-z\-]{1,40}:[^\r\n]{0,200}){0,4}\r?\n\r?\n)"
    rb"|(?<=[ \t])((?:(?:is|was|are|to|as|with|using|set to|changed to|reset to)(?: now)?:?"
    rb"[ \t]{1,8})?)"
    rb")"
)
_JOINED: Final = rb"(?:[ \t\r\n=:>\xa0\xc2]|\\+[nrt]|\\*[\"'`](?:[ \t]*[:=>]|[;\r\n]|\\+[nr])|\z)"
_ASSIGNED: Final = re.compile(rb"(?:(?i:bearer|basic|token|digest|apikey)[ \t]{1,8})?[^\s&;<>]*")
_PARAMETER: Final = re.compile(rb"[^\s&;<>#\"']*")
_MEMBER: Final = re.compile(rb"[^\s,}\]]*(?:\[redacted\])?")
_ELEMENT: Final = re.compile(rb"[^<]*")
_OPENED: Final = re.compile(rb"<(?:[\w.\-]{1,40}:)?\Z")
_TAG: Final = re.compile(rb"[^<>]{0,200}>")
_WORD: Final = re.compile(rb"[^\s\"'<>]+")
_LINE: Final = re.compile(rb"[^\r\n]*")
_BLANKS: Final = re.compile(rb"[ \t]*(?=[\r\n]|\Z)")
_BRACKETS: Final = re.compile(rb"[\[\](){}]")
_OPENING: Final = frozenset({b"[", b"{", b"("})
_ANGLE: Final = re.compile(rb"<[^<>\r\n]*>?")
_MOST_BRACKETS: Final = 200
_PART: Final = re.compile(rb"\r?\n--")

# Words that mean no value, and placeholders for one.
_NO_VALUE: Final = re.compile(
    rb"(?:true|false|null|none|nil|undefined|n/a|\[redacted\]|\[filtered\]|\*+|\.\.\.)?[.,;)}\]]*\Z",
    re.IGNORECASE,
)
_REDACTED: Final = b"[redacted]"
# Signs alone before a mark: nothing is left to hide.
_MARKED: Final = re.compile(rb"[!-/:-@\[-`{-~]*\[redacted\]")
# A word of a sentence, or a small number: not a password, or a worthless one.
_PLAIN: Final = re.compile(
    rb"(?:[A-Za-z][a-z]*(?:[-_'/.][A-Za-z]?[a-z]+)*|[A-Z_]+|[0-9]{1,3}[a-z%]?|[^\w\"']+)"
    rb"[.,;:!?)\]}\"']*\Z"
)
_PLAIN_LONGEST: Final = 20
_DOUBTFUL_VALUE: Final = re.compile(rb"[A-Za-z_\-/ ]{0,24}[0-9]?[.,;)}\]]*\Z|[0-9.,]{1,6}\Z")
_COUNTED: Final = re.compile(rb"[0-9]{1,9}[.,;)}\]]*\Z")
_HEADER: Final = re.compile(
    rb"(?:http[_-])?(?:(?:proxy-)?authorization2?|(?:set-)?cookie2?|(?:x-)?api-?key"
    rb"|(?:http_)?x[-_][\w-]+)",
    re.IGNORECASE,
)
# Names of numbers that are secret in the plural as well; of others a number is a count.
_NUMERIC: Final = re.compile(rb"(?i)(?:pin|otp|cvv2?|cvc2?|ssn|pan|tin|code|number|no|num)s\W*\Z")


def is_plain(value: bytes) -> bool:
    """Whether a value is a word of a sentence, or a small number."""
    return len(value) <= _PLAIN_LONGEST and _PLAIN.match(value) is not None


def is_count(name: bytes) -> bool:
    """Whether a number under a secret name is how many there are: ``max_tokens``."""
    return name[-1:] in b"sS" and _NUMERIC.search(name) is None


def is_harmless(value: bytes) -> bool:
    """Whether a value under a name that may be secret is not: ``auth=ok``."""
    return _DOUBTFUL_VALUE.match(value) is not None


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


class Scanner:
    """Finds the secrets in texts.

    :param names: judges names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        # A name and what joins it to its value; a name in quotation marks with a value beside it.
        name = names.expression
        beside = rb"[\"'`][A-Za-z0-9_.\-\[\]%]*" + names.loose + rb"\\*[\"'`][ \t]*[,\])}]"
        self._named = compile_bytes(rb"(" + name + rb")(?:" + _JOINED + rb"|\\*[\"'`],)")
        self._clue = compile_bytes(_with_plus(b"|".join((name + _JOINED, beside, *_CLUES))))
        self._name = name

    def may_hold(self, data: bytes) -> bool:
        """Tell by one search whether a text may hold a secret.

        Where it says that it does not, the careful way finds nothing either.
        """
        if self._clue.search(data) is None and b"%" not in data:  # the usual case
            return False
        return self._tells(data, False)

    def members_may_hold(self, data: bytes) -> bool:
        """Tell the same of JSON without blanks, as `orjson` writes it.

        There a string that is a member's value is followed by another member, not by a value that
        belongs to it, unless the string is a label: ``{"name":"Cookie","value":"…"}``.
        """
        if self._clue.search(data) is None and b"%" not in data:  # the usual case
            return False
        return self._tells(data, True)

    def _tells(self, data: bytes, members: bool) -> bool:
        for _ in range(MAX_DEPTH):
            if self._has_clue(data, members):
                return True
            if b"%" not in data:  # what "+" stands for, the expression knows
                return False
            plain = unquoted(data)
            if plain == data:
                return False
            data = plain
        return True

    def _has_clue(self, data: bytes, members: bool) -> bool:
        """Whether there is a clue other than the ordinary ones."""
        at = 0
        for _ in range(_ORDINARY):
            found = self._clue.search(data, at)
            if found is None:
                return False
            start, end = found.span()
            first = data[start : start + 1]
            if first.isdigit() and not digits.may_be_secret(data[start:end]):
                at = end - 4  # its last digits may begin another one
            elif members and first == b'"' and self._is_member(data, start):
                at = start + 1
            elif _is_arn(data, start, end):
                at = end - 1  # so may the colon
            else:
                return True
        return True

    @cached_property
    def _but_beside(self) -> Any:
        return compile_bytes(_with_plus(b"|".join((self._name + _JOINED, *_CLUES))))

    def _is_member(self, data: bytes, start: int) -> bool:
        """Whether a string is a clue only because of its neighbour, which is another member."""
        return (
            data[start - 1 : start] == b":"
            and _LABEL.search(data, max(start - 16, 0), start - 1) is None
            and self._but_beside.match(data, start) is None
        )

    def spans(self, data: bytes, *, url: bool = False, cards: bool = True) -> list[Span] | None:
        """Return what is to be taken out of a text, in order; None if that is all of it.

        :param data: the text's :func:`chained_logging.redact.names.shadow`.
        :param url: whether the text is a URL, or a part of one.
        :param cards: whether a bare number may be a card's.
        """
        found = list(islice(self._found(data, url, cards), MANY + 1))
        return None if len(found) > MANY else merged(found)

    def _found(self, data: bytes, url: bool, cards: bool) -> Iterator[Span]:
        yield from self._values(data)
        yield from tokens.tokens(data)
        yield from tokens.web_tokens(data)
        yield from tokens.private_keys(data)
        yield from tokens.credentials(data, holds_login, is_plain)
        yield from _parameters(data, url)
        yield from _logins(data)
        yield from _commands(data)
        yield from digits.cards(data, cards)
        yield from digits.ibans(data)
        yield from digits.social_security_numbers(data)

    def _values(self, data: bytes) -> Iterator[Span]:
        """Find values that follow a secret name and are joined to it."""
        at = 0
        for _ in range(MANY):
            found = self._named.search(data, at)
            if found is None:
                return
            end = found.end(1)
            span = self._value(data, at, end)
            if span is None:
                at = end
                continue
            at = max(span[1], end)
            if span[1] > span[0] and data[span[0] : span[1]] != _REDACTED:
                yield span
        yield from _all_of(data)

    def _value(self, data: bytes, at: int, end: int) -> Span | None:
        joint = _JOINT.match(data, end)
        if joint is None and data[end : end + 1] != b" ":
            return None
        head = data[max(at, end - 256) : end]
        bare = head.rstrip(NAME_CHARACTERS)
        name = head[len(bare) :]
        text = name.decode("latin-1")
        if self._names.is_allowed(text):
            return None
        if _OPENED.search(bare[-48:]):
            tag = _TAG.match(data, end)
            span = (tag.end(), _end(_ELEMENT, data, tag.end())) if tag else None
        else:
            span = _after(data, joint, name, bare[-1:]) if joint else None
        if span is None:
            return None
        value = data[span[0] : span[1]]
        if len(value) <= _SHORT and _NO_VALUE.match(value):
            return None
        if is_harmless(value) and self._names.kind(text) == MAYBE:
            return None
        if is_count(name.rstrip(b"])")) and _COUNTED.match(value):
            return None
        return span


_SHORT: Final = 24


def _after(data: bytes, joint: re.Match[bytes], name: bytes, before: bytes) -> Span | None:
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
        return (at, _end(_ELEMENT, data, at)) if quote else None
    if colon:
        return _described(data, at, name, before)
    if part is not None:
        if not quote:
            return None
        end = _PART.search(data, at)
        return at, end.start() if end else len(data)
    if _STRING.match(data, at) and not quote:  # PASSWORD 'x'
        return _given(data, at, _WORD)
    word = _WORD.match(data, at)
    if word is None or quote:
        return None
    if not verb and name[:1] == b"-" and data[at : at + 1] != b"-":  # --password x
        return word.span()
    return None if not verb or is_plain(word[0]) else word.span()


def _given(data: bytes, at: int, bare: re.Pattern[bytes]) -> Span:
    """Return a value that is quoted, in brackets, or bare."""
    string = _STRING.match(data, at)
    if string is not None:
        return string.end(), _unquoted(data, string.end(), string[1])
    if data.startswith(_REDACTED, at):
        return at, at + len(_REDACTED)
    if data[at : at + 1] in _OPENING:
        return at, _end(bare, data, _closed(data, at))
    if data[at : at + 1] == b"<":
        return at, _end(_ANGLE, data, at)
    return at, _end(bare, data, at)


def _described(data: bytes, at: int, name: bytes, before: bytes) -> Span | None:
    """Return the value behind ``name:``. A header's is the line; in a sentence it may be none."""
    if _HEADER.fullmatch(name):
        end = _end(_LINE, data, at)
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


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


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


def _all_of(data: bytes) -> Iterator[Span]:
    """Say that there is too much to look at each: the text goes as a whole."""
    return repeat((0, len(data)), MANY + 1)


# --- URLs.

_PARAMETERS: Final = b"|".join(name.replace("-", "[_-]?").encode() for name in URL_NAMES)
_ANY_PARAMETER: Final = compile_bytes(rb"(?i)(?:^|[^A-Za-z0-9])((?:" + _PARAMETERS + rb")\]{0,2}=)")
_SIGNATURE: Final = compile_bytes(rb"(?i)[?&;]((?:[a-z\-]*signature|sig|hmac|key|code)=)")
_LIKELY: Final = 16
_LOGIN: Final = re.compile(rb"[^\s\"<>]{0,512}")
_AUTHORITY: Final = re.compile(rb"[^/?#]*")
_WITH_PORT: Final = re.compile(rb"[^/?#\s:@]*:(?:[0-9]+(?:[/?#]|\Z))?")


def _parameters(data: bytes, url: bool) -> Iterator[Span]:
    """Find the parameters of a URL that are as good as a password."""
    at = 0
    pattern = _ANY_PARAMETER if url else _SIGNATURE
    for _ in range(MANY):
        found = pattern.search(data, at)
        if found is None:
            return
        start = found.end(1)
        at = max(_end(_PARAMETER, data, start), start)
        value = data[start:at]
        likely = url or (len(value) >= _LIKELY and not is_plain(value))
        if likely and value and value != _REDACTED:
            yield start, at
    yield from _all_of(data)


def _logins(data: bytes) -> Iterator[Span]:
    """Find the names and passwords in URLs."""
    if b"@" not in data:
        return
    at = 0
    while (begin := data.find(b"://", at)) >= 0:
        start = begin + 3
        text = data[start : _end(_LOGIN, data, start)]
        at = start
        if b"@" not in text:
            at += len(text)
            continue
        end = text.rfind(b"@", 0, _end(_AUTHORITY, text, 0))
        if end < 0:  # a slash may be one in a password, where no port is before it
            port = _WITH_PORT.match(text)
            if port is not None and port[0].endswith(b":"):
                end = text.rfind(b"@")
        if end >= 0:
            at = start + end
            if text[:end] != _REDACTED:
                yield start, at


# --- Commands.

_FLAGS: Final = {
    rb"mysql\w*|mariadb[\w-]*|mongo\w*|sshpass|plink|pscp|rar|unrar|zip|unzip|7z[ar]?": rb"-p",
    rb"redis-cli|valkey-cli": rb"-a",
    rb"curl|wget|http|https": rb"(?:-u|--user|--proxy-user|-U|--auth|-a)",
    rb"sqlcmd|bcp|smbclient|rdesktop": rb"-[PUp]",
    rb"ldap\w+": rb"-w",
    rb"docker|podman|helm|az|oc|nats": rb"-p",
    rb"openssl": rb"-pass(?:in|out)?",
}
_COMMAND: Final = compile_bytes(rb"\b(?:" + b"|".join(_FLAGS) + rb")(?:\.exe)?[ \t]")
_COMMANDS: Final = tuple(
    (
        re.compile(rb"(?:" + names + rb")\Z"),
        re.compile(rb"[ \t]" + flag + rb"[ \t=]?([^\s\"'|;&]+)"),
    )
    for names, flag in _FLAGS.items()
)
_COMMAND_LINE: Final = re.compile(rb"[^\r\n|;&]{0,512}")


def _commands(data: bytes) -> Iterator[Span]:
    """Find the passwords of command lines whose short options take one."""
    at = 0
    for _ in range(MANY):
        found = _COMMAND.search(data, at)
        if found is None:
            return
        at = found.end()
        name = found[0].strip().removesuffix(b".exe")
        end = _end(_COMMAND_LINE, data, at)
        for names, flag in _COMMANDS:
            if names.match(name):
                given = flag.search(data, at - 1, end)
                if given and _takes_secret(name, given[1]):
                    yield given.span(1)
        at = end
    yield from _all_of(data)


def _takes_secret(name: bytes, value: bytes) -> bool:
    if name in (b"curl", b"wget", b"http", b"https"):
        return b":" in value
    if name in (b"docker", b"podman", b"helm", b"az", b"oc", b"nats"):
        return not is_plain(value) and b":" not in value
    return value[:1] != b"-"


# --- Encodings.

MAX_DEPTH: Final = 4
"""How often a text may be encoded; what is more often is taken for a secret."""

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_BYTES: Final = {f"{byte:02x}".encode(): bytes([byte]) for byte in range(256)}


def unquoted(data: bytes) -> bytes:
    """Return bytes with ``%41`` and ``+`` read as in a form."""
    parts = data.replace(b"+", b" ").split(b"%")
    result = [parts[0]]
    for part in parts[1:]:
        byte = _BYTES.get(part[:2].lower())
        result.append(b"%" + part if byte is None else byte + part[2:])
    return b"".join(result)


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


_STEMS: Final = b"|".join(sorted({re.escape(stem) for stem in _stems()}))
_STEM: Final = compile_bytes(_STEMS)
_BASE64_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]*=*")


def encoded(data: bytes) -> Iterator[Span]:
    """Find base64 that tells of a secret: what it means is for the caller to look at."""
    at = 0
    while found := _STEM.search(data, at):
        head = data[at : found.start()]
        start = at + len(head.rstrip(_BASE64_BYTES))
        at = _end(_BASE64_RUN, data, found.end())
        yield start, at


# --- What may hold a secret.

_LOCATOR: Final = b"|".join(name.replace("-", "").encode() for name in LOCATORS)
_CLUES: Final = (
    rb"(?i:" + _PARAMETERS + rb")\]{0,2}=",
    rb"(?i:" + _PARAMETERS + rb"|signature)%3[Dd]",
    rb"(?i:" + _LOCATOR + rb")s?\\*[\"']:[\[{](?s:.)*(?i:" + _PARAMETERS + rb")\\*[\"']:",
    rb"://(?:[^\s\"\\<>]|\\.)*@",
    rb"(?i:bearer|basic)(?:[ \t]|\\t)",
    BOUNDARY + rb"(?:" + b"|".join(_FLAGS) + rb")(?:\.exe)?(?:[ \t]|\\t)",
    rb"base64:",
    rb"\\u(?:00[2-7]|0[1-9a-fA-F]|[1-9a-fA-F])",
    tokens.TOKEN,
    tokens.JWT,
    tokens.PRIVATE_KEY,
    digits.RUN,
    digits.IBAN,
    digits.SSN,
    LOOKALIKE,
    _STEMS,
)


_ORDINARY: Final = 16  # clues of one text that are looked at again before they count
_LABEL: Final = re.compile(
    rb"[\"'](?:" + "|".join(sorted(LABELS)).encode() + rb")\\*[\"']\Z", re.IGNORECASE
)
# A part of a name that is one of AWS: no value stands behind it (see _described).
_ARN: Final = re.compile(rb"arn:[a-z\-]+:secretsmanager:[a-z0-9\-]*:[0-9]*:\Z")


def _is_arn(data: bytes, start: int, end: int) -> bool:
    """Whether the colon behind a name joins it to no value (see `_described`)."""
    if data[start:end] != b"secret:" or not data[end : end + 1].isalnum():
        return False
    return _ARN.search(data, max(start - 80, 0), start) is not None


def _with_plus(pattern: bytes) -> bytes:
    """Return an expression that takes ``+`` wherever it takes a blank, as a form writes one."""
    result = bytearray()
    inside = escaped = negated = False
    for at, byte in enumerate(pattern):
        char = bytes((byte,))
        if char == b" " and not (inside and negated):
            char = b" +" if inside else b"[ +]"
        elif escaped:
            pass
        elif char == b"[" and not inside:
            inside, negated = True, pattern[at + 1 : at + 2] == b"^"
        elif char == b"]":
            inside = False
        escaped = char == b"\\" and not escaped
        result += char
    return bytes(result)


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return spans in order, with those that touch joined."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            if end > result[-1][1]:
                result[-1] = result[-1][0], end
        elif end > start:
            result.append((start, end))
    return result

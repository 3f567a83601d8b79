"""Where the secrets of a text are: the spans of all that is to be taken out.

Each finder goes over the text once. Its expressions run on RE2, or have a fixed length, and what
it looks at beyond a match it takes into the match; so none looks at a rest again, and the time
grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from chained_logging.redact import digits, tokens
from chained_logging.redact.assigned import ELEMENT, JOINED, JOINT, value_after
from chained_logging.redact.clues import CLUES, FORMS, LABEL, NAME, is_arn, is_mere_label, with_plus
from chained_logging.redact.commands import commands
from chained_logging.redact.encodings import MAX_DEPTH, unquoted
from chained_logging.redact.expression import Expression, Spans
from chained_logging.redact.names import MAYBE, NAME_CHARACTERS, Names, compile_bytes
from chained_logging.redact.plain import COUNTED, NO_VALUE, is_count, is_harmless
from chained_logging.redact.spans import MANY, MARK, Span, all_of, end_of, merged
from chained_logging.redact.urls import logins, parameters

_OPENED: Final = re.compile(rb"<(?:[\w.\-]{1,40}:)?\Z")
_TAG: Final = re.compile(rb"[^<>]{0,200}>")
_SIGNS: Final = frozenset({b"=", b":", b" ", b"\n"})
_SHORT: Final = 24
_QUERY: Final = re.compile(
    rb"(?:https?://[A-Za-z0-9.\-]+)?[A-Za-z0-9._~/\-]*\?"
    rb"([A-Za-z0-9_\-]{1,40}=[A-Za-z0-9._~/\-]*(?:&[A-Za-z0-9_\-]{1,40}=[A-Za-z0-9._~/\-]*)*)"
)
_LONGEST_QUERY: Final = 2_000
_SECRET: Final = b"x7hunter2"  # a value that is secret under any name that may be secret
_CACHE: Final = 4096
# When the value of a parameter is secret. Of one that is unsure, the value itself has a say.
_UNKNOWN, _UNSURE, _NEVER, _UNLESS_NONE, _ALWAYS = range(5)
_ORDINARY: Final = 16  # clues of one text that are looked at again before they count
_marked: Final = compile_bytes(b"|".join(FORMS))


def _has_clue(data: bytes, found: Spans | None, clue: Expression) -> bool:
    """Whether there is a clue other than the ordinary ones."""
    for _ in range(_ORDINARY):
        if found is None:
            return False
        start, end = found[0]
        first = data[start : start + 1]
        if b"0" <= first <= b"9" and not digits.may_be_secret(data[start:end]):
            at = end - 4  # its last digits may begin another one
        elif first == b'"' and is_mere_label(data, start, end):
            at = start + 1
        elif is_arn(data, start, end):
            at = end - 1  # so may the colon
        else:
            return True
        found = clue.find(data, at)
    return True


# Finders, and what is in each text in which they find something: a tenth of a search.
_FINDERS: Final = (
    (re.compile(b""), tokens.tokens),
    (re.compile(rb"eyJ"), tokens.web_tokens),
    (re.compile(rb"PRIVATE KEY|Private-Lines"), tokens.private_keys),
    (re.compile(rb"[Bb][AaEe][AaSs]"), tokens.credentials),  # bearer, basic
    (re.compile(rb"[ \t]"), commands),
    (re.compile(rb"[A-Z][0-9]"), digits.ibans),
    (re.compile(rb"-[0-9][0-9]-"), digits.social_security_numbers),
)
_DIGITS: Final = re.compile(rb"[0-9][^A-Za-z]{13}")


def _formed(data: bytes, cards: bool) -> Iterator[Span]:
    """Find secrets that have a form of their own, whatever is before them."""
    for needed, finder in _FINDERS:
        if needed.search(data):
            yield from finder(data)
    if _DIGITS.search(data):
        yield from digits.cards(data, cards)


class Scanner:
    """Finds the secrets in texts.

    :param names: judges names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._verdicts: dict[bytes, int] = {}
        # A name and what joins it to its value; a name in quotation marks with a value beside it.
        name = names.expression
        given = rb"(?:[^\"'`]*" + name + b"|" + names.loose + b")"
        last = rb"\\*[\"'`][ \t]*[,}]"
        beside = rb"[\"'`]" + given + last
        # In an object a text that is a value names another one only under a label.
        item = rb"(?:[^:]\"|['`])" + given + last
        label = LABEL + rb"(?:" + NAME + rb"*" + name + b"|" + names.loose + rb")\"[,}]"
        joined = rb"(?:" + JOINED + rb"|\\*[\"'`],)"
        self._named = compile_bytes(name + joined)
        self._open_schemes = self._named.find(b"http://https://") is None
        self._parted = compile_bytes(rb"(" + name + rb")" + joined)
        self._clue = compile_bytes(with_plus(b"|".join((name + JOINED, beside, *CLUES))))
        members = (name + JOINED, item, label, *CLUES)
        self._clue_of_members = compile_bytes(with_plus(b"|".join(members)))

    def may_hold(self, data: bytes) -> bool:
        """Tell by one search whether a text may hold a secret.

        Where it says that it does not, the careful way finds nothing either.
        """
        found = self._clue.find(data)
        if found is None and b"%" not in data:  # the usual case
            return False
        return self._tells(data, found, self._clue)

    def members_may_hold(self, data: bytes) -> bool:
        """Tell the same of JSON without blanks, as `orjson` writes it.

        There a string that is a member's value is followed by another member, not by a value that
        belongs to it, unless the string is a label: ``{"name":"Cookie","value":"…"}``.
        """
        found = self._clue_of_members.find(data)
        if found is None and b"%" not in data:  # the usual case
            return False
        return self._tells(data, found, self._clue_of_members)

    def _tells(self, data: bytes, found: Spans | None, clue: Expression) -> bool:
        for _ in range(MAX_DEPTH):
            if _has_clue(data, found, clue):
                return True
            if b"%" not in data:  # what "+" stands for, the expression knows
                return False
            plain = unquoted(data)
            if plain == data:
                return False
            data = plain
            found = clue.find(data)
        return True

    @staticmethod
    def is_marked(data: bytes) -> bool:
        """Tell by one search whether a text may hold a secret with a form of its own, or base64."""
        return _marked.find(data) is not None

    def spans(
        self, data: bytes, *, url: bool = False, cards: bool = True, marked: bool = True
    ) -> list[Span] | None:
        """Return what is to be taken out of a text, in order; None if that is all of it.

        :param data: the text's :func:`chained_logging.redact.names.shadow`.
        :param url: whether the text is a URL, or a part of one.
        :param cards: whether a bare number may be a card's.
        :param marked: whether :meth:`is_marked` says that there may be secrets with a form of
            their own.
        """
        if url and not marked:
            quick = self._in_query(data)
            if quick is not None:
                return quick
        found = [*self._values(data), *parameters(data, url), *logins(data)]
        if marked:
            found += islice(_formed(data, cards), MANY + 1)
        return None if len(found) > MANY else merged(found)

    def _in_query(self, data: bytes) -> list[Span] | None:
        """Return the secrets of a URL that is all letters and digits; None for any other text."""
        found = _QUERY.fullmatch(data) if len(data) <= _LONGEST_QUERY else None
        if found is None or not self._open_schemes:
            return None
        spans = []
        end = found.start(1) - 1
        for part in found[1].split(b"&"):
            name, _, value = part.partition(b"=")
            end += len(part) + 1
            verdict = self._verdicts.get(name, _UNKNOWN)
            if verdict == _UNKNOWN:
                verdict = self._verdict(name)
            if verdict == _UNSURE:
                return None
            if verdict == _NEVER or not value:
                continue
            if verdict == _ALWAYS or len(value) > _SHORT or not NO_VALUE.match(value):
                spans.append((end - len(value), end))
        return spans

    def _verdict(self, name: bytes) -> int:
        """Return when the value of a parameter is secret, and remember it."""
        example = b"?%b=%b" % (name, _SECRET)
        verdict = _NEVER
        if list(parameters(example, url=True)):
            verdict = _ALWAYS
        elif list(self._values(example)):
            unsure = is_count(name) or self._names.kind(name.decode()) == MAYBE
            verdict = _UNSURE if unsure else _UNLESS_NONE
        if len(self._verdicts) >= _CACHE:
            self._verdicts.clear()
        self._verdicts[name] = verdict
        return verdict

    def _values(self, data: bytes) -> Iterator[Span]:
        """Find values that follow a secret name and are joined to it."""
        at = 0
        for _ in range(MANY):
            found = self._named.find(data, at) if at < len(data) else None
            if found is None:
                return
            end = self._end_of_name(data, *found[0])
            span = self._value(data, at, end)
            if span is None:
                at = end
                continue
            at = max(span[1], end)
            if span[1] > span[0] and data[span[0] : span[1]] != MARK:
                yield span
        yield from all_of(data)

    def _end_of_name(self, data: bytes, start: int, end: int) -> int:
        """Return where the name ends in what was found: mostly before a sign alone."""
        if data[end - 1 : end] in _SIGNS and data[end - 2 : end - 1].isalnum():
            return end - 1
        found = self._parted.find(data, start)
        return found[1][1] if found else end

    def _value(self, data: bytes, at: int, end: int) -> Span | None:
        joint = JOINT.match(data, end)
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
            span = (tag.end(), end_of(ELEMENT, data, tag.end())) if tag else None
        else:
            span = value_after(data, joint, name, bare[-1:]) if joint else None
        if span is None:
            return None
        value = data[span[0] : span[1]]
        if len(value) <= _SHORT and NO_VALUE.match(value):
            return None
        if self._names.kind(text) == MAYBE and is_harmless(value):
            return None
        if is_count(name.rstrip(b"])")) and COUNTED.match(value):
            return None
        return span

"""The parts of which the text formats of C2SP are made, each with one spelling.

What is parsed and formatted again gives the same bytes, and what would not is refused. So base64 is
that of RFC 4648 section 4 with its padding and without stray bits, and a number has no leading
zero.
"""

from __future__ import annotations

import base64
import re

from chained_logging.errors import ChainedLoggingError


class NoteError(ChainedLoggingError, ValueError):
    """Something is not in its format, or a signature does not hold."""


_CONTROL = re.compile("[\0-\x09\x0b-\x1f]")
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")


def check_text(text: str, what: str) -> None:
    """Refuse what C2SP ``signed-note`` bars from a note: no UTF-8, or controls below U+0020.

    :param what: names the text in the error.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError(f"{what} has a lone surrogate, which has no UTF-8") from None
    if _CONTROL.search(text):
        raise NoteError(f"{what} has a control character")


def check_name(name: str) -> None:
    """Refuse what C2SP ``signed-note`` bars from a key's name, and all that splits a line."""
    check_text(name, "the name of a key")
    if not name or "+" in name or any(map(str.isspace, name)):
        raise NoteError("the name of a key is empty or has a space or a plus in it")


def to_base64(data: bytes) -> str:
    """Return the base64 of RFC 4648 section 4, with padding."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str) -> bytes:
    """Return the bytes of a base64 text.

    :param what: names the text in the error.
    :raises NoteError: if :func:`to_base64` would not return this text.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteError(f"{what} is not base64") from None
    # The decoder lets the unused bits of the last character be anything.
    if to_base64(data) != text:
        raise NoteError(f"{what} is not base64 in its one form")
    return data


def to_number(text: str, what: str) -> int:
    """Return the number that a text of 1 to 19 decimal digits states.

    :param what: names the text in the error.
    :raises NoteError: if it is no such number, or has a leading zero.
    """
    if not _NUMBER.fullmatch(text):
        raise NoteError(f"{what} is not a decimal number of at most 19 digits")
    return int(text)

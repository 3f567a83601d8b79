"""The head of an HTTP/1.1 request, read without leniency (RFC 9112).

Two programs that read one head differently can be played off against each other. So whatever
RFC 9112 lets a server mend is refused here: a bare LF or CR, a folded line, two Content-Length
headers even if they agree, a transfer coding, white space before a colon, a byte order mark.

The standard library's parser and `h11` take most of these (`h11` a bare LF, folded lines and equal
lengths); to look for them beforehand would be the same work as to read the head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chained_logging.errors import ChainedLoggingError

MAX_HEAD: Final = 16_384
"""Bytes in a request line and all header fields."""
MAX_FIELDS: Final = 100

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/([0-9]\.[0-9])")
_FIELD: Final = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)")
_ONCE: Final = frozenset(
    ("authorization", "content-length", "content-type", "expect", "host", "transfer-encoding")
)


class BadRequest(ChainedLoggingError, ValueError):
    """A head that is refused.

    :ivar status: the HTTP status of the answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a request before its body."""

    method: str
    target: str
    """As it was sent: a path with its query, from a client that asks no proxy."""
    headers: Mapping[str, str]
    """By name in lower case. Several fields of one name are joined by commas."""
    keep_alive: bool
    length: int
    """The bytes of the body."""

    def media_type(self) -> str:
        """Return the content type in lower case, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_line(line: bytes) -> None:
    """Refuse a line of a head that does not end with CRLF, or holds another CR.

    :raises BadRequest: so that it is answered at once, not when the head is whole.
    """
    if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
        raise BadRequest(400, "lines must end with CRLF, and hold no other CR or LF")


def parse_head(lines: list[bytes]) -> Head:
    """Parse a head from its lines, given without their CRLF.

    :raises BadRequest: if they are none, or one that is not served here.
    """
    match = _REQUEST_LINE.fullmatch(lines[0]) if lines else None
    if match is None:
        raise BadRequest(400, "the request line must be METHOD TARGET HTTP/1.1")
    version = match[3].decode()
    if version not in ("1.0", "1.1"):
        raise BadRequest(505, "the version must be HTTP/1.1")
    headers = _fields(lines[1:])
    if version == "1.1" and not headers.get("host"):
        raise BadRequest(400, "a request must have a Host header")
    connection = [each.strip().lower() for each in headers.get("connection", "").split(",")]
    keep_alive = version == "1.1" and "close" not in connection
    method, target = match[1].decode(), match[2].decode()
    return Head(method, target, headers, keep_alive, _length(method, headers))


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_FIELDS:
        raise BadRequest(431, f"a request must have at most {MAX_FIELDS} header fields")
    headers: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise BadRequest(400, "a header field must be Name: value on one line")
        name, value = match[1].decode().lower(), match[2].strip(b" \t").decode("latin-1")
        if name in headers:
            if name in _ONCE:
                raise BadRequest(400, f"a request must not have two {name} headers")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _length(method: str, headers: Mapping[str, str]) -> int:
    given = headers.get("content-length")
    if "transfer-encoding" in headers:
        if given is not None:
            raise BadRequest(400, "a request must not have Content-Length and Transfer-Encoding")
        raise BadRequest(411, "a request must have a Content-Length, not a Transfer-Encoding")
    if given is None:
        if method in ("POST", "PUT", "PATCH"):
            raise BadRequest(411, "a request must have a Content-Length")
        return 0
    if not re.fullmatch("[0-9]{1,19}", given):
        raise BadRequest(400, "the Content-Length must be a number of at most 19 digits")
    return int(given)

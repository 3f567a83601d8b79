"""Headers, as servers give them, and what of them may be logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any


def digest(secret: str) -> str:
    """Return what the log stores instead of a secret value, such as a session's key."""
    return f"sha256:{sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def header_text(value: bytes) -> str:
    """Return a header's bytes as text, with bytes that are not UTF-8 as escapes (``\\xff``)."""
    return value.decode("utf-8", "backslashreplace")


def environ_header(environ: Mapping[str, Any]) -> Callable[[str], str | None]:
    """Return a reader of headers in a WSGI environ, or in Django's ``META``."""

    def header(name: str) -> str | None:
        key = name.upper().replace("-", "_")
        value = environ.get(key if key == "CONTENT_TYPE" else f"HTTP_{key}")  # PEP 3333
        return header_text(str(value).encode("latin-1", "replace")) if value is not None else None

    return header


def content_length(headers: Iterable[tuple[Any, Any]]) -> int | None:
    """Return the Content-Length among headers, of text or bytes."""
    for name, value in headers:
        if len(name) == 14 and name.lower() in ("content-length", b"content-length"):
            try:
                return int(value)
            except ValueError:
                return None
    return None


def location(headers: Iterable[tuple[Any, Any]]) -> str | None:
    """Return the Location among headers, of text or bytes."""
    for name, value in headers:
        if len(name) == 8 and name.lower() in ("location", b"location"):
            return header_text(value) if isinstance(value, bytes) else str(value)
    return None


def cookie(header: str | None, name: str) -> str | None:
    """Return a cookie of that name from a Cookie header."""
    for pair in (header or "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return None


def has_no_body(method: str, status: int | None, length: int | None) -> bool:
    """Whether the client has the whole answer with its head."""
    return method == "HEAD" or status in (204, 304) or length == 0


def redirects(status: int | None) -> bool:
    """Whether a status sends the client to another page (RFC 9110, section 15.4)."""
    return status is not None and 300 < status < 400 and status != 304

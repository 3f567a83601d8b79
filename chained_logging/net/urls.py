"""URLs with credentials in them: read strictly, shown without.

A password with an unencoded ``@``, ``/``, ``?`` or ``#`` in it makes parsers take its rest for a
host, a port, a path or a parameter, and name that in their errors. So such a URL is refused before
any parser sees it, with a reason that quotes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_FORM: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*@|://|pass(?:word|wd|file)?\s*=", re.I)
_ENCODED: Final = "@ is written %40, / %2F, : %3A, ? %3F, # %23, % %25, a blank %20"


def checked(url: str) -> str:
    """Return a URL in which it is certain what the password is.

    :raises ValueError: if it is not: the reason quotes nothing of it.
    """
    found = _FORM.fullmatch(url)
    if found is None:
        raise ValueError("a URL must begin with its scheme, such as postgresql://")
    if re.search(r"[\x00-\x20\x7f\\\"<>^`{|}]", url):
        raise ValueError(f"a URL must not hold blanks, quotes or backslashes: {_ENCODED}")
    authority, rest = found[2], found[3]
    if authority.count("@") > 1 or "@" in rest:
        raise ValueError(f"the password in a URL must be percent-encoded: {_ENCODED}")
    if re.search(r"%(?![0-9A-Fa-f]{2})", url):
        raise ValueError("a % in a URL must be written %25")
    host = authority.rpartition("@")[2]
    if host.count("[") != host.count("]"):
        raise ValueError("an IPv6 address in a URL must be in brackets: [::1]")
    return url


def shown(url: str) -> str:
    """Return a URL, however malformed, without its user, password, parameters and fragment."""
    scheme, found, rest = url.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return "…"
    rest = rest.rpartition("@")[2]
    return f"{scheme}://{re.split(r'[?#]', rest)[0]}"


def is_address(argument: str) -> bool:
    """Whether what was given as a file looks like a URL or a connection string."""
    return _ADDRESS.search(argument) is not None


def without(text: str, secrets: Iterable[str | None]) -> str:
    """Return a text, such as a driver's error, without these secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text

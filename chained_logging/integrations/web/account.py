"""The account that an attempt to sign in names, in the form that it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final
from urllib.parse import parse_qsl

ACCOUNT_FIELDS: Final = (
    *("username", "email", "login", "user", "user_name", "userid", "user_id"),
    *("account", "identifier", "phone"),
)
_MAX_ACCOUNT: Final = 256  # characters
_MAX_BODY: Final = 16_384  # bytes that are looked at


class Attempt:
    """An attempt to sign in: keeps the beginning of the request's body, for the account in it.

    :param certain: whether the path alone says that it is one.
    """

    def __init__(self, fields: tuple[str, ...], certain: bool) -> None:
        self.certain = certain
        self._fields = fields
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Look at a part of the body."""
        self._body += data[: _MAX_BODY - len(self._body)]

    def account(self, content_type: str | None) -> str | None:
        """Return the account that the body names."""
        try:
            return account_in(_parsed(bytes(self._body), content_type or ""), self._fields)
        except (ValueError, LookupError, RecursionError):
            return None


def account_in(form: Any, fields: Iterable[str] = ACCOUNT_FIELDS) -> str | None:
    """Return the account that a form names: the first of these fields with a text in it."""
    if not isinstance(form, Mapping):
        return None
    for name in fields:
        value = form.get(name)
        if isinstance(value, Mapping):  # {"user": {"email": …}}
            value = account_in(value, fields)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_MAX_ACCOUNT]
    return None


def _parsed(body: bytes, content_type: str) -> Any:
    """Return the fields of a form's body.

    :raises ValueError: if it is not well formed.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=100))
    if kind == "application/json":
        return json.loads(body)
    if kind == "multipart/form-data":
        return _parts(body, content_type)
    return None


def _parts(body: bytes, content_type: str) -> dict[str, str]:
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    found = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            found[name] = part.get_content() if part.get_content_maintype() == "text" else ""
    return found

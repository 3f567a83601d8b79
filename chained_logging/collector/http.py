"""The collector's HTTP: one path, for clients on this machine that have the token."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from chained_logging.collector.events import numbered, to_lines
from chained_logging.collector.lines import BATCH
from chained_logging.collector.store import Store
from chained_logging.errors import ForeignFile
from chained_logging.event.input import MAX_LINE, TOO_LONG
from chained_logging.net.head import Head
from chained_logging.net.server import Admission, Request, Response

MAX_REQUEST: Final = 4 * MAX_LINE
"""Bytes in the body of one HTTP request."""
MIN_TOKEN: Final = 16
"""The least number of characters in the token."""
_NDJSON: Final = "application/x-ndjson"
_CHARSET: Final = re.compile("charset *= *[\"']?([^\"'; ]*)", re.I)


def loopback(host: str, port: int) -> tuple[str, int]:
    """Return an address to listen on.

    :raises ValueError: if other machines could reach it.
    """
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ValueError(f"HTTP must stay on this machine: {host!r} is not a loopback address")
    return host, port


class Events:
    """``POST /v1/events``, for :class:`~chained_logging.net.server.HttpServer`.

    :param store: where events go.
    :param token: what clients send as ``Authorization: Bearer``.
    """

    def __init__(self, store: Store, token: bytes) -> None:
        self._store = store
        self._token = token

    def admit(self, head: Head) -> Admission | Response:
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        given = token.strip().encode("latin-1")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            reason = "the request needs the right bearer token"
            return self.refuse(401, reason, ("WWW-Authenticate", "Bearer"))
        if head.target != "/v1/events":
            return self.refuse(404, "post events to /v1/events")
        if head.method != "POST":
            return self.refuse(405, "post events to /v1/events", ("Allow", "POST"))
        if head.media_type() not in ("application/json", _NDJSON, "application/jsonl"):
            return self.refuse(415, "the body must be application/json or application/x-ndjson")
        charset = _CHARSET.search(head.headers["content-type"])
        if charset and charset[1].lower() not in ("utf-8", "utf8"):
            return self.refuse(415, "the body must be in UTF-8")
        return Admission(MAX_REQUEST, known=True)

    def answer(self, request: Request) -> Response:
        lines: list[bytes | str] = [request.body]
        if request.head.media_type() != "application/json":
            lines = [line for line in request.body.split(b"\n") if line.strip()]
        checked = [line if len(line) <= MAX_LINE else TOO_LONG for line in lines]
        peer = {"transport": "http", "address": request.address}
        answers: list[dict[str, Any]] = []
        for start in range(0, len(checked), BATCH):
            answers += self._store.store(checked[start : start + BATCH], peer)
        numbered(answers)
        status = 201
        if any(answer.get("retry") for answer in answers):
            status = 503
        elif any("error" in answer for answer in answers):
            status = 400
        return self._response(status, answers)

    def refuse(self, status: int, reason: str, *headers: tuple[str, str]) -> Response:
        return self._response(status, [{"error": reason}], *headers)

    def _response(
        self, status: int, answers: Sequence[Mapping[str, Any]], *headers: tuple[str, str]
    ) -> Response:
        if status == 503:
            headers += (("Retry-After", "1"),)
        return Response(status, to_lines(answers), _NDJSON, headers)


def read_token(path: str | os.PathLike[str]) -> str:
    """Return the token in the first line of a file that only its owner can read.

    :raises OSError: if the file cannot be read.
    :raises ForeignFile: if others may read it.
    :raises ValueError: if the token is too short or not ASCII.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ForeignFile(f"{path} must be readable by its owner only: chmod 600 {path}")
        token = file.readline(4096).strip()
    if len(token) < MIN_TOKEN or not token.isascii():
        raise ValueError(
            f"the first line of {path} must be a token of at least {MIN_TOKEN} ASCII characters"
        )
    return token.decode()

"""Entries as they are read, and what says that one could not be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from chained_logging.errors import ChainedLoggingError
from chained_logging.event.fields import FIELDS
from chained_logging.format.line import split_line, stored_line


class InvalidEntry(ChainedLoggingError, ValueError):
    """An event that a strict log refused, before anything was written.

    :ivar problems: what is wrong, by field: ``{"ip_address": "is not an IPv4 or IPv6 address"}``.
        The values themselves are left out: they do not belong in an error message.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{field} {reason}" for field, reason in problems.items()))

    def __reduce__(self) -> tuple[type[InvalidEntry], tuple[dict[str, str]]]:
        return InvalidEntry, (self.problems,)


class AuditId(str):
    """The ``id`` of an entry, as it is put into the ordinary log line.

    Its own type also shows that the event has been recorded already, which no caller's string can
    show.

    :ivar logs: the paths of the logs that have the event. The id is that of the first one's entry.
    :ivar given: what the caller had under this name.
    """

    __slots__ = ("given", "logs")
    logs: tuple[object, ...]
    given: object

    def __new__(cls, id: str, logs: tuple[object, ...] = (), given: object = None) -> AuditId:
        made = str.__new__(cls, id)  # half the time of super()
        made.logs = logs
        made.given = given
        return made

    def __getnewargs__(self) -> tuple[str, tuple[object, ...], object]:  # type: ignore[override]
        return str(self), self.logs, self.given


class AuditEntry:
    """One entry, as stored or, with ``seq`` None, as it waits to be stored.

    Fields are attributes (``entry.actor_id``, None where an optional one is
    absent) and, as plain JSON values, ``entry.fields``.
    """

    __slots__ = ("_fields", "body", "hash", "signature")

    def __init__(self, body: bytes, hash: str | None, signature: str | None = None) -> None:
        self.body = body
        self.hash = hash
        self.signature = signature
        self._fields: dict[str, Any] | None = None

    @classmethod
    def from_line(cls, line: bytes) -> AuditEntry:
        """Read a stored line, without its line feed.

        :raises ValueError: if it has not the form of one. Its hash is not
            checked here; :mod:`chained_logging.verify` does that.
        """
        return cls(*split_line(line))

    @property
    def fields(self) -> dict[str, Any]:
        """The body as parsed JSON.

        :raises ValueError: if it is not an object, or nested deeper than can be read.
        """
        if self._fields is None:
            found = _parsed(self.body)
            if not isinstance(found, dict):
                raise ValueError("its body is not a JSON object")
            self._fields = found
            if self.hash is None:  # it has no position in the chain yet
                del self._fields["seq"], self._fields["prev_hash"]
        return self._fields

    @property
    def line(self) -> bytes:
        """The stored line, without its line feed; the bare body while it waits."""
        return stored_line(self.body, self.hash, self.signature) if self.hash else self.body

    @property
    def incomplete(self) -> bool:
        """Whether a field was missing or not valid: ``context.invalid`` says which."""
        return "invalid" in self.context

    def __getattr__(self, name: str) -> Any:
        if name in _ENTRY_FIELDS:
            return self.fields.get(name)
        raise AttributeError(f"an audit entry has no field {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuditEntry) and self.line == other.line

    def __hash__(self) -> int:
        return hash(self.body)

    def __repr__(self) -> str:
        return f"<AuditEntry {self.seq} {self.action!r} {self.id}>"


def _parsed(body: bytes) -> Any:
    """Return what a body holds. What orjson refuses, such as a lone surrogate, no log wrote."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None


_ENTRY_FIELDS = frozenset({*FIELDS, "context", "id", "prev_hash", "seq", "v"})

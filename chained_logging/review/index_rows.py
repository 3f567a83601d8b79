"""From stored entries to the rows of an index: the hot path of building one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from chained_logging.errors import NotAnEntry
from chained_logging.event.entry import AuditEntry
from chained_logging.event.legible import require_legible
from chained_logging.format.canonical import MAX_SAFE_INTEGER
from chained_logging.format.record import EMPTY, Head
from chained_logging.review import names
from chained_logging.review.filter import COLUMNS
from chained_logging.review.sources import Found
from chained_logging.review.terms import LETTERS

BLOCK: Final = 10
"""A block of ``spans`` holds two to the power of this many entries."""
INCOMPLETE: Final = LETTERS["incomplete"]
"""The token of an incomplete entry."""

_COLUMNS: Final = (
    *("actor_id", "actor_type", "on_behalf_of", "action", "resource_type", "resource_id"),
    *("result", "ip_address", "user_agent", "session_id", "tenant_id"),
)
_LONG: Final = 200  # characters of a part of a parameter
_LONGEST_KEPT: Final = 4_000  # characters of a token


def token(field: str, value: str) -> str:
    """Return the token that stands for a value in a field of a filter."""
    return LETTERS[field] + _hex(value)


def record_token(kind: str | None, id: str) -> str:
    """Return the token for a record; without a type, how those of all records with an id begin."""
    return f"x{_hex(id)}y{'' if kind is None else _hex(kind)}"


def parameter_token(kind: str, id: str) -> str:
    """Return the token for a record that a request has as a parameter.

    Many parameters may share one long literal, so what is long is its hash.
    """
    return f"z{_short(id)}y{_short(kind)}"


def type_token(kind: str) -> str:
    """Return the token for the type of a record."""
    return f"y{_hex(kind)}"


def _hex(value: str) -> str:
    # A lone surrogate, which no log has, may be asked for.
    return value.encode("utf-8", "surrogatepass").hex()


def _short(value: str) -> str:
    if len(value) > _LONG:
        return "h" + sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return _hex(value)


class _Remembered(dict[Any, str]):
    """Tokens that were made before. Long ones, of which somebody may send many, are not kept."""

    def keep(self, key: Any, made: str) -> str:
        if len(made) > _LONGEST_KEPT:
            return made
        if len(self) > 50_000:
            self.clear()
        self[key] = made
        return made


class _Tokens(_Remembered):
    """Tokens of one field, by value: many entries have the same few."""

    def __init__(self, letter: str) -> None:
        self._letter = letter

    def __missing__(self, value: str) -> str:
        return self.keep(value, self._letter + value.encode().hex())


_SHARED: Final = ("actor_type", "action", "result", "user_agent", "tenant", "on_behalf_of")


def _shared_by(entry: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return the values that many entries share."""
    return (
        *(entry["actor_type"], entry["action"], entry["result"]),
        *(entry.get("user_agent"), entry.get("tenant_id"), entry.get("on_behalf_of")),
    )


class _Shared(_Remembered):
    """Tokens of the fields :data:`_SHARED`, by their values."""

    def __missing__(self, values: tuple[str | None, ...]) -> str:
        pairs = zip(_SHARED, values, strict=True)
        made = " ".join(token(name, value) for name, value in pairs if value is not None)
        return self.keep(values, made)


class Rows(NamedTuple):
    """What is inserted for some entries.

    :ivar spans: blocks, each with the earliest and the latest time in it.
    """

    entries: list[tuple[Any, ...]]
    words: list[tuple[int, str, str]]
    spans: list[tuple[int, str, str]]


class RowMaker:
    """Makes rows of entries in order, and checks on the way that they are a chain.

    :param head: the last entry before.
    :param fault: the first fault that was found before.
    :ivar head: the last entry.
    :ivar fault: the first fault that was found, in words; None if all is well.
    """

    def __init__(self, head: Head, fault: str | None = None) -> None:
        self.head = head
        self.fault = fault
        self._own = [(COLUMNS[name], _Tokens(LETTERS[name])) for name in ("actor", "ip", "session")]
        self._shared = _Shared()
        self._types = _Tokens("y")

    def rows(self, found: Iterable[Found]) -> Rows:
        """Return the rows for entries.

        :raises ValueError: at what was not written by a log.
        """
        made = Rows([], [], [])
        for place, body, hash, stub in found:
            try:
                if stub is None:
                    self._add(made, place, body, hash)
                else:  # it is counted in the chain, and not found
                    self._check(stub, None, hash, hash)
            except (AttributeError, KeyError, TypeError, ValueError) as problem:
                require_legible(AuditEntry(body, hash))
                raise NotAnEntry(f"an entry was not written by a log: {problem}") from None
        made.spans.extend(_spans(made.entries))
        return made

    def _add(self, made: Rows, place: int, body: bytes, hash: str) -> None:
        entry = orjson.loads(body)
        seq = entry["seq"]
        digest = sha256(b"\0" + body).digest()
        self._check(seq, entry["prev_hash"], hash, digest.hex())
        context, changed = entry["context"], entry.get("changed_fields")
        timestamp = entry["timestamp"]
        incomplete = "invalid" in context
        if (
            type(context) is not dict
            or type(timestamp) is not str
            or (incomplete and type(context["invalid"]) is not dict)
        ):
            raise TypeError
        id = bytes.fromhex(entry["id"].replace("-", ""))
        trace = entry.get("trace_id")
        if trace is not None:
            trace = bytes.fromhex(trace)
        exact = self._exact(entry)
        if changed is not None:
            exact += [token("changed", name) for name in changed]
            changed = orjson.dumps(changed).decode()
        if incomplete:
            exact.append(INCOMPLETE)
        made.entries.append(
            (
                *(seq, place, digest, id, trace, timestamp),
                *map(entry.get, _COLUMNS),
                changed,
            )
        )
        made.words.append((seq, names.words(entry), " ".join(exact)))

    def _exact(self, entry: Mapping[str, Any]) -> list[str]:
        found = [self._shared[_shared_by(entry)]]
        for name, tokens in self._own:
            value = entry.get(name)
            if value is not None:
                found.append(tokens[value])
        for kind, id in names.records(entry):
            found.append(f"x{id.encode().hex()}{self._types[kind]}")
            found.append(self._types[kind])
        if "params" in entry["context"]:
            for kind, id in names.parameters(entry["context"]):
                found.append(parameter_token(kind, id))
        return found

    def _check(self, seq: int, prev: str | None, hash: str, own: str) -> None:
        """Note the first fault of the chain. The verifier names them all.

        :param prev: the hash before; None where it is not known.
        """
        last, self.head = self.head, Head(seq, hash)
        if type(seq) is not int or not last.seq < seq <= MAX_SAFE_INTEGER:
            raise ValueError(f"its seq is {seq}, after {last.seq}")
        if own == hash and seq == last.seq + 1 and prev in (None, last.hash):
            return
        if own != hash:
            self.fault = self.fault or f"the hash of entry {seq} is not that of its content"
        elif last != EMPTY:
            self.fault = self.fault or f"entry {seq} does not follow entry {last.seq}"


def _spans(entries: list[tuple[Any, ...]]) -> Iterator[tuple[int, str, str]]:
    for block, rows in itertools.groupby(entries, lambda row: row[0] >> BLOCK):
        times = [row[5] for row in rows]
        yield block, min(times), max(times)

"""From stored entries to the rows of an index: the hot path of building one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from chained_logging.errors import NotAnEntry
from chained_logging.event.entry import AuditEntry
from chained_logging.event.legible import require_legible
from chained_logging.format.canonical import MAX_SAFE_INTEGER
from chained_logging.format.record import EMPTY, Head
from chained_logging.review import names
from chained_logging.review.sources import Found
from chained_logging.review.terms import LETTERS

BLOCK: Final = 10
"""A block of ``spans`` holds two to the power of this many entries."""
INCOMPLETE: Final = "_" + LETTERS["incomplete"]
"""The token of an incomplete entry."""

_LONG: Final = 200  # characters of a part of a parameter
_KEPT: Final = 50_000  # of _Shared
_LONGEST_KEPT: Final = 4_000  # characters of the tokens in one


def token(field: str, value: str) -> str:
    """Return the token that stands for a value in a field of a filter."""
    return f"_{LETTERS[field]}{_hex(value)}"


def record_token(kind: str | None, id: str) -> str:
    """Return the token for a record; without a type, how those of all records with an id begin."""
    return f"_x{_hex(id)}y{'' if kind is None else _hex(kind)}"


def parameter_token(kind: str, id: str) -> str:
    """Return the token for a record that a request has as a parameter.

    Many parameters may share one long literal, so what is long is its hash.
    """
    return f"_z{_short(id)}y{_short(kind)}"


def type_token(kind: str) -> str:
    """Return the token for the type of a record."""
    return f"_y{_hex(kind)}"


def _hex(value: str) -> str:
    # A lone surrogate, which no log has, may be asked for.
    return value.encode("utf-8", "surrogatepass").hex()


def _short(value: str) -> str:
    if len(value) > _LONG:
        return "h" + sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return _hex(value)


_SHARED: Final = (
    *("actor_type", "on_behalf_of", "action", "type", "result", "user_agent", "tenant"),
)
"""The fields whose values many entries share: the columns of the table ``shared``."""


class _Shared(dict[tuple[Any, ...], tuple[int, str, str]]):
    """For values of the fields :data:`_SHARED`: where they are, their tokens, that of the type.

    Values are noted again if they were forgotten: nothing but space depends on it.

    :ivar rows: what was noted, for the table ``shared``.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def note(self, seq: int, values: tuple[Any, ...]) -> tuple[int, str, str]:
        """Note values that an entry is the first to have."""
        pairs = zip(_SHARED, values, strict=True)
        tokens = " ".join(token(name, value) for name, value in pairs if value is not None)
        made = seq, tokens, type_token(values[3])
        self.rows.append((seq, *values))
        if len(tokens) <= _LONGEST_KEPT:  # many long ones may come
            if len(self) >= _KEPT:
                self.clear()
            self[values] = made
        return made


class Rows(NamedTuple):
    """What is inserted for some entries.

    :ivar spans: blocks, each with the earliest and the latest time in it.
    :ivar shared: values that entries have, each with the ``seq`` of the first one.
    """

    entries: list[tuple[Any, ...]]
    words: list[tuple[int, str]]
    spans: list[tuple[int, str, str]]
    shared: list[tuple[Any, ...]]


_own: Final = itemgetter(
    *("seq", "prev_hash", "id", "timestamp"),
    *("actor_id", "action", "resource_type", "resource_id", "result", "context"),
)


class RowMaker:
    """Makes rows of entries in order, and checks on the way that they are a chain.

    :param head: the last entry before.
    :param fault: the first fault that was found before.
    :ivar fault: the first fault that was found, in words; None if all is well.
    """

    def __init__(self, head: Head, fault: str | None = None) -> None:
        self.fault = fault
        self._seq, self._hash = head
        self._shared = _Shared()

    @property
    def head(self) -> Head:
        """The last entry."""
        return Head(self._seq, self._hash)

    def rows(self, found: Iterable[Found]) -> Rows:
        """Return the rows for entries.

        :raises ValueError: at what was not written by a log.
        """
        self._shared.rows = []
        made = Rows([], [], [], self._shared.rows)
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
        """Add the rows of an entry. Most of the time of making an index is spent here."""
        entry = orjson.loads(body)
        seq, prev, id, timestamp, actor, action, kind, resource, result, context = _own(entry)
        get = entry.get
        digest = sha256(b"\0" + body).digest()
        self._check(seq, prev, hash, digest.hex())
        if type(context) is not dict or type(timestamp) is not str:
            raise TypeError
        values = (
            *(entry["actor_type"], get("on_behalf_of"), action, kind, result),
            *(get("user_agent"), get("tenant_id")),
        )
        shared, tokens, of_type = self._shared.get(values) or self._shared.note(seq, values)
        ip, session, trace, changed = map(get, _OPTIONAL)
        exact = f"{tokens} _a{actor.encode().hex()} _x{resource.encode().hex()}{of_type[1:]}"
        if ip is not None:
            exact += f" _p{ip.encode().hex()}"
        if session is not None:
            exact += f" _s{session.encode().hex()}"
        if not _RARE.isdisjoint(context) or not _LISTS.isdisjoint(entry):
            exact += "".join(f" {one}" for one in _further(entry))
        made.entries.append(
            (
                *(seq, place, digest, bytes.fromhex(id.replace("-", ""))),
                None if trace is None else bytes.fromhex(trace),
                *(timestamp, actor, resource, ip, session),
                None if changed is None else orjson.dumps(changed).decode(),
                shared,
            )
        )
        made.words.append((seq, f"{names.words(entry).replace('_', ' ')} {exact}"))

    def _check(self, seq: int, prev: str | None, hash: str, own: str) -> None:
        """Note the first fault of the chain. The verifier names them all.

        :param prev: the hash before; None where it is not known.
        """
        last_seq, last_hash = self._seq, self._hash
        self._seq, self._hash = seq, hash
        if type(seq) is not int or not last_seq < seq <= MAX_SAFE_INTEGER:
            raise ValueError(f"its seq is {seq}, after {last_seq}")
        if own == hash and seq == last_seq + 1 and prev in (None, last_hash):
            return
        if own != hash:
            self.fault = self.fault or f"the hash of entry {seq} is not that of its content"
        elif (last_seq, last_hash) != EMPTY:
            self.fault = self.fault or f"entry {seq} does not follow entry {last_seq}"


_OPTIONAL: Final = ("ip_address", "session_id", "trace_id", "changed_fields")
_RARE: Final = frozenset({"invalid", "params"})
_LISTS: Final = frozenset({"resources", "changed_fields"})


def _further(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tokens of what few entries have."""
    _, *others = names.records(entry)
    for kind, id in others:
        yield record_token(kind, id)
        yield type_token(kind)
    for kind, id in names.parameters(entry["context"]):
        yield parameter_token(kind, id)
    for name in entry.get("changed_fields") or ():
        yield token("changed", name)
    if "invalid" in entry["context"]:
        if type(entry["context"]["invalid"]) is not dict:
            raise TypeError
        yield INCOMPLETE


def _spans(entries: list[tuple[Any, ...]]) -> Iterator[tuple[int, str, str]]:
    for block, rows in itertools.groupby(entries, lambda row: row[0] >> BLOCK):
        times = [row[5] for row in rows]
        yield block, min(times), max(times)

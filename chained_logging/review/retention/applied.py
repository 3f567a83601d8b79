"""Entries ``retention.apply``: what they name may be removed, and nothing else.

Anybody who can write a log's file can write such an entry. So it counts only if it is well-formed,
in a log with a key only with a statement of the key, and for each entry only if the entry is one
that its own policy lets go.
"""

from __future__ import annotations

import datetime as dt
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.stated import doubt_of, ring_of
from chained_logging.review.retention.policies import SELECTING, selects

APPLY: Final = "retention.apply"
OURS: Final = re.compile(
    rb'\{"action":"retention\.apply","actor_id":"chained_logging","actor_type":"system",'
)
_NAMES: Final = b'{"action":"retention.apply","actor_id":"chained_logging",'
_KEPT: Final = re.compile(
    rb'\{"action":"(?:key|retention|hold|archive)\.[^"]*","actor_id":"chained_logging",'
)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_STAMP: Final = re.compile(rb',"timestamp":"([0-9]{4}-[0-9-]{5}T[0-9:]{8}\.[0-9]{6}Z)"')


def is_kept_always(record: Record) -> bool:
    """Whether no policy ever removes an entry: the first one, and those about keys, retention,
    holds and archives."""
    return record.seq == 0 or _KEPT.match(record.body) is not None


def fields_of(body: bytes) -> dict[str, Any]:
    """Return the fields of an entry.

    :raises ValueError: if it is not an object.
    """
    try:
        found = orjson.loads(body)
    except ValueError:  # what only the standard library reads
        return AuditEntry(body, None, None).fields
    if not isinstance(found, dict):
        raise ValueError("its body is not a JSON object")
    return found


def timestamp_of(body: bytes) -> str | None:
    """Return an entry's ``timestamp`` without parsing it; None if it has not the form of one."""
    # Only strings and numbers follow it, and a quotation mark inside a string is escaped.
    found = _STAMP.match(body, body.rfind(b',"timestamp":"'))
    return found[1].decode() if found else None


@dataclass
class Ranges:
    """Places in a log, as ranges that are ascending and do not overlap: 16 bytes each.

    :ivar firsts: where each begins.
    :ivar lasts: where each ends, that place included.
    """

    firsts: array[int] = field(default_factory=lambda: array("q"))
    lasts: array[int] = field(default_factory=lambda: array("q"))

    def add(self, seq: int) -> bool:
        """Add a place after all others, and return whether that began a new range."""
        if self.lasts and self.lasts[-1] == seq - 1:
            self.lasts[-1] = seq
            return False
        self.firsts.append(seq)
        self.lasts.append(seq)
        return True

    @classmethod
    def read(cls, found: object, end: int) -> Ranges:
        """Return the ranges that an entry's context names.

        :param end: the first place that they must not reach.
        :raises ValueError: if they are not such ranges.
        """
        ranges = cls()
        before = -1
        for pair in found if isinstance(found, list) else [None]:
            if not (isinstance(pair, list) and [type(each) for each in pair] == [int, int]):
                raise ValueError("its ranges are not pairs of numbers")
            first, last = pair
            if not before + 1 < first <= last < end:
                raise ValueError("its ranges are not in order, or not before it")
            ranges.firsts.append(first)
            ranges.lasts.append(last)
            before = last
        return ranges

    @classmethod
    def merged(cls, parts: Sequence[Ranges]) -> Ranges:
        """Return the ranges of several in order; those that overlap or meet become one."""
        found = cls()
        for first, last in sorted(pair for part in parts for pair in part):
            if found.lasts and first <= found.lasts[-1] + 1:
                found.lasts[-1] = max(found.lasts[-1], last)
            else:
                found.firsts.append(first)
                found.lasts.append(last)
        return found

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.firsts, self.lasts, strict=True)

    def __len__(self) -> int:
        return len(self.firsts)

    def __contains__(self, seq: int) -> bool:
        return self.around(seq) is not None

    def around(self, seq: int) -> tuple[int, int] | None:
        """Return the range in which a place is; None if it is in none."""
        at = bisect_right(self.firsts, seq) - 1
        if at >= 0 and seq <= self.lasts[at]:
            return self.firsts[at], self.lasts[at]
        return None

    def within(self, first: int, last: int) -> int:
        """Return how many places they have from `first` to `last`."""
        begin = bisect_right(self.lasts, first - 1)
        end = bisect_right(self.firsts, last)
        pairs = zip(self.firsts[begin:end], self.lasts[begin:end], strict=True)
        return sum(min(b, last) - max(a, first) + 1 for a, b in pairs)

    def count(self) -> int:
        """Return how many places they have."""
        return sum(self.lasts) - sum(self.firsts) + len(self.firsts)


@dataclass(frozen=True)
class Apply:
    """What one entry lets go.

    :ivar seq: of the entry, as is `timestamp`.
    :ivar policy: the name of the policy.
    :ivar before: the time before which the entries happened.
    :ivar by: the person who ran it.
    :ivar root: over the hashes of the entries, in hexadecimal digits.
    """

    seq: int
    timestamp: str
    policy: str
    before: str
    selector: Mapping[str, Sequence[str]]
    ranges: Ranges
    by: str | None
    root: str = ""

    @classmethod
    def read(cls, entry: AuditEntry) -> Apply:
        """Return what an entry says.

        :raises ValueError: if a log does not write that; also KeyError and TypeError.
        """
        said: Mapping[str, Any] = entry.context
        days, before, selector = said["days"], said["before"], said["selector"]
        if not isinstance(before, str) or not _TIME.fullmatch(before):
            raise ValueError("`before` is not a time")
        if type(days) is not int or days < 0 or not isinstance(said["policy"], str):
            raise ValueError("it names no policy with a number of days")
        end = dt.datetime.fromisoformat(before) + dt.timedelta(days=days)
        if end > dt.datetime.fromisoformat(entry.timestamp):
            raise ValueError("the period of its policy had not ended")
        if not isinstance(selector, dict) or not set(selector) <= set(SELECTING):
            raise ValueError("its selector has other fields")
        if not all(isinstance(values, list) for values in selector.values()):
            raise ValueError("its selector has no lists")
        seq: int = entry.seq
        ranges = Ranges.read(said["ranges"], seq)
        if ranges.count() != said["count"]:
            raise ValueError("its ranges hold another number of entries than it says")
        return cls(
            seq,
            entry.timestamp,
            said["policy"],
            before,
            selector,
            ranges,
            entry.on_behalf_of,
            str(said.get("root")),
        )

    def lets_go(self, record: Record, fields: Mapping[str, Any]) -> bool:
        """Whether its policy covers an entry that it names.

        :param fields: those of the entry.
        """
        stamp = timestamp_of(record.body)
        old = stamp is not None and stamp == fields.get("timestamp") and stamp < self.before
        return old and not is_kept_always(record) and selects(self.selector, fields)


class Named:
    """Finds which decision names an entry."""

    def __init__(self, applies: Sequence[Apply]) -> None:
        found = sorted((*pair, n) for n, each in enumerate(applies) for pair in each.ranges)
        self._applies = applies
        self._firsts = array("q", (first for first, _, _ in found))
        self._lasts = array("q", (last for _, last, _ in found))
        self._by = array("q", (n for _, _, n in found))

    def naming(self, seq: int) -> Apply | None:
        """Return the decision that names an entry; None if none does."""
        at = bisect_right(self._firsts, seq) - 1
        return self._applies[self._by[at]] if at >= 0 and seq <= self._lasts[at] else None


@dataclass
class Applies:
    """The entries ``retention.apply`` of a log, found by a look at each of its entries in order.

    :ivar valid: those that count.
    :ivar refused: the ``seq`` of those that do not.
    :ivar remarks: sentences about these.
    :ivar borders: where the ranges that these name begin, and where they are over.
    :ivar seqs: the ``seq`` of all of them.
    :ivar ring: the keys that the log names, as far as it was read.
    """

    valid: list[Apply] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    borders: array[int] = field(default_factory=lambda: array("q"))
    seqs: list[int] = field(default_factory=list)
    ring: Keyring = field(default_factory=lambda: Keyring(""))

    def look(self, record: Record) -> None:
        """Take note of the next entry."""
        if record.seq == 0:
            self.ring = ring_of(record)
        self.ring.look(record)
        if not record.body.startswith(_NAMES):
            return
        self.seqs.append(record.seq)
        entry = AuditEntry(record.body, record.hash)
        try:
            if OURS.match(record.body) is None:
                raise ValueError("its actor_type is not system")
            found = Apply.read(entry)
            doubt = doubt_of(APPLY, entry, self.ring)
        except (ValueError, KeyError, TypeError, OverflowError) as problem:
            doubt = f"it was not written by this log ({problem!s})"
        if doubt is None:
            self.valid.append(found)
        else:
            self.refused.append(record.seq)
            self.remarks.append(f"entry {record.seq} lets nothing be removed: {doubt}")
            for first, last in _pairs(entry):
                if 0 < first <= last < record.seq:
                    self.borders.extend((first, last + 1))


def _pairs(entry: AuditEntry) -> Iterator[tuple[int, int]]:
    """Yield the ranges that an entry names. Anybody may have written it."""
    try:
        ranges = entry.context["ranges"]
    except (ValueError, KeyError, TypeError):
        return
    found = ranges.values() if isinstance(ranges, dict) else ranges
    for pair in found if isinstance(found, Iterable) else ():
        if isinstance(pair, list) and [type(each) for each in pair[:2]] == [int, int]:
            yield pair[0], pair[1]

#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""Check an audit log written by ``chained_logging``, with this one file and nothing else.

For an auditor: copy this file to any computer with Python 3.9 or later and run ::

    python3 verify.py audit.jsonl

A log is a JSON Lines file (also compressed with gzip), an SQLite database, or several files that
hold one chain, named in any order. What a file is, is seen from its content, not from its name.
The sealed segments beside ``audit.jsonl`` (``audit.00000000000000001000.jsonl``) are found and
checked with it. Nothing is written and nothing is sent anywhere.

The exit code is 0 if the log is intact, 1 if it was tampered with or is not whole, and 2 if it
could not be checked. Every break is listed; ``--json`` prints the same for a program.

What is checked: every entry has the form that ``docs/format.md`` specifies, its hash is that of
its content, and it holds the hash of the entry before it, from the first entry to the last. What
no check of the file alone can show: that entries were cut off its end, or that all of it was
written anew. For that, keep a hash elsewhere and name it with ``--to-hash``.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import re
import sqlite3
import stat
import sys
import time
import urllib.parse
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring as _quote
from typing import Any, Callable, NamedTuple, NoReturn, Optional

__all__ = ["Fault", "Report", "main", "verify"]

MAX_BODY = 65_535
MAX_LINE = MAX_BODY + 200  # a body with its hash and signature is at most 178 bytes longer
MAX_FAULTS = 10_000  # kept in a report; all are counted
MAX_HOLES = 10_000
MAX_SHAPES = 24  # shapes of objects that the fast path knows
CHUNK = 1 << 17
MAX_SAFE_INTEGER = 2**53 - 1

GENESIS = "GENESIS"
_HEX64 = re.compile("[0-9a-f]{64}")


@dataclass
class Fault:
    """One break of the chain or of the format."""

    kind: str
    """``edited``, ``missing``, ``inserted``, ``reordered``, ``duplicated``, ``cut-front``,
    ``cut-tail``, ``torn``, ``malformed`` or ``unreadable``."""
    file: str
    line: int | None
    """The line in that file (the row in a database), from 1."""
    seq: int | None
    field: str | None
    """The field in doubt, where it can be told."""
    reason: str


@dataclass
class Report:
    """What a verification found."""

    status: str = "unchecked"
    """``intact``, ``tampered`` or ``unchecked``."""
    reason: str | None = None
    """Why the log could not be checked."""
    entries: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    first_hash: str | None = None
    last_hash: str | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    origin: str | None = None
    incomplete: int = 0
    """Entries that lacked a required field when they were recorded (``context.invalid``)."""
    oversize: int = 0
    """Entries with a value too large to keep (``context.oversize``)."""
    starts_at_genesis: bool = False
    anchored: bool = False
    """Whether a hash kept elsewhere was given and found."""
    anchored_seq: int | None = None
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first 10,000 faults."""
    files: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether everything that was checked is as it was written."""
        return self.status == "intact"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"status": self.status, "intact": self.intact, **asdict(self)}


class _Unchecked(Exception):
    """The log cannot be checked; the message is for a person."""


# --------------------------------------------------------------------------------------------
# One entry, exactly: every rule of the format, by the book and not fast.


class _Bad(ValueError):
    """A body that breaks a rule: which field, and how."""

    def __init__(self, name: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = name
        self.reason = reason


class _Number(str):
    """A number as it is written, already shown to be canonical."""

    __slots__ = ()


_REQUIRED = (
    "action actor_id actor_type context id ip_address prev_hash resource_id resource_type result"
    " seq timestamp v"
).split()
_OPTIONAL = ("changed_fields", "old_values", "reason", "session_id", "user_agent")
_FIELDS = frozenset((*_REQUIRED, *_OPTIONAL))
_ENUMS = {
    "actor_type": ("user", "service", "admin", "system", "unknown"),
    "result": ("success", "failure", "denied", "unknown"),
}
_NAMES = ("action", "actor_id", "resource_id", "resource_type", "session_id")
_REPLACED = (  # what holds "unknown" if it was not valid
    "action actor_id actor_type ip_address resource_id resource_type result".split()
)
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_OVERSIZE = re.compile(r"sha256:[0-9a-f]{64} \((?:0|[1-9][0-9]*) bytes\)")
# Of 64 bytes the last base64 character before the padding carries four bits that must be zero.
_SIGNATURE = "[A-Za-z0-9+/]{85}[AQgw]=="
_ENDING = re.compile(f',"hash":"([0-9a-f]{{64}})"(?:,"signature":"({_SIGNATURE})")?}}'.encode())
_PREV = re.compile(rb',"prev_hash":"(GENESIS|[0-9a-f]{64})"')
_SEQ = re.compile(rb',"seq":(0|[1-9][0-9]{0,15})[,}]')


def _number(value: float) -> str:
    """Return a finite float as ECMAScript writes it (ECMA-262, Number::toString), for RFC 8785."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # repr() finds the same shortest digits; only the layout differs.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    size = len(digits)
    if size <= point <= 21:  # noqa: PLR2004 - the bounds are those of ECMA-262
        return sign + digits + "0" * (point - size)
    if 0 < point <= 21:  # noqa: PLR2004
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:  # noqa: PLR2004
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if size > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _check_number(text: str) -> None:
    value = float(text)
    if value - value != 0 or _number(value) != text:
        raise _Bad(None, "a number is not in canonical form")


def _parse_int(text: str) -> int:
    # A float of 1e16 is written as an integer too: beyond 2**53 it must be what ECMAScript writes.
    if len(text) > 15 or text == "-0":  # noqa: PLR2004 - up to 15 digits are always exact
        if len(text) > 22:  # noqa: PLR2004
            raise _Bad(None, "a number is not in canonical form")
        value = int(text)
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or text == "-0":
            _check_number(text)
        return value
    return int(text)


def _parse_float(text: str) -> float:
    _check_number(text)
    return float(text)


def _parse_constant(text: str) -> NoReturn:
    raise _Bad(None, f"{text} is not JSON")


def _raw_int(text: str) -> _Number:
    _parse_int(text)
    return _Number(text)


def _raw_float(text: str) -> _Number:
    _check_number(text)
    return _Number(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Bad(key if key in _FIELDS else None, f"the key {_quote(key)} stands twice")
            seen.add(key)
    return result


_decode = json.JSONDecoder(
    parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant
).decode
_decode_exactly = json.JSONDecoder(
    parse_int=_raw_int,
    parse_float=_raw_float,
    parse_constant=_parse_constant,
    object_pairs_hook=_unique,
).decode
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _canonical(value: Any) -> str:
    """Return what `_decode_exactly` made, as RFC 8785 writes it."""
    if type(value) is _Number:
        return str(value)
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        # RFC 8785 orders keys by UTF-16 code units, not by code points.
        keys = sorted(value, key=_utf16)
        return "{" + ",".join(f"{_quote(k)}:{_canonical(value[k])}" for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_canonical(item) for item in value]) + "]"
    return {True: "true", False: "false", None: "null"}[value]


def _parse(body: bytes) -> dict[str, Any]:
    """Return a canonical body's fields.

    :raises _Bad: if it is no JSON object, or not in canonical form.
    """
    try:
        text = body.decode()
        entry = _decode(text)
        # What json writes back is canonical but for two things, which make it differ from a
        # canonical text and never agree with one that is not: the order of keys beyond the
        # basic plane, and exponents. A key that stands twice is gone here, so the text differs.
        if _encode(entry) != text and _canonical(_decode_exactly(text)) != text:
            raise _Bad(None, "the JSON is not in canonical form (RFC 8785)")
    except _Bad:
        raise
    except UnicodeDecodeError:
        raise _Bad(None, "it is not UTF-8") from None
    except RecursionError:
        raise _Bad(None, "its JSON is nested too deeply") from None
    except ValueError:
        raise _Bad(None, "it is not JSON") from None
    if not isinstance(entry, dict):
        raise _Bad(None, "it is not a JSON object")
    return entry


def _require(ok: bool, name: str, reason: str) -> None:
    if not ok:
        raise _Bad(name, reason)


def _check_fields(entry: dict[str, Any]) -> None:
    """Raise `_Bad` for the first field that breaks its rule."""
    for name in _REQUIRED:
        _require(name in entry, name, "the field is not there")
    for name in entry:
        if name not in _FIELDS:
            raise _Bad(name, "the format has no such field")
    _require(type(entry["v"]) is int and entry["v"] == 1, "v", "the format's version is not 1")
    for name, value in entry.items():
        if name in _NAMES or name in ("reason", "user_agent"):
            _require(isinstance(value, str), name, "it is not a string")
            _require("\0" not in value, name, "it holds U+0000")
        if name in _NAMES:
            size = len(value.encode())
            _require(1 <= size <= 1024, name, f"it has {size} bytes, not 1 to 1,024")  # noqa: PLR2004
        if name in _ENUMS:
            allowed = _ENUMS[name]
            _require(value in allowed, name, "it is none of " + ", ".join(allowed))
    _require(_matches(_ID, entry["id"]), "id", "it is not a UUID of version 7 in lower case")
    seq, prev = entry["seq"], entry["prev_hash"]
    _require(type(seq) is int and 0 <= seq <= MAX_SAFE_INTEGER, "seq", "it is not a whole number")
    _require(prev == GENESIS or _matches(_HEX64, prev), "prev_hash", "it is not a hash")
    _require(_is_timestamp(entry["timestamp"]), "timestamp", "it is not a time in UTC as specified")
    _check_address(entry)
    changed = entry.get("changed_fields", [])
    _require(
        isinstance(changed, list) and all(isinstance(item, str) for item in changed),
        "changed_fields",
        "it is not an array of strings",
    )
    _require(all("\0" not in item for item in changed), "changed_fields", "it holds U+0000")
    for name in ("context", "old_values"):
        _require(isinstance(entry.get(name, {}), dict), name, "it is not an object")
    _check_context(entry)
    if seq == 0:
        _check_genesis(entry)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_timestamp(value: Any) -> bool:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    try:
        datetime.date.fromisoformat(match[1])
    except ValueError:
        return False
    return True


def _is_address(text: Any) -> bool:
    if not isinstance(text, str) or "%" in text:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return str(address) == text and getattr(address, "ipv4_mapped", None) is None


def _check_address(entry: dict[str, Any]) -> None:
    address = entry["ip_address"]
    if address is None:
        ok = entry["actor_type"] in ("service", "system")
        _require(ok, "ip_address", "only a service or the system may have none")
    elif address != "unknown":
        _require(_is_address(address), "ip_address", "it is not an IP address in canonical form")


def _check_context(entry: dict[str, Any]) -> None:
    """Check the two keys of the context that are the log's own."""
    invalid = entry["context"].get("invalid", {})
    _require(isinstance(invalid, dict), "context", "its key invalid is not an object")
    for name in invalid:
        _require(name in _FIELDS, "context", "its key invalid names a field that does not exist")
        if name in _REPLACED:
            _require(entry[name] == "unknown", name, "it was not valid, yet is not 'unknown'")
        elif name in _OPTIONAL:
            _require(name not in entry, name, "it was not valid, yet is there")
    oversize = entry["context"].get("oversize", [])
    ok = isinstance(oversize, list) and all(isinstance(item, str) for item in oversize)
    _require(ok, "context", "its key oversize is not an array of strings")
    ordered = oversize in (sorted(oversize), sorted(oversize, key=_utf16))
    _require(ordered, "context", "its key oversize is not sorted")
    for pointer in oversize:
        found = _matches(_OVERSIZE, _resolve(entry, pointer))
        _require(found, "context", "its key oversize points to what is no SHA-256 and length")


def _resolve(value: Any, pointer: str) -> Any:
    """Return what a JSON Pointer (RFC 6901) points to, or None."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,5}", key):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _check_genesis(entry: dict[str, Any]) -> None:
    context = entry["context"]
    for name, value in (
        ("action", "log.open"),
        ("actor_id", "chained_logging"),
        ("actor_type", "system"),
        ("ip_address", None),
        ("resource_type", "audit_log"),
        ("result", "success"),
    ):
        _require(entry[name] == value, name, f"in the first entry it is always {json.dumps(value)}")
    _require(
        context.get("origin") == entry["resource_id"],
        "context",
        "the first entry's origin is not its resource_id",
    )
    ok = type(context.get("format")) is int and context["format"] == 1
    _require(ok, "context", "the first entry does not name format 1")
    _require(isinstance(context.get("software"), str), "context", "it names no software")
    _require(isinstance(context.get("public_key", ""), str), "context", "its key is not a string")


@dataclass
class _Line:
    """One line, read with care."""

    file: str
    number: int
    body: bytes = b""
    hash: str | None = None  # as stored; None if the line has not the form of a stored line
    own: str = ""  # computed
    seq: int | None = None
    prev: str | None = None
    parsed: bool = False
    bad: _Bad | None = None  # the rule that it breaks, other than its hash
    weight: int = 1  # how many entries it may once have been
    incomplete: bool = False
    oversize: bool = False
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def altered(self) -> bool:
        return self.hash != self.own


def _read_line(line: bytes, file: str = "", number: int = 0) -> _Line:
    """Examine a line (without its line feed) by every rule that concerns it alone."""
    cut = line.rfind(b',"hash":"')
    ending = _ENDING.fullmatch(line, cut) if cut > 0 else None
    if ending is None or not line.startswith(b"{"):
        reason = "the line is empty" if not line else "it has not the form of a stored entry"
        weight = max(1, line.count(b',"prev_hash":"'))
        return _Line(file, number, bad=_Bad(None, reason), weight=weight)
    return _read_body(line[:cut] + b"}", ending[1].decode(), file, number)


def _read_body(body: bytes, hash_: str, file: str, number: int) -> _Line:
    own = hashlib.sha256(b"\0" + body).hexdigest()
    result = _Line(file, number, body, hash_, own)
    at = body.rfind(b',"prev_hash":"')
    prev = _PREV.match(body, at) if at > 0 else None
    seq = _SEQ.match(body, body.rfind(b',"seq":', at)) if at > 0 else None
    result.prev = prev[1].decode() if prev else None
    result.seq = int(seq[1]) if seq else None
    try:
        if len(body) > MAX_BODY:
            raise _Bad(None, f"it has {len(body):,} bytes, more than {MAX_BODY:,}")
        entry = _parse(body)
        result.parsed = True
        _check_fields(entry)
        result.entry = entry
        # Proven to be the same by the format; a difference would be a hole in this program.
        if (result.seq, result.prev) != (entry["seq"], entry["prev_hash"]):
            raise _Bad(None, "its seq and prev_hash are not where they belong")
        result.incomplete = "invalid" in entry["context"]
        result.oversize = "oversize" in entry["context"]
    except _Bad as bad:
        result.bad = bad
        if not result.parsed:
            result.weight = max(1, body.count(b',"prev_hash":"'))
    return result


# --------------------------------------------------------------------------------------------
# Many entries, fast: one regular expression that proves the ordinary line to be right. It accepts
# less than _read_line does, never more; what it does not accept, _read_line decides.

_STRING = r'"[^"\\\x00-\x1f]*"'
_NAME = r'"[^"\\\x00-\x1f]{1,1024}"'
# Up to 15 significant digits are what a double keeps, so these are their own shortest form.
_NUMBER = (
    r"(?:0|-?(?:[1-9][0-9]{0,5}\.[0-9]{0,8}[1-9]|[1-9][0-9]{0,14}|0\.[0-9]{0,5}[1-9]))"
)
_OTHER = f"(?:{_NUMBER}|true|false|null)"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_BODY_, _, _IPV6_, _PREV_, _SEQ_, _HASH_ = range(6)


def _shape(value: Any, depth: int = 0) -> str | None:
    """Return a pattern for objects with the keys of this one, or None if it is too varied.

    The keys stand in it as they are, so that their order is proven once, here.
    """
    if isinstance(value, str):
        return _STRING
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        if kinds <= {str}:
            return rf"\[(?:{_STRING}(?:,{_STRING})*)?\]"
        if kinds & {list, dict, str}:
            return None
        return rf"\[{_OTHER}(?:,{_OTHER})*\]"
    if isinstance(value, dict):
        if depth > 3 or not depth and ("invalid" in value or "oversize" in value):  # noqa: PLR2004
            return None
        parts = []
        for key in sorted(value, key=_utf16):
            inner = _shape(value[key], depth + 1)
            if inner is None or not key.isascii():
                return None
            parts.append(f"{re.escape(_quote(key))}:{inner}")
        return r"\{" + ",".join(parts) + r"\}"
    return _OTHER


def _compile(contexts: list[str], old_values: list[str]) -> re.Pattern[bytes]:
    """Return the pattern of a stored line, or else of any line (as the last group).

    The two hashes are any 64 bytes here: they are compared with what they must be.
    """
    old = f'(?:,"old_values":(?:{"|".join(old_values)}))?' if old_values else ""
    pattern = (
        rf'(?sm)^(?:({{"action":{_NAME},"actor_id":{_NAME},"actor_type":"'
        rf'(?:user|admin|unknown|(service|system))"'
        rf'(?:,"changed_fields":\[(?:{_STRING}(?:,{_STRING})*)?\])?'
        rf',"context":(?:{"|".join([*contexts, "{}"])})'
        rf',"id":"{_ID.pattern}","ip_address":'
        rf'(?:"(?:{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}|unknown|([0-9a-f]*:[0-9a-f:]+))"'
        rf"|(?(2)null|(?!))){old}"
        rf',"prev_hash":"(.{{64}})"'
        rf'(?:,"reason":{_STRING})?,"resource_id":{_NAME},"resource_type":{_NAME}'
        rf',"result":"(?:success|failure|denied|unknown)","seq":([1-9][0-9]{{0,14}})'
        rf'(?:,"session_id":{_NAME})?,"timestamp":"(?!0000)[0-9]{{4}}-'
        # Only the 29th of February is left to be looked at with care.
        rf"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
        rf"|(?:0[13578]|1[02])-31)T"
        rf'(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z"'
        rf'(?:,"user_agent":{_STRING})?,"v":1),"hash":"(.{{64}})"'
        rf'(?:,"signature":"{_SIGNATURE}")?}}|[^\n]*)\n'
    )
    return re.compile(pattern.encode())


class _Fast:
    """Proves chunks of ordinary lines, and learns what is ordinary in this log."""

    def __init__(self) -> None:
        self.contexts: list[str] = []
        self.old_values: list[str] = []
        self.seen: dict[str, int] = {}
        self.addresses: set[bytes] = {b""}
        self.learned = False
        self.pattern = _compile([], [])

    def prove(self, chunk: bytes, next_seq: int, prev: str) -> _Proof | None:
        """Return what a chunk of whole lines holds if all of it is right, or else None."""
        rows = self.pattern.findall(chunk)
        if len(rows) != chunk.count(b"\n") or not rows:
            return None  # a match went over a line's end
        if not chunk.isascii():
            try:
                chunk.decode()
            except UnicodeDecodeError:
                return None
        incomplete = oversize = 0
        bodies = [row[_BODY_] for row in rows]
        if b"" in bodies:  # lines that were not matched
            lines = chunk.split(b"\n")
            for index, body in enumerate(bodies):
                if not body:
                    line = _read_line(lines[index])
                    if line.bad or line.hash is None or line.prev is None:
                        return None
                    rows[index] = (
                        line.body[:-1],
                        b"",
                        b"",
                        line.prev.encode(),
                        b"%d" % (line.seq or 0),
                        line.hash.encode(),
                    )
                    bodies[index] = line.body[:-1]
                    incomplete += line.incomplete
                    oversize += line.oversize
                    self._learn(line.entry)
        hashes = [row[_HASH_] for row in rows]
        sha256 = hashlib.sha256
        # The hashes are 64 bytes each, so the joined ones are equal only if each is.
        digests = b"".join([sha256(b"\0" + body + b"}").digest() for body in bodies])
        if (
            digests.hex().encode() != b"".join(hashes)
            or [row[_PREV_] for row in rows] != [prev.encode(), *hashes[:-1]]
            or [row[_SEQ_] for row in rows]
            != [b"%d" % seq for seq in range(next_seq, next_seq + len(rows))]
            or len(max(bodies, key=len)) >= MAX_BODY
            or not self._check_addresses({row[_IPV6_] for row in rows})
        ):
            return None
        if self.learned:
            self.learned = False
            self.pattern = _compile(self.contexts, self.old_values)
        return _Proof(
            len(rows), bodies[0] + b"}", bodies[-1] + b"}", hashes, incomplete, oversize
        )

    def _check_addresses(self, found: set[bytes]) -> bool:
        found -= self.addresses
        if not all(_is_address(address.decode()) for address in found):
            return False
        if len(self.addresses) > 10_000:  # noqa: PLR2004
            self.addresses = {b""}
        self.addresses |= found
        return True

    def _learn(self, entry: dict[str, Any]) -> None:
        for name, known in (("context", self.contexts), ("old_values", self.old_values)):
            value = entry.get(name)
            if not value or len(known) >= MAX_SHAPES:
                continue
            shape = _shape(value)
            if shape is None or len(shape) > 4000 or shape in known:  # noqa: PLR2004
                continue
            if len(self.seen) > 1000:  # noqa: PLR2004
                self.seen.clear()
            key = name + shape
            self.seen[key] = self.seen.get(key, 0) + 1
            if self.seen[key] >= 3:  # noqa: PLR2004
                known.append(shape)
                self.learned = True


class _Proof(NamedTuple):
    count: int
    first: bytes
    last: bytes
    hashes: list[bytes]
    incomplete: int
    oversize: int

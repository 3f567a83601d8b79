#!/usr/bin/env python3
# Generated from the parts in verifier/. To change it, change them and run tools/build_verify.py.
# /// script
# requires-python = ">=3.9"
# dependencies = ["cryptography>=42"]
# ///
"""Check an audit log written by ``chained_logging``, with this one file and nothing else.

For an auditor: copy this file to any computer with Python 3.9 or later and run ::

    python3 verify.py audit.jsonl

A log is a JSON Lines file (also compressed with gzip), an SQLite database, or several files that
hold one chain, named in any order; sealed segments beside a log are found by its name. The kind of
a file is seen from its content, not its name. A folder means each log in it and below, such as a
copy of what was shipped to S3. Only temporary files are written, and nothing is sent anywhere.

The exit code is 0 if the log is intact, 1 if it was tampered with or is not whole, and 2 if it
could not be checked. Every break is listed; ``--json`` prints the same for a program.

What is checked: every entry has the form that ``docs/format.md`` specifies, its hash is that of
its content, and it holds the hash of the entry before it, from the first entry to the last. Where
the log was signed: every checkpoint beside it has the root of the entries that it covers (RFC 6962)
and the signature of the key of its time, from the first key to the last.

What no check of the file alone can show: that entries were cut off its end, or that all of it was
rewritten, with a key of the writer's. For that, keep something elsewhere, and name it: a
checkpoint (``--checkpoint``), the first public key (``--public-key``), the key of a witness that
cosigned checkpoints (``--witness-key``), the root certificate of an authority that timestamped them
(``--timestamp-root``), or a hash (``--to-hash``).

Hashes need the standard library alone. Signatures need the package ``cryptography``, which ``uv run
verify.py`` and ``pipx run verify.py`` bring; without it they are not checked, and the report says
so. Timestamps need the program ``openssl``. A log is never called intact if something that was
asked for was not checked.
"""

from __future__ import annotations

import argparse
import array
import base64
import bisect
import contextlib
import datetime
import functools
import gc
import heapq
import ipaddress
import itertools
import json
import operator
import os
import re
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256 as _sha256
from json.encoder import encode_basestring as _quote
from typing import Any, BinaryIO, Callable, NamedTuple, NoReturn

try:  # half of the time; without it, the same is found
    import orjson as _orjson
except ImportError:
    _orjson = None  # type: ignore[assignment]  # tested for before each use


# --------------------------------------------------------------------------------------------
# What is found, and in which words a program is told of it.

__all__ = ["Fault", "Report", "Stream", "main", "verify", "verify_evidence", "verify_proof"]

MAX_BODY = 65_535
MAX_LINE = MAX_BODY + 200  # a body with its hash and signature is at most 178 bytes longer
MAX_FAULTS = 10_000  # kept in a report; all are counted
MAX_HOLES = 10_000
FOREIGN = "foreign"  # the kind of what anybody may have added to a store: not a fault of the log
GENESIS = "GENESIS"
_HEX64 = re.compile("[0-9a-f]{64}")


@dataclass
class Fault:
    """One break of the chain or of the format."""

    kind: str
    """``edited``, ``missing``, ``inserted``, ``reordered``, ``duplicated``, ``cut-front``,
    ``cut-tail``, ``torn``, ``malformed``, ``unreadable``; ``rewritten`` (a checkpoint contradicts
    the entries), ``signature``, ``timestamp``, ``key``, ``checkpoint`` (it is not a checkpoint),
    ``retention`` (nothing explains a stub, or what would explain it breaks a rule), ``silence``, or
    a kind that a central store reports."""
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
    """``intact``; ``tampered``; ``incomplete``, where entries are missing at the front or the last
    line is torn, and what is here was not changed; or ``unchecked``."""
    reason: str | None = None
    """Why the log could not be checked, or what is missing."""
    entries: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    first_hash: str | None = None
    first_prev_hash: str | None = None
    last_hash: str | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    origin: str | None = None
    incomplete: int = 0
    """Entries that lacked a required field when they were recorded (``context.invalid``)."""
    oversize: int = 0
    """Entries with a value too large to keep (``context.oversize``)."""
    stubs: int = 0
    """Entries that were removed and of which a stub is here; ``entries`` leaves them out."""
    purged: list[dict[str, Any]] = field(default_factory=list)
    """By the policy under which entries were removed: ``policy``, ``standard``, ``clause``, how
    many ``entries`` are stubs now, how many entries of the log say so (``applies``), the first and
    the last of these (``first_by``, ``last_by``), and whether the log's key ``signed`` them: None
    where that could not be checked."""
    starts_at_genesis: bool = False
    anchored: bool = False
    """Whether a hash kept elsewhere was given and found."""
    anchored_seq: int | None = None
    public_key: str | None = None
    """The log's first public key, as a C2SP ``vkey``."""
    pinned: bool = False
    """Whether the key that was given from outside is one of the log's."""
    checkpoints: int = 0
    """Checkpoints whose root is that of the entries they cover."""
    signed_seq: int | None = None
    """Up to where checkpoints of the log's own keys vouch for it, signatures checked."""
    signed_entry: int | None = None
    """The last entry with a signature of its own (``sign="each"``) that the log's key made."""
    unsigned: int | None = None
    """Entries after the last checkpoint and the last such signature, for which nothing signed
    vouches; None where signatures could not be checked."""
    unsigned_from: int | None = None
    """If entries have signatures: the first later entry of a caller that has no signature. Somebody
    without the key can write such entries, and the log's writer may sign after them."""
    unsigned_own: int = 0
    """If entries have signatures: how many in the log's own name lack one."""
    unsigned_own_from: int | None = None
    """The first of these."""
    pinned_seq: int | None = None
    """The entry that names the key that was given: 0, or later if it is not the first."""
    revoked: list[dict[str, Any]] = field(default_factory=list)
    """Keys that were revoked: ``key``, the ``seq`` of the revocation, and whether it is ``signed``
    by the log's key. What such a key signed proves nothing by itself, and ``signed_seq`` and
    ``signed_entry`` leave it out."""
    witnessed: dict[str, Any] = field(default_factory=dict)
    """By the name of each witness whose key was given: up to which ``seq``, and at what ``time``,
    it cosigned."""
    foreign: int = 0
    """Items in a store that are not checkpoints, or that no key of the log signed. Anyone who may
    add to the store can put them there, and they are ignored."""
    unknown_witnesses: int = 0
    """Cosignatures of witnesses whose keys were not given."""
    timestamped_seq: int | None = None
    """Up to where an authority whose root was given says that the log existed."""
    timestamped_at: str | None = None
    """When, by the newest such timestamp."""
    unchecked_timestamps: int = 0
    """Timestamps that were there, and no root was given to check them."""
    unchecked_signatures: int = 0
    """Signatures that were there and could not be checked."""
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first 10,000 faults."""
    files: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Facts that are not faults, such as files that are copies and were left out."""

    @property
    def intact(self) -> bool:
        """Whether everything that was checked is as it was written."""
        return self.status == "intact"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"status": self.status, "intact": self.intact, **asdict(self)}


class _Unread(Exception):
    """The rest of a file is not worth reading: what is wrong with it is named."""


class _Moved(Exception):
    """The log was written to in such a way that it must be read again."""


class _Unchecked(Exception):
    """The log cannot be checked; the message is for a person."""


class _Bad(ValueError):
    """A body that breaks a rule: which field, and how."""

    def __init__(self, name: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = name
        self.reason = reason


# --------------------------------------------------------------------------------------------
# JSON in canonical form (RFC 8785). There are two ways to judge a text: by the book, value by
# value; and by what parsers in C write back, without a step of Python for each value.

_NOT_CANONICAL = "the JSON is not in canonical form (RFC 8785)"
_NOT_A_NUMBER = "a number is not in canonical form"
MAX_SAFE_INTEGER = 2**53 - 1  # beyond it, a number in JSON is ambiguous


class _Number(str):
    """A number as it is written, already shown to be canonical."""

    __slots__ = ()


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
    if size <= point <= 21:  # the bounds are those of ECMA-262
        return sign + digits + "0" * (point - size)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if size > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _check_number(text: str) -> None:
    value = float(text)
    if value - value != 0 or _number(value) != text:
        raise _Bad(None, _NOT_A_NUMBER)


def _parse_int(text: str) -> int:
    # A float of 1e16 is written as an integer too: beyond 2**53 it must be what ECMAScript writes.
    if len(text) > 15 or text == "-0":  # up to 15 digits are always exact
        if len(text) > 22:
            raise _Bad(None, _NOT_A_NUMBER)
        value = int(text)
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or text == "-0":
            _check_number(text)
        return value
    return int(text)


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
                raise _Bad(
                    key if key in _FIELDS else None, f"the key {_quote(key[:100])} occurs twice"
                )
            seen.add(key)
    return result


_decode = json.JSONDecoder(parse_constant=_parse_constant).decode
_decode_first = json.JSONDecoder(parse_constant=_parse_constant).raw_decode
_decode_uniquely = json.JSONDecoder(
    parse_constant=_parse_constant, object_pairs_hook=_unique
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


def _parse(body: bytes, exactly: bool = False) -> dict[str, Any]:
    """Return a canonical body's fields.

    :param exactly: whether to go by the book, value by value.
    :raises _Bad: if it is not a JSON object in canonical form.
    """
    try:
        entry = (_parse_exactly if exactly else _parse_quickly)(body)
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


def _parse_exactly(body: bytes) -> Any:
    text = body.decode()
    if _canonical(_decode_exactly(text)) != text:
        raise _Bad(None, _NOT_CANONICAL)
    return _decode(text)


def _parse_quickly(body: bytes) -> Any:
    """Parse without a step of Python for each value, so that no text takes long."""
    if not _may_be_odd(body):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            entry = _load(body)
            if _dump(entry) == body:
                return entry
    return _parse_odd(body)  # the parsers refuse some canonical texts, such as deep ones


def _parse_all(texts: Sequence[bytes]) -> dict[bytes, Any]:
    """Return the values of canonical objects, parsed quickly and with few calls.

    :param texts: each begins with a brace.
    :raises _Bad: if one is not a JSON object in canonical form.
    """
    joined = b",".join(texts)
    if not _may_be_odd(joined):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            values = list(map(_load, texts))
            # Each text is one value, so where all are written back as they were, each of them is.
            if _dump(values) == b"[%b]" % joined:
                return dict(zip(texts, values))  # noqa: B905  # Python 3.9
    if len(texts) < _FEW:
        return {text: _parse(text) for text in texts}
    half = len(texts) // 2
    return {**_parse_all(texts[:half]), **_parse_all(texts[half:])}


_FEW = 8  # texts, one of which is odd: they are parsed one by one


if _orjson is not None:
    _ORJSON_OPTIONS = _orjson.OPT_SORT_KEYS | _orjson.OPT_STRICT_INTEGER
    _load = _orjson.loads

    def _dump(value: Any) -> bytes:
        return _orjson.dumps(value, None, _ORJSON_OPTIONS)

else:

    def _load(text: bytes) -> Any:
        return _decode_first(text.decode())[0]  # what follows the value is not written back

    def _dump(value: Any) -> bytes:
        return _encode(value).encode()


# The end of a number that `_dump` may write as it was though it is not canonical: of 1.0, of one
# with an exponent, or with 16 digits. A comma stands for whatever comes after it.
_ODD_END = re.compile(
    rb",(?<=[0-9],)(?:(?<=\.0,)|(?<=e[0-9],)|(?<=e[0-9+-][0-9],)|(?<=e[0-9+-][0-9]{2},)"
    rb"|(?<=e[+-][0-9]{3},)|(?<=[0-9]{16},))"
)


def _may_be_odd(text: bytes) -> bool:
    """Whether a text may be written back as it was, and yet not be canonical."""
    ends = text.replace(b"}", b",").replace(b"]", b",")
    return _ODD_END.search(ends) is not None or _has_far_key(text)


_FAR = re.compile(b"[\xf0-\xf4]")  # how UTF-8 begins what lies beyond the basic plane
_FAR_STRING = re.compile(_FAR.pattern + rb'[^"\\]*(?:\\.[^"\\]*)*(?:":?|\Z)', re.DOTALL)


def _has_far_key(text: bytes) -> bool:
    """Whether keys may be in another order by code points than by UTF-16, as RFC 8785 has them."""
    return not text.isascii() and any(end.endswith(b":") for end in _FAR_STRING.findall(text))


def _parse_odd(body: bytes) -> Any:
    """Parse what may hold odd numbers, or keys in an odd order, in time that is linear too.

    What a parser in C writes back is canonical but for these. A text that holds such is first made
    into one that holds none, and that is canonical exactly if the text is.
    """
    odd, far = _ODD_NUMBER.search(body), _has_far_key(body)
    text = (_with_ordinary_numbers(body) if odd else body).decode()
    if far:
        text = _in_units(text)
    entry = _decode(text)
    if _encode(entry) != text:
        _decode_uniquely(text)
        raise _Bad(None, _NOT_CANONICAL)
    return _decode(body.decode()) if odd or far else entry


def _in_units(text: str) -> str:
    """Return a text that has a character for each UTF-16 code unit."""
    units = text.encode("utf-16-le")
    wide = bytearray(2 * len(units))
    wide[0::4], wide[1::4] = units[0::2], units[1::2]
    return wide.decode("utf-32-le", "surrogatepass")


# A string without an end goes on to the end of the text, so that no part is looked at again.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)'
# Finds all numbers that a parser may write otherwise than RFC 8785 does, and some other texts.
_ODD_NUMBER = re.compile(
    rb"[:,\[-][0-9](?:[0-9]*(?:\.[0-9]+)?[eE]|[0-9]*\.[0-9]*0[,\]}]|(?<=0)\.0000|[0-9]{15}"
    rb"|(?<=-0)[,\]}])"
)
_TOKENS = re.compile(_STRING + rb'|[^"0-9-]+|-?[0-9][0-9.eE+-]*|-', re.DOTALL)


def _with_ordinary_numbers(body: bytes) -> bytes:
    """Return a text in which 0.5 replaces each odd number.

    :raises _Bad: if one of them is not canonical.
    """
    tokens = _TOKENS.findall(body)
    numbers = [token for token in set(tokens) if token[0] in b"-0123456789"]
    large, others = [], []
    for token in numbers:
        if not token.lstrip(b"-").isdigit():
            others.append(token)
        elif abs(_parse_int(token.decode())) > MAX_SAFE_INTEGER:
            large.append(token)
    if not _are_canonical(b" ".join(others).decode()):
        raise _Bad(None, _NOT_A_NUMBER)
    ordinary = dict.fromkeys(large + others, b"0.5")
    return b"".join([ordinary.get(token, token) for token in tokens])


_NEVER_WRITTEN = re.compile(r"\.0(?: |$)|e\+(?:1[6-9]|20)(?: |$)")


def _are_canonical(numbers: str) -> bool:
    """Whether numbers with a fraction or exponent, between spaces, are as RFC 8785 has them."""
    if _NEVER_WRITTEN.search(numbers):
        return False
    try:
        text = " ".join(map(repr, map(float, numbers.split())))
    except ValueError:
        return False
    # Python and ECMAScript write the same digits, and lay them out the same but for these.
    for exponent, zeros in (("e-05", "0.0000"), ("e-06", "0.00000")):
        if exponent in text:
            number = rf"(^-?| -?)([0-9])(?:\.([0-9]+))?{exponent}"
            text = re.sub(number, rf"\g<1>{zeros}\2\3", text)
    return text.replace("e-0", "e-") == numbers


# --------------------------------------------------------------------------------------------
# The rule of each field: the table in docs/format.md.

_REQUIRED = [
    "action",
    "actor_id",
    "actor_type",
    "context",
    "id",
    "ip_address",
    "prev_hash",
    "resource_id",
    "resource_type",
    "result",
    "seq",
    "timestamp",
    "v",
]
_OPTIONAL = (
    *("changed_fields", "old_values", "on_behalf_of", "reason", "resources", "session_id"),
    *("tenant_id", "trace_id", "user_agent"),
)
_FIELDS = frozenset((*_REQUIRED, *_OPTIONAL))
_ENUMS = {
    "actor_type": ("user", "service", "admin", "system", "unknown"),
    "result": ("success", "failure", "denied", "unknown"),
}
_NAMES = (
    *("action", "actor_id", "on_behalf_of", "resource_id", "resource_type", "session_id"),
    "tenant_id",
)
_RECORD = {"id", "type"}  # the keys of each of `resources`
_REPLACED = (  # what holds "unknown" if it was not valid
    ["action", "actor_id", "actor_type", "ip_address", "resource_id", "resource_type", "result"]
)
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_TRACE = re.compile("(?!0{32})[0-9a-f]{32}")  # W3C Trace Context, section 3.2.2.3
_OVERSIZE = re.compile(r"sha256:[0-9a-f]{64} \((?:0|[1-9][0-9]{0,18}) bytes\)")


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
        if name in ("reason", "user_agent"):
            _check_text(name, value)
        if name in _NAMES:
            _check_name(name, value)
        if name in _ENUMS:
            allowed = _ENUMS[name]
            _require(value in allowed, name, "it is not one of " + ", ".join(allowed))
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
    trace = entry.get("trace_id")
    ok = "trace_id" not in entry or _matches(_TRACE, trace)
    _require(ok, "trace_id", "it is not 32 lower-case hexadecimal digits, or all of them are 0")
    _check_resources(entry.get("resources", []))
    _check_context(entry)
    if seq == 0:
        _check_genesis(entry)


def _check_text(name: str, value: Any) -> None:
    _require(isinstance(value, str), name, "it is not a string")
    _require("\0" not in value, name, "it holds U+0000")


def _check_name(name: str, value: Any) -> None:
    _check_text(name, value)
    size = len(value.encode())
    _require(1 <= size <= 1024, name, f"it has {size} bytes, not 1 to 1,024")


def _check_resources(records: Any) -> None:
    _require(isinstance(records, list), "resources", "it is not an array")
    for record in records:
        ok = isinstance(record, dict) and record.keys() == _RECORD
        _require(ok, "resources", "an item in it is not an object of id and type")
        for value in record.values():
            _check_name("resources", value)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_timestamp(value: Any) -> bool:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    return _is_day(match[1])


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")  # for most, a tenth of the time


def _is_address(text: Any) -> bool:
    if not isinstance(text, str) or "%" in text:
        return False
    if _IPV4.fullmatch(text):
        return True
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
    """Check the keys of the context that are the log's own."""
    context = entry["context"]
    if "invalid" in context:
        _check_invalid(entry, context["invalid"])
    if "oversize" in context:
        _check_oversize(entry, context["oversize"])
    if "resources_part" in context:
        _require(_is_part(entry), "context", "its key resources_part does not say which part of it")


def _check_invalid(entry: dict[str, Any], invalid: Any) -> None:
    _require(isinstance(invalid, dict), "context", "its key invalid is not an object")
    for name in invalid:
        _require(name in _FIELDS, "context", "its key invalid names a field that does not exist")
        if name in _REPLACED:
            _require(entry[name] == "unknown", name, "it was not valid, yet is not 'unknown'")
        elif name in _OPTIONAL and name != "resources":  # which keeps those that are valid
            _require(name not in entry, name, "it was not valid, yet is there")


def _check_oversize(entry: dict[str, Any], oversize: Any) -> None:
    ok = isinstance(oversize, list) and all(isinstance(item, str) for item in oversize)
    _require(ok, "context", "its key oversize is not an array of strings")
    ordered = oversize in (sorted(oversize), sorted(oversize, key=_utf16))
    _require(ordered, "context", "its key oversize is not sorted")
    for pointer in oversize:
        found = _matches(_OVERSIZE, _resolve(entry, pointer))
        _require(found, "context", "its key oversize points to what is no SHA-256 and length")


def _is_part(entry: dict[str, Any]) -> bool:
    """Whether an entry says well which part it is of an event with too many resources for one."""
    part = entry["context"]["resources_part"]
    if not isinstance(part, dict) or part.keys() != {"id", "number", "of"}:
        return False
    number, of = part["number"], part["of"]
    return (
        "resources" in entry
        and type(number) is type(of) is int
        and 1 <= number <= of
        and of >= 2
        and _matches(_ID, part["id"])
        and (part["id"] == entry["id"]) is (number == 1)
    )


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


# --------------------------------------------------------------------------------------------
# One stored line, by every rule that concerns it alone.

# Of 64 bytes the last base64 character before the padding carries four bits that must be zero.
_SIGNATURE = "[A-Za-z0-9+/]{85}[AQgw]=="
_ENDING = re.compile(f',"hash":"([0-9a-f]{{64}})"(?:,"signature":"({_SIGNATURE})")?}}'.encode())
_PREV = re.compile(rb',"prev_hash":"(GENESIS|[0-9a-f]{64})"')
_SEQ = re.compile(rb',"seq":(0|[1-9][0-9]{0,15})[,}]')
_STUB_BEGINS = b'{"hash":"'
_STUB = re.compile(
    rb'\{"hash":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,15})'
    rb'(?:,"signature":"(%b)")?\}' % _SIGNATURE.encode()
)


@dataclass
class _Block:
    """Whole lines, each with its line feed; or, torn, what is there instead of a line."""

    file: str
    text: bytes = b""
    places: list[Any] | None = None  # the position of each in a database
    torn: bool = False


@dataclass
class _Line:
    """One line, read with care."""

    file: str
    number: int  # from 1; 0 for the file as a whole; -1 for the next after those before
    body: bytes = b""
    hash: str | None = None  # as stored; None if the line has not the form of a stored line
    own: str = ""  # computed
    signature: str | None = None
    seq: int | None = None
    prev: str | None = None
    parsed: bool = False
    bad: _Bad | None = None  # the rule that it breaks, other than its hash
    weight: int = 1  # how many entries it may once have been
    stub: bool = False  # whether it is what is left of an entry
    incomplete: bool = False
    oversize: bool = False
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def altered(self) -> bool:
        return self.hash != self.own


def _read_line(line: bytes, file: str = "", number: int = 0, exactly: bool = False) -> _Line:
    """Examine a line (without its line feed) by every rule that concerns it alone."""
    stub = _STUB.fullmatch(line) if line.startswith(_STUB_BEGINS) else None
    if stub is not None and int(stub[2]) <= MAX_SAFE_INTEGER:
        return _read_stub(stub, file, number)
    cut = line.rfind(b',"hash":"')
    ending = _ENDING.fullmatch(line, cut) if cut > 0 else None
    if ending is None or not line.startswith(b"{"):
        reason = _what_it_is(line)
        weight = max(1, line.count(b',"prev_hash":"'))
        return _Line(file, number, bad=_Bad(None, reason), weight=weight)
    result = _read_body(line[:cut] + b"}", ending[1].decode(), file, number, exactly)
    result.signature = ending[2].decode() if ending[2] else None
    return result


def _read_stub(found: re.Match[bytes], file: str, number: int) -> _Line:
    hash_, seq = found[1].decode(), int(found[2])
    result = _Line(file, number, hash=hash_, own=hash_, seq=seq, parsed=True, stub=True)
    result.signature = found[3].decode() if found[3] else None
    return result


def _what_it_is(line: bytes) -> str:
    """Return what was done to a line that is not a stored entry, as far as it shows."""
    if not line:
        return (
            "the line is empty. If a program added it, check a copy from which it is removed: "
            "sed '/^$/d'"
        )
    if line.startswith((b'{"action": ', b"{ ")) or line.rstrip() in (b"{", b"["):
        return (
            "its JSON was rewritten by another program (an editor, jq): the bytes that were "
            "hashed are only in the original"
        )
    return "it has not the form of a stored entry"


def _read_body(body: bytes, hash_: str, file: str, number: int, exactly: bool) -> _Line:
    own = _sha256(b"\0" + body).hexdigest()
    result = _Line(file, number, body, hash_, own)
    at = body.rfind(b',"prev_hash":"')
    prev = _PREV.match(body, at) if at > 0 else None
    seq = _SEQ.match(body, body.rfind(b',"seq":', at)) if at > 0 else None
    result.prev = prev[1].decode() if prev else None
    result.seq = int(seq[1]) if seq else None
    try:
        if len(body) > MAX_BODY:
            raise _Bad(None, f"it has {len(body):,} bytes, more than {MAX_BODY:,}")
        entry = _parse(body, exactly)
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
# One expression for the lines in which nothing is odd. It has a part for each field, which matches
# nothing that the field's rule forbids; objects it takes as they are, for `_parse` to judge. There
# is but one way in which it can match, so the time it takes is in proportion to a line, whatever is
# in it. What it does not match is read by the rules above, so it can only ever agree with them.

_CHAR = r"[ !#-\[\]-\xff]"  # what needs no escape in JSON; UTF-8 is checked for a whole block
_ESCAPE = r'\\(?:["\\bfnrt]|u00(?:0[1-7bef]|1[0-9a-f]))'  # all but U+0000, in canonical form
# Atomic repeats keep no way back, which is a twentieth faster; Python has them since 3.11.
_ATOMIC = "+" if sys.version_info >= (3, 11) else ""
_SOME_TEXT = rf'"{_CHAR}*{_ATOMIC}(?:"|(?:{_ESCAPE}{_CHAR}*{_ATOMIC})+")'
# With few escapes, as in DOMAIN\user. At most 1,018 bytes, and none of them is more when decoded.
_FEW_ESCAPES = rf"{_CHAR}{{0,250}}(?:{_ESCAPE}{_CHAR}{{0,250}}){{1,3}}"
_SOME_NAME = rf'"(?:{_CHAR}{{1,1024}}{_ATOMIC}"|{_FEW_ESCAPES}")'
_SOME_RECORD = rf'\{{"id":{_SOME_NAME},"type":{_SOME_NAME}\}}'
_SOME_ID = '"' + "-".join(["[0-9a-f]{8}", "[0-9a-f]{4}", "7[0-9a-f]{3}", "[89ab][0-9a-f]{3}"])
_SOME_ID += '-[0-9a-f]{12}"'
_SOME_DAY = (
    "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)


def _some_object(name: str, follows: str) -> str:
    """Return an expression for an object up to the last place where `follows` comes after it."""
    text = rf"(?P<{name}>\{{[^\n]*\}})"
    if _ATOMIC:
        return rf"(?:\{{\}}|(?>{text}(?={follows})))"
    return rf"(?:\{{\}}|(?={text}{follows})(?P={name}))"  # a group in a lookahead is atomic too


_ORDINARY = {
    # What the log says of itself is read by the rules above.
    "action": _SOME_NAME,
    "actor_id": rf'(?!"chained_logging"){_SOME_NAME}',
    "actor_type": '"(?:user|(?P<unlocated>service|system)|admin|unknown)"',
    "changed_fields": rf"\[(?:{_SOME_TEXT}(?:,{_SOME_TEXT})*)?\]",
    "context": _some_object("context", r',"id":"[^"\n]{36}","ip_address":'),
    "id": _SOME_ID,
    "ip_address": r'(?:"(?P<address>[^"]{1,49})"|(?(unlocated)null|!))',
    "old_values": _some_object(
        "old_values", f'(?:,"on_behalf_of":{_SOME_NAME})?,"prev_hash":"[0-9a-f]{{64}}",'
    ),
    "on_behalf_of": _SOME_NAME,
    "prev_hash": r'"(?P<prev>[^"]{64})"',
    "reason": _SOME_TEXT,
    "resource_id": _SOME_NAME,
    "resource_type": _SOME_NAME,
    "resources": rf"\[(?:{_SOME_RECORD}(?:,{_SOME_RECORD})*)?\]",
    "result": f'"(?:{"|".join(_ENUMS["result"])})"',
    "seq": "(?P<seq>[1-9][0-9]{0,14})",
    "session_id": _SOME_NAME,
    "timestamp": rf'"{_SOME_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z"',
    "tenant_id": _SOME_NAME,
    "trace_id": f'"{_TRACE.pattern}"',
    "user_agent": _SOME_TEXT,
    "v": "1",
}


def _rows_expression() -> re.Pattern[bytes]:
    fields = "".join(
        f'(?:,"{name}":{_ORDINARY[name]})' + ("?" if name in _OPTIONAL else "")
        for name in sorted(_FIELDS)
    ).replace("(?:,", r"(?:\{", 1)
    line = rf'(?P<body>{fields}),"hash":"(?P<hash>[^"]{{64}})"\}}\n'
    stub = r'\{"hash":"(?P<stub>[0-9a-f]{64})","seq":(?P<place>[1-9][0-9]{0,14})\}\n'
    return re.compile(f"{line}|{stub}|(?P<odd>[^\n]*)\n".encode("latin-1"))


# The lines of a block, each as the groups of the expression.
_rows_of = _rows_expression().findall


_Row = tuple[bytes, ...]


def _is_ordinary(row: _Row) -> bool:
    return bool(row[0] or row[8])  # a body, or the hash of a stub


def _runs(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Yield rows by runs: of ordinary lines, stubs among them, and of odd ones."""
    if all(map(operator.itemgetter(0), rows)):
        yield rows
        return
    for _, run in itertools.groupby(rows, _is_ordinary):
        yield list(run)


def _line_of(row: _Row) -> bytes:
    """Return the line that an ordinary row was."""
    if row[8]:
        return b'{"hash":"%b","seq":%b}\n' % row[8:10]
    return b'%b,"hash":"%b"}\n' % (row[0], row[7])


class _Run:
    """Ordinary lines, column by column."""

    def __init__(self, rows: list[_Row]) -> None:
        columns = zip(*rows)  # noqa: B905  # Python 3.9
        self.bodies, _, self.contexts, self.addresses, self.olds, *rest = columns
        self.prevs, self.seqs, self.hashes, stubs, places, _ = rest
        self.stubs: list[int] = []  # which of them are stubs
        if not any(stubs):
            self.leaves = [_sha256(b"\0%b}" % body).digest() for body in self.bodies]
            return
        self.stubs = [at for at, stub in enumerate(stubs) if stub]
        self.seqs = tuple([seq or place for seq, place in zip(self.seqs, places)])  # noqa: B905
        self.hashes = tuple([hash_ or stub for hash_, stub in zip(self.hashes, stubs)])  # noqa: B905
        self.leaves = [
            _sha256(b"\0%b}" % body).digest() if body else bytes.fromhex(hash_.decode())
            for body, hash_ in zip(self.bodies, self.hashes)  # noqa: B905
        ]

    def follows(self, links: tuple[str, ...]) -> bool:
        """Whether each entry names the one before it; a stub names none.

        :param links: what the first may name.
        """
        prevs, hashes = self.prevs, self.hashes
        if prevs[0] and prevs[0].decode() not in links:
            return False
        if not self.stubs:
            return bool(prevs[1:] == hashes[:-1])
        pairs = zip(prevs[1:], hashes)  # noqa: B905
        return all([prev == hash_ or not prev for prev, hash_ in pairs])

    def obeys(self, numbers: range) -> bool:
        """Whether hashes, numbers, lengths and addresses are as they must be."""
        return (
            b"".join(self.leaves).hex().encode() == b"".join(self.hashes)
            and b",".join(self.seqs) == ",".join(map(str, numbers)).encode()
            and max(map(len, self.bodies)) < MAX_BODY  # without its closing brace
            and _addresses_obey(set(self.addresses))
        )

    @property
    def entries(self) -> list[int]:
        """Which of them are entries."""
        if not self.stubs:
            return list(range(len(self.bodies)))
        return [at for at, body in enumerate(self.bodies) if body]


_known_address = functools.lru_cache(4096)(_is_address)


def _addresses_obey(addresses: set[bytes]) -> bool:
    return all(_known_address(text.decode()) for text in addresses - {b"", b"unknown"})


_OWN_KEYS = frozenset({"invalid", "oversize", "resources_part"})
_DEEP = 400  # levels; a parser goes deeper, but not without end
_known: set[bytes] = set()  # short objects that obey wherever they stand: many events repeat them


def _marks(
    bodies: Sequence[bytes], contexts: Sequence[bytes], olds: Sequence[bytes]
) -> tuple[int, int]:
    """Judge objects, and return how many entries are incomplete, and how many are oversize.

    :raises _Bad: for an object that breaks a rule.
    """
    objects = {*contexts, *olds} - _known
    objects.discard(b"")
    # What is deep may be as deep as a parser goes, and in its entry it is deeper.
    deep = {text for text in objects if len(text) > 2 * _DEEP and _depth(text) > _DEEP}
    values = _parse_all(list(objects - deep))
    own = {text for text, value in values.items() if not _OWN_KEYS.isdisjoint(value)}
    odd = own | deep
    _remember(objects - odd)
    incomplete = oversize = 0
    if odd:
        parse = _parse if deep else _load  # which is enough where all of an entry is judged
        for body, context, old in zip(bodies, contexts, olds):  # noqa: B905  # Python 3.9
            if context in odd or old in odd:
                entry = parse(body + b"}")
                _check_context(entry)
                incomplete += "invalid" in entry["context"]
                oversize += "oversize" in entry["context"]
    return incomplete, oversize


def _depth(text: bytes) -> int:
    """Return how deep an object may be at most."""
    return text.count(b"{") + text.count(b"[")


def _remember(objects: set[bytes]) -> None:
    if len(_known) > 4096:
        _known.clear()
    _known.update(text for text in objects if len(text) < 500)


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


# --------------------------------------------------------------------------------------------
# Files: each becomes numbered lines, read with bounds.

CHUNK = 1 << 17
MAX_SKIPPED = 1 << 24  # of one line, before the rest of its file is left unread
MAX_HELD = 64
_SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"
_TORN = b"\0torn"  # no line of a file can be this: it holds no line feed, and lines are cut there
_Held = dict[str, int]  # files that were opened when others were listed, by name


def _check_regular(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
        if not os.access(path, os.R_OK):
            raise _Unchecked(f"{path} cannot be read: permission denied")
        if stat.S_ISDIR(mode):
            raise _Unchecked(f"{path} is a directory")
        if not stat.S_ISREG(mode):
            raise _Unchecked(f"{path} is not a regular file")
    except OSError as error:
        if _ADDRESS.search(path):  # not shown: there may be a password in it
            raise _Unchecked("a file must be given; what was given is an address") from None
        raise _Unchecked(f"{path} cannot be read: {error.strerror}") from None


_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*:.*@|://|pass(?:word|wd|file)?\s*=", re.IGNORECASE)


def _size(path: str) -> int:
    """Return a file's size; 0 if it does not exist."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _side(path: str) -> int:
    """Return the size of a file beside a log; 0 if it does not exist.

    :raises _Unchecked: if it is not a regular file: opening the log could then block, or never
        end.
    """
    if os.path.lexists(path):
        _check_regular(path)
    return _size(path)


def _open(path: str, held: _Held) -> BinaryIO:
    return os.fdopen(os.dup(held[path]), "rb") if path in held else open(path, "rb")


def _magic(path: str, held: _Held) -> bytes:
    # To open and close a database that this very process writes would drop SQLite's locks on it
    # (https://www.sqlite.org/howtocorrupt.html, 2.2). While it is open, these files are beside it.
    if _is_open(path):
        return _SQLITE
    if path in held:
        return os.pread(held[path], 16, 0)
    if not _size(path):
        return b""  # nothing to read; and some files of that size, in /proc, would be waited for
    with open(path, "rb") as file:
        return file.read(16)


def _is_packed(path: str) -> bool:
    magic = _magic(path, {})
    return magic == _SQLITE or magic[:2] == _GZIP


def _names_of(path: str) -> list[str]:
    """Return the names beside which a log's side files may be: of a link, its target's first.

    Writers and SQLite go by the target. A database has no other name: a link's would hide its WAL.
    """
    if not os.path.islink(path):
        return [path]
    target = os.path.realpath(path)
    if not os.path.isfile(target) or _magic(target, {}) == _SQLITE:
        return [target]
    return [target, path]


def _is_open(path: str) -> bool:
    """Whether somebody has a database open: then both files are beside it."""
    return os.path.exists(path + "-shm") and os.path.exists(path + "-wal")


def _chunks(path: str, start: int, end: int | None, held: _Held) -> Iterator[bytes]:
    """Yield the bytes that a file has now, decompressed; a damaged gzip ends with `_TORN`."""
    with _open(path, held) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(start)
        if _magic(path, held)[:2] == _GZIP:
            yield from _inflated(file)
            return
        left, chunk = (size if end is None else min(end, size)) - start, b""
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
        if end is None and chunk and not chunk.endswith(b"\n"):
            yield _rest_of_line(file)


def _rest_of_line(file: BinaryIO) -> bytes:
    """Return what a writer has added since to the line that it is writing, if it does."""
    rest = b""
    for _ in range(10):
        rest += file.read(MAX_LINE)
        if b"\n" in rest:
            return rest[: rest.index(b"\n") + 1]
        time.sleep(0.01)
    return rest[:MAX_LINE]


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    inflate, packed = zlib.decompressobj(31), b""
    try:
        while packed := (packed or file.read(CHUNK)):
            chunk = inflate.decompress(packed, CHUNK)
            packed = inflate.unconsumed_tail
            if inflate.eof:  # another member may follow
                packed = inflate.unused_data or file.read(CHUNK)
                if packed:
                    inflate = zlib.decompressobj(31)
            if chunk:
                yield chunk
        if not inflate.eof:
            yield _TORN
    except zlib.error:
        yield _TORN


def _blocks(path: str, start: int, end: int | None, held: _Held) -> Iterator[_Block]:
    """Yield a file as blocks of whole lines; of a line that is too long only its start."""
    rest, skipped = b"", 0
    chunks = _chunks(path, start, end, held)
    for chunk in chunks if start else _with_its_encoding(path, chunks):
        if chunk is _TORN:
            yield _Block(path, torn=True)
            return
        cut = chunk.rfind(b"\n") + 1
        if cut:
            text, rest = rest + chunk[:cut], chunk[cut:]
            if skipped:
                text, skipped = text[text.index(b"\n") + 1 :], 0
            if text:
                yield _Block(path, text)
        else:
            rest += chunk
        if len(rest) > MAX_LINE:
            if not skipped:
                yield _Block(path, rest[:MAX_LINE] + b"\n")
            rest, skipped = b"", skipped + len(rest)
        if skipped > MAX_SKIPPED:
            return  # it is named already, and no log holds such a line
    if rest and not skipped:
        yield _Block(path, torn=True)


def _with_its_encoding(path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for first in chunks:
        if first is not _TORN:
            _check_encoding(path, first)
        yield first
        yield from chunks


def _check_encoding(path: str, text: bytes) -> None:
    """Say what another program made of a file, and how to undo it.

    :raises _Unchecked: if the bytes are not those that were hashed, though nothing is lost.
    """
    if text.startswith(b"\xef\xbb\xbf"):
        what, how = "begins with a byte order mark", f"tail -c +4 {path}"
    elif text.startswith((b"\xff\xfe", b"\xfe\xff")):
        what, how = "was converted to UTF-16", f"iconv -f UTF-16 -t UTF-8 {path}"
    elif text.startswith((b"PRAGMA foreign_keys=OFF;\n", b"BEGIN TRANSACTION;\n")):
        raise _Unchecked(
            f"{path} is a dump of a database, as SQL: the log is the database. Check that, or a "
            "copy of it that VACUUM INTO made"
        )
    elif text.partition(b"\n")[0].endswith(b'"}\r'):
        what, how = "has CR LF at the ends of its lines", f"tr -d '\\r' < {path}"
    else:
        return
    raise _Unchecked(
        f"{path} {what}, which a log never has: another program (an editor, a transfer as text) "
        f"changed it. Get the log's bytes back with: {how} > copy.jsonl, and check that"
    )


# --------------------------------------------------------------------------------------------
# Databases. SQL must not answer other than the bodies that are verified. So the schema is compared
# as SQLite keeps it, before anything in it is run: all columns of the known one are virtual, and
# SQLite computes them from the body. It checks its own indexes, which hold copies. Files beside the
# database count too: readers take them into account.

_SCHEMA = """\
-- What the database of a log holds. A blank line separates statements; SQLite keeps each as it is
-- written here. The verifier has a copy of its own, and names every difference.
-- entries_in_order is needed because INSERT OR REPLACE deletes without asking entries_no_delete.
-- The table resources is an index: a row for each of an entry's `resources`, in their order.
-- What an entry `retention.apply` of the log's own names in its `ranges` is in the table purges.
-- Such an entry may become a stub, its seq and hash, and only then may its row go; but the first,
-- the last, and those about keys, retention and holds stay. A copy of a log takes the stubs that it
-- finds, after its last entry.

CREATE TABLE entries (
  seq INTEGER PRIMARY KEY CHECK (seq = json_extract(body, '$.seq')),
  body TEXT NOT NULL CHECK (typeof(body) = 'text'),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  signature TEXT,
  id GENERATED ALWAYS AS (json_extract(body, '$.id')) VIRTUAL,
  timestamp GENERATED ALWAYS AS (json_extract(body, '$.timestamp')) VIRTUAL,
  actor_id GENERATED ALWAYS AS (json_extract(body, '$.actor_id')) VIRTUAL,
  actor_type GENERATED ALWAYS AS (json_extract(body, '$.actor_type')) VIRTUAL,
  on_behalf_of GENERATED ALWAYS AS (json_extract(body, '$.on_behalf_of')) VIRTUAL,
  action GENERATED ALWAYS AS (json_extract(body, '$.action')) VIRTUAL,
  resource_type GENERATED ALWAYS AS (json_extract(body, '$.resource_type')) VIRTUAL,
  resource_id GENERATED ALWAYS AS (json_extract(body, '$.resource_id')) VIRTUAL,
  resources GENERATED ALWAYS AS (json_extract(body, '$.resources')) VIRTUAL,
  result GENERATED ALWAYS AS (json_extract(body, '$.result')) VIRTUAL,
  ip_address GENERATED ALWAYS AS (json_extract(body, '$.ip_address')) VIRTUAL,
  user_agent GENERATED ALWAYS AS (json_extract(body, '$.user_agent')) VIRTUAL,
  session_id GENERATED ALWAYS AS (json_extract(body, '$.session_id')) VIRTUAL,
  tenant_id GENERATED ALWAYS AS (json_extract(body, '$.tenant_id')) VIRTUAL,
  trace_id GENERATED ALWAYS AS (json_extract(body, '$.trace_id')) VIRTUAL,
  changed_fields GENERATED ALWAYS AS (json_extract(body, '$.changed_fields')) VIRTUAL,
  old_values GENERATED ALWAYS AS (json_extract(body, '$.old_values')) VIRTUAL,
  reason GENERATED ALWAYS AS (json_extract(body, '$.reason')) VIRTUAL,
  context GENERATED ALWAYS AS (json_extract(body, '$.context')) VIRTUAL,
  prev_hash GENERATED ALWAYS AS (json_extract(body, '$.prev_hash')) VIRTUAL,
  v GENERATED ALWAYS AS (json_extract(body, '$.v')) VIRTUAL
);

CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no entry is changed');
END;

CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
WHEN NOT EXISTS (
  SELECT 1 FROM stubs
  WHERE seq = OLD.seq AND hash = OLD.hash AND signature IS OLD.signature
) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no entry is deleted');
END;

CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
WHEN NEW.seq <= (SELECT max(seq) FROM entries) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: this place is taken');
END;

CREATE INDEX entries_actor_id ON entries (actor_id);

CREATE INDEX entries_resource_type_resource_id ON entries (resource_type, resource_id);

CREATE INDEX entries_timestamp ON entries (timestamp);

CREATE INDEX entries_action ON entries (action);

CREATE TABLE resources (type TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL);

CREATE INDEX resources_type_id ON resources (type, id, seq);

CREATE TRIGGER resources_of_entry AFTER INSERT ON entries
WHEN NEW.resources IS NOT NULL BEGIN
  INSERT INTO resources (type, id, seq)
  SELECT json_extract(value, '$.type'), json_extract(value, '$.id'), NEW.seq
  FROM json_each(NEW.body, '$.resources');
END;

CREATE TRIGGER resources_no_update BEFORE UPDATE ON resources BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no resource is changed');
END;

CREATE TRIGGER resources_no_delete BEFORE DELETE ON resources
WHEN NOT EXISTS (SELECT 1 FROM stubs WHERE seq = OLD.seq) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no resource is deleted');
END;

CREATE TABLE stubs (
  seq INTEGER PRIMARY KEY, hash TEXT NOT NULL CHECK (length(hash) = 64), signature TEXT
);

CREATE TRIGGER stubs_no_update BEFORE UPDATE ON stubs BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no stub is changed');
END;

CREATE TRIGGER stubs_no_delete BEFORE DELETE ON stubs BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no stub is deleted');
END;

CREATE TRIGGER stubs_of_entries BEFORE INSERT ON stubs
WHEN EXISTS (SELECT 1 FROM stubs WHERE seq = NEW.seq)
OR NEW.seq <= (SELECT max(seq) FROM entries) AND NOT EXISTS (
  SELECT 1 FROM entries
  WHERE seq = NEW.seq AND hash = NEW.hash AND signature IS NEW.signature
  AND seq > 0 AND seq < (SELECT max(seq) FROM entries)
  AND seq <= (SELECT last FROM purges WHERE first <= NEW.seq ORDER BY first DESC LIMIT 1)
  AND NOT (
    actor_id = 'chained_logging'
    AND (action GLOB 'key.*' OR action GLOB 'retention.*' OR action GLOB 'hold.*')
  )
) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no retention.apply names this entry');
END;

CREATE TABLE purges (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, by INTEGER NOT NULL);

CREATE TRIGGER purges_no_update BEFORE UPDATE ON purges BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no purge is changed');
END;

CREATE TRIGGER purges_no_delete BEFORE DELETE ON purges BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no purge is deleted');
END;

CREATE TRIGGER purges_named BEFORE INSERT ON purges
WHEN NEW.first < 1 OR NEW.last < NEW.first OR NEW.last >= NEW.by
OR NEW.first <= (SELECT last FROM purges WHERE first <= NEW.last ORDER BY first DESC LIMIT 1)
OR NOT EXISTS (
  SELECT 1 FROM entries WHERE seq = NEW.by
  AND substr(body, 1, 57) = '{"action":"retention.apply","actor_id":"chained_logging",'
) BEGIN
  SELECT RAISE(IGNORE);
END;

CREATE TRIGGER purges_of_entry AFTER INSERT ON entries
WHEN substr(NEW.body, 1, 57) = '{"action":"retention.apply","actor_id":"chained_logging",' BEGIN
  INSERT INTO purges (first, last, by)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), NEW.seq
  FROM json_each(NEW.body, '$.context.ranges')
  WHERE type = 'array'
  AND json_type(value, '$[0]') = 'integer' AND json_type(value, '$[1]') = 'integer';
END;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL, state TEXT NOT NULL,
  timestamp TEXT
);

CREATE INDEX checkpoints_size ON checkpoints (size);

CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no checkpoint is changed');
END;

CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no checkpoint is deleted');
END;

CREATE TRIGGER checkpoints_in_order BEFORE INSERT ON checkpoints
WHEN NEW.id <= (SELECT max(id) FROM checkpoints) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: this place is taken');
END;
"""
_STATISTICS = {  # what ANALYZE adds: it has a say in speed alone
    (b"table", name, name, b"CREATE TABLE " + name + columns)
    for name, columns in (
        (b"sqlite_stat1", b"(tbl,idx,stat)"),
        (b"sqlite_stat4", b"(tbl,idx,neq,nlt,ndlt,sample)"),
    )
}
_APPLICATION = 0x636C6F67  # "clog"
# The last: of an error whose message holds bytes of a damaged file.
_SQL_ERRORS = (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, UnicodeError)


@contextlib.contextmanager
def _database(path: str) -> Iterator[sqlite3.Connection]:
    """Open a database so that what a reader sees is seen, and nothing beside it is written.

    :raises _Unchecked: if readers would first change the file.
    """
    if _side(path + "-journal"):
        raise _Unchecked(
            f"{path}-journal is beside the database: opening it may undo changes first. Open and "
            "close the log with a program that may write it, or move the journal away"
        )
    with contextlib.ExitStack() as stack:
        options = "?mode=ro"
        if not _side(path + "-wal"):
            # The file is all there is. An open one is read with SQLite's locks; for any other,
            # "immutable" makes no file beside it.
            options += "" if _is_open(path) else "&immutable=1"
        elif not os.path.exists(path + "-shm"):
            # Nobody has it open, and SQLite would write an index beside it: it gets a copy.
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            copy = os.path.join(folder, "log")
            for suffix in ("", "-wal"):
                _check_regular(path + suffix)
                shutil.copyfile(path + suffix, copy + suffix)
            path = copy
        uri = "file:" + urllib.parse.quote(os.fsencode(os.path.abspath(path))) + options
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        stack.enter_context(contextlib.closing(connection))
        connection.text_factory = bytes
        yield connection


def _catalogue(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    # With this set, SQLite lists objects too that it cannot make sense of. Nothing is written, and
    # nothing in them runs: what is read later are plain columns, or those of the very schema above.
    connection.execute("PRAGMA writable_schema = ON")
    columns = ("type", "name", "tbl_name", "sql")
    query = ", ".join((*columns, *(f"typeof({name})" for name in columns)))
    rows = connection.execute(f"SELECT {query} FROM sqlite_master").fetchall()  # noqa: S608  # these
    connection.execute("PRAGMA writable_schema = RESET")
    # A name that is a BLOB has the same bytes, and is found by no query that asks for a text.
    return [row[:4] if set(row[4:]) == {b"text"} else (*row[:3], row[3:]) for row in rows]


def _refusal(connection: sqlite3.Connection) -> list[str]:
    """Return why other programs cannot read a database that `_catalogue` can, if they cannot."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except _SQL_ERRORS as error:
        if "locked" in str(error):
            raise
        return [f"SQLite refuses to read it: {error}"]
    return []


def _expected() -> list[tuple[Any, ...]]:
    """Return the catalogue of a new log with a key."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.text_factory = bytes
        connection.executescript(_SCHEMA)
        return _catalogue(connection)


class _Schema:
    """How a database's schema differs from the one that a log makes."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        refused = _refusal(connection)
        found, made = _catalogue(connection), _expected()
        marks = [_pragma(connection, name) for name in ("application_id", "user_version")]
        if (b"table", b"entries") not in [row[:2] for row in found]:
            if not found and (_APPLICATION in marks or _is_of_wal(path)):
                raise _Unchecked(f"{path} {_NO_WAL}")
            raise _Unchecked(f"{path} is a database of something else: no table 'entries'")
        self.doubt = f"{path} {_FROM_DUMP}" if marks == [0, 0] else None
        if not any(str(row[2]).lower() == "b'checkpoints'" for row in found):  # no key yet
            made = [row for row in made if row[2] != b"checkpoints"]
        altered = [row for row in made if found.count(row) != 1]
        self.reasons = [*refused, *(_altered(*row[:2]) for row in altered)]
        names = [row[:2] for row in altered]
        for row in found:
            if row not in made and row not in _STATISTICS and row[:2] not in names:
                kind, name = (_decoded(part)[:100] for part in row[:2])
                self.reasons.append(f"a log has no {kind} {name}: it may change what is shown")
        if self.doubt is None and marks[0] != _APPLICATION:
            self.reasons.append("its application_id is not that of a log")
        if self.doubt is None and marks[1] != 1:
            self.reasons.append("its user_version is not that of a log")
        tables = {row for row in made if row[0] != b"trigger"} - set(altered)
        self.entries = any(row[:2] == (b"table", b"entries") for row in tables)
        self.checkpoints = any(row[:2] == (b"table", b"checkpoints") for row in tables)
        self.resources = any(row[:2] == (b"table", b"resources") for row in tables)
        self.stubs = any(row[:2] == (b"table", b"stubs") for row in tables)
        self.purges = any(row[:2] == (b"table", b"purges") for row in tables)
        self.exact = tables == {row for row in made if row[0] != b"trigger"}


_NO_WAL = (
    "holds no table: the entries may still be in the log's file -wal, which is not beside it, or "
    "not whole. Copy both files, or make a copy with VACUUM INTO"
)
_FROM_DUMP = (
    "was made from a dump, or by another program: it is not marked as a log's database, and a "
    "log's own always is. Check the original, or a copy of it that VACUUM INTO made; or mark "
    f"this one: PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = 1"
)


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _is_of_wal(path: str) -> bool:
    """Whether a database's header says that a WAL may be beside it."""
    with open(path, "rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _altered(kind: bytes, name: bytes) -> str:
    return {
        b"table": f"the table {name.decode()} is not as the log makes it: its columns may say "
        "anything",
        b"index": f"the index {name.decode()} is gone or was altered: queries may miss entries",
        b"trigger": f"the trigger {name.decode()}, which refuses changes, is gone or was altered",
    }[kind]


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# --------------------------------------------------------------------------------------------
# The rows of a database, each as the line that it would be.

_DOUBT = "doubt"  # no fault, but what keeps a log from being called intact
_STORED = {b"integer": "a number", b"real": "a number", b"blob": "a BLOB", b"null": "NULL"}
_LEAST_ROW = 40  # bytes that any row takes: more of them than fit are pages that are read twice


def _rows(path: str) -> Iterator[_Block | _Line]:
    """Yield the rows of an SQLite log, by the bytes of their texts, after what is wrong with it."""
    told = False
    try:
        with _database(path) as connection:
            for item in _rows_through(connection, path):
                told = True
                yield item
    except _SQL_ERRORS as error:
        if not told:
            raise _Unchecked(f"{path} cannot be read as a database: {error}") from None
        yield _Line(path, -1, bad=_Bad("unreadable", f"the database is damaged: {error}"))


def _rows_through(connection: sqlite3.Connection, path: str) -> Iterator[_Block | _Line]:
    connection.execute("BEGIN")  # see one state of the database, though others may write
    schema = _Schema(connection, path)
    reasons = list(schema.reasons)
    if schema.exact:
        reasons += _self_check(connection)
    for reason in reasons:
        yield _Line(path, 0, bad=_Bad("schema", reason))
    if schema.doubt is not None:
        yield _Line(path, 0, bad=_Bad(_DOUBT, schema.doubt))
    if not schema.entries and not _has_plain_columns(connection):
        return
    named: list[_Resources | _Purges] = []
    if schema.resources:
        named.append(_Resources(connection))
    if schema.purges:
        named.append(_Purges(connection))
    for batch in _batches(connection, path, schema.stubs and _has_stubs(connection)):
        yield from _row_blocks(path, batch)
        for table in named:
            table.compare(batch)
    for table in named:
        if table.reason():
            yield _Line(path, 0, bad=_Bad("schema", table.reason()))


def _self_check(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite says of its own tables and indexes, if anything is wrong."""
    try:
        found = [_decoded(row[0]) for row in connection.execute("PRAGMA integrity_check(100)")]
    except _SQL_ERRORS as error:
        found = [str(error)]
    return [f"SQLite's own check finds: {text[:300]}" for text in found if text != "ok"]


def _has_plain_columns(connection: sqlite3.Connection) -> bool:
    """Whether reading an altered table's rows runs nothing that somebody else wrote."""
    found = {row[1]: row[6] for row in connection.execute("PRAGMA table_xinfo(entries)")}
    return all(found.get(name) == 0 for name in (b"seq", b"body", b"hash", b"signature"))


_ENDINGS = (
    "typeof(hash), substr(CAST(hash AS BLOB), 1, 100), typeof(signature),"
    " substr(CAST(signature AS BLOB), 1, 100)"
)
_BODIES = "typeof(body), substr(CAST(body AS BLOB), 1, 70000)"
_ROWS = f"SELECT seq, {_BODIES}, {_ENDINGS} FROM entries NOT INDEXED"  # noqa: S608  # these
_OF_STUB = b"stub"  # in the place of the type of a body
_STUB_ROWS = f"SELECT seq, 'stub', NULL, {_ENDINGS} FROM stubs NOT INDEXED"  # noqa: S608


def _has_stubs(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM stubs").fetchone() is not None


def _batches(connection: sqlite3.Connection, path: str, stubs: bool) -> Iterator[list[Any]]:
    query = f"{_ROWS} UNION ALL {_STUB_ROWS}" if stubs else _ROWS
    rows = connection.execute(f"{query} ORDER BY seq")
    left = 1000 + (_size(path) + _size(path + "-wal")) // _LEAST_ROW
    while batch := rows.fetchmany(500):
        yield batch
        left -= len(batch)
        if left < 0:
            raise sqlite3.DatabaseError("it holds more rows than its size allows")


def _row_blocks(path: str, batch: list[Any]) -> Iterator[_Block | _Line]:
    """Yield rows as the lines that they would be, those that could be none by themselves."""
    lines: list[bytes] = []
    places: list[Any] = []
    for seq, *parts in batch:
        line, bad = _row_line(seq, *parts)
        if bad is None:
            lines.append(line)
            places.append(seq)
            continue
        if lines:
            yield _Block(path, b"".join(lines), places)
        lines, places = [], []
        yield _Line(path, -1, bad=bad)
    if lines:
        yield _Block(path, b"".join(lines), places)


def _row_line(
    seq: int,
    kind: bytes,
    body: bytes | None,
    hash_kind: bytes,
    hash_: bytes | None,
    sign_kind: bytes,
    sign: bytes | None,
) -> tuple[bytes, _Bad | None]:
    body, hash_ = body or b"", hash_ or b""  # SQLite makes NULL of a part of an empty BLOB
    if kind != _OF_STUB and (kind != b"text" or not body.endswith(b"}") or b"\n" in body):
        return b"", _Bad("body", "the body is no JSON text")
    for name, found in (("hash", hash_kind), ("signature", sign_kind)):
        if found != b"text" and (name, found) != ("signature", b"null"):
            return b"", _Bad(name, f"the column {name} holds {_STORED[found]}, not a text")
    hash_ = b'"hash":"' + hash_.replace(b"\n", b"?") + b'"'
    ending = b"}\n"
    if sign_kind != b"null":
        ending = b',"signature":"' + (sign or b"").replace(b"\n", b"?") + b'"}\n'
    if kind == _OF_STUB:
        return b"{" + hash_ + b',"seq":%d' % seq + ending, None
    return body[:-1] + b"," + hash_ + ending, None


class _Resources:
    """Compares the table `resources` with the bodies: both are in the order of writing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        columns = "seq, typeof(type), type, typeof(id), id"
        self._rows: Iterator[Any] = connection.execute(
            f"SELECT {columns} FROM resources NOT INDEXED ORDER BY rowid"  # noqa: S608  # these
        )
        self._wrong = ""

    def compare(self, batch: list[Any]) -> None:
        for row in batch:
            expected = _records_of(*row[:3]) if not self._wrong else []
            if expected and list(itertools.islice(self._rows, len(expected))) != expected:
                self._wrong = f"at {row[0]}, the table resources does not name what the body names"

    def reason(self) -> str:
        """Return what is wrong, once all entries were compared."""
        if not self._wrong and next(self._rows, None) is not None:
            self._wrong = "the table resources names more than the entries do"
        return self._wrong


def _records_of(seq: int, kind: bytes, body: bytes) -> list[tuple[Any, ...]]:
    if kind != b"text" or b',"resources":[' not in body:
        return []
    try:
        records = json.loads(body)["resources"]
        return [
            (seq, b"text", record["type"].encode(), b"text", record["id"].encode())
            for record in records
        ]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return []  # the body itself is wrong, or the key is one of its context


def _read(
    path: str, held: _Held, start: int = 0, end: int | None = None
) -> Iterator[_Block | _Line]:
    return _rows(path) if _magic(path, held) == _SQLITE else _blocks(path, start, end, held)


class _Purges:
    """Compares the table `purges`, which allows entries to be removed, with the entries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = connection.execute("SELECT by, first, last FROM purges ORDER BY by, first")
        self._next = self._rows.fetchone()
        self._wrong = ""

    def compare(self, batch: list[Any]) -> None:
        for seq, kind, body, *_ in batch:
            if kind == b"text" and body.startswith(_PURGE_BEGINS) and not self._wrong:
                self.compare_entry(seq, body)

    def compare_entry(self, seq: int, body: bytes) -> None:
        ranges = set(_ranges_of(body))
        lacking = set(ranges)
        while self._next is not None and self._next[0] == seq and self._next[1:] in ranges:
            lacking.discard(self._next[1:])
            self._next = self._rows.fetchone()  # one that is not named stays: it is one too many
        if not all(self.is_void(seq, *pair) for pair in lacking):
            self._wrong = f"at {seq}, the table purges does not name what the entry names"

    def is_void(self, seq: int, first: int, last: int) -> bool:
        """Whether a range is not one that an entry can name, or is named before in part."""
        if not 1 <= first <= last < seq:
            return True
        # SQLite compares: it can, whatever somebody put into the columns.
        query = (
            "SELECT last >= ? AND by <= ? FROM purges WHERE first <= ? ORDER BY first DESC LIMIT 1"
        )
        near = self._connection.execute(query, (first, seq, last)).fetchone()
        return near is not None and bool(near[0])

    def reason(self) -> str:
        """Return what is wrong, once all entries were compared."""
        if not self._wrong and self._next is not None:
            self._wrong = "the table purges names more than the entries do"
        return self._wrong


_PURGE_BEGINS = b'{"action":"retention.apply","actor_id":"chained_logging",'


def _ranges_of(body: bytes) -> list[tuple[int, int]]:
    try:
        ranges = json.loads(body)["context"]["ranges"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []  # what is wrong with the entry is named
    ranges = ranges.values() if isinstance(ranges, dict) else ranges
    if not isinstance(ranges, Iterable):
        return []
    pairs = [tuple(found[:2]) for found in ranges if isinstance(found, list)]
    return [pair for pair in pairs if [type(number) for number in pair] == [int, int]]


# --------------------------------------------------------------------------------------------
# Signed notes and their keys (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

MAX_NOTE = 1_000_000


def _unbase64(text: str) -> bytes:
    """Decode the one spelling that bytes have: without stray bits before the padding."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not base64 in canonical form")
    return data


_SIGNATURE_LINE = re.compile("\u2014 ([^+\\s]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROLS = re.compile("[\0-\x09\x0b-\x1f]")
MAX_SIGNATURES = 100  # as in Go's sumdb/note; C2SP signed-note asks for at least 16


class _Note:
    """A signed note that holds a checkpoint (C2SP ``signed-note`` and ``tlog-checkpoint``).

    :raises _Bad: if the bytes are not such a note.
    """

    def __init__(
        self, data: bytes, source: str, outside: bool = False, timestamp: str | None = None
    ) -> None:
        self.data, self.source, self.outside, self.timestamp = data, source, outside, timestamp
        self.stored = False  # whether it is from a store, which others may add to
        self.signatures: list[tuple[str, bytes, bytes]] = []
        try:
            whole = data.decode()
            if len(data) > MAX_NOTE or _CONTROLS.search(whole) or not whole.endswith("\n"):
                raise ValueError
            text, _, below = whole[:-1].rpartition("\n\n")
            self.text = text + "\n"
            self._read_text(*text.split("\n"))
            lines = below.split("\n")
            if len(lines) > MAX_SIGNATURES:
                raise ValueError
            self.signatures = [self._signature(line) for line in lines]
        except (TypeError, ValueError):  # a TypeError: there are fewer than three lines
            raise _Bad(None, "it is not a signed note with a checkpoint") from None

    def _read_text(self, origin: str, size: str, root: str, *extensions: str) -> None:
        self.origin, self.root = origin, _unbase64(root)
        if not origin or "" in extensions or not re.fullmatch("0|[1-9][0-9]{0,18}", size):
            raise ValueError
        self.size = int(size)
        if self.size >= 1 << 63 or len(self.root) != 32:
            raise ValueError
        if not self.size and self.root != _sha256(b"").digest():
            raise ValueError

    @property
    def by_key(self) -> dict[tuple[str, bytes], bytes]:
        """The first signature of each key, by its name and ID; as in Go, others do not count."""
        return {(name, id_): value for name, id_, value in reversed(self.signatures)}

    @staticmethod
    def _signature(line: str) -> tuple[str, bytes, bytes]:
        """Return the name of a signature's key, the key's ID, and the signature."""
        match = _SIGNATURE_LINE.fullmatch(line)
        raw = _unbase64(match[2]) if match else b""
        if match is None or len(raw) < 5:
            raise ValueError
        return match[1], raw[:4], raw[4:]


# The points of small order on edwards25519, without their sign bit (libsodium's has_small_order).
_SMALL_ORDER = {
    (number % (1 << 255)).to_bytes(32, "little") for number in (0, 1, -20, -19, -18)
} | {
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}


class _Key:
    """A public key with its name, from a C2SP ``vkey``; from PEM it has no name.

    :param kind: 1 for Ed25519; 4 for a witness's key, Ed25519 (4) or ML-DSA-44 (6).
    :raises _Bad: if the text is not such a key.
    """

    def __init__(self, text: str, kind: int = 1) -> None:
        self._parse(text, kind)
        if self.kind != 6 and self.raw[:31] + bytes([self.raw[31] & 0x7F]) in _SMALL_ORDER:
            raise _Bad(None, "it is a point of small order, for which anybody can sign")

    def _parse(self, text: str, kind: int) -> None:
        self.vkey = text.strip()
        self.kind = kind
        self.name, _, rest = self.vkey.partition("+")
        try:
            if kind == 1 and "-----BEGIN PUBLIC KEY-----" in text:
                body = text.partition("-----BEGIN PUBLIC KEY-----")[2].partition("-----END")[0]
                der = base64.b64decode("".join(body.split()), validate=True)
                # RFC 8410: this prefix, and then the 32 bytes of the key.
                if len(der) != 44 or der[:12].hex() != "302a300506032b6570032100":
                    raise ValueError
                self.name, self.raw, self.id = "", der[12:], b""
                return
            id_, _, key = rest.partition("+")
            raw = _unbase64(key)
            lengths = {1: {1: 33}, 4: {4: 33, 6: 1313}}[kind]  # by the type that the key states
            self.kind, self.raw = raw[0], raw[1:]
            self.id = self.id_under(self.name)
            if len(raw) != lengths.get(self.kind) or self.id.hex() != id_:
                raise ValueError
            if not re.fullmatch("[^+\\s]+", self.name) or _CONTROLS.search(self.name):
                raise ValueError
        except (IndexError, ValueError):
            if kind != 1:
                raise _Bad(
                    None,
                    "it is not a witness's key as a vkey (type 4 or 6), which keygen prints below "
                    "the PEM",
                ) from None
            raise _Bad(None, "it is not an Ed25519 public key in PEM or as a vkey") from None

    def id_under(self, name: str) -> bytes:
        """Return the ID by which signatures name this key (C2SP ``signed-note``)."""
        return _sha256(name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    @staticmethod
    def usable() -> bool:
        """Whether `cryptography` is installed."""
        try:
            import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
        except ImportError:
            return False
        return True

    def verifies(self, signature: bytes, message: bytes) -> bool | None:
        """Whether the signature holds; None where `cryptography` cannot tell, or is missing."""
        try:
            from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

            if self.kind == 6:  # cryptography 48 or later
                from cryptography.hazmat.primitives.asymmetric import mldsa

                algorithm: Any = mldsa.MLDSA44PublicKey
            else:
                from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

                algorithm = Ed25519PublicKey
        except ImportError:
            return None
        try:
            algorithm.from_public_bytes(self.raw).verify(signature, message)
        except UnsupportedAlgorithm:
            return None
        except (InvalidSignature, ValueError):
            return False
        return True

    def cosigned(self, note: _Note, value: bytes) -> tuple[bool | None, int]:
        """Whether a witness's signature under a note holds, and the time that it states.

        C2SP ``tlog-cosignature``; a witness must state a time (``tlog-witness``).
        """
        time_ = int.from_bytes(value[:8], "big")
        name, origin = self.name.encode(), note.origin.encode()
        if not 0 < time_ < 1 << 33 or (self.kind == 6 and max(len(name), len(origin)) > 255):
            return False, time_
        if self.kind == 6:
            message = b"subtree/v1\n\0" + bytes([len(name)]) + name + value[:8]
            message += bytes([len(origin)]) + origin + bytes(8)
            message += note.size.to_bytes(8, "big") + note.root
        else:
            message = f"cosignature/v1\ntime {time_}\n{note.text}".encode()
        return self.verifies(value[8:], message), time_


_COSIGNATURES = (8 + 64, 8 + 2420)  # lengths: a time, and an Ed25519 or ML-DSA-44 signature


# --------------------------------------------------------------------------------------------
# The Merkle tree of RFC 6962, and its proofs.


_LARGE = 10  # the level of subtrees that are made at once


class _Tree:
    """A growing tree: the complete subtrees of RFC 6962 that it consists of, each with its level.

    One that begins later than at 0 is a part of a tree, which can be joined to what is before it.
    """

    def __init__(self, begin: int = 0) -> None:
        self.size = begin
        self.nodes: list[tuple[int, bytes]] = []

    def append(self, node: bytes, level: int = 0) -> None:
        """Append a leaf, or a complete subtree of 2**level leaves."""
        index, nodes = self.size >> level, self.nodes
        self.size += 1 << level
        while index & 1 and nodes and nodes[-1][0] == level:
            node = _sha256(b"\1" + nodes.pop()[1] + node).digest()
            index, level = index >> 1, level + 1
        nodes.append((level, node))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaves, most of them as large subtrees, for which less is to be done."""
        at = 0
        while at < len(leaves):
            aligned = (self.size & -self.size).bit_length() or _LARGE + 1
            level = min(aligned, (len(leaves) - at).bit_length(), _LARGE + 1) - 1
            nodes = leaves[at : at + (1 << level)]
            while len(nodes) > 1:
                pairs = zip(nodes[::2], nodes[1::2])  # noqa: B905  # Python 3.9
                nodes = [_sha256(b"\1" + left + right).digest() for left, right in pairs]
            self.append(nodes[0], level)
            at += 1 << level

    def root(self) -> bytes:
        if not self.nodes:
            return _sha256(b"").digest()
        root = self.nodes[-1][1]
        for _, node in reversed(self.nodes[:-1]):
            root = _sha256(b"\1" + node + root).digest()
        return root


_PROOF = b"c2sp.org/tlog-proof@v1\n"


def _fold(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    :raises _Bad: if the proof has not the length that it must have.
    """
    first, last, root = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise _Bad(None, "the proof is too long")
        if first & 1 or first == last:
            root = _sha256(b"\1" + hash_ + root).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            root = _sha256(b"\1" + root + hash_).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise _Bad(None, "the proof is too short")
    return root


def _extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether a consistency proof holds (RFC 9162, 2.1.4.2); from size 0 an empty one does."""
    if old > new or (old in (0, new) and proof) or (0 < old < new and not proof):
        return False
    if old == 0:
        return old_root == _Tree().root()
    if old == new:
        return old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    one = two = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            one = _sha256(b"\1" + hash_ + one).digest()
            two = _sha256(b"\1" + hash_ + two).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            two = _sha256(b"\1" + two + hash_).digest()
        first, last = first >> 1, last >> 1
    return last == 0 and one == old_root and two == new_root


def _hashes(lines: list[str]) -> list[bytes]:
    try:
        found = [_unbase64(line) for line in lines]
    except ValueError:
        raise _Bad(None, "a line of the proof is not a hash") from None
    if len(found) > 63 or any(len(hash_) != 32 for hash_ in found):
        raise _Bad(None, "a line of the proof is not a hash")
    return found


def _root_of(size: int, leaves: Iterator[tuple[int, bytes]], hashes: Iterator[bytes]) -> bytes:
    """Return the root that some leaves of a tree lead to, with the hashes of all parts without one.

    :raises _Bad: if there are not just as many hashes as that takes, or a leaf is not in the tree.
    """
    due = next(leaves, None)

    def root(begin: int, end: int) -> bytes:
        nonlocal due
        if due is None or due[0] >= end:
            found = next(hashes, None)
            if found is None:
                raise _Bad(None, "proof.txt has too few hashes")
            return found
        if end - begin == 1:
            found, due = due[1], next(leaves, None)
            return found
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        left = root(begin, middle)
        return _sha256(b"\1" + left + root(middle, end)).digest()

    whole = root(0, size) if size else _Tree().root()
    if due is not None:
        raise _Bad(None, f"the checkpoint does not cover entry {due[0]}")
    if next(hashes, None) is not None:
        raise _Bad(None, "proof.txt has too many hashes")
    return whole


# --------------------------------------------------------------------------------------------
# Proofs that are checked without the log.


def verify_proof(
    data: bytes,
    public_key: str | None = None,
    checkpoint: bytes | None = None,
    *,
    witness_keys: Sequence[str] = (),
    origin: str | None = None,
    entry_hash: str | None = None,
) -> dict[str, Any]:
    """Check a proof, without the log.

    The log's own signature must hold, under the name that is the checkpoint's origin, and so must
    each signature of a key that is given here (C2SP ``tlog-proof`` and ``signed-note``). Those of
    other keys are ignored.

    :param data: a C2SP ``tlog-proof`` whose extra data is the entry, for one entry; or, for two
        states of a log, ``old N``, hashes, an empty line and the newer checkpoint.
    :param public_key: the log's key when the checkpoint was made: PEM, or a ``vkey``.
    :param checkpoint: the older checkpoint, for two states.
    :param witness_keys: keys of witnesses, each of which must have cosigned, as ``vkey``.
    :param origin: the name that the log must have.
    :param entry_hash: the hash that the entry must have, in hexadecimal.
    :returns: ``status`` (``proven``, ``refuted`` or ``unchecked``), ``reason``, what was
        proven, and in ``witnessed`` the time of each witness's cosignature, by its name.
    """
    found: dict[str, Any] = {"status": "unchecked", "reason": None}
    try:
        key = None if public_key is None else _Key(public_key)
        witnesses = [_Key(text, 4) for text in witness_keys]
    except _Bad as bad:
        found["reason"] = f"of a public key that was given: {bad.reason}"
        return found
    try:
        head, _, note_bytes = data.partition(b"\n\n")
        note = _Note(note_bytes, "the proof")
        found.update(origin=note.origin, size=note.size)
        if origin is not None and origin != note.origin:
            raise _Bad(None, f"the checkpoint is of the log {note.origin}, not of {origin}")
        lines = head.decode("ascii", "replace").split("\n")
        line = None
        if data.startswith(_PROOF):
            if checkpoint is not None:
                raise _Unchecked("a proof of one entry is not compared with another checkpoint")
            line = _prove_entry(note, lines[1:], entry_hash)
            found["entry"] = (line.body[:-1] + b',"hash":"' + line.own.encode() + b'"}').decode()
        else:
            if entry_hash is not None:
                raise _Unchecked("this is not a proof of one entry, so no hash of one can be found")
            _prove_extension(note, lines, checkpoint)
            found["old_size"] = int(lines[0][4:])
        found["witnessed"] = _prove_cosignatures(note, witnesses)
        if key is None:
            raise _Unchecked("no public key was given")
        _prove_signature(note, key, line)
        found["status"] = "proven"
    except _Unchecked as problem:
        found["reason"] = str(problem)
    except _Bad as bad:
        found["status"], found["reason"] = "refuted", bad.reason
    return found


def _holds(verdict: bool | None) -> bool:
    if verdict is None:
        raise _Unchecked(
            "the package cryptography, which checks signatures, is missing, or too old for this key"
        )
    return verdict


def _prove_signature(note: _Note, key: _Key, line: _Line | None) -> None:
    """Check that a key signed the checkpoint, and the entry where that bears a signature."""
    if key.name and key.name != note.origin:
        raise _Bad(None, f"the checkpoint is of the log {note.origin}, the key of {key.name}")
    by = (note.origin, key.id_under(note.origin))
    values = [value for name, id_, value in note.signatures if (name, id_) == by]
    if not values:
        raise _Bad(None, "the key given did not sign the checkpoint")
    if not all(_holds(key.verifies(value, note.text.encode())) for value in values):
        raise _Bad(None, "the signature of the key given does not hold")
    if line is not None and line.signature is not None:
        message = b"chained-logging entry v1\n" + line.own.encode() + b"\n"
        if not _holds(key.verifies(base64.b64decode(line.signature), message)):
            raise _Unchecked(
                "the entry bears a signature that is not of the key given: it was changed, or is "
                "of an earlier key. What the checkpoint says of the entry holds"
            )


def _prove_cosignatures(note: _Note, witnesses: list[_Key]) -> dict[str, str]:
    """Check that each witness cosigned, and return when."""
    times = {}
    for key in witnesses:
        values = [v for name, id_, v in note.signatures if (name, id_) == (key.name, key.id)]
        if not values:
            raise _Bad(None, f"the checkpoint is not cosigned by the witness {key.name}")
        for value in values:
            verdict, time_ = key.cosigned(note, value)
            if not _holds(verdict):
                raise _Bad(None, f"the cosignature of the witness {key.name} does not hold")
            moment = datetime.datetime.fromtimestamp(time_, datetime.timezone.utc)
            times[key.name] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return times


def _prove_entry(note: _Note, lines: list[str], entry_hash: str | None) -> _Line:
    if lines and lines[0].startswith("index "):
        raise _Unchecked("the proof does not hold the entry it is about: it has no line extra")
    if len(lines) < 2 or not lines[0].startswith("extra ") or not lines[1].startswith("index "):
        raise _Bad(None, "the proof holds no entry, or no index")
    index = lines[1][6:]
    try:
        text = _unbase64(lines[0][6:])
    except ValueError:
        raise _Bad(None, "the entry in the proof is not base64") from None
    line = _read_line(text)
    if line.bad is not None or line.altered:
        raise line.bad or _Bad(None, "the hash of the entry is not that of its content")
    if str(line.seq) != index or not int(index) < note.size:
        raise _Bad(None, "the entry is not the one at the index of the proof")
    if _fold(int(index), note.size, bytes.fromhex(line.own), _hashes(lines[2:])) != note.root:
        raise _Bad(None, "the proof does not lead to the root of the checkpoint")
    if entry_hash is not None and entry_hash.lower() != line.own:
        raise _Bad(None, "the entry has not the hash that was given")
    return line


def _prove_extension(note: _Note, lines: list[str], checkpoint: bytes | None) -> None:
    if not re.fullmatch("old (0|[1-9][0-9]{0,15})", lines[0]):
        raise _Unchecked("this is not a proof")
    if checkpoint is None:
        raise _Unchecked("the older checkpoint is needed too: --checkpoint FILE")
    older = _Note(checkpoint, "the older checkpoint")
    if older.origin != note.origin or str(older.size) != lines[0][4:]:
        raise _Bad(None, "the older checkpoint is not the one that the proof is about")
    if not _extends(older.size, older.root, note.size, note.root, _hashes(lines[1:])):
        raise _Bad(None, "the newer state does not extend the older one")


# --------------------------------------------------------------------------------------------
# Timestamps (RFC 3161), by the program openssl.

_CLOCK_STEP = 300  # seconds that a timestamp may be ahead of this computer's clock
_DIGEST = re.compile(r"digestAlgorithm:\s*algorithm: (\S+)")
_STRONG = ("sha256", "sha384", "sha512")
_STAMP = re.compile(r"^Time stamp: (\w+ +\d+ [\d:]+)(?:\.\d+)? (\d+) GMT$", re.M)


def _timestamp_time(note: bytes, timestamp: str, roots: bytes) -> str | None:
    """Return when an authority says that a note existed (RFC 3161), checked by ``openssl ts``.

    The certificates must have been valid at that time, and may have expired since. RSA below 2,048
    bits and SHA-1 are refused (ETSI EN 319 422 by way of TS 119 312; NIST SP 800-131A).

    :param timestamp: the authority's response, in base64.
    :returns: None if the program ``openssl`` is missing.
    :raises _Bad: if the timestamp does not hold.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("note", "response", "roots")]
        try:
            response = base64.b64decode(timestamp, validate=True)
        except ValueError:
            raise _Bad(None, "it is not base64") from None
        for name, data in zip(files, (note, response, roots)):  # noqa: B905  # Python 3.9
            with open(name, "wb") as file:
                file.write(data)

        def run(*arguments: str) -> str:
            # Only the names of our own files are arguments: nothing of the log is.
            done = subprocess.run(  # noqa: S603
                [openssl, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
            if done.returncode:
                lines = done.stderr.decode("utf-8", "replace").split("\n")
                why = [line for line in lines if ":error:" in line.lower() or "error:" in line]
                raise _Bad(None, (why or lines)[0][:300] or "openssl refuses it")
            return done.stdout.decode("utf-8", "replace")

        # Take the last one: the status, which an attacker can write, comes before the signed part.
        said = _STAMP.findall(run("ts", "-reply", "-in", files[1], "-text"))
        try:
            stated = datetime.datetime.strptime(" ".join(said[-1]), "%b %d %H:%M:%S %Y")
        except (IndexError, ValueError):
            raise _Bad(None, "it states no time") from None
        stated = stated.replace(tzinfo=datetime.timezone.utc)
        # Level 2 is 112 bits: no RSA below 2,048 bits and no certificate signed over SHA-1.
        at = ["-attime", str(int(stated.timestamp())), "-auth_level", "2"]
        run("ts", "-verify", "-data", files[0], "-in", files[1], "-CAfile", files[2], *at)
        run("ts", "-reply", "-in", files[1], "-token_out", "-out", files[0])
        shown = run("cms", "-cmsout", "-noout", "-print", "-inform", "DER", "-in", files[0])
        digests = _DIGEST.findall(shown)
        if not digests or any(name.lower() not in _STRONG for name in digests):
            raise _Bad(None, f"it is signed over {', '.join(digests) or 'an unknown hash'}")
    if stated.timestamp() > time.time() + _CLOCK_STEP:
        raise _Bad(None, "it states a time in the future of this computer's clock")
    return stated.strftime("%Y-%m-%dT%H:%M:%SZ")


# --------------------------------------------------------------------------------------------
# Checkpoints as they are kept: beside a log, in a database, in files of their own.


class _Stored(NamedTuple):
    """A checkpoint as a log keeps it."""

    number: int
    note: bytes
    timestamp: str | None = None
    size: Any = None
    """The size stored beside the note, which must be the note's; None for a note alone."""
    state: Any = None
    torn: bool = False

    def agrees(self, note: _Note) -> bool:
        """Whether its size and the frontier of its tree, from which the log goes on, are right."""
        if not self.state:  # the state is of use where a log is written to, and there alone
            return self.size in (None, note.size)
        try:
            state = _unbase64(self.state)
        except (TypeError, ValueError):
            return False
        tree = _Tree()
        tree.nodes = [(0, state[at : at + 32]) for at in range(8, len(state), 32)]
        return (
            type(self.size) is int
            and self.size == note.size == int.from_bytes(state[:8], "big")
            and len(state) == 8 + 32 * bin(note.size).count("1")
            and tree.root() == note.root
        )


def _notes_beside(path: str) -> Iterator[_Stored]:
    """Yield the checkpoints that a log keeps with itself."""
    if os.path.isfile(path) and _magic(path, {}) == _SQLITE:
        yield from _note_rows(path)
        return
    # A log that was compressed since keeps the checkpoints of its first name.
    for name in (path, path[:-3] if path.endswith(".gz") else path):
        if os.path.lexists(name + ".checkpoints"):
            yield from _notes_in(name + ".checkpoints")
            return


def _note_rows(path: str) -> Iterator[_Stored]:
    """Yield the checkpoints in a database; of what is wrong with it, `_rows` tells."""
    number = -1
    try:
        with _database(path) as connection:
            connection.execute("BEGIN")
            if not _Schema(connection, path).checkpoints:
                return
            number = 0
            rows = connection.execute(
                "SELECT typeof(note), typeof(state), typeof(timestamp), note, timestamp, size,"
                " state FROM checkpoints NOT INDEXED ORDER BY id"
            )
            for number, (*kinds, note, timestamp, size, state) in enumerate(rows, 1):
                if kinds[:2] != [b"text", b"text"] or kinds[2] not in (b"text", b"null"):
                    yield _Stored(number, b"")
                    continue
                at = None if timestamp is None else _decoded(timestamp)
                yield _Stored(number, note, at, size, _decoded(state))
    except _SQL_ERRORS:
        if number >= 0:
            yield _Stored(number + 1, b"")


def _notes_in(path: str) -> Iterator[_Stored]:
    """Yield the notes in a file: one signed note, or a log's file of checkpoints."""
    _check_regular(path)
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size  # what is written meanwhile is of later entries
        if not left:
            yield _Stored(1, b"", torn=True)
            return
        first = file.read(min(1, left))
        file.seek(0)
        if first != b"{":
            yield _Stored(1, file.read(min(MAX_NOTE + 1, left)))
            return
        number = 0
        while left > 0:
            number += 1
            line = file.readline(min(MAX_NOTE, left))
            left -= len(line)
            if not line.endswith(b"\n"):
                if len(line) == MAX_NOTE or not _grows(path, file.tell()):
                    yield _Stored(number, b"", torn=len(line) < MAX_NOTE)
                return  # what is being written is of entries that are still to come
            yield _note_line(number, line)


def _note_line(number: int, line: bytes) -> _Stored:
    try:
        found = json.loads(line)
        timestamp = found.get("timestamp")
        if isinstance(timestamp, (str, type(None))):
            note = found["note"].encode()
            return _Stored(number, note, timestamp, found.get("size"), found.get("state"))
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        pass
    return _Stored(number, b"")


def _grows(path: str, size: int) -> bool:
    """Whether a file's last line is only just being written: a moment later it has grown."""
    for _ in range(10):
        if _size(path) != size:
            return True
        time.sleep(0.01)
    return False


_LISTINGS = (".digest", ".manifest")
_LISTED = re.compile(
    rb'segments/[0-9]{20}-([0-9]{20})\.jsonl|"last_seq":([0-9]{1,16})[,}]'  # of S3; of a log
)


def _listed(paths: Iterable[str]) -> list[tuple[str, int]]:
    """Return the last entry that each catalogue of segments beside a log lists."""
    found = []
    for path in paths:
        last, left = -1, _side(path)
        if not left:
            continue
        with open(path, "rb") as file:
            while left > 0 and (line := file.readline(min(left, MAX_NOTE))):
                left -= len(line)
                last = max([last, *(int(a or b) for a, b in _LISTED.findall(line))])
        found.append((path, last))
    return found


MAX_BAD_NOTES = 1000


def _gather(
    chain: _Chain,
    logs: list[str],
    outside: list[str],
    beside: Sequence[str],
    stream: Stream | None,
) -> Iterator[_Note]:
    """Yield the checkpoints beside the logs, and those that were kept elsewhere."""
    for path in outside:
        yield from _given_notes(path)
    for log in logs:
        yield from _good_notes(chain, log, _notes_beside(log), of_log=True)
    for path in beside:
        if not path.endswith(_LISTINGS):
            yield from _good_notes(chain, path, _notes_in(path), in_store=_is_anchored(path))
    if stream is not None:
        notes = (_Stored(number, *pair) for number, pair in enumerate(stream.notes, 1))
        yield from _good_notes(chain, stream.name, notes, in_store=True)


def _given_notes(path: str) -> Iterator[_Note]:
    found = False
    for stored in _notes_in(path):
        try:
            yield _Note(stored.note, path, outside=True, timestamp=stored.timestamp)
            found = True
        except _Bad as bad:
            raise _Unchecked(f"{path}, note {stored.number}: {bad.reason}") from None
    if not found:
        raise _Unchecked(f"{path} holds no checkpoint")


def _good_notes(
    chain: _Chain,
    source: str,
    notes: Iterable[_Stored],
    of_log: bool = False,
    in_store: bool = False,
) -> Iterator[_Note]:
    """Yield the checkpoints that are whole, and name the others.

    :param of_log: whether a log keeps them with itself, each with the state of its tree.
    :param in_store: whether others may have added some, which count for nothing.
    """
    bad_notes = 0
    for stored in notes:
        if stored.torn and of_log:  # of a checkpoint that never was: its writer died
            chain.report.remarks.append(f"{source}: its file of checkpoints ends in half of one")
            continue
        try:
            note = _Note(stored.note, source, timestamp=stored.timestamp)
            if not stored.agrees(note) or (of_log and not stored.state):
                raise _Bad(None, "its size or state is not that of its note")
            note.stored = in_store
            yield note
        except _Bad as bad:
            if in_store:
                chain.report.foreign += 1
                continue
            reason = "the file ends in the middle of it" if stored.torn else bad.reason
            reason = f"note {stored.number}: {reason}"
            chain.findings.fault("checkpoint", _Line(source, 0), None, reason)
            bad_notes += 1
        if bad_notes == MAX_BAD_NOTES:
            reason = "the notes after it are not read"
            chain.findings.fault("checkpoint", _Line(source, 0), None, reason)
            return


# --------------------------------------------------------------------------------------------
# What is found on the way, and the observers that each look at one thing as entries pass: their
# order, the tree that they make, and the time between them. The keys are a part of their own.


class _Findings:
    """The report, as it grows."""

    def __init__(
        self,
        report: Report,
        on_fault: Callable[[Fault], None] | None = None,
        keep: int = MAX_FAULTS,
    ) -> None:
        self.report, self.on_fault, self.keep = report, on_fault, keep
        self.kinds: set[str] = set()
        self.doubt: str | None = None  # why the log is not called intact, whatever is found
        # Whether the log has changed since it was read.
        self.moved: Callable[[], bool] | None = None

    def fault(self, kind: str, at: _Line, name: str | None, reason: str) -> None:
        name, reason = name and name[:100], reason[:MAX_REASON]  # a file may hold names as it likes
        self.report_fault(Fault(kind, at.file, at.number or None, at.seq, name, reason))

    def report_fault(self, fault: Fault) -> None:
        # Before anything is named: a log that is written to is not judged by half of a change.
        if self.moved is not None and not self.report.fault_count and self.moved():
            raise _Moved
        self.report.fault_count += 1
        self.kinds.add(fault.kind)
        if len(self.report.faults) < self.keep:
            self.report.faults.append(fault)
        if self.on_fault is not None:
            self.on_fault(fault)


class _Order:
    """Checks that each entry follows the previous one, and finds which are missing."""

    def __init__(self, findings: _Findings, from_hash: str | None, goes_on: bool) -> None:
        self.findings, self.from_hash, self.goes_on = findings, from_hash, goes_on
        self.next: int | None = None  # the seq that should come now
        self.links: tuple[str, ...] = ()  # what its prev_hash may be; () if that cannot be told
        self.holes: list[tuple[int, int, _Line]] = []  # seqs that did not come, so far
        self.lost = 0  # unreadable lines since the last readable one

    def see(self, line: _Line, seq: int) -> None:
        """Put an entry in its place."""
        if self.next is None:
            self.begin(line, seq)
        elif seq < self.next:
            self.come_back(line, seq)
            return
        elif seq > self.next:
            # Unreadable lines were here instead: they are named already.
            if seq - self.next > self.lost and len(self.holes) < MAX_HOLES:
                self.holes.append((self.next + self.lost, seq - 1, line))
        elif not self.lost and self.links and not self.links_to(line):
            reason = (
                "its prev_hash is not the hash of the entry before it: one of them was replaced"
            )
            self.findings.fault("inserted", line, "prev_hash", reason)
        if seq and line.prev == GENESIS:
            self.findings.fault("inserted", line, "prev_hash", "a second log begins here")
        self.next, self.lost = seq + 1, 0
        self.links = (line.hash or "", line.own)

    def links_to(self, line: _Line) -> bool:
        """Whether an entry names the one before it; a stub names none."""
        return line.prev in self.links or line.altered or line.stub

    def begin(self, line: _Line, seq: int) -> None:
        if self.goes_on:
            return
        if line.stub and self.from_hash is not None:
            self.findings.doubt = (
                "the first line is a stub, which does not say what is before it, so the hash given "
                "with --from-hash cannot be compared: give the files before it too"
            )
            return
        if self.from_hash is not None:
            if line.prev != self.from_hash:
                reason = "it does not follow the hash given with --from-hash"
                self.findings.kinds.add("inserted")
                self.findings.fault("cut-front", line, "prev_hash", reason)
        elif seq:
            reason = f"the log begins at seq {seq}: what came before it is not here"
            self.findings.fault("cut-front", line, None, reason)
        elif line.prev != GENESIS:
            self.findings.fault(
                "malformed", line, "prev_hash", "entry 0 does not begin with GENESIS"
            )

    def come_back(self, line: _Line, seq: int) -> None:
        index = bisect.bisect_right(self.holes, (seq, sys.maxsize)) - 1  # they are in order
        if index >= 0 and seq <= self.holes[index][1]:
            low, high, at = self.holes[index]
            rest = [(low, seq - 1, at), (seq + 1, high, at)]
            self.holes[index : index + 1] = [hole for hole in rest if hole[0] <= hole[1]]
            reason = f"seq {seq} comes after seq {(self.next or 0) - 1}"
            self.findings.fault("reordered", line, "seq", reason)
            return
        if line.hash in self.links and seq == (self.next or 0) - 1:
            self.findings.fault("duplicated", line, "seq", f"seq {seq} appears here a second time")
        else:
            reason = f"seq {seq} was there before: this is a copy, or another entry with its number"
            self.findings.fault("duplicated", line, "seq", reason)

    def end(self) -> None:
        """Name what did not come."""
        for low, high, at in self.holes:
            what = f"entry {low} is" if low == high else f"entries {low} to {high} are"
            self.findings.fault("missing", at, "seq", f"before seq {at.seq}, {what} missing")


class _Growth:
    """The tree that the entries make, where a checkpoint gives its root."""

    def __init__(self, from_hash: str | None, goes_on: bool) -> None:
        # None where the entries are not those of a whole log.
        self.tree: _Tree | None = _Tree() if from_hash is None else None
        self.goes_on = self.first = goes_on
        self.wanted: list[int] = []  # the sizes at which a checkpoint gives a root, largest first
        self.roots: dict[int, bytes] = {0: _Tree().root()}
        self.subtrees: dict[int, list[tuple[int, bytes]]] = {}  # of a part, instead of roots

    def start_from(self, tree: _Tree) -> None:
        """Go on from a tree over all entries before."""
        self.tree = _joined(tree, [])
        self.roots[tree.size] = tree.root()
        while self.wanted and self.wanted[-1] <= tree.size:
            self.wanted.pop()

    def see(self, seq: int, leaf: bytes) -> None:
        """Add an entry to the tree, as far as some checkpoint reaches."""
        if self.tree is None or not self.wanted:
            return
        if self.first:
            self.tree = _Tree(seq)
            while self.wanted and self.wanted[-1] <= seq:
                self.wanted.pop()
        self.first = False
        if seq != self.tree.size:
            self.tree = None
            return
        self.tree.append(leaf)
        if self.wanted and self.tree.size == self.wanted[-1]:
            size = self.wanted.pop()
            if self.goes_on:
                self.subtrees[size] = list(self.tree.nodes)
            else:
                self.roots[size] = self.tree.root()


class _Clock:
    """How long nothing was recorded."""

    def __init__(self, findings: _Findings, max_gap: float | None) -> None:
        self.findings, self.max_gap = findings, max_gap
        self.last_moment: int | None = None

    def see(self, line: _Line) -> None:
        """Name a silence: by the time in the id, which the log gave, not the caller."""
        moment = int(line.entry["id"][:8] + line.entry["id"][9:13], 16)
        before, self.last_moment = self.last_moment, moment
        if self.max_gap is not None and before is not None:
            gap = (moment - before) / 1000
            if gap > self.max_gap:
                reason = f"before it nothing was recorded for {gap:,.0f} seconds"
                self.findings.fault("silence", line, "id", reason)


# --------------------------------------------------------------------------------------------
# Places and hashes in temporary files, so that what a log holds does not show in memory. What
# retention removed is explained by an entry far behind it.

_BATCH = 1024  # places that are looked for at once
_WINDOW = 256  # places that are read at once


def _opened(path: str | None) -> Any:
    """Return a new file to write and read; None for one without a name."""
    return tempfile.TemporaryFile() if path is None else open(path, "w+b")


class _Spool:
    """The numbers of entries, in order, each with a hash; and which of them were taken.

    :param path: the beginning of the names of its files, which then stay; None for files that
        have no names. There are files only once something was added.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path, self.count, self.last = path, 0, -1
        self.cursor = 0
        self.files: list[BinaryIO] = []

    def add(self, seqs: Iterable[int], hashes: bytes) -> None:
        """Add entries that come after those before them.

        :param hashes: 32 bytes for each.
        """
        if not self.files:
            self.files = [self.opened(".places"), self.opened(".hashes")]
        places = array.array("Q", [seq << 1 for seq in seqs])
        self.files[0].write(places.tobytes())
        self.files[1].write(hashes)
        self.count, self.last = self.count + len(places), places[-1] >> 1

    def opened(self, kind: str) -> BinaryIO:
        file: BinaryIO = _opened(self.path and self.path + kind)
        return file

    def join(self, path: str) -> None:
        """Add what another process wrote to files of these names, if it did."""
        for number, kind in enumerate((".places", ".hashes")):
            if os.path.exists(path + kind):
                if len(self.files) == number:
                    self.files.append(self.opened(kind))
                with open(path + kind, "rb") as file:
                    shutil.copyfileobj(file, self.files[number])
                self.count = self.files[0].tell() // 8

    def close(self) -> None:
        for file in self.files:
            file.close()

    def flush(self) -> None:
        for file in self.files:
            file.flush()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, at: int) -> int:
        """Return a place: the number of an entry, doubled, and one more where it was taken."""
        return self.places(at, 1)[0]

    def places(self, at: int, count: int) -> array.array[int]:
        return array.array("Q", os.pread(self.files[0].fileno(), 8 * count, 8 * at))

    def take(self, seqs: Sequence[int]) -> list[bytes | None]:
        """Return the hashes of entries, in order; None where an entry is not there.

        :param seqs: ascending.
        :raises _Bad: if one was taken before.
        """
        found: list[bytes | None] = []
        if not self.count:
            return [None] * len(seqs)
        self.flush()
        while len(found) < len(seqs):
            found += self.take_near(seqs[len(found) :])
        return found

    def take_near(self, seqs: Sequence[int]) -> list[bytes | None]:
        """As :meth:`take`, of some of the first: those that are close together."""
        at = self.find(seqs[0] << 1)
        self.cursor = min(at, self.count - 1)
        places = self.places(at, min(_WINDOW, len(seqs)))
        hashes = os.pread(self.files[1].fileno(), 32 * len(places), 32 * at)
        if not places:
            return [None] * len(seqs)
        count = bisect.bisect_right(seqs, places[-1] >> 1)
        index = {place >> 1: number for number, place in enumerate(places)}
        numbers = [index.get(seq) for seq in seqs[:count]]
        for number in numbers:
            if number is not None:
                if places[number] & 1:
                    raise _Bad(None, f"it names entry {places[number] >> 1}, as one before it does")
                places[number] |= 1
        os.pwrite(self.files[0].fileno(), places.tobytes(), 8 * at)
        return [None if at is None else hashes[32 * at : 32 * at + 32] for at in numbers]

    def take_within(self, first: int, last: int) -> int:
        """Take all entries from one number to another, and return how many they are.

        :raises _Bad: if one was taken before.
        """
        self.flush()
        count = 0
        at = self.find(first << 1) if self.count else 0
        while at < self.count:
            seqs = [place >> 1 for place in self.places(at, _WINDOW) if place >> 1 <= last]
            if not seqs:
                break
            self.take(seqs)
            count, at = count + len(seqs), at + len(seqs)
        return count

    def following(self, seq: int) -> int:
        """Return the first number from `seq` on; a very large one after the last."""
        self.flush()
        at = self.find(seq << 1) if self.count else 0
        return self[at] >> 1 if at < self.count else sys.maxsize

    def find(self, place: int) -> int:
        """Return where a place is, or would be: near where the last one was, as a rule."""
        at = min(self.cursor + _WINDOW, self.count - 1)
        for near in (self.cursor, at):
            if self[near] >> 1 == place >> 1:
                return near
        low = self.cursor if self[self.cursor] < place else 0
        return bisect.bisect_left(self, place, low, self.count)

    def left(self) -> Iterator[tuple[int, int]]:
        """Yield the first and last of the entries that nobody took, by runs."""
        self.flush()
        first = last = -1
        for at in range(0, self.count, _BATCH):
            for place in self.places(at, min(_BATCH, self.count - at)):
                if place & 1:
                    continue
                if place >> 1 != last + 1 or first < 0:
                    if first >= 0:
                        yield first, last
                    first = place >> 1
                last = place >> 1
        if first >= 0:
            yield first, last


# --------------------------------------------------------------------------------------------
# What the log says of its keys. Only the key before can name the next one, and only a log without
# a key can be given its first: who can write to the log, and has no key, speaks for nobody.

_KEY_ACTIONS = ("log.open", "key.add", "key.rotate")


class _Naming(NamedTuple):
    """An entry in the log's own name about a key."""

    seq: int
    prev: str
    origin: str
    action: str
    key: Any
    """The key that it names or revokes; None if it names none."""
    old: Any
    """The key before."""
    statement: Any
    """A signature in base64 over :meth:`message`."""

    @classmethod
    def of(cls, line: _Line) -> _Naming | None:
        """Return what an entry says of keys, if that is what it is about."""
        entry, context = line.entry, line.entry["context"]
        action, origin = entry["action"], entry["resource_id"]
        key = context.get("public_key")
        if action == "key.revoke":
            key, origin = origin, context.get("origin")
        elif action not in _KEY_ACTIONS or (action == "log.open" and not key and not line.seq):
            return None
        old, statement = context.get("old_public_key"), context.get("statement")
        return cls(line.seq or 0, line.prev or "", origin, action, key, old, statement)

    def message(self, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        head = f"chained-logging {self.action} v1\n{self.origin}\n{self.seq}\n{self.prev}\n"
        return f"{head}{signer.vkey}\n{self.key}\n".encode()

    def stated_by(self, signer: _Key) -> bool | None:
        """Whether `signer` made the statement; None where that cannot be checked.

        :raises _Bad: if there is no statement.
        """
        try:
            signature = _unbase64(self.statement)
            if len(signature) != 64:
                raise ValueError
        except (TypeError, ValueError, AttributeError):
            raise _Bad(None, "it holds no statement of the key before") from None
        return signer.verifies(signature, self.message(signer))


def _decision_message(action: str, origin: str, line: _Line, signer: _Key) -> bytes:
    """Return what `signer` signs in the statement of an entry that decides something."""
    try:
        context = _decode_exactly(line.body.decode())["context"]
        context.pop("statement", None)
        digest = _sha256(_canonical(context).encode()).hexdigest()
    except RecursionError:
        raise _Bad(None, "its context is nested too deeply") from None
    head = f"chained-logging {action} v1\n{origin}\n{line.seq}\n{line.prev}\n"
    return f"{head}{signer.vkey}\n{digest}\n".encode()


class _Keys:
    """The keys of a log, from the first to the last, and the signatures that entries bear."""

    def __init__(self, findings: _Findings, from_hash: str | None, goes_on: bool) -> None:
        self.findings, self.from_hash = findings, from_hash
        self.goes_on = goes_on
        self.begun = False  # whether it is known which keys came before the first entry
        self.known: list[tuple[int, _Key]] = []  # each with the seq of the entry that names it
        self.vkeys: set[str] = set()  # of these keys
        self.revoked: set[str] = set()  # and of these, those that were
        self.named: list[_Naming] = []  # of a part: what it says of keys
        self.signer: _Key | None = None  # which signed the last entry with a signature
        self.signed_until = -1  # and that entry
        self.bare: int | None = None  # the first caller's entry since then
        self.gaps: list[tuple[int, int]] = []  # such, each with the next signed one

    def see(self, line: _Line) -> None:
        """Follow what the log says of its keys, and check the signature of an entry."""
        entry, seq = line.entry, line.seq or 0
        own = entry["actor_id"] == "chained_logging"
        if own and entry["actor_type"] != "system":
            reason = "it bears the name of the log itself, which has the type system"
            self.findings.fault("inserted", line, "actor_type", reason)
            return
        naming = _Naming.of(line) if own else None
        if naming is not None and not self.follow(line, naming):
            return
        if line.signature:
            self.check_entry(line, seq)
        elif self.signer is not None and own:
            # A command without the key may add what the log says of itself: a revocation.
            self.findings.report.unsigned_own += 1
            if self.findings.report.unsigned_own_from is None:
                self.findings.report.unsigned_own_from = seq
        else:
            self.see_unsigned(seq)

    def see_stub(self, line: _Line) -> None:
        """Check the signature of what is left of an entry. Without one, it may be the log's own."""
        if line.signature:
            self.check_entry(line, line.seq or 0)

    def check_entry(self, line: _Line, seq: int) -> None:
        """Check the signature that an entry bears."""
        if self.goes_on:  # which key it was then, a part cannot know
            self.findings.fault("signature", line, "signature", "it is not checked here")
            return
        # An entry that names a new key is signed with the old one; the first key signs its own.
        then = [key for at, key in self.known[-2:] if at < seq] or [
            key for _, key in self.known[:1]
        ]
        message = b"chained-logging entry v1\n" + (line.hash or "").encode() + b"\n"
        signature = base64.b64decode(line.signature or "")
        holds = then[-1].verifies(signature, message) if then else False
        if holds:
            if self.bare is not None and len(self.gaps) < MAX_HOLES:
                self.gaps.append((self.bare, seq))
            self.signer, self.findings.report.signed_entry, self.bare = then[-1], seq, None
        elif holds is None or not self.whole:  # there it may be of a later key, or of one before
            self.findings.report.unchecked_signatures += 1
        else:
            self.findings.fault(
                "signature", line, "signature", "its signature is not of the log's key"
            )

    @property
    def whole(self) -> bool:
        """Whether it is known which key is the first, if there is one."""
        begins = self.from_hash is None and self.findings.report.starts_at_genesis
        return self.begun or begins

    def follow(self, line: _Line, naming: _Naming) -> bool:
        """Take up a key, or its revocation, and say whether the entry is one of the log's."""
        if self.goes_on:
            self.named.append(naming)
            return True
        try:
            if naming.action == "key.revoke":
                self.revoke(naming)
            elif naming.action == "key.rotate":
                self.rotate(naming)
            else:
                self.begin(naming)
        except _Bad as bad:
            self.findings.fault(
                "key", line, "context", f"a key is not named like this: {bad.reason}"
            )
            return False
        return True

    def key_named(self, naming: _Naming) -> _Key:
        if not isinstance(naming.key, str):
            raise _Bad(None, "it names no key")
        key = _Key(naming.key)
        if key.name != (self.findings.report.origin or naming.origin) or key.vkey != naming.key:
            raise _Bad(None, "the key has the name of another log")
        return key

    def take(self, seq: int, key: _Key) -> None:
        self.known.append((seq, key))
        self.vkeys.add(key.vkey)

    def begin(self, naming: _Naming) -> None:
        """Take up the first key. Nobody vouches for it but who knows it from elsewhere."""
        if naming.action == "log.open" and naming.seq:
            raise _Bad(None, "a log is opened by its first entry, and by no other")
        key = self.key_named(naming)
        if self.whole and self.known:
            raise _Bad(None, "the log had a key already, which must name the next one")
        if self.whole:
            self.take(naming.seq, key)

    def rotate(self, naming: _Naming) -> None:
        """Accept the next key, if the previous key says so."""
        key, old = self.key_named(naming), _Key(str(naming.old))
        before = self.known[-1][1] if self.known else None
        if self.whole and (before is None or before.vkey != old.vkey):
            raise _Bad(None, "the key before is not the log's key")
        holds = naming.stated_by(old)
        if holds is False:
            raise _Bad(None, "its statement is not of the key before")
        if holds is None:
            self.findings.report.unchecked_signatures += 1
        # In the middle of a log the previous key must be the given one, or it is unknown.
        if before is not None and before.raw == old.raw:
            self.take(naming.seq, key)

    def revoke(self, naming: _Naming) -> None:
        """Note a revocation. Without a statement, anyone with write access could have made it."""
        signed = False
        if naming.statement is not None and self.known:
            holds = naming.stated_by(self.known[-1][1])
            if holds is False and self.whole:
                raise _Bad(None, "its statement is not of the log's key")
            if holds is None:
                self.findings.report.unchecked_signatures += 1
            signed = bool(holds)
        if naming.key in self.vkeys - self.revoked:
            self.revoked.add(naming.key)
            note = {"key": naming.key, "seq": naming.seq, "signed": signed}
            self.findings.report.revoked.append(note)

    def see_unsigned(self, seq: int) -> None:
        """Note entries of callers, from this one on, that bear no signature."""
        if self.signer is not None and self.bare is None:
            self.bare = seq


# --------------------------------------------------------------------------------------------
# A front that the log itself moved to an archive. An entry says up to where, with the tree over
# what was moved and the keys that it names: so what is here is checked without the archive.

_MOVED_BEGINS = b'{"action":"archive.move","actor_id":"chained_logging","actor_type":"system",'


class _Front:
    """What an entry says of all entries before the first one that is here.

    :raises _Bad: if it does not have the form of one.
    """

    def __init__(self, line: _Line) -> None:
        context = line.entry["context"]
        self.line, self.statement = line, context.get("statement")
        try:
            self.origin, self.archive = context["origin"], context["archive"]
            self.last_seq, self.last_hash = context["last_seq"], context["last_hash"]
            texts = (self.origin, self.archive, self.last_hash, *context["revoked"])
            ok = type(self.last_seq) is int and 0 <= self.last_seq < MAX_SAFE_INTEGER
            ok = ok and all(isinstance(text, str) for text in texts)
            self.tree = _tree_of(_unbase64(context["tree"]), self.last_seq + 1) if ok else _Tree()
            self.keys = [(named["seq"], _Key(named["key"])) for named in context["keys"]]
            self.revoked = set(context["revoked"])
        except (AttributeError, KeyError, TypeError, ValueError):
            ok = False
        if not ok or not self.has_right_keys(context["keys"]):
            raise _Bad(None, "a key of its context is not there, or is not what it must be")

    def has_right_keys(self, named: list[dict[str, Any]]) -> bool:
        """Whether the keys are of this log, in the order in which they were named."""
        seqs = [seq for seq, _ in self.keys]
        return (
            all(type(seq) is int and 0 <= seq <= self.last_seq for seq in seqs)
            and sorted(set(seqs)) == seqs
            and all(key.name == self.origin for _, key in self.keys)
            and [key.vkey for _, key in self.keys] == [one["key"] for one in named]
        )

    def is_before(self, first: _Line) -> bool:
        """Whether an entry is the one that comes next."""
        return (first.seq, first.prev) == (self.last_seq + 1, self.last_hash)

    def message(self, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        return _decision_message("archive.move", self.origin, self.line, signer)

    def judge(self, chain: _Chain) -> None:
        """Say whether the entry is the log's own word, now that the keys are known."""
        keys, report, seq = chain.keys.known, chain.report, self.line.seq or 0
        then = [key for at, key in keys if at < seq][-1:]
        text = (
            f"entries 0 to {self.last_seq:,} are in the archive {self.archive}, as entry {seq} "
            "says, and were not checked"
        )
        if not then and self.statement is None:
            report.remarks.append(
                f"{text}. No key of the log vouches for that: anyone who can write to it can write "
                "such an entry"
            )
            return
        holds = bool(then) and _made(self.statement, then[0], self.message(then[0]))
        if holds is None:
            report.unchecked_signatures += 1
        if holds is False or then[0].vkey in chain.keys.revoked:
            why = "the log's key did not sign that" if holds is False else "its key was revoked"
            reason = (
                f"the log begins at seq {report.first_seq}. Entry {seq} says that what came before "
                f"was moved to an archive, and {why}: give the archive too"
            )
            at = _Line(report.files[0], 1, seq=report.first_seq)
            chain.findings.fault("cut-front", at, None, reason)
        else:
            report.remarks.append(text)


def _made(statement: Any, signer: _Key, message: bytes) -> bool | None:
    """Whether a key made a statement; None where that cannot be checked."""
    try:
        signature = _unbase64(statement)
    except (AttributeError, TypeError, ValueError):
        return False
    return len(signature) == 64 and signer.verifies(signature, message)


def _tree_of(state: bytes, size: int) -> _Tree:
    """Return a tree from its size and the roots of its complete subtrees, the largest first.

    :raises ValueError: if they are not of a tree of this size.
    """
    tree = _Tree(size)
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    if state[:8] != size.to_bytes(8, "big") or len(state) != 8 + 32 * len(levels):
        raise ValueError
    tree.nodes = [(level, state[8 + 32 * at :][:32]) for at, level in enumerate(levels)]
    return tree


def _front_of(files: list[str], held: _Held) -> _Front | None:
    """Return the newest entry that explains why the first ones are not here; None without one."""
    first = _first(files[0], held) if files and _magic(files[0], held) != _SQLITE else None
    if first is None or not first.seq or first.altered:
        return None
    found = None
    for path in files:
        for text in _lines(path, held):
            if text.startswith(_MOVED_BEGINS):
                line = _read_line(text, path)
                with contextlib.suppress(_Bad, KeyError):
                    front = _Front(line) if line.bad is None and not line.altered else None
                    found = front if front is not None and front.is_before(first) else found
    return found


# --------------------------------------------------------------------------------------------
# What retention removed. A stub is whole if a later entry of the log's own names it, by the rules
# of docs/format.md. All of it is judged at the end, when the keys are known, in little memory.

MAX_POLICIES = 100  # that are told apart in a report
MAX_SAID = 200  # characters of what an entry says, in a report
_PURGE = "retention.apply"
_KEPT = ("key.", "retention.", "hold.")  # entries of the log's own that are never removed


class _Purge:
    """An entry in the log's own name that names entries as removed.

    :raises _Bad: if it does not have the form of one.
    """

    def __init__(self, line: _Line) -> None:
        context = line.entry["context"]
        self.seq, self.prev = line.seq or 0, line.prev or ""
        try:
            self.origin, self.policy = context["origin"], context["policy"]
            self.ranges, self.root = context["ranges"], bytes.fromhex(context["root"])
            self.count, self.statement = context["count"], context.get("statement")
            texts = (self.origin, self.policy, context["before"], context["root"])
            ok = all(isinstance(text, str) for text in texts) and self.policy
            ok = ok and _HEX64.fullmatch(context["root"]) and _are_selectors(context["selector"])
        except (KeyError, TypeError, ValueError):
            ok = False
        if not ok:
            raise _Bad(None, "a key of its context is not there, or is not what it must be")
        self.check_time(context, line.entry["timestamp"])
        self.check_ranges()
        self.standard, self.clause = _said(context, "standard"), _said(context, "clause")

    @staticmethod
    def check_time(context: dict[str, Any], timestamp: str) -> None:
        before, days = context["before"], context.get("days")
        if not _is_timestamp(before) or type(days) is not int or not 0 <= days < 10**7:
            raise _Bad(None, "its before or days is not a time and a number of days")
        # Days between two dates, and then the times of day: no date is too late to compute.
        dates = [datetime.date.fromisoformat(text[:10]).toordinal() for text in (before, timestamp)]
        if (dates[0] + days, before[10:]) > (dates[1], timestamp[10:]):
            raise _Bad(None, f"before is {before}, and {days:,} days had not passed since then")

    def check_ranges(self) -> None:
        count, end = 0, 0  # entry 0 is never named
        if not isinstance(self.ranges, list) or not self.ranges:
            raise _Bad(None, "it names no ranges")
        for found in self.ranges:
            ok = isinstance(found, list) and [type(number) for number in found] == [int, int]
            if not ok or not end < found[0] <= found[1]:
                raise _Bad(
                    None,
                    "its ranges are not pairs of whole numbers from 1 on, ascending, with a gap "
                    "between two of them",
                )
            count, end = count + found[1] - found[0] + 1, found[1] + 1
        if end > self.seq:
            raise _Bad(None, f"it names entry {end - 1}, and comes not after it")
        if type(self.count) is not int or count != self.count:
            raise _Bad(None, f"its ranges are {count:,} entries, and its count says otherwise")

    def message(self, line: _Line, signer: _Key) -> bytes:
        """Return what `signer` signs in a statement."""
        return _decision_message(_PURGE, self.origin, line, signer)

    def batches(self, first: int) -> Iterator[list[int]]:
        """Yield the numbers of the entries that it names, from `first` on, by batches."""
        seqs = itertools.chain.from_iterable(
            range(max(first, low), high + 1) for low, high in self.ranges
        )
        while batch := list(itertools.islice(seqs, _BATCH)):
            yield batch


def _said(context: dict[str, Any], name: str) -> str | None:
    """Return a text that is only shown.

    :raises _Bad: if it is not one.
    """
    found = context.get(name)
    if found is not None and not isinstance(found, str):
        raise _Bad(None, f"its {name} is not a text")
    return found and found[:MAX_SAID]


def _are_selectors(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and {*found} <= {"resource_type", "action", "tenant_id"}
        and all(
            isinstance(values, list) and all(isinstance(value, str) for value in values)
            for values in found.values()
        )
    )


def _is_purge(line: _Line) -> bool:
    entry = line.entry
    return bool(
        entry.get("action") == _PURGE
        and entry["actor_id"] == "chained_logging"
        and entry["actor_type"] == "system"
    )


class _Retention:
    """The stubs of a log, and the entries that say why.

    :param path: the beginning of the names of its files; None for files without names.
    :param keeps: whether to keep the hashes of entries too: where they cannot be read again.

    With `partial`, only some of what an entry names is here: proven by a tree, not by its root.
    """

    partial = False

    def __init__(
        self,
        findings: _Findings,
        path: str | None = None,
        keeps: bool = False,
    ) -> None:
        self.findings, self.path = findings, path
        self.stubs = _Spool(path and path + ".stubs")
        self.others: _Spool | None = _Spool() if keeps else None
        self.kept = _Spool(path and path + ".kept")  # entries that are never removed
        self.entries: BinaryIO | None = None  # that name stubs, one after the other
        self.sources: list[tuple[int, str]] = []  # from which stub on they are of which file
        self.left = 0  # entries that are named and there
        self.still: list[int] = []  # the first and last entry that name such
        self.elsewhere: Sequence[tuple[int, int, str]] = ()  # what is in an archive
        self.fronts: list[int] = []  # and that name some before what is checked here

    def add_run(self, run: _Run, numbers: range, file: str) -> None:
        """Take up ordinary lines."""
        if run.stubs:
            self.add_stubs(
                [numbers[at] for at in run.stubs], [run.leaves[at] for at in run.stubs], file
            )
            self.findings.report.stubs += len(run.stubs)
        if self.others is not None:
            entries = run.entries
            self.add_others([numbers[at] for at in entries], [run.leaves[at] for at in entries])

    def see(self, line: _Line, seq: int) -> None:
        """Take up a line."""
        leaf = bytes.fromhex(line.own)
        if line.stub:
            self.add_stubs([seq], [leaf], line.file)
        else:
            self.add_others([seq], [leaf])
            if line.entry.get("actor_id") == "chained_logging" and not line.altered:
                self.see_own(line, seq, leaf)

    def see_own(self, line: _Line, seq: int, leaf: bytes) -> None:
        """Take up an entry of the log's own."""
        if line.entry["action"].startswith(_KEPT) and seq > self.kept.last:
            self.kept.add([seq], leaf)
        if _is_purge(line):
            self.keep(line)

    def add_stubs(self, seqs: Sequence[int], leaves: Sequence[bytes], file: str) -> None:
        """Take up stubs that come in order; what does not is named elsewhere."""
        if seqs[0] > self.stubs.last:
            self.stubs.add(seqs, b"".join(leaves))
            if not self.sources or self.sources[-1][1] != file:
                self.sources.append((seqs[0], file))

    def add_others(self, seqs: Sequence[int], leaves: Sequence[bytes]) -> None:
        if self.others is not None and seqs and seqs[0] > self.others.last:
            self.others.add(seqs, b"".join(leaves))

    def keep(self, line: _Line) -> None:
        """Keep an entry for the end, when all stubs and keys are known."""
        if self.entries is None:
            self.entries = _opened(self.path and self.path + ".entries")
        signature = "" if line.signature is None else f',"signature":"{line.signature}"'
        text = line.body[:-1] + f',"hash":"{line.hash}"{signature}}}'.encode()
        self.entries.write(json.dumps([line.file, line.number]).encode() + b"\n" + text + b"\n")

    def join(self, path: str) -> None:
        """Take up what another process found in a part of the log."""
        self.stubs.join(path + ".stubs")
        self.kept.join(path + ".kept")
        if os.path.exists(path + ".entries"):
            if self.entries is None:
                self.entries = _opened(self.path)
            with open(path + ".entries", "rb") as file:
                shutil.copyfileobj(file, self.entries)

    def close(self) -> None:
        for spool in (self.stubs, self.kept, self.others, self.entries):
            if spool is not None:
                spool.close()

    def purges(self) -> Iterator[_Line]:
        if self.entries is None:
            return
        self.entries.seek(0)
        while place := self.entries.readline():
            yield _read_line(self.entries.readline()[:-1], *json.loads(place))

    def end(self, keys: _Keys, again: Callable[[], _Spool]) -> None:
        """Judge all of it.

        :param again: reads the log again, and returns the hashes of its entries.
        """
        named_at = [at for at, _ in keys.known]
        for line in self.purges():
            try:
                purge = _Purge(line)
                then = keys.known[: bisect.bisect_left(named_at, purge.seq)][-1:]
                signed = self.check_statement(purge, line, keys, then[0][1] if then else None)
                if self.partial:
                    self.check_named(purge)
                else:
                    self.check_root(purge, again)
            except _Bad as bad:
                reason = f"it does not explain what was removed: {bad.reason}"
                self.findings.fault("retention", line, "context", reason)
            else:
                self.note(purge, signed)
        self.check_left()
        self.remark()

    def check_statement(
        self, purge: _Purge, line: _Line, keys: _Keys, signer: _Key | None
    ) -> bool | None:
        """Whether the key of its time made the statement; None where that cannot be checked.

        :param signer: that key, if there was one.
        :raises _Bad: if it did not.
        """
        report = self.findings.report
        for note in report.revoked:
            if signer and note["key"] == signer.vkey and note["seq"] < purge.seq:
                raise _Bad(None, "the log's key was revoked before it")
        if report.origin is not None and purge.origin != report.origin:
            raise _Bad(None, "it is of another log")
        if signer is None and (keys.whole or purge.statement is None):
            return False
        try:
            signature = _unbase64(purge.statement or "")
            if len(signature) != 64:
                raise ValueError
        except (TypeError, ValueError):
            raise _Bad(None, "it holds no statement of the log's key") from None
        holds = signer and signer.verifies(signature, purge.message(line, signer))
        if holds is None or (not holds and not keys.whole):
            report.unchecked_signatures += 1
            return None
        if not holds:
            raise _Bad(None, "its statement is not of the log's key")
        return signer is not None and signer.vkey not in keys.revoked

    def check_root(self, purge: _Purge, again: Callable[[], _Spool]) -> None:
        """Compare the entries that were removed with the root over all of them.

        :raises _Bad: if they are not those, or one of them is not there, or was named before.
        """
        tree, removed, first = _Tree(), 0, self.findings.report.first_seq or 0
        for seqs in purge.batches(first):
            hashes = self.stubs.take(seqs)
            removed += len(hashes) - hashes.count(None)
            if None in hashes:
                hashes = self.with_others(seqs, hashes, again)
            tree.extend([hash_ for hash_ in hashes if hash_])
        if tree.size < purge.count:
            self.fronts = [*self.fronts[:1], purge.seq]
            if tree.size and self.findings.doubt is None:
                self.findings.doubt = (
                    f"the root of entry {purge.seq} is not only of stubs that are here: name the "
                    "files before these too"
                )
        elif tree.root() != purge.root:
            raise _Bad(None, "its root is not that of the hashes of the entries that it names")
        if tree.size > removed:
            self.still = [*self.still[:1], purge.seq]
            self.left += tree.size - removed
        purge.count = removed

    def check_named(self, purge: _Purge) -> None:
        """Take up the stubs here that an entry names.

        :raises _Bad: if one was named before.
        """
        purge.count = sum(self.stubs.take_within(*pair) for pair in purge.ranges)

    def with_others(
        self,
        seqs: Sequence[int],
        hashes: list[bytes | None],
        again: Callable[[], _Spool],
    ) -> list[bytes | None]:
        """Fill in the hashes of entries that are named and still there."""
        if self.others is None:
            self.others = again()
        there = [at for at, hash_ in enumerate(hashes) if hash_ is None]
        self.check_kept([seqs[at] for at in there])
        for at, found in zip(there, self.others.take([seqs[at] for at in there])):  # noqa: B905  # Python 3.9
            if found is None:
                raise _Bad(None, f"it names entry {seqs[at]}, of which not even a stub is here")
            hashes[at] = found
        return hashes

    def check_kept(self, seqs: Sequence[int]) -> None:
        """Check that no entry is named that is never removed.

        :raises _Bad: if one is.
        """
        due = -1  # the next one that is never removed
        for seq in seqs:
            if seq > due:
                due = self.kept.following(seq)
            if seq == due:
                raise _Bad(None, f"it names entry {seq}, which is never removed")

    def note(self, purge: _Purge, signed: bool | None) -> None:
        """Count what was removed, by policy."""
        found = self.findings.report.purged
        policy = purge.policy[:MAX_SAID]
        same = [p for p in found if (p["policy"], p["signed"]) == (policy, signed)]
        if not purge.count or (not same and len(found) == MAX_POLICIES):
            return
        if not same:
            about = {"policy": policy, "standard": purge.standard, "clause": purge.clause}
            same = [{**about, "signed": signed, "entries": 0, "applies": 0, "first_by": purge.seq}]
            found += same
        same[0]["entries"] += purge.count
        same[0]["applies"] += 1
        same[0]["last_by"] = purge.seq

    def remark(self) -> None:
        """Say what was removed, and what is not a fault, but should be known."""
        remarks = self.findings.report.remarks
        remarks += map(_on_policy, self.findings.report.purged)
        if self.still:
            remarks.append(
                f"{self.left:,} entries that {_entries(self.still)} names are still there: run the "
                "command retention apply, which removes them"
            )
        if self.fronts:
            remarks.append(
                f"{_entries(self.fronts)} says what was removed before the first entry here: its "
                "root was not checked"
            )

    def check_left(self) -> None:
        """Name the stubs that no entry explains."""
        moved: list[tuple[int, int, str]] = []
        for first, last in itertools.islice(self.unexplained(moved), MAX_HOLES):
            what = f"of entry {first}" if first == last else f"of entries {first} to {last}"
            reason = f"nothing but stubs is left {what}, and no retention.apply explains it"
            at = bisect.bisect_right(self.sources, (first, "\U0010ffff")) - 1
            file = self.sources[at][1] if at >= 0 else ""
            self.findings.fault("retention", _Line(file, 0, seq=first), None, reason)
        if moved:
            count = sum(last - first + 1 for first, last, _ in moved)
            where = ", ".join(sorted({archive for _, _, archive in moved}))
            reason = (
                f"{count:,} entries up to {moved[-1][1]:,} are in the archive {where}, as the "
                "store says, and were not checked: give it with --archive"
            )
            self.findings.fault("archived", _Line("", 0, seq=moved[0][0]), None, reason)

    def unexplained(self, moved: list[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
        """Yield the stubs that nobody took, by runs, but for those that an archive has.

        :param moved: takes up the latter.
        """
        at = 0
        for first, last in self.stubs.left():
            while first <= last:
                while at < len(self.elsewhere) and self.elsewhere[at][1] < first:
                    at += 1
                begin, end, archive = last + 1, last + 1, ""
                if at < len(self.elsewhere):
                    begin, end, archive = self.elsewhere[at]
                if first < begin:
                    yield first, min(last, begin - 1)
                    first = begin
                else:
                    moved.append((first, min(last, end), archive))
                    first = end + 1


def _entries(seqs: list[int]) -> str:
    return f"entry {seqs[0]}" + (f" or one up to {seqs[-1]}" if len(seqs) > 1 else "")


def _on_policy(found: dict[str, Any]) -> str:
    first, last = found["first_by"], found["last_by"]
    by = f"entry {first}"
    if found["applies"] > 1:
        by = f"{found['applies']:,} entries from {first} to {last}"
    text = f"{found['entries']:,} entries were purged under policy {found['policy']} by {by}"
    if found["signed"] is False:
        text += ", for which no key of the log vouches: anyone who can write to it can write such"
    return text


# --------------------------------------------------------------------------------------------
# The chain: entries from the first to the last, and what breaks.

MAX_JUNK = 1_000_000  # short lines in a row, before the same
_SHORT = 300  # bytes: fewer than any stored entry has
MAX_REASON = 500


def _is_short(line: bytes) -> bool:
    """Whether a line is too short for an entry, and no stub."""
    return len(line) < _SHORT and not (
        line.startswith(_STUB_BEGINS) and _STUB.fullmatch(line) is not None
    )


class _Chain:
    """Follows entries from first to last, and shows each to the observers."""

    def __init__(
        self,
        report: Report,
        on_fault: Callable[[Fault], None] | None = None,
        from_hash: str | None = None,
        to_hash: str | None = None,
        careful: bool = False,
        goes_on: bool = False,
        keep: int = MAX_FAULTS,
        max_gap: float | None = None,
        spool: str | None = None,
        keeps_hashes: bool = False,
    ) -> None:
        self.report = report
        self.from_hash = from_hash
        self.to_hash = to_hash
        self.careful = careful
        self.listed: list[tuple[str, int]] = []  # up to where catalogues of segments say it goes
        self.number = 0  # of the last line of the file
        # With `goes_on`, the entries before these are checked elsewhere.
        self.findings = _Findings(report, on_fault, keep)
        self.order = _Order(self.findings, from_hash, goes_on)
        self.growth = _Growth(from_hash, goes_on)
        self.keys = _Keys(self.findings, from_hash, goes_on)
        self.clock = _Clock(self.findings, max_gap)
        self.retention = _Retention(self.findings, spool, keeps_hashes)
        self.front: _Front | None = None

    def start_after(self, front: _Front) -> None:
        """Go on from what an entry says of those before."""
        self.front, self.report.origin = front, front.origin
        self.from_hash = self.order.from_hash = self.keys.from_hash = front.last_hash
        self.keys.begun = True
        for seq, key in front.keys:
            self.keys.take(seq, key)
        self.keys.revoked |= front.revoked
        self.growth.start_from(front.tree)

    def add_block(self, block: _Block) -> None:
        if block.torn:
            reason = "the file ends in the middle of a line: its writer was stopped, or it was cut"
            self.add(_Line(block.file, -1, bad=_Bad("torn", reason)))
            return
        places = block.places
        if places is None and not block.text.strip(b"\n"):
            self.add_short(len(block.text), b"", block.file)
            return
        if self.careful or not _is_utf8(block.text):
            self.add_lines(block.text.split(b"\n")[:-1], block.file, places)
            return
        at = 0
        for run in _runs(_rows_of(block.text)):
            there = places and places[at : at + len(run)]
            at += len(run)
            if not _is_ordinary(run[0]):
                self.add_lines([row[-1] for row in run], block.file, there)
            elif not self.add_run(_Run(run), block.file, there):
                # Where no hash or address is, a line feed may have been matched.
                text = b"".join(map(_line_of, run))
                self.add_lines(text.split(b"\n")[:-1], block.file, there)

    def add_run(self, run: _Run, file: str, places: list[Any] | None) -> bool:
        """Add ordinary lines that continue the chain; if anything is odd, do nothing."""
        if self.order.next is None or self.order.lost or not run.follows(self.order.links):
            return False
        numbers = range(self.order.next, self.order.next + len(run.leaves))
        if not run.obeys(numbers) or (places is not None and places != list(numbers)):
            return False
        try:
            marks = _marks(run.bodies, run.contexts, run.olds)
        except _Bad:
            return False
        self.number += len(numbers)
        self.order.next, self.order.links = numbers[-1] + 1, (run.hashes[-1].decode(),)
        self.count_run(run, numbers, marks)
        self.retention.add_run(run, numbers, file)
        if self.growth.wanted:
            for seq, leaf in zip(numbers, run.leaves):  # noqa: B905  # Python 3.9
                self.growth.see(seq, leaf)
        return True

    def count_run(self, run: _Run, numbers: range, marks: tuple[int, int]) -> None:
        """Count ordinary lines, and note the last of them."""
        report, entries = self.report, run.entries
        report.entries += len(entries)
        report.incomplete += marks[0]
        report.oversize += marks[1]
        report.last_seq, report.last_hash = numbers[-1], run.hashes[-1].decode()
        if entries:
            last = run.bodies[entries[-1]]
            # After it no text can hold a quotation mark alone.
            at = last.rindex(b',"timestamp":"') + 14
            report.last_timestamp = last[at : at + 27].decode()
            self.keys.see_unsigned(numbers[entries[0]])
        if self.to_hash is not None and self.to_hash.encode() in run.hashes:
            report.anchored = True
            report.anchored_seq = numbers[run.hashes.index(self.to_hash.encode())]

    def add_lines(self, lines: list[bytes], file: str, places: list[Any] | None) -> None:
        """Add lines by every rule, one after the other."""
        index = 0
        while index < len(lines):
            end = index
            while end < len(lines) and _is_short(lines[end]):
                end += 1
            if end > index + 1:
                self.add_short(end - index, lines[index], file)
                index = end
                continue
            line = _read_line(lines[index], file, -1, self.careful)
            if line.bad is None and places is not None and line.seq != places[index]:
                reason = f"the row has the number {places[index]}, and its entry says {line.seq}"
                line.bad = _Bad("seq", reason)
            self.add(line)
            index += 1

    def add_short(self, count: int, first: bytes, file: str) -> None:
        """Add lines that are too short for an entry as one.

        So that what a file of them takes to check, and to report, is bounded.
        """
        reason = f"here and in the {count - 1:,} lines after it: {_what_it_is(first)}"
        self.add(_Line(file, -1, bad=_Bad(None, reason), weight=count))
        self.number += count - 1
        if self.order.lost > MAX_JUNK:
            raise _Unread

    def add(self, line: _Line) -> None:
        if line.number < 0:
            self.number += 1
            line.number = self.number
        if self.to_hash is not None and line.hash == self.to_hash and not line.altered:
            self.report.anchored, self.report.anchored_seq = True, line.seq
        if line.hash is None:
            self.add_none(line, line.bad or _Bad(None, "it has not the form of a stored entry"))
            return
        if not self.report.entries and not self.report.stubs:
            self.begin(line)
        self.count(line)
        self.judge(line)
        if line.seq is None:
            self.order.lost += line.weight
        else:
            self.growth.see(line.seq, bytes.fromhex(line.own))
            self.order.see(line, line.seq)
            self.retention.see(line, line.seq)
        if line.bad is None and not line.altered and line.stub:
            self.keys.see_stub(line)
            self.clock.last_moment = None  # nobody knows what was recorded when
        elif line.bad is None and not line.altered:
            self.keys.see(line)
            self.clock.see(line)

    def judge(self, line: _Line) -> None:
        """Name what is wrong with an entry by itself."""
        if line.altered:
            reason = "its hash is not that of its content: the entry or its hash was edited"
            self.findings.fault("edited", line, line.bad.field if line.bad else None, reason)
        elif line.bad is not None:
            self.findings.fault("malformed", line, line.bad.field, line.bad.reason)

    def begin(self, line: _Line) -> None:
        """Note where the log begins."""
        self.report.starts_at_genesis = line.seq == 0 and line.prev == GENESIS
        if line.seq == 0:
            self.report.origin = line.entry.get("resource_id")

    def count(self, line: _Line) -> None:
        """Count an entry, and note the first and the last one."""
        report = self.report
        report.entries += not line.stub
        report.stubs += line.stub
        report.incomplete += line.incomplete
        report.oversize += line.oversize
        if report.entries + report.stubs == 1:
            report.first_seq, report.first_hash = line.seq, line.hash
            report.first_timestamp, report.first_prev_hash = line.entry.get("timestamp"), line.prev
        report.last_seq, report.last_hash = line.seq, line.hash
        if not line.stub:
            report.last_timestamp = line.entry.get("timestamp")

    def add_none(self, line: _Line, bad: _Bad) -> None:
        """Note a line that is not an entry."""
        name = bad.field
        if name == _DOUBT:
            self.findings.doubt = bad.reason
        elif name == "schema":
            self.findings.fault("edited", line, name, bad.reason)
        else:
            kind = name if name in ("torn", "unreadable") else "malformed"
            self.findings.fault(kind, line, None if kind == name else name, bad.reason)
            self.order.lost += line.weight


# --------------------------------------------------------------------------------------------
# What checkpoints and keys say of a chain that was read.

MAX_CHECKED = 10_000  # checkpoints whose signatures are checked
MAX_STAMPS = 16  # timestamps that are checked: each starts several processes


class _Signed:
    """What checkpoints and keys say of a chain that was read."""

    def __init__(
        self,
        chain: _Chain,
        notes: list[_Note],
        pin: _Key | None,
        witnesses: list[_Key],
        roots: bytes | None,
    ) -> None:
        self.chain, self.notes, self.pin = chain, notes, pin
        self.witnesses, self.roots = witnesses, roots
        self.report = chain.report
        self.named_at = [at for at, _ in chain.keys.known]
        self.sealed = -1  # the last entry that a checkpoint of the log's keys covers
        self.reach = -1  # and one of the key that was given, or of one after it

    def fault(self, kind: str, file: str, seq: int | None, reason: str) -> None:
        self.chain.findings.fault(kind, _Line(file, 0, seq=seq), None, reason)

    def check(self) -> None:
        report, keys = self.report, self.chain.keys.known
        distinct = {(note.data, note.timestamp, note.outside): note for note in self.notes}
        self.notes = [note for note in distinct.values() if not self.is_foreign(note)]
        whole = report.starts_at_genesis or self.chain.growth.tree is not None
        if keys and whole:
            report.public_key = keys[0][1].vkey
        self.check_signed_entries()
        if self.pin is not None and whole:
            self.check_pin(self.pin)
        covered = [note for note in self.notes if self.covers(note)]
        report.checkpoints = len({note.size for note in covered})
        for note in self.newest(covered, MAX_CHECKED, "checkpoints"):
            self.check_cosignatures(note)
            self.check_signature(note)
        stamped = [note for note in covered if note.timestamp is not None]
        for note in self.newest(stamped, MAX_STAMPS if self.roots else None, "timestamps"):
            self.check_timestamp(note)
        for witness in self.witnesses:
            if witness.name not in report.witnessed and not report.unchecked_signatures:
                reason = f"no checkpoint here is cosigned by the witness {witness.name}"
                self.fault("signature", report.files[0], None, reason)
        if self.roots is not None and not (report.timestamped_at or report.unchecked_timestamps):
            reason = "no checkpoint here has a timestamp that the root given vouches for"
            self.fault("timestamp", report.files[0], None, reason)
        if whole and not report.unchecked_signatures:
            self.check_coverage()
        self.check_tail()

    def newest(self, notes: list[_Note], most: int | None, what: str) -> list[_Note]:
        """Return those of the notes whose signatures are checked: each takes its time.

        The newest vouch for all that the others cover, and those from elsewhere were asked for.
        """
        if most is None or len(notes) <= most or self.chain.careful:
            return notes
        chosen = sorted(notes, key=lambda note: (not note.outside, -note.size))[:most]
        self.report.remarks.append(
            f"of {len(notes):,} {what}, the signatures of the newest {most:,} were checked; "
            "--careful checks them all"
        )
        return sorted(chosen, key=lambda note: note.size)

    def is_foreign(self, note: _Note) -> bool:
        """Whether a store's note is signed by no key of the log: then anybody may have put it."""
        if not note.stored:
            return False
        keys = [key for _, key in self.chain.keys.known] + ([self.pin] if self.pin else [])
        for (name, id_), value in note.by_key.items():
            for key in keys:  # of one that was given as PEM the name is not known
                if name != (key.name or name) or id_ != key.id_under(name):
                    continue
                if key.verifies(value, note.text.encode()) is not False:
                    return False
        self.report.foreign += 1
        return True

    def check_pin(self, pin: _Key) -> None:
        """Look for the key that was given among the log's: one of them, first or later."""
        report, keys = self.report, self.chain.keys.known
        found = [at for at, key in keys if key.raw == pin.raw]
        if found:
            report.pinned, report.pinned_seq = True, found[0]
            return
        reason = "the log's first key is not the one that was given: the log was rewritten"
        if not keys:
            reason = "the log has no key, and one was given: the log was rewritten"
        self.fault("key", report.files[0], None, reason)

    def check_coverage(self) -> None:
        """Check that something is left of what the last key, and the one given, signed."""
        report, keys = self.report, self.chain.keys.known
        last, reach = keys[-1][0] if keys else 0, max(self.sealed, self.chain.keys.signed_until)
        # Between a rotation and its seal the writer may have been killed.
        if len(keys) > 1 and reach < last < (report.last_seq or 0):
            reason = "no checkpoint vouches for this rotation, nor for what came after it"
            self.fault("key", report.files[0], last, reason)
        if report.pinned and self.reach < 0:
            reason = "the log has a key, and no checkpoint that the key signed vouches for it"
            if report.pinned_seq:
                reason = "no checkpoint here is of the key that was given, nor of one after it"
            self.fault("signature", report.files[0], None, reason)

    def check_signed_entries(self) -> None:
        report, signer = self.report, self.chain.keys.signer
        self.chain.keys.signed_until = -1 if report.signed_entry is None else report.signed_entry
        if signer is None or signer.vkey in self.chain.keys.revoked:
            report.signed_entry = None
        elif self.chain.from_hash is not None and self.pin is not None:
            report.pinned = True
            report.public_key = signer.vkey if signer.name else signer.raw.hex()

    def check_tail(self) -> None:
        """Say how much nothing signed vouches for, and judge where signatures of entries stop.

        A log that goes on without ``sign="each"`` may have such an end, under a checkpoint. A
        checkpoint or signature after entries without one proves little: who signs goes on from
        what is in the file.
        """
        report, bare, gaps = self.report, self.chain.keys.bare, self.chain.keys.gaps
        if report.last_seq is None or report.unchecked_signatures:
            return
        before = (report.first_seq or 0) - 1
        signed_seq = -1 if report.signed_seq is None else report.signed_seq
        signed_entry = -1 if report.signed_entry is None else report.signed_entry
        until = self.chain.keys.signed_until
        report.unsigned = max(0, report.last_seq - max(before, signed_seq, signed_entry))
        stops = [*(first for first, _ in gaps), *([] if bare is None else [bare])]
        report.unsigned_from = stops[0] if stops else None
        if not report.pinned:
            return
        for first, then in gaps:
            reason = f"from here to seq {then} entries bear no signature, and those around them do"
            self.fault("signature", report.files[0], first, reason)
        if bare is not None and bare > self.reach:
            reason = (
                f"entries bear signatures up to seq {until}, and from here on none, nor "
                "does a checkpoint cover them: they were written without the key"
            )
            self.fault("signature", report.files[-1], bare, reason)

    def covers(self, note: _Note) -> bool:
        """Check a checkpoint's origin, size and root against the entries."""
        report = self.report
        total = (report.last_seq or 0) + 1
        if note.origin != report.origin and report.starts_at_genesis:
            reason = f"a checkpoint is of another log, {note.origin}"
            self.fault("rewritten", note.source, None, reason)
        elif note.size > total:
            reason = (
                f"a checkpoint vouches for {note.size:,} entries, and the log has {total:,}: its "
                "end was cut off"
            )
            self.fault("cut-tail", note.source, report.last_seq, reason)
        elif note.size not in self.chain.growth.roots:
            if note.outside and not report.fault_count:
                reason = "a checkpoint cannot be compared: the entries before it are not all here"
                self.fault("missing", note.source, note.size - 1, reason)
        elif self.chain.growth.roots[note.size] != note.root:
            reason = f"the first {note.size:,} entries are not those that a checkpoint vouches for"
            self.fault("rewritten", note.source, note.size - 1, reason)
        else:
            if note.outside:
                self.anchor(note)
            return True
        return False

    def check_signature(self, note: _Note) -> None:
        """Check that the key of its time signed a checkpoint."""
        keys = self.keys_of(note.size)
        if not keys:
            if not note.outside:
                reason = "there is a checkpoint here, but the log had no key then"
                self.fault("signature", note.source, note.size - 1, reason)
            return
        for at, key in keys:
            value = note.by_key.get((key.name, key.id))
            holds = value is not None and key.verifies(value, note.text.encode())
            if holds is None:
                self.report.unchecked_signatures += 1
                return
            if holds:
                self.vouch(note, at, key)
                return
        reason = f"the checkpoint of size {note.size:,} is not signed by the key of its time"
        self.fault("signature", note.source, note.size - 1, reason)

    def keys_of(self, size: int) -> list[tuple[int, _Key]]:
        """Return which key can have signed a checkpoint, with the seq of the entry that names it.

        A rotation at seq n is sealed by the old key at size n + 1. Where its writer was killed
        before that, the new key vouches for it there: the statement is of the old one.
        """
        keys = self.chain.keys.known
        now = bisect.bisect_left(self.named_at, size)
        first = now - 2 if now > 1 and keys[now - 1][0] == size - 1 else now - 1
        return keys[max(first, 0) : now]

    def vouch(self, note: _Note, at: int, key: _Key) -> None:
        """Note what a valid signature of the log's key vouches for."""
        report = self.report
        self.sealed = max(self.sealed, note.size - 1)
        if at >= (report.pinned_seq or 0):
            self.reach = max(self.reach, note.size - 1)
        # The thief of a revoked key may have made this one.
        if key.vkey not in self.chain.keys.revoked or note.outside:
            report.signed_seq = max(report.signed_seq or 0, note.size - 1)

    def check_cosignatures(self, note: _Note) -> None:
        """Check what known witnesses say of a checkpoint (C2SP ``tlog-cosignature``)."""
        witnessed = self.report.witnessed
        for (name, id_), value in note.by_key.items():
            known = [key for key in self.witnesses if (key.name, key.id) == (name, id_)]
            if not known:
                self.report.unknown_witnesses += len(value) in _COSIGNATURES
                continue
            holds, time_ = known[0].cosigned(note, value)
            if holds is None:
                self.report.unchecked_signatures += 1
            elif not holds:
                reason = f"the cosignature of {name} under the checkpoint of size {note.size:,} is "
                self.fault("signature", note.source, note.size - 1, reason + "not valid")
            elif note.size - 1 >= witnessed.get(name, {"seq": -1})["seq"]:
                moment = datetime.datetime.fromtimestamp(time_, datetime.timezone.utc)
                witnessed[name] = {"seq": note.size - 1, "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
                self.anchor(note)

    def check_timestamp(self, note: _Note) -> None:
        """Check when an authority says that a checkpoint existed."""
        if note.timestamp is None:
            return
        try:
            found = self.roots and _timestamp_time(note.data, note.timestamp, self.roots)
        except _Bad as bad:
            reason = f"the timestamp of the checkpoint of size {note.size:,} does not hold: "
            self.fault("timestamp", note.source, note.size - 1, reason + bad.reason)
            return
        if not found:
            self.report.unchecked_timestamps += 1
        elif note.size - 1 >= (self.report.timestamped_seq or 0):
            self.report.timestamped_seq = note.size - 1
            self.report.timestamped_at = str(found)
            self.anchor(note)

    def anchor(self, note: _Note) -> None:
        note.outside = True  # a thief of the log's key could not have made it
        self.report.anchored = True
        self.report.anchored_seq = max(self.report.anchored_seq or 0, note.size - 1)


# --------------------------------------------------------------------------------------------
# Which files a log is: its segments, copies, and the logs of a folder.


_SEALED = re.compile(r"\.[0-9]{20}\.[a-z]+(\.gz)?\Z", re.ASCII)


def _with_segments(paths: list[str], held: _Held) -> list[str]:
    """Add the sealed segments beside a log: ``audit.<20 digits>.jsonl``.

    A log is held open first. Should it be sealed meanwhile, it is still what it was, and its new
    name and what came after it are left out. Segments, which keep their names, take what is left
    of the files that may be open at once.
    """
    found = []
    for path in sorted(paths, key=lambda path: _SEALED.search(path) is not None):
        log = _hold(path, held)
        segments = _segments_beside(path)
        if log is not None or not segments:  # a crash may have left segments alone
            found.append(path)
        for segment in segments:
            if path in held and _is_file(segment, log):
                break
            found.append(segment)
    return found


def _hold(path: str, held: _Held) -> os.stat_result | None:
    """Open a log that a writer may rename; return its status, or None if it does not exist."""
    for _ in range(5):
        try:
            found = os.stat(path)
            text = stat.S_ISREG(found.st_mode) and found.st_size and len(held) < MAX_HELD
            if text and _magic(path, {}) != _SQLITE:
                held[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                return os.fstat(held[path])
            return found
        except FileNotFoundError:  # between two names, perhaps
            time.sleep(0.002)
        except OSError:
            break  # that it cannot be read is said where it is read
    return None


def _is_file(path: str, found: os.stat_result | None) -> bool:
    try:
        return found is not None and os.path.samestat(os.stat(path), found)
    except OSError:
        return False


def _segments_beside(path: str) -> list[str]:
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    segment = re.compile(
        re.escape(stem) + r"\.[0-9]{20}" + re.escape(suffix) + r"(\.gz)?", re.ASCII
    )
    found: list[str] = []
    for _ in range(10):  # until two lists agree: names may change while one is made
        before = found
        try:
            found = sorted(filter(segment.fullmatch, os.listdir(folder or ".")))
        except OSError:
            return []
        if found == before:
            break
    return [os.path.join(folder, name) for name in found if suffix]


# Also as logrotate names what it moved away: audit.jsonl.1, audit.jsonl-20261127.gz.
_LOG_NAME = re.compile(
    r"(.*?)(\.[0-9]{20})?(?:(\.jsonl|\.ndjson)(?:[.-][0-9]{1,14})?|(\.db|\.sqlite3?))(?:\.gz)?",
    re.ASCII | re.DOTALL,
)
# Files beside a log that hold no entries: see docs/format.md.
_BESIDE = re.compile(
    r".*(\.checkpoints|\.lock|\.writers|\.manifest|\.index|\.new|\.spill(\..*)?|\.ship-[0-9a-f]{12}|-wal|-shm|"
    r"-journal)",
    re.DOTALL,
)
# Of a log in S3, by folder; beside these is the folder "segments".
_SHIPPED = {
    "checkpoints": re.compile(r"[0-9]{20}\.json", re.ASCII),
    "anchored": re.compile(r"[0-9]{20}-[0-9a-f]{16}\.json", re.ASCII),
    "digests": re.compile(r".*\.digest", re.DOTALL),
}


def _is_anchored(path: str) -> bool:
    """Whether a note is one that no digest lists, so that its signatures show whose it is."""
    return os.path.basename(os.path.dirname(path)) == "anchored"


def _logs_in(folder: str) -> tuple[list[tuple[str, list[str], list[str]]], list[str]]:
    """Return each log in a folder and below, and what looks like a log and is skipped.

    A log is the name of its folder or file, its files, and files with its checkpoints. Where only
    checkpoints are left, it has no files.

    :raises _Unchecked: if there is no log, and nothing was skipped.
    """
    logs: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    skipped: list[str] = []

    def unreadable(error: OSError) -> None:
        logs[error.filename, ""] = [error.filename], []  # a log that cannot be read

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                skipped.append(f"{os.path.join(place, name)}: a symbolic link to a folder")
        for name in sorted(names):
            path = os.path.join(place, name)
            found = _log_of(place, name, names)
            if found is not None:
                key, of_notes = found
                logs.setdefault(key, ([], []))[of_notes].append(path)
            elif _LOG_NAME.match(name) and not _BESIDE.fullmatch(name):
                skipped.append(f"{path}: not the name of a log; name it to check it")
    if not logs and not skipped:
        raise _Unchecked(f"there is no log in {folder}")
    listed = [(os.path.join(place, log), *files) for (place, log), files in logs.items()]
    return listed, skipped


def _log_of(place: str, name: str, names: list[str]) -> tuple[tuple[str, str], bool] | None:
    """Return which log a file in a folder is of, and whether it holds checkpoints of it.

    In a folder "segments", as in S3, all files are of one log; elsewhere, those with one name. A
    database is a log by itself.
    """
    shipped = os.path.basename(place)
    match = _LOG_NAME.fullmatch(name)
    if match is not None:
        return (place, "" if shipped == "segments" else match[1] + (match[3] or match[4])), False
    if shipped in _SHIPPED and _SHIPPED[shipped].fullmatch(name):
        return (os.path.join(os.path.dirname(place), "segments"), ""), True
    stem = name[:-12] if name.endswith(".checkpoints") else ""
    match = _LOG_NAME.fullmatch(stem)
    if match is not None and not {stem, stem + ".gz"}.intersection(names):
        return (place, match[1] + (match[3] or match[4])), True
    return None


def _in_order(paths: list[str], held: _Held) -> tuple[list[str], list[str]]:
    """Return each file once, by the seq of its first entry; and those that are copies.

    :raises _Unchecked: if they are of two logs.
    """
    once: dict[tuple[int, int], str] = {}
    sizes: dict[str, int] = {}
    for path in paths:
        if path not in held:
            _check_regular(path)
        found = os.fstat(held[path]) if path in held else os.stat(path)
        once.setdefault((found.st_dev, found.st_ino), path)
        sizes[path] = found.st_size
    files = list(once.values())
    if len(files) == 1:
        return files, []
    # The log itself is empty between the sealing of a segment and the next entry.
    files = [path for path in files if sizes[path]] or files[:1]
    firsts = {path: _first(path, held) for path in files}
    files.sort(key=lambda path: (firsts[path].seq is None, firsts[path].seq or 0))
    kept, copies = files[:1], []
    for path in files[1:]:
        one, two = firsts[kept[-1]], firsts[path]
        if two.seq is None or one.seq != two.seq:
            kept.append(path)
            continue
        if one.hash != two.hash and one.seq == 0 and one.bad is two.bad is None:
            raise _Unchecked(
                f"{kept[-1]} and {path} are two logs: each begins with an entry 0 of its own. "
                "Check them one at a time"
            )
        longer = _longer(kept[-1], path, held)
        if longer is None:  # they differ: the chain says where
            kept.append(path)
        else:
            copies.append(kept[-1] if longer == path else path)
            kept[-1] = longer
    return kept, copies


def _first(path: str, held: _Held) -> _Line:
    """Return a file's first entry."""
    for text in itertools.islice(_lines(path, held), 1000):
        line = _read_line(text)
        if line.seq is not None:
            return line
    return _Line(path, 0)


def _lines(path: str, held: _Held) -> Iterator[bytes]:
    for item in _read(path, held):
        if isinstance(item, _Block):
            yield from item.text.split(b"\n")[:-1]


def _longer(one: str, two: str, held: _Held) -> str | None:
    """Return which of two files holds all that the other holds, in the same order; if one does."""
    for a, b in itertools.zip_longest(_lines(one, held), _lines(two, held)):
        if a is None or b is None:
            return two if a is None else one
        if a != b:
            return None
    return one


def _changes(names: list[str], beside: Sequence[str]) -> Callable[[], bool]:
    """Return what says whether a log was written to, rotated or sealed since now."""
    sides = ("", ".checkpoints", "-wal", "-journal")
    paths = [*beside, *(name + side for name in names for side in sides)]

    def state() -> list[Any]:
        found: list[Any] = [_segments_beside(name) for name in names]
        for path in paths:
            try:
                one = os.stat(path)
                found.append((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))
            except OSError:
                found.append(None)
        return found

    before = state()
    return lambda: state() != before


# --------------------------------------------------------------------------------------------
# One log, from what is asked of it to the report.

MAX_ATTEMPTS = 6  # at a log that is written to meanwhile


class Stream(NamedTuple):
    """A log that is not in a file: what a central store returns."""

    name: str
    lines: Iterable[bytes]
    """Stored lines in the order of ``seq``, without their line feeds."""
    notes: Iterable[tuple[bytes, str | None]] = ()
    """Its checkpoints as signed notes, each with a timestamp in base64, if it has one."""
    elsewhere: Sequence[tuple[int, int, str]] = ()
    """What the store says was moved to an archive that is not read: first and last number, in order
    and without overlaps, and where it is."""

    def blocks(self) -> Iterator[_Block]:
        """Yield the lines by blocks; of one that is too long only the start."""
        block: list[bytes] = []
        size = 0
        for line in self.lines:
            block.append(line[:MAX_LINE].replace(b"\n", b"?") + b"\n")
            size += len(block[-1])
            if size >= CHUNK:
                yield _Block(self.name, b"".join(block))
                block, size = [], 0
        if block:
            yield _Block(self.name, b"".join(block))


def verify(
    *paths: str | os.PathLike[str],
    from_hash: str | None = None,
    to_hash: str | None = None,
    on_fault: Callable[[Fault], None] | None = None,
    progress: Callable[[int, float | None], None] | None = None,
    jobs: int = 1,
    careful: bool = False,
    public_key: str | None = None,
    checkpoints: Sequence[str | os.PathLike[str]] = (),
    max_gap: float | None = None,
    witness_keys: Sequence[str] = (),
    timestamp_roots: bytes | None = None,
    stream: Stream | None = None,
    also: Iterable[Fault] = (),
    beside: Sequence[str] = (),
    max_faults: int = MAX_FAULTS,
) -> Report:
    """Check a log, or several files that hold one chain, in any order.

    :param paths: a log's name includes its sealed segments, if they are beside it.
    :param from_hash: the last hash of what came before these files.
    :param to_hash: a hash kept elsewhere, which must occur in the chain.
    :param on_fault: called with each fault as it is found.
    :param progress: called now and then with the number of entries so far, and the share of the
        bytes that they are, from 0 to 1, where it is known.
    :param jobs: how many processes share the work. A log that turns out to be broken is then
        read once more by one of them, which names every break.
    :param careful: check each line by the book alone, in the slow way.
    :param public_key: the log's first public key, from elsewhere: PEM, or a ``vkey``.
    :param checkpoints: files with checkpoints that were kept elsewhere.
    :param max_gap: seconds; a longer time without an entry is named.
    :param witness_keys: keys of witnesses that must have cosigned, each as a ``vkey``.
    :param timestamp_roots: certificates in PEM of authorities, one of which must have timestamped.
    :param stream: a log that is not in a file, instead of `paths`.
    :param beside: files with the log's own checkpoints, other than those found by its name.
    :param also: what somebody else found: how a central store differs, or what is wrong with it.
    :param max_faults: how many faults are kept in the report; all are counted.
    :returns: a report; its ``status`` is ``unchecked``, with a ``reason``, where
        nothing could be checked. Nothing is raised for what a file holds.
    """
    names = [name for path in paths for name in _names_of(os.fspath(path))]
    also = also if stream else list(also)
    try:
        question = _Question.of(
            from_hash, to_hash, jobs, public_key, checkpoints, witness_keys, timestamp_roots
        )
    except _Unchecked as problem:
        return Report(reason=str(problem))

    for attempt in range(MAX_ATTEMPTS):
        report = Report()
        chain = _Chain(
            report,
            on_fault,
            question.from_hash,
            question.to_hash,
            careful or max_gap is not None,
            keep=max_faults,
            max_gap=max_gap,
            keeps_hashes=stream is not None,
        )
        moved = chain.findings.moved = (
            _changes(names, beside) if stream is None and attempt < MAX_ATTEMPTS - 1 else None
        )
        try:
            with _holding() as held, _collecting_rarely(), contextlib.closing(chain.retention):
                notes = _follow(chain, names, held, question, stream, beside, also, progress)
            _conclude(chain, notes, question)
            break
        except BrokenPipeError:  # of `on_fault` or `progress`: nobody reads what is said
            raise
        except (_Moved, _Unchecked, OSError) as problem:
            if moved is None or not (isinstance(problem, _Moved) or moved()):
                report.status, report.reason = "unchecked", str(problem)
                break
            time.sleep(0.01 * 2**attempt)
    return report


@dataclass
class _Question:
    """What somebody wants to know of a log, besides that it is whole."""

    from_hash: str | None
    to_hash: str | None
    jobs: int
    pin: _Key | None
    outside: list[str]  # files with checkpoints
    witnesses: list[_Key]
    roots: bytes | None

    @classmethod
    def of(
        cls,
        from_hash: str | None,
        to_hash: str | None,
        jobs: int,
        public_key: str | None,
        checkpoints: Sequence[str | os.PathLike[str]],
        witness_keys: Sequence[str],
        roots: bytes | None,
    ) -> _Question:
        """Return the question, checked.

        :raises _Unchecked: if it cannot be asked like this.
        """
        try:
            return cls(
                from_hash and _hash(from_hash),
                to_hash and _hash(to_hash),
                _jobs(jobs),
                None if public_key is None else _Key(public_key),
                [os.fspath(path) for path in checkpoints],
                [_Key(text, 4) for text in witness_keys],
                roots,
            )
        except _Bad as bad:
            raise _Unchecked(f"of a public key that was given: {bad.reason}") from None
        except ValueError as error:
            raise _Unchecked(str(error)) from None


def _hash(text: str) -> str:
    """Return a hash as it is stored.

    :raises ValueError: if it has not the form of one.
    """
    found = text.strip().lower()
    if not _HEX64.fullmatch(found):
        raise ValueError("a hash must have 64 hexadecimal digits")
    return found


def _jobs(value: str | int) -> int:
    with contextlib.suppress(ValueError):
        if int(value) >= 1:
            return int(value)
    raise ValueError("the number of jobs must be 1 or more")


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Keep Python from looking for garbage among the parts of each line, in vain: it takes long."""
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(before[0], 100_000), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _holding() -> Iterator[_Held]:
    held: _Held = {}
    try:
        yield held
    finally:
        for fd in held.values():
            os.close(fd)


def _follow(
    chain: _Chain,
    names: list[str],
    held: _Held,
    question: _Question,
    stream: Stream | None,
    beside: Sequence[str],
    also: Iterable[Fault],
    progress: Callable[[int, float | None], None] | None,
) -> list[_Note]:
    """Read a log from its first entry to its last, and return its checkpoints."""
    report = chain.report
    if question.pin is not None and question.from_hash is not None:
        chain.keys.known.append((-1, question.pin))  # the key may be named before these entries
    # The checkpoints first: those that come later are of entries that may come later.
    notes = list(_gather(chain, names, question.outside, beside, stream))
    chain.growth.wanted = sorted({note.size for note in notes if note.size}, reverse=True)
    listings = [path for path in beside if path.endswith(_LISTINGS)]
    chain.listed = _listed([*listings, *(name + ".manifest" for name in names)])
    files: list[str] = []
    if stream is None:
        files, copies = _in_order(_with_segments(names, held), held)
        report.remarks += [f"{path} holds nothing but a copy: left out" for path in copies]
    front = _front_of(files, held) if stream is None and question.from_hash is None else None
    if front is not None:
        chain.start_after(front)
    again = functools.partial(_hashes_in, files, held)
    alone = question.jobs == 1 or chain.clock.max_gap is not None
    joined = not alone and _verify_in_parts(
        chain, files, question.jobs, _Progress(progress, files), again
    )
    if not joined:
        whole = _Progress(progress, files)
        for path in files:
            report.files.append(path)
            _read_into(chain, path, held, progress=whole)
    if stream is not None:
        chain.retention.elsewhere = stream.elsewhere
        _read_stream(chain, stream, progress)
    for fault in also:
        if fault.kind == FOREIGN:
            report.foreign += 1
        else:
            chain.findings.report_fault(fault)
    chain.order.end()
    if not joined:
        chain.retention.end(chain.keys, again)
    if front is not None and report.last_seq is not None:
        front.judge(chain)
    return notes


def _hashes_in(files: list[str], held: _Held) -> _Spool:
    """Read a log again, for the hashes of its entries, and nothing else."""
    chain = _Chain(Report(), keeps_hashes=True)
    with contextlib.closing(chain.retention):
        for path in files:
            _read_into(chain, path, held)
        hashes, chain.retention.others = chain.retention.others, None
    return _Spool() if hashes is None else hashes


def _read_stream(
    chain: _Chain, stream: Stream, progress: Callable[[int, float | None], None] | None
) -> None:
    report = chain.report
    report.files.append(stream.name)
    with contextlib.suppress(_Unread):
        for block in stream.blocks():
            chain.add_block(block)
            if progress is not None:
                progress(report.entries, None)
    if report.entries and not chain.keys.known:
        report.remarks.append(
            "the log has no key, so nobody can tell its entries from what others may have added "
            "to the store"
        )


class _Progress:
    """Says now and then how far the reading of files is."""

    def __init__(
        self, tell: Callable[[int, float | None], None] | None, files: Sequence[str]
    ) -> None:
        self.tell = tell
        self.read = 0
        # Of what is compressed, or a database, the bytes that are read are not those of the file.
        plain = tell is not None and not any(map(_is_packed, files))
        self.total = sum(map(_size, files)) if plain else 0

    def add(self, entries: int, size: int) -> None:
        """Note a number of bytes that were read since, with all entries so far."""
        self.read += size
        if self.tell is not None:
            self.tell(entries, min(1.0, self.read / self.total) if self.total else None)


def _read_into(
    chain: _Chain,
    path: str,
    held: _Held,
    start: int = 0,
    end: int | None = None,
    progress: _Progress | None = None,
) -> None:
    chain.number = 0
    with contextlib.suppress(_Unread):
        for item in _read(path, held, start, end):
            if isinstance(item, _Block):
                chain.add_block(item)
            else:
                chain.add(item)
            if progress is not None:
                size = len(item.text) if isinstance(item, _Block) else 0
                progress.add(chain.report.entries, size)


# --------------------------------------------------------------------------------------------
# The verdict: what was read is compared with what vouches for it, and judged by one function from
# the report and the question to a word.


def _conclude(chain: _Chain, notes: list[_Note], question: _Question) -> None:
    """Compare what was read with what vouches for it, and judge."""
    report = chain.report
    if question.to_hash is not None and not report.anchored:
        at = _Line(report.files[-1], 0, seq=report.last_seq)
        reason = (
            "the hash kept elsewhere is not in the log: its end was cut off, or it was rewritten"
        )
        chain.findings.fault("cut-tail", at, None, reason)
    for path, seq in chain.listed if report.last_seq is not None else ():
        if seq > (report.last_seq or 0):
            reason = f"it lists entries up to seq {seq}: the end of the log was cut off"
            chain.findings.fault("cut-tail", _Line(path, 0, seq=report.last_seq), None, reason)
    if report.entries:
        _Signed(chain, notes, question.pin, question.witnesses, question.roots).check()
    elif not report.fault_count and any(note.size and not note.stored for note in notes):
        size = max(note.size for note in notes)
        reason = f"a checkpoint vouches for {size:,} entries, and none is here"
        chain.findings.fault("missing", _Line(report.files[0], 0), None, reason)
    report.status, report.reason = _judge(
        report, chain.findings.kinds, question, chain.findings.doubt
    )


_LACKING = {"archived", "cut-front", "torn"}  # faults that are of what is not here


def _judge(
    report: Report, kinds: set[str], question: _Question, doubt: str | None
) -> tuple[str, str | None]:
    """Return the status, and a reason where it needs one."""
    if not report.entries + report.stubs and kinds <= {"malformed", "torn", "unreadable"}:
        altered = any(fault.field for fault in report.faults)
        what = "no entry of a log" if report.fault_count else "nothing to verify"
        if not altered:
            return "unchecked", f"there is {what} in {', '.join(report.files)}"
    if kinds - _LACKING:
        return "tampered", None
    if kinds:
        return "incomplete", _what_is_lacking(report, kinds)
    if doubt is not None:
        return "unchecked", f"{doubt}. All hashes are right"
    if report.unchecked_signatures and (question.pin or question.outside or question.witnesses):
        return "unchecked", f"{_unchecked_signatures(report)}. All hashes are right"
    if question.pin is not None and not report.pinned:
        return "unchecked", (
            "the public key could not be checked from here: no entry bears a signature of it, and "
            "checkpoints need the log from its beginning. All hashes are right"
        )
    if report.unchecked_timestamps and question.roots is not None:
        return "unchecked", (
            f"{report.unchecked_timestamps:,} timestamps: the program openssl, which checks them, "
            "is not there. All hashes are right"
        )
    return "intact", None


def _what_is_lacking(report: Report, kinds: set[str]) -> str:
    parts = []
    if "cut-front" in kinds:
        parts.append(
            f"it begins at seq {report.first_seq}, and what was before is not here. Retention "
            "leaves a stub of each entry, so it is in other files, or was cut off: name those "
            "files too, or give the hash before it with --from-hash"
        )
    if "archived" in kinds:
        parts.append("a part of it is in an archive, which --archive names")
    if "torn" in kinds:
        parts.append("its last line was not written to the end, or was cut")
    return "; ".join(parts) + ". Nothing of what is here was changed"


def _unchecked_signatures(report: Report) -> str:
    why = "the package cryptography, which checks them, is not installed, or too old for them"
    if not report.starts_at_genesis and _Key.usable():
        why = "they are not of a key that is known here, from the middle of the log"
    return f"{report.unchecked_signatures:,} signatures NOT CHECKED: {why}"


# --------------------------------------------------------------------------------------------
# Several processes. Each checks a part as a chain of its own; the parts are then joined where
# they meet. Only a log in which all is well is judged so; any other is read again by one process.

_PART = 1 << 22  # what is smaller is not worth a process
_LARGE_PART = 1 << 27  # so that what is read in vain is bounded, and progress is seen


def _verify_in_parts(
    chain: _Chain,
    files: list[str],
    jobs: int,
    progress: _Progress,
    again: Callable[[], _Spool],
) -> bool:
    """Follow a chain that is intact, and say whether it is: else one process must look."""
    parts = _parts(files, jobs)
    able = _may_fork() or (sys.executable and os.path.isfile(__file__))
    if chain.report.fault_count or len(parts) < 2 or not able:
        return False
    try:
        place = tempfile.TemporaryDirectory()
    except OSError:  # only stubs would be kept there
        return False
    with place as folder:
        parts = [{**part, "spool": os.path.join(folder, str(at))} for at, part in enumerate(parts)]
        found = _run_parts(chain, parts, jobs, progress)
        return _join(chain, files, found, [part["spool"] for part in parts], again)


def _join(
    chain: _Chain,
    files: list[str],
    found: list[dict[str, Any]],
    spools: list[str],
    again: Callable[[], _Spool],
) -> bool:
    """Take up what was found in parts, if together they are an intact chain."""
    whole = _joined_report(chain, [Report(**part["report"]) for part in found])
    if whole is None:
        return False
    joined = _Chain(whole, from_hash=chain.from_hash)
    joined.keys.known = list(chain.keys.known)
    if chain.front is not None:
        joined.keys.known.clear()
        joined.start_after(chain.front)
    for part in found:
        for naming in part["named"]:
            joined.keys.follow(_Line("", 0, seq=naming[0]), _Naming(*naming))
    with contextlib.closing(joined.retention):
        for spool in spools:
            joined.retention.join(spool)
        joined.retention.end(joined.keys, again)
    unsure = joined.findings.doubt is not None or (chain.to_hash is not None and not whole.anchored)
    if whole.fault_count or unsure:
        return False
    if whole.starts_at_genesis or chain.front is not None:
        _join_trees(joined.growth, found)
    else:
        joined.growth.tree = None
    remarks = chain.report.remarks + whole.remarks
    chain.report.__dict__.update(whole.__dict__, files=files, remarks=remarks)
    chain.growth, chain.keys = joined.growth, joined.keys
    joined.keys.findings = chain.findings
    return True


def _run_parts(
    chain: _Chain, parts: list[dict[str, Any]], jobs: int, progress: _Progress
) -> list[dict[str, Any]]:
    """Return what processes find in the parts; nothing if one finds a fault."""
    options = {
        "to_hash": chain.to_hash,
        "careful": chain.careful,
        "wanted": chain.growth.wanted,
    }
    tasks = [{**part, **options} for part in parts]
    found: list[dict[str, Any]] = []
    entries = 0
    with contextlib.closing(_answers(tasks, jobs)) as answers:
        for task, part in zip(tasks, answers):  # noqa: B905  # Python 3.9
            if part is None:
                return []
            found.append(part)
            entries += part["report"]["entries"]
            progress.add(entries, (task["end"] or _size(task["path"])) - task["start"])
    return found


def _joined_report(chain: _Chain, reports: list[Report]) -> Report | None:
    """Return the report of parts that go on from each other, the first where the chain begins."""
    if not reports:
        return None
    whole, *others = reports
    begins = whole.first_prev_hash == (chain.from_hash or GENESIS)
    if not begins or (chain.from_hash is None and whole.first_seq):
        return None
    whole.revoked = []
    for report in others:
        follows = whole.last_seq is not None and report.first_seq == whole.last_seq + 1
        if not follows or report.first_prev_hash not in (None, whole.last_hash):  # None: a stub
            return None
        whole.entries += report.entries
        whole.stubs += report.stubs
        whole.incomplete += report.incomplete
        whole.oversize += report.oversize
        whole.last_seq, whole.last_hash = report.last_seq, report.last_hash
        whole.last_timestamp = report.last_timestamp or whole.last_timestamp
        if report.anchored:
            whole.anchored, whole.anchored_seq = True, report.anchored_seq
    return whole


def _join_trees(growth: _Growth, found: list[dict[str, Any]]) -> None:
    tree = growth.tree or _Tree()
    for part in found:
        for size, nodes in part["subtrees"].items():
            growth.roots[int(size)] = _joined(tree, nodes).root()
        tree = _joined(tree, part["nodes"])
    growth.tree = tree


def _joined(tree: _Tree, nodes: list[tuple[int, str]]) -> _Tree:
    """Return a tree with what a part adds to it."""
    result = _Tree(tree.size)
    result.nodes = list(tree.nodes)
    for level, node in nodes:
        result.append(bytes.fromhex(node), level)
    return result


def _parts(files: list[str], jobs: int) -> list[dict[str, Any]]:
    size = sum(map(os.path.getsize, files)) // jobs + 1
    size = max(_PART, min(size, _LARGE_PART))
    parts = []
    for path in files:
        start, total = 0, os.path.getsize(path)
        if not _is_packed(path):
            while total - start > size + _PART // 2:
                end = _line_start(path, start + size)
                if end is None:
                    break
                parts.append({"path": path, "start": start, "end": end})
                start = end
        parts.append({"path": path, "start": start, "end": None})
    return parts


def _line_start(path: str, near: int) -> int | None:
    with open(path, "rb") as file:
        file.seek(near)
        at = file.read(MAX_LINE + 1).find(b"\n")
    return near + at + 1 if at >= 0 else None


def _answers(
    tasks: Iterable[dict[str, Any]], jobs: int
) -> Generator[dict[str, Any] | None, None, None]:
    """Yield what processes find in parts, in their order, while others go on with the next."""
    start = _Forked if _may_fork() else _Started
    running: list[_Forked | _Started] = []
    try:
        for task in tasks:
            running.append(start(task))
            if len(running) == jobs:
                yield _taken(running)
        while running:
            yield _taken(running)
    finally:
        for process in running:
            process.stop()


def _taken(running: list[_Forked | _Started]) -> dict[str, Any] | None:
    """Return what the first of some processes found, and remove it from them."""
    said = running[0].result()
    del running[0]
    try:
        found: dict[str, Any] | None = json.loads(said)
    except ValueError:  # it was killed
        return None
    return found


def _may_fork() -> bool:
    """Whether a copy of this process can go on by itself, and nothing else waits for its end.

    Only Linux tells for certain that there is one thread. If SIGCHLD is ignored, or has a handler,
    the copy's number may be another process's before it is stopped here.
    """
    try:
        alone = len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
    return alone and signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL


class _Forked:
    """A copy of this process, at work on a part. It is ready at once."""

    def __init__(self, task: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                with os.fdopen(writing, "w") as pipe:
                    json.dump(_found_in_part(task), pipe)
            finally:
                os._exit(0)  # nothing of what this process would do at its end
        os.close(writing)
        self.pipe = os.fdopen(reading, "rb")

    def result(self) -> bytes:
        said = self.pipe.read()
        self.end()
        return said

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.pipe.close()
        os.waitpid(self.pid, 0)


class _Started:
    """A new process, where this one cannot be copied: in a program with threads."""

    def __init__(self, task: dict[str, Any]) -> None:
        # Without "-S" where orjson is used: it is in a directory that "site" adds.
        command = [sys.executable, "-I", *(["-S"] if _orjson is None else []), __file__, "--part"]
        # This interpreter with this file: nothing of the log is an argument.
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        pipe: Any = self.process.stdin
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(json.dumps(task).encode())

    def result(self) -> bytes:
        pipe: Any = self.process.stdout
        said: bytes = pipe.read()
        self.end()
        return said

    def stop(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> None:
        with self.process:  # which closes its pipes, and waits for it
            pass


def _found_in_part(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a part is to the whole; None if anything is wrong with it."""
    report = Report()
    chain = _Chain(
        report, None, None, task["to_hash"], task["careful"], goes_on=True, spool=task["spool"]
    )
    chain.growth.wanted = task["wanted"]
    with _collecting_rarely(), contextlib.closing(chain.retention):
        _read_into(chain, task["path"], {}, task["start"], task["end"])
    chain.order.end()

    def text(nodes: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
        return [(level, node.hex()) for level, node in nodes]

    if not report.entries + report.stubs or report.fault_count or chain.findings.doubt is not None:
        return None
    return {
        "report": asdict(report),
        "named": chain.keys.named,
        "nodes": text(chain.growth.tree.nodes if chain.growth.tree else []),
        "subtrees": {size: text(nodes) for size, nodes in chain.growth.subtrees.items()},
    }


# --------------------------------------------------------------------------------------------
# A package of evidence: a zip file that can be written in one way only. So each byte of it is known
# or is content, and the content of each file has a hash in the manifest.

MAX_MEMBERS = 64
MAX_SMALL = 1 << 24  # bytes of a file that is read as a whole
_FORMAT = "chained-logging evidence 1"
_PACKED = (
    *("entries.jsonl", "around.jsonl", "keys.jsonl", "proof.txt", "checkpoint.note"),
    *("timestamps.jsonl", "public-keys.txt", "verify.py", "README.txt"),
)
"""The files that each package begins with, in this order."""
_MANIFEST = "manifest.json"
_CLAIM_NOTE = "claim.note"
_MEMBER = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ZIP_FILE = struct.Struct("<4s5H3L2H")
_ZIP_ENTRY = struct.Struct("<4s6H3L5H2L")
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_VERSION = 20
_ZIP_DAY = 0x21  # 1980-01-01, the first that a zip file can name


class _Member(NamedTuple):
    """A file in a package."""

    start: int
    size: int
    crc: int


def _unpacked_as(name: str) -> str:
    """Return the file that a name means where the case of letters and dots at the end do not count.

    Of two files that are one there, only the last is seen.
    """
    return name.lower().rstrip(".")


class _Package:
    """The files of a package, none of them decompressed: their sizes are those of the package.

    :param file: the package, which is read at most as far as it goes now.
    :raises _Bad: if one of its bytes outside of the files' content is not what it must be.
    :raises _Unchecked: if it does not begin as a zip file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.total = file.seek(0, os.SEEK_END)
        self.members: dict[str, _Member] = {}
        if self.bytes_at(0, 4) != b"PK\3\4":
            raise _Unchecked("it does not begin as a zip file: it is not a package of evidence")
        at, directory = 0, b""
        while self.bytes_at(at, 4) == b"PK\3\4":
            at, entry = self._member(at)
            directory += entry
        count = len(self.members)
        end = _ZIP_END.pack(b"PK\5\6", 0, 0, count, count, len(directory), at, 0)
        if self.bytes_at(at, len(directory + end) + 1) != directory + end:
            raise _Bad(
                None,
                f"from byte {at:,} on it has not the form of a package: it was cut, added to, or "
                "packed again",
            )

    def _member(self, at: int) -> tuple[int, bytes]:
        """Take up a file, and return where the next one begins, and its entry in the directory."""
        head = self.bytes_at(at, _ZIP_FILE.size)
        if len(head) < _ZIP_FILE.size or len(self.members) == MAX_MEMBERS:
            raise _Bad(None, f"at byte {at:,} it is cut, or has more than {MAX_MEMBERS} files")
        *_, crc, _, size, length, _ = _ZIP_FILE.unpack(head)
        name = self.bytes_at(at + _ZIP_FILE.size, length)
        right = _ZIP_FILE.pack(
            b"PK\3\4", _ZIP_VERSION, 0, 0, 0, _ZIP_DAY, crc, size, size, length, 0
        )  # not encrypted, not compressed, without further fields
        start = at + _ZIP_FILE.size + length
        if head != right or not _MEMBER.fullmatch(name) or start + size > self.total:
            raise _Bad(None, f"at byte {at:,} it has not the form of a file in a package")
        text = name.decode()
        if _unpacked_as(text) in map(_unpacked_as, self.members):
            raise _Bad(None, f"{text} is in it twice")
        self.members[text] = _Member(start, size, crc)
        made_on, mode = 3, 0o100644  # Unix
        entry = _ZIP_ENTRY.pack(
            *(
                b"PK\1\2",
                made_on << 8 | _ZIP_VERSION,
                _ZIP_VERSION,
                0,
                0,
                0,
                _ZIP_DAY,
                crc,
                size,
                size,
            ),
            *(length, 0, 0, 0, 0, mode << 16, at),
        )
        return start + size, entry + name

    def bytes_at(self, at: int, size: int) -> bytes:
        self.file.seek(at)
        return self.file.read(size)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file. Several may be read in turns.

        :raises _Bad: if it is not there.
        """
        if name not in self.members:
            raise _Bad(None, f"{name} is not in it")
        at, left, _ = self.members[name]
        while left > 0:
            chunk = self.bytes_at(at, min(left, CHUNK))
            if not chunk:
                raise _Bad(None, f"{name} became shorter while it was read")
            yield chunk
            at, left = at + len(chunk), left - len(chunk)

    def content(self, name: str) -> bytes:
        """Return the content of a small file.

        :raises _Bad: if it is not there, or is too large.
        """
        if name in self.members and self.members[name].size > MAX_SMALL:
            raise _Bad(None, f"{name} has more than {MAX_SMALL:,} bytes")
        return b"".join(self.chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, of any size.

        :raises _Bad: if one is longer than an entry can be, or the last one has no end.
        """
        rest = b""
        for chunk in self.chunks(name):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                raise _Bad(None, f"a line of {name} is too long")
        if rest:
            raise _Bad(None, f"the last line of {name} does not end")

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file, in hexadecimal.

        :raises _Bad: if its checksum in the zip file is not right.
        """
        digest, crc = _sha256(), 0
        for chunk in self.chunks(name):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
        if crc != self.members[name].crc:
            raise _Bad(None, "its bytes or its checksum in the zip file were changed")
        return digest.hexdigest()


# --------------------------------------------------------------------------------------------
# The filter by which the entries of a package were chosen. Each is compared with it, as far as an
# entry shows whether it fits.

_COMPARED = {
    "actor": "actor_id",
    "actor_type": "actor_type",
    "on_behalf_of": "on_behalf_of",
    "action": "action",
    "result": "result",
    "ip": "ip_address",
    "user_agent": "user_agent",
    "session": "session_id",
    "tenant": "tenant_id",
    "trace_id": "trace_id",
    "id": "id",
}
_OF_PERIOD = {"since", "until", "seq"}
_OF_FILTER = {*_COMPARED, *_OF_PERIOD, "resource", "changed", "text", "incomplete"}
_SEQS = re.compile("(0|[1-9][0-9]{0,15})?-(0|[1-9][0-9]{0,15})?")
_WORD = re.compile(r'[^\s;,()"]+')
_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_WORDS = re.compile("[0-9a-z\x80-\U0010ffff]+")
_PARAMETER = re.compile(r"\{(\w+)\}")


def _quoted(value: str) -> str:
    """Return a value so that no text in it reads as a part of our sentence."""
    return value if _WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class _Filter:
    """The filter of a package: the query of a URL, ``actor=ann&action=read``.

    Values of one name are alternatives, and all names must fit.

    :raises _Bad: if the text is not one.
    """

    def __init__(self, text: str) -> None:
        self.given: dict[str, list[str]] = {}
        try:
            pairs = urllib.parse.parse_qsl(
                text, strict_parsing=bool(text), errors="surrogateescape"
            )
        except ValueError:
            raise _Bad(None, "its filter is not the query of a URL") from None
        for name, value in pairs:
            self.given.setdefault(name, []).append(value)
        spelled = "&".join(
            f"{name}={urllib.parse.quote(value, safe='/:@,*', errors='surrogateescape')}"
            for name, value in pairs
        )
        if spelled != text or not _OF_FILTER.issuperset(self.given):
            raise _Bad(None, "its filter has another form, or names what no filter has")
        self.since, self.until = self._time("since"), self._time("until")
        self.first, self.last = self._seqs()

    def _time(self, name: str) -> str | None:
        times = self.given.get(name, [])
        if len(times) > 1 or not all(map(_is_timestamp, times)):
            raise _Bad(None, f"its filter has a {name} that is not one time")
        return times[0] if times else None

    def _seqs(self) -> tuple[int, int]:
        ranges = self.given.get("seq", ["-"])
        found = _SEQS.fullmatch(ranges[0])
        if len(ranges) > 1 or found is None or self.given.get("incomplete", ["true"]) != ["true"]:
            raise _Bad(None, "its filter has a seq that is not one range")
        return int(found[1] or 0), int(found[2] or sys.maxsize)

    @property
    def is_period(self) -> bool:
        return _OF_PERIOD.issuperset(self.given)

    @property
    def words(self) -> str:
        return (
            "; ".join(
                f"{name} {' or '.join(_quoted(_UNSEEN.sub('?', value)) for value in values)}"
                for name, values in self.given.items()
            )
            or "all"
        )

    def misfit(self, entry: dict[str, Any]) -> str | None:
        """Return which part of the filter an entry does not fit, as far as it shows."""
        given = self.given
        if not self.first <= entry["seq"] <= self.last:
            return "seq"
        if self.since is not None and entry["timestamp"] < self.since:
            return "since"
        if self.until is not None and entry["timestamp"] >= self.until:
            return "until"
        for name, column in _COMPARED.items():
            if name in given and entry.get(column) not in given[name]:
                return name
        if "incomplete" in given and "invalid" not in entry["context"]:
            return "incomplete"
        if "changed" in given and not {*entry.get("changed_fields", ())} & {*given["changed"]}:
            return "changed"
        if "text" in given and not any(_has_words(entry, text) for text in given["text"]):
            return "text"
        return "resource" if self.concerns(entry) is False else None

    def concerns(self, entry: dict[str, Any]) -> bool | None:
        """Whether an entry is about one of the resources; None where that is not clear here."""
        found = [_concerns(entry, wanted) for wanted in self.given.get("resource", [])]
        return True if True in found or not found else None if None in found else False


def _concerns(entry: dict[str, Any], wanted: str) -> bool | None:
    """Whether an entry names a record; None for an address that may be split in many ways."""
    records = [{"type": entry["resource_type"], "id": entry["resource_id"]}]
    for record in records + entry.get("resources", []):
        if wanted in (record["type"], record["id"], f"{record['type']}/{record['id']}"):
            return True
    kind, slash, id_ = wanted.partition("/")
    if not slash:
        return None if ":" in wanted else False
    if not kind.isidentifier() or not id_ or id_ != id_.strip():
        return None
    return (kind, id_) in _parameters(entry["context"])


def _parameters(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a request has as parameters, each under both names of its type."""
    route, values = context.get("route"), context.get("params")
    if not isinstance(route, str) or not isinstance(values, dict):
        return
    before = ""
    for segment in route.split("/"):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            before = segment
        elif isinstance(values.get(found[1]), str):
            yield before, values[found[1]]
            yield re.sub("_id$", "", found[1]), values[found[1]]


def _has_words(entry: dict[str, Any], wanted: str) -> bool:
    """Whether words occur in an entry's texts, also within longer words."""
    parts = [entry.get(name) for name in ("context", "reason", "old_values")]
    there = json.dumps(parts, ensure_ascii=False).casefold()
    words = _WORDS.findall(re.sub("[A-Z]", lambda found: found[0].lower(), wanted))
    # Numbers such as 1e+21 are spelled in several ways.
    return all(word.casefold() in there for word in words if not re.match("[0-9]+e", word))


# --------------------------------------------------------------------------------------------
# What the manifest of a package claims: which entries it holds, of how many, by which filter, and
# how a sample was drawn. And what a check of it reports.

MAX_SAMPLE = 10_000
_README = """\
Evidence from the audit log {origin}.
{statement}
The entries are in entries.jsonl, one a line, with the bytes that the log holds.
The checkpoint in checkpoint.note is signed, and covers the first {size:,} entries of the log.
The hashes in proof.txt show that each entry here is one of these, at its place.
{meaning}
To check all of it, with Python 3.9 or later: python3 verify.py --evidence evidence.zip
Signatures need the package cryptography. The report says what was not checked.
Get verify.py and the log's public key from elsewhere too, and add: --public-key FILE
Exit status 0: all is as the log has it. 1: something was changed or left out. 2: not checked.
"""


def _drawn(root: bytes, population: int, count: int) -> list[int]:
    """Return which numbers below `population` the root of a checkpoint draws."""
    if count >= population:
        return list(range(population))
    found: set[int] = set()
    for number in itertools.count():
        text = b"chained-logging sample v1\n" + root + number.to_bytes(8, "big")
        found.add(int(_sha256(text).hexdigest(), 16) % population)
        if len(found) == count:
            break
    return sorted(found)


@dataclass
class EvidenceReport(Report):
    """What the verification of a package of evidence found.

    Entries, ``first_seq`` and ``last_seq`` are those of the package.
    """

    size: int | None = None
    """How many entries the log had at the checkpoint."""
    statement: str | None = None
    """How many of these entries are here, and by which filter they were chosen."""
    whole: bool = False
    """Whether nothing is left out from ``first_seq`` to ``last_seq``."""
    around: list[str] = field(default_factory=list)
    """Of a period, the entries just before and after it, with their times."""
    claim_signed: bool | None = False
    """Whether the log's key signed the claim: filter, sample, and the hash of each file. None where
    the signature could not be checked."""
    unproven: list[str] = field(default_factory=list)
    """What the package claims, or could be taken to show, and nothing in it proves."""


class _Claim:
    """What the manifest of a package says of its selection.

    :raises _Bad: if it is not a manifest, or contradicts itself.
    """

    def __init__(self, data: bytes) -> None:
        said = _parse(data, exactly=True)
        if said.get("format") != _FORMAT:
            raise _Bad(None, f"its format is not {_FORMAT}")
        try:
            self.origin, self.root = str(said.pop("origin")), _unbase64(said.pop("root"))
            self.statement, text = str(said.pop("statement")), str(said.pop("filter"))
            numbers = ("entries", "population", "size", "first_seq", "last_seq", "sample", "purged")
            found = {name: said.pop(name) for name in numbers if name in said}
            if any(type(number) is not int or number < 0 for number in found.values()):
                raise ValueError
            self.entries, self.population = found["entries"], found["population"]
            self.size, self.sample = found["size"], found.get("sample")
            self.first, self.last = found.get("first_seq"), found.get("last_seq")
            self.purged = found.get("purged")
            self.files = {str(name): str(hash_) for name, hash_ in said.pop("files").items()}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _Bad(None, "its fields are not those of a manifest") from None
        if {*said} != {"format"}:
            raise _Bad(None, "it has other fields than a manifest")
        self.filter = _Filter(text)
        if not self._agrees():
            raise _Bad(None, "its numbers contradict each other, or its filter")
        self.expected = self._expected()

    def _agrees(self) -> bool:
        first, last = self.first, self.last
        if self.purged is not None and not (
            self.filter.is_period and 0 < self.purged <= self.entries
        ):
            return False  # only of a period it is known which stubs belong to it
        if self.filter.is_period:
            ends = first is not None and last is not None and first <= last < self.size
            agrees = ends and self.population == (last or 0) - (first or 0) + 1
        else:
            agrees = first is None and last is None and self.population <= self.size
        if self.sample is None:
            return agrees and self.entries == self.population > 0
        right = 0 < self.sample <= MAX_SAMPLE
        return agrees and right and 0 < self.entries == min(self.sample, self.population)

    def _expected(self) -> Sequence[int] | None:
        """Return which entries must be here; None where the filter alone does not tell."""
        if self.first is None or self.last is None:
            return None
        if self.sample is None:
            return range(self.first, self.last + 1)
        return [self.first + at for at in _drawn(self.root, self.population, self.sample)]

    @property
    def edges(self) -> dict[int, bool]:
        """Of a period, the entries at its ends and beside them, and whether they must fit."""
        if self.first is None or self.last is None:
            return {}
        beside = {self.first - 1: False, self.last + 1: False}
        edges = {**beside, self.first: True, self.last: True}
        return {seq: fits for seq, fits in edges.items() if 0 <= seq < self.size}

    def reaches(self, seq: int) -> bool:
        """Whether an entry is of the period, or beside it."""
        if self.first is None or self.last is None:
            return False
        return bool(self.first - 1 <= seq <= self.last + 1)

    def sentence(self) -> str:
        how = "chosen by this filter"
        if self.sample is not None:
            how = f"drawn from the {self.population:,} that this filter chooses"
        head = f"{self.entries:,} of {self.size:,} entries of this log, "
        if self.purged is not None:
            head += f"{self.purged:,} of them purged, "
        return f"{head}{how}: {self.filter.words}"

    def readme(self) -> str:
        meaning = "That no other entry fits the filter cannot be seen from here: ask for a period."
        if self.sample is not None:
            meaning = "The root of the checkpoint drew the sample. docs/format.md has the steps."
        elif self.filter.is_period:
            meaning = f"Nothing is left out from seq {self.first} to seq {self.last}: "
            meaning += "verify.py checks it."
        return _README.format(
            origin=self.origin, statement=self.sentence(), size=self.size, meaning=meaning
        )

    def unproven(self) -> Iterator[str]:
        """Yield what the selection leaves open, whatever is found."""
        if not self.filter.is_period:
            what = "that no other entry of the log fits the filter"
            if self.sample is not None:
                what += f", nor that the sample is drawn from just the {self.population:,} that fit"
            yield what + ": that needs the log, or a period"
        elif self.filter.since is not None or self.filter.until is not None:
            yield (
                "that no entry before or after these numbers bears a time of this period: order is "
                "seq, and the clock of who reported an event may have been wrong"
            )


# --------------------------------------------------------------------------------------------
# Evidence: entries of a log in a package, with one proof that they are in it, checked without the
# log. The entries are read once, from the first to the last, in little memory.


class _Evidence:
    """The check of one package."""

    def __init__(
        self,
        package: _Package,
        path: str,
        chain: _Chain,
        report: EvidenceReport,
        wanted: str | None,
    ) -> None:
        self.package, self.path, self.report = package, path, report
        self.chain, self.wanted = chain, wanted
        self.unclear = 0  # entries whose resource may be the one asked for
        self.before: _Line | None = None
        self.begins = False  # whether the log's first entry is here
        self.edges: dict[int, bool] = {}
        self.inner: _Line | None = None  # of a period, its last entry so far
        self.front = 0  # up to where it begins with stubs
        chain.retention.partial = True
        self.next = 0  # among the entries that must be here

    def fault(self, kind: str, file: str, reason: str, seq: int | None = None) -> None:
        name = f"{self.path}: {file}" if file else self.path
        self.chain.findings.fault(kind, _Line(name, 0, seq=seq), None, reason)

    def check(self, question: _Question, origin: str | None) -> None:
        """Check all of it.

        :raises _Bad: if something is such that the rest cannot be understood.
        """
        manifest = self.package.content(_MANIFEST)
        claim = self.claim = _Claim(manifest)
        self.check_files()
        note = _Note(self.package.content("checkpoint.note"), f"{self.path}: checkpoint.note")
        if (claim.origin, claim.size, claim.root) != (note.origin, note.size, note.root):
            self.fault("claim", _MANIFEST, "its origin, size or root is not the checkpoint's")
        if origin is not None and origin != note.origin:
            self.fault("claim", "", f"it is of the log {note.origin}, not of {origin}")
        report = self.report
        report.origin, report.size, report.statement = note.origin, note.size, claim.sentence()
        if (claim.statement, claim.readme().encode()) != (
            report.statement,
            self.package.content("README.txt"),
        ):
            self.fault("claim", "README.txt", "it does not say what the manifest says")
        self.check_entries(note)
        self.check_keys()
        self.chain.retention.end(self.chain.keys, _Spool)
        outside = self.outside_notes(question, note)
        last, report.last_seq = report.last_seq, note.size - 1  # of the log, as _Signed asks
        notes = [*self.notes(note), *outside]
        _Signed(self.chain, notes, question.pin, question.witnesses, question.roots).check()
        report.last_seq = last
        self.check_claim_note(_sha256(manifest).hexdigest())
        self.conclude()

    def check_files(self) -> None:
        """Compare each file with its hash in the manifest."""
        members = list(self.package.members)
        end = [_MANIFEST, *([_CLAIM_NOTE] if _CLAIM_NOTE in members else [])]
        extra = [name for name in members if name not in (*_PACKED, *end)]
        if members != [*_PACKED, *extra, *end] or {*members} - {*end} != {*self.claim.files}:
            self.fault(
                "claim", _MANIFEST, "it names other files than are here, or in another order"
            )
        for name in members:
            try:
                if self.package.digest(name) != self.claim.files.get(name) and name not in end:
                    self.fault("edited", name, "its hash is not the one in the manifest")
            except _Bad as bad:
                self.fault("edited", name, bad.reason)
        if extra:
            names = ", ".join(extra)
            self.report.unproven.append(f"what {names} says: only that its bytes are those named")
        if self.package.content("verify.py") != _own_text():
            self.report.remarks.append(
                "the verify.py in the package is not the one that checks it here, which counts"
            )

    def check_entries(self, note: _Note) -> None:
        """Check each entry, that it is in the log, and that it is one that was to be chosen."""
        report = self.report
        report.starts_at_genesis, self.edges = True, self.claim.edges
        self.front = self.claim.first or 0
        hashes = self.hashes()
        root = _root_of(note.size, self.leaves(), hashes)
        if self.claim.expected is not None:
            self.miss(self.claim.expected, len(self.claim.expected))
        here = report.entries + report.stubs, report.stubs
        if here != (self.claim.entries, self.claim.purged or 0):
            reason = "{:,} entries are here, {:,} of them purged".format(*here)
            self.fault("missing", "entries.jsonl", reason + ": the manifest says otherwise")
        for seq in self.edges:
            reason = "the entry is not here that shows where the period begins or ends"
            self.fault("missing", "around.jsonl", reason, seq)
        if self.wanted is not None and not report.anchored:
            self.fault("missing", "entries.jsonl", "no entry here has the hash that was given")
        # As _Signed compares a log's entries with a checkpoint.
        self.chain.growth.roots = {note.size: root}

    def hashes(self) -> Iterator[bytes]:
        for line in self.package.lines("proof.txt"):
            yield _hashes([line.decode("ascii", "replace")])[0]

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and hash of each entry in the package, once and in order."""
        files = ("entries.jsonl", "around.jsonl", "keys.jsonl")
        lines = heapq.merge(*map(self.lines, files), key=lambda line: line.seq or 0)
        for seq, same in itertools.groupby(lines, lambda line: line.seq or 0):
            first, *others = same
            if any((line.body, line.hash) != (first.body, first.hash) for line in others):
                self.fault("edited", "keys.jsonl", "the same entry is here in two forms", seq)
            self.follow(first, seq)
            yield seq, bytes.fromhex(first.hash or "")

    def lines(self, name: str) -> Iterator[_Line]:
        """Yield the entries of a file. A line that is not an entry ends the check."""
        last = -1
        for number, text in enumerate(self.package.lines(name), 1):
            line = _read_line(text, f"{self.path}: {name}", number)
            if line.hash is None or line.seq is None or line.seq <= last:
                reason = "it is not an entry, or not after the one before it"
                raise _Bad(None, f"{name}, line {number:,}: {reason}")
            last = line.seq
            self.chain.judge(line)
            if name == "entries.jsonl":
                self.choose(line, last)
            elif name == "keys.jsonl" and last and not _is_about_keys(line):
                self.fault("inserted", name, "it is not about a key or what was removed", last)
            elif name == "around.jsonl" and not self.claim.reaches(last):
                self.fault("inserted", name, "it is not at an end of the period", last)
            yield line

    def choose(self, line: _Line, seq: int) -> None:
        """Check that an entry is one that the claim chooses."""
        report, claim = self.report, self.claim
        self.chain.count(line)
        report.anchored |= self.wanted is not None and line.own == self.wanted
        if claim.expected is not None:
            self.expect(seq, claim.expected)
        elif line.stub:
            reason = "it is a stub, which does not show whether it fits the filter"
            self.fault("claim", "entries.jsonl", reason, seq)
        elif line.entry:
            misfit = claim.filter.misfit(line.entry)
            if misfit is not None:
                reason = f"the entry does not fit the filter: {misfit}"
                self.fault("claim", "entries.jsonl", reason, seq)
            self.unclear += claim.filter.concerns(line.entry) is None

    def expect(self, seq: int, expected: Sequence[int]) -> None:
        """Compare an entry with those that must be here."""
        at = bisect.bisect_left(expected, seq, self.next)
        self.miss(expected, at)
        if at < len(expected) and expected[at] == seq:
            self.next = at + 1
        else:
            reason = "the entry is not one that the claim chooses"
            self.fault("inserted", "entries.jsonl", reason, seq)

    def miss(self, expected: Sequence[int], until: int) -> None:
        """Name what is not here of the entries that must be, from the next one on."""
        count = until - self.next
        if count > 0:
            what = "it was" if count == 1 else f"with it, {count:,} entries were"
            self.fault("missing", "entries.jsonl", f"{what} left out", expected[self.next])
        self.next = max(self.next, until)

    def follow(self, line: _Line, seq: int) -> None:
        """Follow what an entry says of keys, its link, and the ends of the period."""
        before, self.before = self.before, line
        linked = line.stub or before is None or before.seq != seq - 1 or line.prev == before.hash
        if not linked:
            self.chain.findings.fault("inserted", line, "prev_hash", "it does not follow the last")
        if line.bad is not None or line.altered:
            return
        self.chain.retention.see(line, seq)
        if not line.stub:
            self.follow_entry(line, seq)
        if seq in self.edges:
            self.check_edge(line, seq, self.edges.pop(seq))
        if (self.claim.first or 0) <= seq <= (self.claim.last or 0) and not line.stub:
            self.inner = line

    def follow_entry(self, line: _Line, seq: int) -> None:
        self.begins |= seq == 0
        if seq == 0 and line.entry["resource_id"] != self.report.origin:
            self.fault("rewritten", "keys.jsonl", "it begins another log than the checkpoint's", 0)
        self.chain.keys.see(line)

    def check_edge(self, line: _Line, seq: int, must: bool) -> None:
        """Check what is at an end of a period, or beside it.

        A stub shows its number alone. So the period goes on over stubs at its ends, and what
        counts is the first or last entry in it.
        """
        first, last = self.claim.first or 0, self.claim.last or 0
        if line.stub:
            fits = self.claim.filter.first <= seq <= self.claim.filter.last
            if fits and must and seq == self.front:
                self.front = seq + 1
                if self.front <= last:
                    self.edges[self.front] = True
            if fits and must and seq == last and self.inner is not None:
                self.check_edge(self.inner, self.inner.seq or 0, True)
        else:
            fits = self.claim.filter.misfit(line.entry) is None
        if fits is not must:
            reason = "by the filter, the period does not begin or end here"
            self.fault("missing", "around.jsonl", reason, seq)
        if seq in (first - 1, last + 1):
            what = "was purged" if line.stub else f"is of {line.entry['timestamp']}"
            self.report.around.append(f"seq {seq} {what}")

    def check_keys(self) -> None:
        """Check that the first entry is here, and the keys are those that the entries name."""
        keys = [key for _, key in self.chain.keys.known]
        if "".join(f"{key.vkey}\n" for key in keys).encode() != self.package.content(
            "public-keys.txt"
        ):
            self.fault("key", "public-keys.txt", "the keys are not those that the entries name")
        if not self.begins:
            self.fault("missing", "keys.jsonl", "the first entry of the log is not here")

    def notes(self, note: _Note) -> Iterator[_Note]:
        """Yield the checkpoint, and each of its versions that was timestamped."""
        yield note
        name = "timestamps.jsonl"
        for line in self.package.content(name).splitlines():
            said = _parse(line)
            if {*said} != {"note", "timestamp"} or not all(
                isinstance(x, str) for x in said.values()
            ):
                raise _Bad(None, f"{name}: a line is not a timestamp")
            stamped = _Note(
                said["note"].encode(), f"{self.path}: {name}", timestamp=said["timestamp"]
            )
            if stamped.text != note.text:
                self.fault("timestamp", name, "a timestamp is of another checkpoint")
            yield stamped

    def outside_notes(self, question: _Question, note: _Note) -> list[_Note]:
        """Return the checkpoints that were kept elsewhere.

        :raises _Unchecked: if one is of another size: that needs the log.
        """
        outside = [each for path in question.outside for each in _given_notes(path)]
        for each in outside:
            if each.size != note.size:
                raise _Unchecked(
                    f"the checkpoint given is of size {each.size:,}, and the evidence of "
                    f"{note.size:,}: ask for evidence with --size {each.size}"
                )
        return outside

    def check_claim_note(self, digest: str) -> None:
        """Check the signature of the log's key over the manifest."""
        report = self.report
        if _CLAIM_NOTE not in self.package.members:
            report.unproven.append(
                "who made the claim: no key signed filter and sample, which somebody may have put "
                "in place of others that these entries fit too"
            )
            return
        note = _Statement(self.package.content(_CLAIM_NOTE), _CLAIM_NOTE)
        if note.lines != ["chained-logging evidence v1", str(report.origin), digest]:
            self.fault("signature", _CLAIM_NOTE, "it is not over this manifest")
            return
        key = self.chain.keys.known[-1][1] if self.chain.keys.known else None
        value = note.by_key.get((key.name, key.id)) if key else None
        holds = key.verifies(value, note.text.encode()) if key and value else False
        if holds is None:
            report.unchecked_signatures += 1
        elif not holds or len(note.signatures) != 1:
            self.fault(
                "signature", _CLAIM_NOTE, "it is not signed by the log's key, and that alone"
            )
        elif key and key.vkey in self.chain.keys.revoked:
            report.unproven.append("who made the claim: its key was revoked, as a stolen one is")
            return
        report.claim_signed = holds

    def conclude(self) -> None:
        report, claim = self.report, self.claim
        report.unproven[:0] = claim.unproven()
        if self.unclear:
            report.unproven.append(
                f"that {self.unclear:,} entries are about the resource of the filter: it is an "
                "address, and is not split here"
            )
        timed = claim.filter.since is not None or claim.filter.until is not None
        if timed and claim.first is not None and self.inner is None:
            self.fault("missing", "entries.jsonl", "no entry here shows that the period is right")
        if report.stubs and timed:
            report.unproven.append(
                f"that the {report.stubs:,} purged entries bear a time of this period: a stub "
                "shows its number alone"
            )
        report.whole = claim.sample is None and claim.filter.is_period and not report.fault_count
        report.unsigned = None


def _is_about_keys(line: _Line) -> bool:
    """Whether an entry names a key, or what was removed; True for one that cannot be read."""
    if not line.entry:
        return not line.stub
    return _Naming.of(line) is not None or _is_purge(line)


class _Statement(_Note):
    """A signed note that is not a checkpoint."""

    def _read_text(self, *lines: str) -> None:
        self.lines = list(lines)


def _own_text() -> bytes:
    with open(__file__, "rb") as file:
        return file.read()


def verify_evidence(
    path: str | os.PathLike[str],
    *,
    on_fault: Callable[[Fault], None] | None = None,
    public_key: str | None = None,
    checkpoints: Sequence[str | os.PathLike[str]] = (),
    witness_keys: Sequence[str] = (),
    timestamp_roots: bytes | None = None,
    origin: str | None = None,
    entry_hash: str | None = None,
) -> EvidenceReport:
    """Check a package of evidence, without the log.

    :param public_key: the log's first public key or a later one, from elsewhere.
    :param checkpoints: files with checkpoints that were kept elsewhere, of the package's size.
    :param witness_keys: keys of witnesses that must have cosigned the checkpoint, as ``vkey``.
    :param timestamp_roots: certificates in PEM; one must vouch for a timestamp of the checkpoint.
    :param origin: the name that the log must have.
    :param entry_hash: the hash of an entry that must be in the package.
    :returns: a report, as of :func:`verify`. Nothing is raised for what the package holds.
    """
    name = os.fspath(path)
    report = EvidenceReport(files=[name])
    chain = _Chain(report, on_fault)
    try:
        question = _Question.of(
            None, entry_hash, 1, public_key, checkpoints, witness_keys, timestamp_roots
        )
        _check_regular(name)
        with contextlib.closing(chain.retention), open(name, "rb") as file:
            try:
                evidence = _Evidence(_Package(file), name, chain, report, question.to_hash)
                evidence.check(question, origin)
            except _Bad as bad:
                chain.findings.fault("malformed", _Line(name, 0), None, bad.reason)
        report.status = "tampered"
        if not report.fault_count:
            report.status, report.reason = _judge(report, set(), question, None)
    except (_Unchecked, OSError) as problem:
        report.status, report.reason = "unchecked", str(problem)
    return report


# --------------------------------------------------------------------------------------------
# What is found, in words for a person.


def _shown(text: Any) -> str:
    """Return text without what could steer a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in str(text)
    )


MAX_SHOWN = 100


def _describe(fault: Fault) -> str:
    where = fault.file + (f", line {fault.line}" if fault.line else "")
    where += f", seq {fault.seq}" if fault.seq is not None else ""
    what = f" ({fault.field})" if fault.field else ""
    return _shown(f"{fault.kind}{what}: {where}: {fault.reason}")


def _summary(report: Report) -> list[str]:
    """Return the verdict, and what it covers, a line each."""
    if report.status == "unchecked":
        return [f"NOT CHECKED: {report.reason}"]
    if not report.entries:
        return [f"TAMPERED: {report.fault_count:,} breaks, listed above"]
    verdict = (
        "INTACT" if report.intact else f"TAMPERED: {report.fault_count:,} breaks, listed above"
    )
    if report.status == "incomplete":
        verdict = f"INCOMPLETE: {report.reason}"
    stubs = f", and stubs of {report.stubs:,} that were purged" if report.stubs else ""
    covered = [
        f"{report.entries:,} entries, {report.incomplete:,} of them incomplete{stubs}",
        f"from seq {report.first_seq}, {report.first_timestamp}, hash {report.first_hash}",
        f"to   seq {report.last_seq}, {report.last_timestamp}, hash {report.last_hash}",
        *(_on_keys(report) if report.public_key is not None else ()),
        *(_revocation(report, note) for note in report.revoked),
        *_on_others(report),
    ]
    return [verdict, *(f"  {line}" for line in covered)]


def _summary_of_evidence(report: EvidenceReport) -> list[str]:
    """Return the verdict on a package of evidence, and what it covers, a line each."""
    if report.status == "unchecked":
        return [f"NOT CHECKED: {report.reason}"]
    if report.fault_count:
        return [f"TAMPERED: {report.fault_count:,} breaks, listed above"]
    covered = [
        str(report.statement),
        f"from the log {report.origin}, from seq {report.first_seq} to seq {report.last_seq}",
        "each of them is in the log at its number, as the checkpoint has it",
        *(["nothing is left out between these numbers"] if report.whole else []),
        *report.around,
        f"{report.incomplete:,} of them are incomplete",
        *_on_keys(report),
        *(["the claim is signed by the log's key"] if report.claim_signed else []),
        *(_revocation(report, note) for note in report.revoked),
        *_on_others(report),
        *(f"NOT PROVEN: {what}" for what in report.unproven),
    ]
    return ["INTACT", *(f"  {line}" for line in covered)]


def _on_keys(report: Report) -> Iterator[str]:
    how = "which nothing from elsewhere confirms"
    if report.pinned:
        how = "which is the one given"
        if report.pinned_seq:
            how = f"its first; the one given is its key since seq {report.pinned_seq}"
    yield f"key {report.public_key}, {how}"
    signed = [seq for seq in (report.signed_seq, report.signed_entry) if seq is not None]
    if signed:
        text = f"signed up to seq {max(signed)}, {report.checkpoints} checkpoints"
        if report.unsigned:
            entries = "entry" if report.unsigned == 1 else "entries"
            text += f"; {report.unsigned:,} {entries} after it NOT SIGNED"
        yield text
    elif not report.unchecked_signatures:
        yield "not signed: no checkpoint of that key is here"
    if signed and report.unsigned_from is not None:
        yield (
            "WARNING: entries bear signatures, and some after them none, the first at seq "
            f"{report.unsigned_from}"
        )
    if report.unsigned_own:
        yield (
            f"WARNING: entries bear signatures, and {report.unsigned_own:,} in the log's own "
            f"name none, the first at seq {report.unsigned_own_from}: anybody who can write "
            "the log can have written them"
        )


def _on_others(report: Report) -> Iterator[str]:
    """Yield what witnesses, authorities and stores say, and what could not be checked of it."""
    for name, found in report.witnessed.items():
        yield f"witnessed up to seq {found['seq']} by {name}, at {found['time']}"
    if report.foreign:
        yield (
            f"{report.foreign:,} objects or checkpoints in the store are FOREIGN: no key of the "
            "log vouches for them, and they count for nothing"
        )
    if report.unknown_witnesses:
        yield f"{report.unknown_witnesses:,} cosignatures of witnesses whose keys were not given"
    if report.timestamped_at is not None:
        yield f"timestamped up to seq {report.timestamped_seq}, {report.timestamped_at}"
    if report.unchecked_timestamps:
        yield (
            f"{report.unchecked_timestamps:,} timestamps NOT CHECKED: no root certificate was given"
        )
    if report.unchecked_signatures:
        yield _unchecked_signatures(report)
    if report.anchored_seq is not None:
        yield f"anchored up to seq {report.anchored_seq} by what was given from elsewhere"
    elif report.anchored:  # in evidence, where the entries before it are not all there
        yield "the entry with the hash that was given is here: that vouches for no other entry"
    else:
        yield (
            "not anchored: no hash or checkpoint kept elsewhere was given, so a cut at the end "
            "cannot be seen"
        )


def _revocation(report: Report, note: dict[str, Any]) -> str:
    text = f"WARNING: the key {note['key']} was revoked at seq {note['seq']}"
    if not note["signed"]:
        text += ", by an entry that no key signed"
    text += ": what it signed proves nothing by itself, since the thief could have made it"
    if not report.anchored:
        text += "; compare with a checkpoint kept elsewhere from before the theft"
    return text


# --------------------------------------------------------------------------------------------
# The options of the command. The parser here and the package's command are made from one table.


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if 0 <= value < float("inf"):  # which NaN is not either
            return value
    raise ValueError("the gap must be a number of seconds, 0 or more")


class Option(NamedTuple):
    """An option of the command."""

    flag: str
    metavar: str | None
    """What its value is; None for a flag."""
    help: str
    read: Callable[[str], Any] = str
    many: bool = False
    """Whether it may be given more than once."""
    of_proof: bool = False
    """Whether it applies to proofs too."""
    of_evidence: bool = False
    """Whether it applies to packages of evidence, beside what applies to proofs."""

    @property
    def name(self) -> str:
        """What the parser calls its value."""
        return self.flag[2:].replace("-", "_")


OPTIONS = (
    Option("--proof", "FILE", "Check the proof in FILE, without a log."),
    Option("--evidence", "FILE", "Check the package of evidence in FILE, without a log."),
    Option("--json", None, "Print the report as JSON, with every fault.", of_proof=True),
    Option("--quiet", None, "Print nothing if all is well.", of_proof=True),
    Option("--from-hash", "HEX", "Hash of the last entry before these files.", _hash),
    Option(
        "--to-hash",
        "HEX",
        "Hash of an entry, kept elsewhere. The log, proof or evidence must hold that entry.",
        _hash,
        of_proof=True,
    ),
    Option("--jobs", "N", "Number of processes. The default is one for each processor.", _jobs),
    Option(
        "--checkpoint",
        "FILE",
        "File with a checkpoint kept elsewhere, which the log must extend. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--public-key",
        "FILE",
        "File with the log's first public key or a later one, kept elsewhere, as PEM or vkey.",
        of_proof=True,
    ),
    Option(
        "--witness-key",
        "VKEY",
        "Public key of a required witness, as a vkey or a file with one. Repeatable.",
        many=True,
        of_proof=True,
    ),
    Option(
        "--timestamp-root",
        "FILE",
        "File with root certificates in PEM. One of them must vouch for a timestamp of the log.",
        of_evidence=True,
    ),
    Option(
        "--max-gap",
        "SECONDS",
        "Report each gap between entries that is longer than this.",
        _seconds,
    ),
    Option("--against", "URL", "Compare the log with a central store, and report what differs."),
    Option(
        "--origin",
        "NAME",
        "Name of the log: the only one to check in a store, and the one that a proof must be of.",
        of_proof=True,
    ),
    Option(
        "--careful",
        None,
        "Take no shortcuts: parse every line, and check every signature and timestamp.",
    ),
)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that reads a value, and says in its own words what is wrong with it."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", nargs="*", help="A log, or files that hold one, in any order.")
    for flag, metavar, help_, read, many, *_ in OPTIONS:
        if metavar is None:
            parser.add_argument(flag, action="store_true", help=help_)
        elif many:
            parser.add_argument(
                flag, metavar=metavar, type=_reader(read), help=help_, action="append", default=[]
            )
        else:
            parser.add_argument(flag, metavar=metavar, type=_reader(read), help=help_)
    return parser


# --------------------------------------------------------------------------------------------
# The command.

_CENTRAL = "a URL is central storage: the command chained-logging verify reads it"  # no password


class Stores:
    """How logs in central storage are read. This file alone cannot: the package gives its own."""

    def streams(
        self, url: str, origin: str | None, public_key: str | None = None
    ) -> Iterator[tuple[Stream, Iterable[Fault]]]:
        """Yield each log that a store holds, and what is wrong with the store.

        :param public_key: the file of a log's first key, by which the log is told from others of
            its name that somebody else may have put there.
        """
        raise _Unchecked(_CENTRAL)

    def differences(self, log: str, url: str, origin: str | None) -> tuple[list[Fault], int, str]:
        """Return how a store differs from a log, how far it is behind, and its name."""
        raise _Unchecked(_CENTRAL)


def main(argv: list[str] | None = None, stores: Stores | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--part"]:  # a process that --jobs started
        print(json.dumps(_found_in_part(json.load(sys.stdin))))
        return 0
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        if [*map(bool, (options.log, options.proof, options.evidence))].count(True) != 1:
            parser.error("name a log, or a proof with --proof, or evidence with --evidence")
    except SystemExit as stop:
        return 2 if stop.code else 0
    try:
        status = _status(options, stores or Stores())
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 2
    except BrokenPipeError:  # `verify LOG | head`: nobody read the verdict
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        return 2


def _status(options: argparse.Namespace, stores: Stores) -> int:
    if options.evidence:
        return _run_evidence(options)
    return _run_proof(options) if options.proof else _run(options, stores)


def _bytes_of(path: str) -> bytes:
    _check_regular(path)  # a pipe might never end, or never begin
    with open(path, "rb") as file:
        return file.read(2 * MAX_NOTE)


def _check_applicable(options: argparse.Namespace, to: str) -> None:
    """Refuse an option that would be ignored."""
    for option in OPTIONS:
        given = getattr(options, option.name)
        applies = option.of_proof or (option.of_evidence and options.evidence)
        said = given is not None and given is not False and given != []
        if said and not applies and option.flag not in ("--proof", "--evidence"):
            raise _Unchecked(f"{option.flag} does not apply to {to}")


def _run_evidence(options: argparse.Namespace) -> int:
    teller = _Teller(options.json)
    try:
        _check_applicable(options, "evidence")
        report = verify_evidence(
            options.evidence,
            on_fault=teller.fault,
            checkpoints=options.checkpoint,
            **_trusted(options),
            origin=options.origin,
            entry_hash=options.to_hash,
        )
    except (_Unchecked, OSError) as error:
        report = EvidenceReport(reason=str(error))
    teller.end()
    _show_report(report, options, None, None)
    return {"intact": 0, "tampered": 1}.get(report.status, 2)


def _run_proof(options: argparse.Namespace) -> int:
    try:
        _check_applicable(options, "a proof")
        if len(options.checkpoint) > 1:
            raise _Unchecked("a proof takes one checkpoint at most")
        found = verify_proof(
            _bytes_of(options.proof),
            _text_of(options.public_key) if options.public_key is not None else None,
            _bytes_of(options.checkpoint[0]) if options.checkpoint else None,
            witness_keys=[_given_key(given) for given in options.witness_key],
            origin=options.origin,
            entry_hash=options.to_hash,
        )
    except (_Unchecked, OSError) as error:
        found = {"status": "unchecked", "reason": str(error)}
    _show_proof(found, options)
    return {"proven": 0, "refuted": 1}.get(found["status"], 2)


def _show_proof(found: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(found))
    elif found["status"] != "proven":
        word = "NOT CHECKED" if found["status"] == "unchecked" else "REFUTED"
        print(_shown(f"{word}: {found['reason']}"), file=sys.stderr)
    elif not options.quiet:
        print("PROVEN")
        if "entry" in found:
            print(f"  this entry is in the log {_shown(found['origin'])}:")
            print("  " + _shown(found["entry"]))
        else:
            what = f"its first {found['size']:,} entries begin with its first {found['old_size']:,}"
            print(f"  of the log {_shown(found['origin'])}, {what}")
        for name, at in found["witnessed"].items():
            print(f"  witnessed by {_shown(name)}, at {at}")


def _text_of(path: str) -> str:
    return _bytes_of(path).decode("utf-8", "replace")


def _given_key(given: str) -> str:
    """Return a witness's key that is on the command line, or in a file, also below PEM."""
    text = given if re.fullmatch(_VKEY, given) else _text_of(given)
    vkeys = [line for line in map(str.strip, text.splitlines()) if re.fullmatch(_VKEY, line)]
    return vkeys[0] if len(vkeys) == 1 else text


def _trusted(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keys and certificates that were given, read from their files."""
    key, roots = options.public_key, options.timestamp_root
    return {
        "public_key": None if key is None else _text_of(key),
        "witness_keys": [_given_key(given) for given in options.witness_key],
        "timestamp_roots": None if roots is None else _bytes_of(roots),
    }


_VKEY = r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}"
_RESTORING = ".restoring"  # at the end of the name of a folder in which a log is restored


def _check_finished(paths: list[str]) -> None:
    """Refuse what an interrupted restore left behind: it is not a log yet."""
    for path in paths:
        target = os.path.realpath(path)
        within = _RESTORING + os.sep in target + os.sep
        beside = target + _RESTORING
        if within or (os.path.isdir(beside) and {*os.listdir(beside)} - {"lock"}):
            raise _Unchecked(f"{path} is not restored yet: run the command restore again")


def _run(options: argparse.Namespace, stores: Stores) -> int:
    """Check files as one log, and each log of each folder and store by itself."""
    folders = [log for log in options.log if os.path.isdir(log)]
    urls = [log for log in options.log if "://" in log]
    files = [log for log in options.log if log not in folders and log not in urls]
    worst = 0
    try:
        _check_finished(files + folders)
        if options.origin is not None and not (options.against or urls):
            raise _Unchecked("--origin chooses among the logs of a store, and no store is named")
        if options.against and (len(files) != 1 or files != options.log):
            raise _Unchecked("--against compares one log, named by its file, and nothing else")
        if files:
            worst = _check_files(options, files, stores)
        for folder in folders:
            worst = max(worst, _check_folder(options, folder))
        for url in urls:
            for stream, faults in stores.streams(url, options.origin, options.public_key):
                worst = max(worst, _check(options, [], stream, faults))
    except BrokenPipeError:
        raise
    except (_Unchecked, OSError, ValueError, ImportError) as problem:
        print(f"NOT CHECKED: {_shown(problem)}", file=sys.stderr)
        return 2
    return worst


def _check_files(options: argparse.Namespace, files: list[str], stores: Stores) -> int:
    if not options.against:
        return _check(options, files)
    found, behind, name = stores.differences(files[0], options.against, options.origin)
    compared = f"compared with {name}, which is {behind:,} entries behind"
    return _check(options, files, None, found, compared)


def _check_folder(options: argparse.Namespace, folder: str) -> int:
    worst = 0
    logs, skipped = _logs_in(folder)
    for name, log, beside in logs:
        gone = None if log else Stream(name.rstrip(os.sep), ())
        worst = max(worst, _check(options, log, gone, beside=beside))
    for what in skipped:
        print(_shown(f"NOTE: skipped {what}"), file=sys.stderr)
    if not logs:
        raise _Unchecked(f"there is no log in {folder} but what was skipped")
    return worst


class _Teller:
    """Tells a person of faults and progress, while a log is read."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.started, self.faults = time.monotonic(), 0

    def fault(self, fault: Fault) -> None:
        self.faults += 1
        if not self.quiet and self.faults <= MAX_SHOWN:
            print(("FIRST BREAK  " if self.faults == 1 else "BREAK        ") + _describe(fault))

    def progress(self, count: int, share: float | None) -> None:
        passed = max(time.monotonic() - self.started, 0.001)
        left = f", {passed / share - passed:,.0f} s left" if share else ""
        text = f"\r{count:,} entries, {count / passed:,.0f}/s{left}\x1b[K"
        print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.faults > MAX_SHOWN and not self.quiet:
            print(f"and {self.faults - MAX_SHOWN:,} more, which --json lists")
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)


def _check(
    options: argparse.Namespace,
    files: list[str],
    stream: Stream | None = None,
    also: Iterable[Fault] = (),
    compared: str | None = None,
    beside: Sequence[str] = (),
) -> int:
    """Check one log, say what was found, and return the exit status."""
    teller = _Teller(options.json)
    try:
        trusted = _trusted(options)
    except (_Unchecked, OSError) as error:
        print(f"NOT CHECKED: {_shown(error)}", file=sys.stderr)
        return 2
    report = verify(
        *files,
        from_hash=options.from_hash,
        to_hash=options.to_hash,
        on_fault=teller.fault,
        progress=teller.progress if sys.stderr.isatty() else None,
        jobs=options.jobs or _processors(),
        careful=options.careful,
        checkpoints=options.checkpoint,
        max_gap=options.max_gap,
        **trusted,
        stream=stream,
        also=also,
        beside=beside,
        max_faults=sys.maxsize if options.json else MAX_FAULTS,
    )
    teller.end()
    several = stream is not None or beside or any(map(os.path.isdir, options.log))
    name = stream.name if stream else files[0]
    _show_report(report, options, name if several else None, compared)
    return {"intact": 0, "tampered": 1, "incomplete": 1}.get(report.status, 2)


def _show_report(
    report: Report, options: argparse.Namespace, name: str | None, compared: str | None
) -> None:
    if options.json:
        print(json.dumps(report.to_dict()))
    elif not (options.quiet and report.intact):
        out = sys.stderr if report.status == "unchecked" else sys.stdout
        if isinstance(report, EvidenceReport):
            lines = _summary_of_evidence(report)
        else:
            lines = _summary(report)
        if compared is not None:
            lines.append(f"  {compared}")
        if name is not None:
            lines[0] += f": {name}"
        for line in lines:
            print(_shown(line), file=out)
    sys.stdout.flush()
    for remark in report.remarks:
        print(_shown(f"NOTE: {remark}"), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

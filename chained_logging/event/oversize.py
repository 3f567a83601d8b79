"""What does not fit a body: digests replace the largest values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson
from orjson import Fragment

from chained_logging.event.values import ORJSON
from chained_logging.format.canonical import MAX_SAFE_INTEGER, canonical_text, quote

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64} \((?:0|[1-9][0-9]{0,18}) bytes\)")
"""Replaces a value that was too large."""


def _bytes(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


def _digest(text: str) -> str:
    data = text.encode()
    return f'"sha256:{sha256(data).hexdigest()} ({len(data)} bytes)"'


def shrink(fields: Mapping[str, Any], excess: int) -> dict[str, Any]:
    """Replace the largest values by digests until `excess` bytes are saved, and record which.

    If that is not enough (a hundred thousand small values), the object is replaced by one with the
    digest of the whole under the name ``all``.
    """
    text = {
        name: orjson.dumps(value, None, ORJSON).decode()
        for name, value in fields.items()
        if name in ("context", "old_values", "changed_fields", "reason", "user_agent")
    }
    parsed = {name: parse(text[name]) for name in ("context", "old_values") if name in text}
    objects = {"/context": parsed["context"]}
    if "invalid" in parsed["context"]:
        objects["/context/invalid"] = parsed["context"].pop("invalid")
    part = parsed["context"].pop("resources_part", None)
    invalid = dict(objects.get("/context/invalid", {}))
    if "old_values" in parsed:
        objects["/old_values"] = parsed["old_values"]
    singles: dict[str, str] = {
        name: text[name] for name in ("changed_fields", "reason", "user_agent") if name in text
    }
    # Each value that can be replaced: the object's pointer, the key in it, its text.
    values = [("", name, item) for name, item in singles.items()]
    for parent, object in objects.items():
        values += [(parent, key, canonical_text(item)) for key, item in object.items()]
    values = [value for value in values if len(value[2]) > 100]  # a digest has up to 90
    values.sort(key=lambda value: -_bytes(value[2]))

    pointers: list[str] = []
    excess += len(',"oversize":[]')
    for parent, key, item in values:
        if excess <= 0:
            break
        digest = _digest(item)
        if parent:
            objects[parent][key] = json.loads(digest)
        else:
            singles[key] = f"[{digest}]" if key == "changed_fields" else digest
        pointer = f"{parent}/{_pointer(key)}" + (
            "/0" if not parent and key == "changed_fields" else ""
        )
        pointers.append(pointer)
        excess -= _bytes(item) - _bytes(digest) - _bytes(quote(pointer)) - 3
    if excess > 0:
        for parent in ("/context", "/old_values"):
            if parent in objects:
                pointers = [p for p in pointers if not p.startswith(f"{parent}/")]
                digest = _digest(text[parent[1:]])
                objects[parent] = {"all": json.loads(digest)}
                pointers.append(f"{parent}/all")
        for field, value in invalid.items():
            digest = _digest(canonical_text(value))
            objects["/context/invalid"][field] = json.loads(digest)
            pointers.append(f"/context/invalid/{field}")

    context = objects["/context"] | {"oversize": sorted(pointers)}
    if "/context/invalid" in objects:
        context["invalid"] = objects["/context/invalid"]
    if part is not None:
        context["resources_part"] = part
    shrunk = {**singles, "context": canonical_text(context)}
    if "/old_values" in objects:
        shrunk["old_values"] = canonical_text(objects["/old_values"])
    return dict(fields) | {name: Fragment(value) for name, value in shrunk.items()}


def parse(text: str) -> dict[str, Any]:
    """Read canonical JSON back: an integer beyond 2**53 in it was a float, such as 1e16."""

    def integer(digits: str) -> int | float:
        value = int(digits)
        return value if abs(value) <= MAX_SAFE_INTEGER else float(digits)

    parsed: dict[str, Any] = json.loads(text, parse_int=integer)
    return parsed


def _pointer(key: str) -> str:
    """Escape a key for a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def pointed_at(value: Any, pointer: str) -> Any:
    """Return what a JSON Pointer points to; None if there is no such value."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[0] if value and key == "0" else None  # as `shrink` makes them
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value

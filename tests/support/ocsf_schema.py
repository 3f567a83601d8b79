"""A checker of OCSF events by the schema, which knows nothing of the package."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from folders import VECTORS

SCHEMA: dict[str, Any] = json.loads((VECTORS / "ocsf.json").read_text())
_KINDS = {"boolean_t": bool, "integer_t": int, "long_t": int, "float_t": float, "string_t": str}


def faults(event: dict[str, Any]) -> list[str]:
    """Return what the schema refuses in an event."""
    of = SCHEMA["classes"].get(str(event.get("class_uid")))
    if of is None:
        return [f"class_uid {event.get('class_uid')} is not in the schema"]
    profiles = {None, *event.get("metadata", {}).get("profiles", ())}
    found = list(_object(event, of, "", profiles))
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid does not fit")
    return found


def _object(value: Any, of: dict[str, Any], at: str, profiles: set[Any]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is not an object"
        return
    attributes = of["attributes"]
    for name in value.keys() - attributes.keys():
        yield f"{at}.{name} is not in the schema"
    for name, attribute in attributes.items():
        if name not in value:
            if attribute.get("required"):
                yield f"{at}.{name} is required"
            continue
        profile = attribute.get("profile")
        if profile not in profiles and not attribute.get("required") and name != "actor":
            yield f"{at}.{name} is of the profile {profile}"
        yield from _attribute(value, name, attribute, f"{at}.{name}", profiles)
    for names in of.get("constraints", {}).values():
        if not value.keys() & set(names):
            yield f"{at} has none of {names}"


def _attribute(
    owner: dict[str, Any], name: str, attribute: dict[str, Any], at: str, profiles: set[Any]
) -> Iterator[str]:
    value = owner[name]
    if attribute.get("array"):
        if not isinstance(value, list):
            yield f"{at} is not an array"
            return
        for item in value:
            yield from _value(item, attribute["type"], at, profiles)
        return
    yield from _value(value, attribute["type"], at, profiles)
    enum = attribute.get("enum")
    if enum is not None:
        caption = enum.get(str(value))
        if caption is None:
            yield f"{at}: {value!r} is not one of {sorted(enum)}"
        sibling = owner.get(attribute.get("sibling"))
        if sibling is not None and value != 99 and sibling != caption:
            yield f"{at}: {value} is {caption}, not {sibling}"
        if value == 99 and sibling is None:
            yield f"{at}: 99 wants a name of its own"


def _value(value: Any, type: str, at: str, profiles: set[Any]) -> Iterator[str]:
    if type in SCHEMA["objects"]:
        yield from _object(value, SCHEMA["objects"][type], at, profiles)
        return
    if type == "object":
        if not isinstance(value, dict):
            yield f"{at} is not an object"
        return
    if type == "json_t":
        return
    of = SCHEMA["types"].get(type)
    if of is None:
        yield f"{at}: its type {type} is not among the vectors"
        return
    base = type
    while (above := SCHEMA["types"][base].get("type")) is not None:
        base = above
    kind = _KINDS[base]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"{at}: {value!r} is not of the type {type}"
        return
    if "regex" in of and not re.search(of["regex"], value):
        yield f"{at}: {value!r} is not of the form of {type}"
    if len(str(value)) > of.get("max_len", 1 << 30):
        yield f"{at} is too long"

"""What an entry is about, and the words in it: what a filter is compared with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from chained_logging.event.resources import split

TEXT_FIELDS: Final = ("context", "reason", "old_values")
"""The fields that a full text search reads, names of values included."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
_WORD: Final = re.compile(r"[0-9a-z\x80-\U0010ffff]+")


def records(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield type and id of an entry's resource and of its further ``resources``.

    :param entry: the fields of an entry, as they are in its body.
    """
    yield entry["resource_type"], entry["resource_id"]
    for record in entry.get("resources") or ():
        yield record["type"], record["id"]


def parameters(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield type and id of each parameter of a request's route.

    A parameter is yielded twice: its type is the literal before it, and its name without ``_id``.
    The route ``/patients/{patient_id}/notes/{id}`` has ``patients/456``, ``patient/456``,
    ``notes/7`` and ``id/7``.
    """
    route, values = context.get("route"), context.get("params")
    if not isinstance(route, str) or not isinstance(values, dict):
        return
    for name, kinds in _in_route(route):
        value = values.get(name)
        if isinstance(value, str):
            for kind in kinds:
                yield kind, value


def _in_route(route: str) -> list[tuple[str, tuple[str, str]]]:
    """Return the parameters of a route, each with its types."""
    return _parsed(route) if len(route) > _LONG_ROUTE else _remembered(route)


def _parsed(route: str) -> list[tuple[str, tuple[str, str]]]:
    found, before = [], ""
    for segment in route.split("/"):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            before = segment
        else:
            found.append((parameter[1], (before, parameter[1].removesuffix("_id"))))
    return found


_LONG_ROUTE: Final = 1_000  # characters; a longer one is not an application's, and not remembered
_remembered: Final = lru_cache(maxsize=1024)(_parsed)


def concerns(entry: Mapping[str, Any], wanted: str) -> bool:
    """Return whether an entry names a record, or records of a type, or with an id.

    :param wanted: a type, an id, or a record in any form that an event may use: ``type/id``, a URL,
        an ARN or a path. Parameters of a request are found by a record only.
    """
    record = split(wanted)
    return any(
        found == record or wanted in (*found, "/".join(found)) for found in records(entry)
    ) or (record in set(parameters(entry["context"])))


def words(entry: Mapping[str, Any]) -> str:
    """Return the text of an entry that is searched: words between spaces and punctuation."""
    if "reason" in entry or "old_values" in entry:
        text = orjson.dumps([entry[name] for name in TEXT_FIELDS if name in entry]).decode()
    else:  # nearly all
        text = orjson.dumps(entry["context"]).decode()
    return _ESCAPE.sub(" ", text) if "\\" in text else text


def has_words(entry: Mapping[str, Any], wanted: str) -> bool:
    """Return whether an entry has each of some words. ``inv*`` is the beginning of a word."""
    there = set(_WORD.findall(ascii_lower(words(entry))))
    return all(
        any(
            any(word.startswith(form) for word in there) if prefix else form in there
            for form in forms
        )
        for forms, prefix in asked(wanted)
    )


def asked(text: str) -> list[tuple[tuple[str, ...], bool]]:
    """Return the words that a search asks for: the forms of each, and whether it is a beginning.

    Case is ignored; for letters beyond ASCII a word is searched as it is given, in capitals, in
    small letters and with a capital first.

    :raises ValueError: if there is no letter and no digit in it.
    """
    found = []
    text = text.encode("utf-8", "replace").decode()  # no entry has a lone surrogate
    for match in re.finditer(r"([0-9a-z\x80-\U0010ffff]+)(\*?)", ascii_lower(text)):
        word = match[1]
        forms = {word}
        if not word.isascii():
            given = text[match.start(1) : match.end(1)]
            forms = {ascii_lower(f) for f in (given, given.lower(), given.upper(), given.title())}
        found.append((tuple(sorted(forms)), bool(match[2])))
    if not found:
        raise ValueError("must hold a letter or a digit to search for")
    return found


_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """Return a text with A to Z in small letters, and all else as it is."""
    return text.lower() if text.isascii() else text.translate(_LOWER)

"""The formats, by name; and the way back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import leaf_hash, split_line
from chained_logging.formats import cef, csv, ecs, fhir, ocsf


class Format(NamedTuple):
    """A format that entries can be written in.

    :ivar encode: takes an entry and the log's name, and returns a line or more, ended.
    :ivar head: what comes before the first entry.
    :ivar raw: returns the stored line in what was parsed from JSON; None if it is not in there.
    """

    encode: Callable[[AuditEntry, str], bytes]
    head: bytes = b""
    raw: Callable[[Mapping[str, Any]], str] | None = None


FORMATS: Final[Mapping[str, Format]] = {
    "ocsf": Format(ocsf.encode, raw=ocsf.raw),
    "ecs": Format(ecs.encode, raw=ecs.raw),
    "cef": Format(cef.encode),
    "csv": Format(csv.encode, csv.row(csv.COLUMNS).encode()),
    "fhir": Format(fhir.encode_r4, raw=fhir.raw),
    "fhir-r5": Format(fhir.encode_r5, raw=fhir.raw),
}


def stored_line(converted: bytes) -> bytes:
    """Return the stored line in an entry that was converted to OCSF, ECS or FHIR.

    Its hash is checked. Its place in the chain is not: write the lines to a file, and verify that.

    :param converted: one JSON object.
    :raises ValueError: if it holds no stored line, or its hash is not that of its body.
    """
    line = _raw(json.loads(converted)).encode()
    body, hash, _ = split_line(line)
    if leaf_hash(body) != hash:
        raise ValueError("the hash of the stored line is not that of its content")
    return line


def _raw(parsed: Any) -> str:
    for each in FORMATS.values():
        if each.raw is not None:
            with contextlib.suppress(AttributeError, KeyError, TypeError):
                return each.raw(parsed)
    raise ValueError("not an entry in OCSF, ECS or FHIR: it holds no stored line")

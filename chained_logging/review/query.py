"""Entries read back and filtered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chained_logging.entry import AuditEntry
from chained_logging.event.resources import split
from chained_logging.sinks import open_sink


@dataclass(frozen=True)
class Filter:
    """Which entries to show. None means any.

    :ivar resource: a type, or a record by any name that an event may give it: ``type/id``, a URL,
        an ARN, a path. A request is also found by the other parameters of its route, so
        ``patients/456`` finds ``GET /patients/456/notes/7``.
    :ivar since: not before this ``timestamp``, in the form that entries have.
    :ivar until: before this one.
    """

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    result: str | None = None
    since: str | None = None
    until: str | None = None
    incomplete: bool = False

    def matches(self, entry: AuditEntry) -> bool:
        """Whether the entry is one of those asked for."""
        return (
            self.actor in (None, entry.actor_id)
            and self.action in (None, entry.action)
            and (self.resource is None or _concerns(entry, self.resource))
            and self.result in (None, entry.result)
            # Timestamps have one form and length, so that their order is that of their text.
            and (self.since is None or entry.timestamp >= self.since)
            and (self.until is None or entry.timestamp < self.until)
            and (not self.incomplete or entry.incomplete)
        )


def _concerns(entry: AuditEntry, wanted: str) -> bool:
    """Whether an entry is about a resource: a type, or a record by its name."""
    kind, id = entry.resource_type, entry.resource_id
    if wanted in (kind, id, f"{kind}/{id}"):
        return True
    record = split(wanted)
    return record == (kind, id) or record in set(_parameters(entry.context))


def _parameters(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield type and id of each parameter of a request's route.

    The type is what stands before it there, and also its name without ``_id``.
    """
    route, values = context.get("route"), context.get("params")
    if not isinstance(route, str) or not isinstance(values, dict):
        return
    before = ""
    for segment in route.split("/"):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            before = segment
            continue
        value = values.get(parameter[1])
        if isinstance(value, str):
            yield before, value
            yield parameter[1].removesuffix("_id"), value


_PARAMETER = re.compile(r"\{(\w+)\}")


def read_entries(path: Path) -> Iterator[AuditEntry]:
    """Read the entries of a log that may be in use. Nothing is verified.

    :raises OSError: if it cannot be read.
    :raises ValueError: at a line that is no entry.
    """
    for _, body, hash, signature in open_sink(path).records():
        yield AuditEntry(body, hash, signature)


def printable(text: str) -> str:
    """Return text that cannot steer a terminal, or hide or reorder what stands around it.

    Controls, format characters (bidirectional, zero width, tags), separators and lone surrogates
    are written as their escapes.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )

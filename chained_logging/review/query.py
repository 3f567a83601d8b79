"""Reading entries and filtering them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.event.resources import split
from chained_logging.event.values import timestamp_text
from chained_logging.sinks import open_sink
from chained_logging.text import printable


@dataclass(frozen=True)
class Filter:
    """Which entries to show. None means any.

    :ivar resource: a type, or a record in any form that an event may use: ``type/id``, a URL, an
        ARN or a path. An entry is found by its ``resources`` too, and a request by the other
        parameters of its route, so ``patients/456`` finds ``GET /patients/456/notes/7``.
    :ivar since: the earliest ``timestamp``, in the form that entries have.
    :ivar until: the first ``timestamp`` that is too late, in the same form.
    """

    actor: str | None = None
    on_behalf_of: str | None = None
    tenant: str | None = None
    trace_id: str | None = None
    action: str | None = None
    resource: str | None = None
    result: str | None = None
    since: str | None = None
    until: str | None = None
    incomplete: bool = False

    @property
    def indexed(self) -> dict[str, str]:
        """What an index of a database finds at once, by the name of its column."""
        columns = {"actor_id": self.actor, "action": self.action}
        return {name: value for name, value in columns.items() if value is not None}

    def matches(self, entry: AuditEntry) -> bool:
        """Whether an entry passes the filter."""
        return (
            self.actor in (None, entry.actor_id)
            and self.on_behalf_of in (None, entry.on_behalf_of)
            and self.tenant in (None, entry.tenant_id)
            and self.trace_id in (None, entry.trace_id)
            and self.action in (None, entry.action)
            and (self.resource is None or _concerns(entry, self.resource))
            and self.result in (None, entry.result)
            # All timestamps have the same form and length, so they sort as text.
            and (self.since is None or entry.timestamp >= self.since)
            and (self.until is None or entry.timestamp < self.until)
            and (not self.incomplete or entry.incomplete)
        )


ANY: Final = Filter()


def _concerns(entry: AuditEntry, wanted: str) -> bool:
    """Return whether an entry is about a resource: a type, or a record by its name."""
    records = [(entry.resource_type, entry.resource_id)]
    records += [(record["type"], record["id"]) for record in entry.resources or ()]
    if any(wanted in (kind, id, f"{kind}/{id}") for kind, id in records):
        return True
    record = split(wanted)
    return record in records or record in set(_parameters(entry.context))


def _parameters(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield type and id of each parameter of a request's route.

    A parameter is yielded twice: the type is the literal before it, and its name without ``_id``.
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


def moment(text: str) -> str:
    """Return a time in the form that entries have, in UTC.

    :param text: an RFC 3339 time, or a date for its beginning. Without an offset it is in UTC.
    :raises ValueError: if it is neither.
    """
    try:
        found = dt.datetime.fromisoformat(text)
        return timestamp_text(found if found.tzinfo else found.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"must be a date or an RFC 3339 time, not {printable(text)!r}") from None


def read_entries(path: Path, wanted: Filter = ANY) -> Iterator[AuditEntry]:
    """Read the entries of a log that may be in use, without verifying them.

    :param wanted: leave out entries that do not match, as far as an index tells.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: at a line that is not an entry.
    """
    for _, body, hash, signature in open_sink(path).candidates(wanted.indexed):
        yield AuditEntry(body, hash, signature)


def legible(entries: Iterable[AuditEntry], log: str) -> Iterator[AuditEntry]:
    """Yield entries as long as their fields can be read. They are not verified.

    An error names an entry by its number among these.

    :param log: the name of the log, for error messages.
    :raises ValueError: at an entry that was changed so much that it cannot be shown.
    """
    for number, entry in enumerate(entries, 1):
        try:
            fields = entry.fields
        except ValueError:
            raise ValueError(
                f"{log}: entry {number}, counted from 1, is not a JSON object"
            ) from None
        wrong = [name for name, is_right in _SHOWN.items() if not is_right(fields.get(name))]
        if wrong:
            raise ValueError(
                f"{log}: entry {number}, counted from 1, was not written by a log "
                f"({', '.join(wrong)}). chained-logging verify reports every fault"
            )
        yield entry


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_optional_text(value: Any) -> bool:
    return isinstance(value, str | None)


def _is_records(value: Any) -> bool:
    return value is None or (
        isinstance(value, list)
        and all(
            isinstance(record, dict) and _is_text(record.get("type")) and _is_text(record.get("id"))
            for record in value
        )
    )


def _is_context(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("invalid", {}), dict)


_TEXTS: Final = (
    *("timestamp", "actor_id", "actor_type", "action"),
    *("resource_type", "resource_id", "result"),
)
_SHOWN: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(_TEXTS, _is_text),
    "ip_address": _is_optional_text,
    "on_behalf_of": _is_optional_text,
    "resources": _is_records,
    "context": _is_context,
}
"""The fields that are shown and searched, and what each must be."""

"""What an entry is about, in the few words that all these formats have.

An action is free text (``read``, ``patient.update``, ``GetObject``), and so is a resource type. The
first word that is known decides. Where none is known, the formats say "other" and keep the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import UNKNOWN
from chained_logging.event.legible import require_legible
from chained_logging.format.line import recorded_at

# --- Verbs.

OTHER: Final = "other"

_VERBS: Final[Mapping[str, str]] = {
    word: verb
    for verb, words in {
        "login": "login logon signin signon authenticate",
        "logout": "logout logoff signout signoff",
        "export": "export download dump",
        "create": "create add insert new register upload post",
        "read": "read view get show open access list search query find",
        "update": "update write change edit modify patch put set rename",
        "delete": "delete remove destroy purge erase",
    }.items()
    for word in words.split()
}
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text)]


def verb(action: str) -> str:
    """Return what an action does: ``login``, ``logout``, ``export``, ``create``, ``read``,
    ``update``, ``delete``, or :data:`OTHER`."""
    words = _words(action)
    for first, second in zip(words, [*words[1:], ""], strict=False):
        if found := _VERBS.get(first + second) or _VERBS.get(first):
            return found
    return OTHER


# --- Kinds.

_IDENTITIES: Final = frozenset(
    {"user", "group", "team", "role", "permission", "policy", "organization", "tenant"}
)
_STORES: Final = frozenset({"database", "table", "bucket"})


def kind(entry: AuditEntry) -> str:
    """Return what an entry is about: ``log``, ``login``, ``identity``, ``store`` or
    :data:`OTHER`."""
    if entry.resource_type == "audit_log":
        return "log"
    if verb(entry.action) in ("login", "logout"):
        return "login"
    last = noun(entry.resource_type)
    return "identity" if last in _IDENTITIES else "store" if last in _STORES else OTHER


def noun(resource_type: str) -> str:
    """Return the last word of a resource type: ``user`` for ``auth.User``."""
    return (_words(resource_type) or [""])[-1]


# --- An entry, read.


class Moments(NamedTuple):
    """When an event occurred, and when it was recorded."""

    occurred: datetime
    recorded: datetime

    @property
    def recorded_text(self) -> str:
        """When it was recorded, in RFC 3339 with milliseconds: an id has no more."""
        return self.recorded.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(entry: AuditEntry) -> Moments:
    """Check that an entry can be converted, and return its times.

    :raises ValueError: if it was changed so much that it cannot.
    """
    require_legible(entry)
    try:
        occurred = datetime.fromisoformat(entry.timestamp)
        recorded = datetime.fromtimestamp(recorded_at(entry.body), UTC)
        if occurred.tzinfo is None:
            raise ValueError("without a zone")
        entry.line.decode()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"entry {entry.seq} was not written by a log (timestamp, id). "
            "chained-logging verify reports every fault"
        ) from None
    return Moments(occurred, recorded)


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def address(entry: AuditEntry) -> str | None:
    """Return the IP address, or None where it is not known or there was none."""
    found: str | None = entry.ip_address
    return None if found == UNKNOWN else found


def sentence(entry: AuditEntry) -> str:
    """Return an entry as a person says it: ``ann read patient_record/456 from 10.0.0.1: denied``.

    Others wrote it: it is not fit for a terminal.
    """
    actor = entry.actor_id
    if entry.on_behalf_of is not None:
        actor += f" for {entry.on_behalf_of}"
    said = f"{actor} {entry.action} {entry.resource_type}/{entry.resource_id}"
    if entry.resources:
        said += f" and {len(entry.resources)} more"
    if (found := address(entry)) is not None:
        said += f" from {found}"
    return f"{said}: {entry.result}"


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are there: not None, and not an empty object or array."""
    return {name: value for name, value in values.items() if value not in (None, {}, [])}


def extras(entry: AuditEntry, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the entry's fields that it has."""
    return given(**{name: entry.fields.get(name) for name in names})

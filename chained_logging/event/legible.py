"""Whether the fields of an entry are such as a log writes, so that they can be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import position


def require_legible(entry: AuditEntry) -> None:
    """Check that the fields of an entry can be shown and searched. The entry is not verified.

    :raises ValueError: if it was changed so much that they cannot.
    """
    try:
        fields = entry.fields
    except ValueError:
        raise ValueError(f"entry {_seq(entry)} is not a JSON object") from None
    wrong = [name for name, is_right in _SHOWN.items() if not is_right(fields.get(name))]
    if wrong:
        raise ValueError(
            f"entry {_seq(entry)} was not written by a log ({', '.join(wrong)}). "
            "chained-logging verify reports every fault"
        )


def is_legible(fields: Mapping[str, Any]) -> bool:
    """Whether the fields of an entry can be shown and searched.

    What the fields of one are, those of many are: so their types are looked at together.
    """
    kinds = tuple(map(type, map(fields.get, _NAMES)))
    if kinds in _simple and "invalid" not in fields["context"]:
        return True
    if not all(is_right(fields.get(name)) for name, is_right in _SHOWN.items()):
        return False
    if list not in kinds and len(_simple) < _MOST_SIMPLE:
        _simple.add(kinds)
    return True


def _seq(entry: AuditEntry) -> object:
    try:
        return position(entry.body)[0]
    except ValueError:
        return "without a seq"


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


def _is_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_text, value)))


def _is_context(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("invalid", {}), dict)


_TEXTS: Final = (
    *("timestamp", "actor_id", "actor_type", "action"),
    *("resource_type", "resource_id", "result", "id"),
)
_OPTIONAL: Final = (
    *("ip_address", "on_behalf_of", "user_agent", "session_id", "tenant_id", "trace_id", "reason"),
)
_SHOWN: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(_TEXTS, _is_text),
    **dict.fromkeys(_OPTIONAL, _is_optional_text),
    "changed_fields": _is_names,
    "resources": _is_records,
    "context": _is_context,
}
"""The fields that are shown and searched, and what each must be."""
_NAMES: Final = tuple(_SHOWN)
_MOST_SIMPLE: Final = 1_000
_simple: Final[set[tuple[type, ...]]] = set()
"""Types of all the fields in entries that were legible, and had no lists to look into."""

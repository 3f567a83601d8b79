"""What changed between two states of a thing: ``changed_fields`` and ``old_values`` of an entry."""

from __future__ import annotations

from typing import Any

from chained_logging.event.values import encode, fields_of


def diff(before: Any, after: Any) -> dict[str, Any]:
    """Return what an entry says of a change, for ``logger.info("write", …, **diff(old, new))``.

    A field is changed where its form as stored in the log differs, so ``1`` and ``1.0`` are the
    same, and ``1`` and ``True`` are not. Names that begin with an underscore are left out. Secrets
    are taken out by the log, as everywhere: that a password changed is kept, and no password.

    :param before: a mapping, a dataclass or another object with attributes, as it was: a copy, if
        the object itself was changed since. None for a thing that is new.
    :param after: the same as it is now; None for a thing that is gone.
    :returns: ``changed_fields``, sorted, and ``old_values``: those that were there before.
    :raises TypeError: if one of them has no fields.

    >>> diff({"ward": 7, "name": "Ann"}, {"ward": 8, "name": "Ann"})
    {'changed_fields': ['ward'], 'old_values': {'ward': 7}}
    """
    old, new = _fields(before), _fields(after)
    changed = sorted(
        name for name in old.keys() | new.keys() if name not in old or name not in new
        or not _same(old[name], new[name])
    )  # fmt: skip
    return {
        "changed_fields": changed,
        "old_values": {name: old[name] for name in changed if name in old},
    }


def _same(old: Any, new: Any) -> bool:
    return old is new or encode(old) == encode(new)


def _fields(thing: Any) -> dict[str, Any]:
    if thing is None:
        return {}
    known = fields_of(thing)
    if known is not None:
        fields = {str(name): value for name, value in known.items()}
    else:
        slots = [
            name
            for kind in type(thing).__mro__
            for name in _names(kind.__dict__.get("__slots__", ()))
            if hasattr(thing, name)
        ]
        fields = {name: getattr(thing, name) for name in slots} | getattr(thing, "__dict__", {})
        if not hasattr(thing, "__dict__") and not slots:
            raise TypeError(f"a {type(thing).__name__} has no fields to compare")
    return {name: value for name, value in fields.items() if not name.startswith("_")}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)

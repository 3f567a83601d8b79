"""Objects that stand for a row: what names them, without a query.

SQLAlchemy and Django are recognised by what their classes carry; neither is imported. What is
read here is in memory: no attribute is loaded, expired or detached objects included.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

_BEARERS: Final = ("token", "session", "apikey")
_BEARER_KEYS: Final = frozenset({"key", "token", "session_key"})


def is_model(kind: type) -> bool:
    """Whether objects of this class are rows of SQLAlchemy's ORM or of Django's."""
    return hasattr(kind, "_sa_class_manager") or hasattr(
        getattr(kind, "_meta", None), "label_lower"
    )


def model_type(kind: type) -> str:
    """Return the name of a model, as the recorders write it: its table, or Django's label."""
    manager = getattr(kind, "_sa_class_manager", None)
    if manager is not None:
        return str(manager.mapper.local_table.name)
    model: Any = kind
    return str((model._meta.concrete_model or model)._meta.label_lower)


def model_key(thing: Any) -> tuple[Any, ...] | None:
    """Return the values of a row's primary key, or None for one that was not saved yet."""
    manager = getattr(type(thing), "_sa_class_manager", None)
    if manager is None:
        key = thing.pk
        values = tuple(key) if isinstance(key, tuple | list) else (key,)
        if is_bearer(type(thing)):
            values = (hidden(key),)
    else:
        state = vars(thing)["_sa_instance_state"]
        values = state.key[1] if state.key else manager.mapper.primary_key_from_instance(thing)
    return None if not values or any(value is None for value in values) else tuple(values)


def is_bearer(kind: Any) -> bool:
    """Whether knowing the primary key of a Django model is enough to get in.

    This holds for the models of sessions and of REST framework's tokens.
    """
    meta = kind._meta
    return meta.label_lower.endswith(_BEARERS) and meta.pk.attname in _BEARER_KEYS


def hidden(key: Any) -> Any:
    """Return a substitute for such a key: the first half of its SHA-256, as in ``session_id``."""
    return None if key is None else sha256(str(key).encode()).hexdigest()[:32]


def model_columns(thing: Any) -> dict[str, Any]:
    """Return the columns of a row that are loaded, by name."""
    manager = getattr(type(thing), "_sa_class_manager", None)
    if manager is None:
        names = [field.attname for field in thing._meta.concrete_fields]
    else:
        names = [attribute.key for attribute in manager.mapper.column_attrs]
    loaded = vars(thing)
    columns = {name: loaded[name] for name in names if name in loaded}
    if manager is None and is_bearer(type(thing)):
        columns[thing._meta.pk.attname] = hidden(thing.pk)
    return columns

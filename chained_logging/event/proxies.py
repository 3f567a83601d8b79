"""Objects that stand for another one: what they stand for.

``request.user`` of Django, ``current_user`` of Flask-Login and ``session`` of Flask are such.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

_MAX_LAYERS: Final = 8
_WRAPPERS: Final = frozenset({"wrapt", "lazy_object_proxy"})


@lru_cache(maxsize=1024)
def is_proxy(kind: Any) -> bool:
    """Whether objects of this class stand for others."""
    return (
        hasattr(kind, "_get_current_object")  # werkzeug's LocalProxy
        or _is_lazy(kind)
        or (hasattr(kind, "__wrapped__") and kind.__module__.partition(".")[0] in _WRAPPERS)
    )


def is_unread(proxy: Any) -> bool:
    """Whether reading what this stands for would begin with a call: as a rule, a query."""
    return _is_lazy(type(proxy)) and _wrapped(proxy) is _empty(proxy)


def unwrapped(value: Any) -> Any:
    """Return what a proxy stands for, and any other value as it is.

    :raises Exception: whatever the proxy raises.
    """
    for _ in range(_MAX_LAYERS):
        kind: Any = type(value)
        if not is_proxy(kind):
            break
        if hasattr(kind, "_get_current_object"):
            value = value._get_current_object()
        elif _is_lazy(kind):
            if is_unread(value):
                value._setup()
            value = _wrapped(value)
        else:
            value = value.__wrapped__
    return value


def _is_lazy(kind: type) -> bool:
    return any(
        base.__name__ == "LazyObject" and base.__module__ == "django.utils.functional"
        for base in kind.__mro__
    )


def _wrapped(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "__dict__").get("_wrapped")


def _empty(proxy: Any) -> Any:
    from django.utils.functional import empty  # type: ignore[import-untyped]  # it is loaded

    return empty

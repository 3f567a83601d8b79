"""Proxies of the frameworks stand for what is behind them, and are not read without need."""

from __future__ import annotations

from typing import Any

import pytest

from chained_logging.event.proxies import is_proxy, is_unread, unwrapped


def test_a_local_proxy_is_what_it_stands_for() -> None:
    local = pytest.importorskip("werkzeug.local")
    proxy = local.LocalProxy(lambda: "ann")
    assert is_proxy(type(proxy))
    assert not is_unread(proxy)
    assert unwrapped(proxy) == "ann"
    assert type(unwrapped(proxy)) is str


def test_a_lazy_object_is_read_once_and_only_when_it_is_asked_for() -> None:
    functional = pytest.importorskip("django.utils.functional")
    calls: list[int] = []

    def query() -> str:
        calls.append(1)
        return "ann"

    lazy = functional.SimpleLazyObject(query)
    assert is_proxy(type(lazy))
    assert is_unread(lazy)
    assert calls == []
    assert [unwrapped(lazy), unwrapped(lazy)] == ["ann", "ann"]
    assert calls == [1]
    assert not is_unread(lazy)


def test_a_wrapper_of_wrapt_is_what_it_wraps() -> None:
    wrapt = pytest.importorskip("wrapt")
    thing = object()
    assert unwrapped(wrapt.ObjectProxy(thing)) is thing


def test_proxies_of_proxies_end() -> None:
    local = pytest.importorskip("werkzeug.local")
    deep: Any = "ann"
    for _ in range(3):
        deep = local.LocalProxy(lambda inner=deep: inner)
    assert unwrapped(deep) == "ann"

    class Endless:
        def _get_current_object(self) -> Endless:
            return self

    endless = Endless()
    assert unwrapped(endless) is endless


def test_other_values_are_left_as_they_are() -> None:
    class Decorated:
        __wrapped__ = "not a proxy's"

    for value in (None, "ann", 7, Decorated(), [1]):
        assert not is_proxy(type(value))
        assert unwrapped(value) is value
        assert not is_unread(value)


def test_what_a_proxy_raises_goes_through() -> None:
    local = pytest.importorskip("werkzeug.local")

    def unbound() -> Any:
        raise LookupError("outside of a request")

    with pytest.raises(LookupError, match="outside of a request"):
        unwrapped(local.LocalProxy(unbound))

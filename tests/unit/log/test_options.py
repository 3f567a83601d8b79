"""Options that cannot be right are refused, with the name of the option."""

from __future__ import annotations

from typing import Any

import pytest
from log_parts import options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("durability", "disk"),
        ("on_failure", "ignore"),
        ("sign", "all"),
        ("origin", "a b"),
        ("origin", "a+b"),
        ("origin", ""),
        ("timeout", -1),
        ("checkpoint_every", 0),
        ("checkpoint_interval", 0),
        ("sync_interval", 0),
        ("max_bytes", 0),
        ("max_age", 0),
        ("heartbeat", 0),
    ],
)
def test_what_cannot_be_right_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        options(**{name: value})


def test_a_call_may_wait_for_nothing() -> None:
    assert options(timeout=0).timeout == 0


def test_what_parts_ask() -> None:
    assert options(durability="fsync").synced
    assert not options().synced
    assert options(sign="follow").follows
    assert not options(sign="each").follows

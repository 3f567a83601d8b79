"""A retention is never shorter than what was asked for."""

from __future__ import annotations

import pytest

from chained_logging.ship.retention import retention_days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("soc2", 365),
        ("hipaa", 2192),
        ("PCI ", 366),
        ("pci-archive", 731),
        ("federal", 550),
        ("90d", 90),
        ("2w", 14),
        ("1m", 31),
        ("18m", 558),
        ("6y", 2196),
    ],
)
def test_a_period_is_rounded_up(text: str, days: int) -> None:
    assert retention_days(text) == days


@pytest.mark.parametrize("text", ["", "90", "0d", "-1d", "1.5y", "gdpr", "100000d", "1d 2d"])
def test_what_is_not_a_period_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="90d, 18m or 6y"):
        retention_days(text)

"""The landing of a stream, by the name that users import."""

from __future__ import annotations

import pytest

from chained_logging.ship import land
from chained_logging.ship.nats import landing


def test_it_is_the_landing_of_nats() -> None:
    assert land.Landing is landing.Landing
    assert land.__all__ == ["Landing"]


def test_it_takes_a_stream_alone() -> None:
    with pytest.raises(ValueError, match="nats://"):
        land.Landing("postgresql://127.0.0.1:1/x", ["postgresql://127.0.0.1:1/y"])

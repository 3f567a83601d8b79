"""The fixtures that the tests of streams share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nats_logs import Store, Stream, stream

from chained_logging.ship.nats.connection import Connection

__all__ = ["stream"]  # a fixture


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def connection(stream: Stream) -> Iterator[Connection]:
    connection = Connection(stream.url)
    connection.open()
    yield connection
    connection.close()

"""The witnesses that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from note_keys import LOG_KEY, ORIGIN, WITNESS
from witness_logs import NAME, A
from witness_servers import serving

from chained_logging.transparency.witness import (
    Witness,
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def plain(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "w", NAME, WITNESS, {ORIGIN: LOG_KEY})


@pytest.fixture
def url(plain: Witness) -> Iterator[str]:
    with serving(plain) as url:
        yield url


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Witness, str, Path]]:
    """A witness that holds A at 7, and is never moved on."""
    folder = tmp_path_factory.mktemp("seven")
    plain = Witness(folder, NAME, WITNESS, {ORIGIN: LOG_KEY})
    assert plain.add_checkpoint(A.request(0, 7)).status == 200
    with serving(plain) as url:
        yield plain, url, folder

"""Positions are a help: without them, detectors look at everything again."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.errors import Busy, ForeignFile
from chained_logging.format.record import Head
from chained_logging.review.alerts.position import PositionFile, PositionsInMemory


def test_what_is_written_is_read(tmp_path: Path) -> None:
    positions = PositionFile(tmp_path / "audit.db")
    assert positions.read() == {}
    positions.write({"rules": Head(3, "ab")})
    assert PositionFile(tmp_path / "audit.db").read() == {"rules": Head(3, "ab")}
    assert (tmp_path / "audit.db.alerts").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{", b'{"a": 1}', b'{"a": ["1", 2]}', b'{"a": [-2, ""]}', b"[" * 99_999),
        b'{"a": [99999999999999999999, ""]}',
    ],
)
def test_a_malformed_file_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "audit.db.alerts").write_bytes(data)
    assert PositionFile(tmp_path / "audit.db").read() == {}


def test_a_file_that_others_can_write_to_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "audit.db.alerts"
    file.write_text("{}")
    file.chmod(0o666)
    with pytest.raises(ForeignFile, match="chmod"):
        PositionFile(tmp_path / "audit.db").read()


def test_only_one_raises_alerts_at_a_time(tmp_path: Path) -> None:
    one, two = (PositionFile(tmp_path / "audit.db") for _ in range(2))
    with one.alone(), pytest.raises(Busy, match="another process"), two.alone():
        pass
    with two.alone():
        pass


def test_positions_in_memory_end_with_the_process() -> None:
    positions = PositionsInMemory()
    with positions.alone():
        positions.write({"a": Head(1, "")})
    assert positions.read() == {"a": Head(1, "")}
    assert PositionsInMemory().read() == {}

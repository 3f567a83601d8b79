"""What was found intact is remembered, and nothing is believed because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.review.watch.memory import Memory, Verified

FOUND = Verified(3, "ab", 1.5, 0.25)


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    Memory(log).keep("audit.db", FOUND)
    assert Memory(log).places == {"audit.db": FOUND}
    assert (tmp_path / "audit.db.watch").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"3", b'{"a": 1}', b'{"a": ["1", "", 0, 0]}', b"[" * 99_999, b"\xff"),
        b'{"a": [1, "", 1' + b"0" * 400 + b", 0]}",
    ],
)
def test_a_malformed_file_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "audit.db.watch").write_bytes(data)
    assert Memory(tmp_path / "audit.db").places == {}


def test_without_a_log_it_ends_with_the_process() -> None:
    memory = Memory(None)
    memory.keep("store", FOUND)
    assert memory.places == {"store": FOUND}
    assert Memory(None).places == {}

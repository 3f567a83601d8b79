"""What the baselines remember of a log, in a file beside its index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chained_logging import AuditLog
from chained_logging.review.detect.baselines.memory import Memory, Remembered
from chained_logging.review.detect.reading import entries
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

EVENT = {"action": "read", "actor": "ann", "resource": "record/1", "ip": "10.0.0.1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append_many([EVENT] * 20)
    return tmp_path / "audit.jsonl"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with open_log(str(path)) as opened:
        yield opened


def place(engine: Engine, seq: int) -> Remembered:
    (entry,) = entries(engine, seq - 1, seq)
    return Remembered(seq, entry.hash, {"volume": {"now": {"seq": [seq]}}})


def kept(path: Path) -> Path:
    return path.with_name("audit.jsonl.baselines")


def test_what_is_kept_is_recalled(engine: Engine, path: Path) -> None:
    Memory(engine, "UTC").keep(place(engine, 7))
    assert Memory(engine, "UTC").recall(7) == place(engine, 7)
    assert os.stat(kept(path)).st_mode & 0o777 == 0o600


def test_the_place_before_is_kept_too(engine: Engine) -> None:
    """A program died after reading, and before it did something about what was found."""
    memory = Memory(engine, "UTC")
    for seq in (3, 7, 12):
        memory.keep(place(engine, seq))
    assert memory.recall(20).seq == memory.recall(12).seq == 12
    assert memory.recall(11).seq == memory.recall(7).seq == 7
    assert memory.recall(6).seq == -1


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{", b"[]", b'{"version":1}', b'{"version":1,"calendar":"UTC"}']
)
def test_what_cannot_be_read_is_not_used(engine: Engine, path: Path, content: bytes) -> None:
    Memory(engine, "UTC").keep(place(engine, 7))
    kept(path).write_bytes(content)
    assert Memory(engine, "UTC").recall(20) == Remembered(-1, "", {})


def test_the_memory_of_another_chain_is_not_used(engine: Engine) -> None:
    Memory(engine, "UTC").keep(place(engine, 7)._replace(hash="00" * 32))
    assert Memory(engine, "UTC").recall(20).seq == -1


def test_the_memory_of_a_longer_log_is_not_used(engine: Engine) -> None:
    Memory(engine, "UTC").keep(Remembered(500, "00" * 32, {}))
    assert Memory(engine, "UTC").recall(600).seq == -1


def test_another_users_file_is_not_read(engine: Engine, path: Path) -> None:
    Memory(engine, "UTC").keep(place(engine, 7))
    kept(path).chmod(0o666)
    memory = Memory(engine, "UTC")
    assert memory.recall(20).seq == -1
    memory.keep(place(engine, 9))
    assert memory.recall(20).seq == -1


def test_nothing_is_kept_where_nothing_is_to_be(engine: Engine, path: Path) -> None:
    Memory(engine, None).keep(place(engine, 7))
    assert not kept(path).exists()

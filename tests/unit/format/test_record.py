"""What a store holds beside entries is read by one decoder, whoever wrote it."""

from __future__ import annotations

import json

import pytest

from chained_logging.format.record import StoredCheckpoint

GOOD = {"note": "n", "size": 1, "state": "s", "timestamp": None}


def test_a_checkpoint_is_read_back() -> None:
    stored = StoredCheckpoint("note", 7, "state", "stamp")
    assert StoredCheckpoint.from_json(json.dumps(stored.to_dict()).encode()) == stored
    assert StoredCheckpoint.from_json(b'{"note":"n","size":1,"state":"s"}').timestamp is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "1"},
        {"size": True},
        {"size": 1.0},
        {"note": None},
        {"note": 1},
        {"state": []},
        {"timestamp": 1},
        {"more": 1},
    ],
)
def test_what_is_no_checkpoint_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        StoredCheckpoint.from_json(json.dumps({**GOOD, **wrong}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        StoredCheckpoint.from_json(data)

"""What is known of entries that were moved: the tree over them, and the keys that they name."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from archived import key, log
from backed_up import ORIGIN, written

from chained_logging import AuditLog
from chained_logging.format.merkle import Frontier
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.archive.front import Front
from chained_logging.sinks import open_sink
from chained_logging.sinks.segments import segment_paths

__all__ = ["key", "log"]  # fixtures


def test_it_is_handed_on_from_entry_to_entry(log: Path, key: PrivateKey) -> None:
    new = PrivateKey.generate()
    with AuditLog(log, key=key, max_bytes=4000) as opened:
        opened.rotate_key(new)
        opened.revoke_key(verifier_key(ORIGIN, key), "stolen")
    written(log, 30, key=new)
    tree = Frontier()
    named: list[dict[str, Any]] = [{"key": verifier_key(ORIGIN, key), "seq": 0}]
    for record in open_sink(log).records():
        if b'"action":"key.rotate"' in record.body:
            named.append({"key": verifier_key(ORIGIN, new), "seq": record.seq})
    whole, handed_on = Front(ORIGIN), Front(ORIGIN)
    records = {record.seq: record.hash for record in open_sink(log).records()}
    for path in segment_paths(log):
        whole.take(path)
        handed_on.take(path)
        again = Front.of(ORIGIN, handed_on.to_dict())
        assert again is not None
        handed_on = again
    for seq in range(whole.size):
        tree.append(bytes.fromhex(records[seq]))
    assert (
        whole.to_dict()
        == handed_on.to_dict()
        == {
            "tree": base64.b64encode(tree.to_bytes()).decode(),
            "keys": named,
            "revoked": [verifier_key(ORIGIN, key)],
        }
    )


@pytest.mark.parametrize(
    "change",
    [{"tree": "AAAA"}, {"tree": None}, {"keys": [7]}, {"keys": [{"key": "x", "seq": 0}]}],
)
def test_what_says_something_else_says_nothing(log: Path, change: dict[str, Any]) -> None:
    front = Front(ORIGIN)
    front.take(segment_paths(log)[0])
    assert Front.of(ORIGIN, front.to_dict()) is not None
    assert Front.of(ORIGIN, front.to_dict() | change) is None
    assert Front.of(ORIGIN, {}) is None

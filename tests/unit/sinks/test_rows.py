"""Rows that another program may have stored."""

from __future__ import annotations

from typing import Any

import pytest
from sink_records import chained

from chained_logging.format.record import NO_CHECKPOINT
from chained_logging.format.stub import Stub
from chained_logging.sinks.rows import as_checkpoint, as_record, as_stub, is_text, text

HASH = "ab" * 32
SIGNATURE = "A" * 86 + "=="


def test_a_row_of_texts_is_an_entry() -> None:
    (record,) = chained(1)
    assert as_record((0, record.body.decode(), record.hash, None)) == record
    assert as_record((0, record.body, record.hash, None)) is None
    assert as_record((0, record.body.decode(), record.hash, b"x")) is None
    assert as_record((0, text(b"\xff"), record.hash, None)) is None


@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_a_row_of_its_form_is_a_stub(signature: str | None) -> None:
    assert as_stub((3, None, HASH, signature, 0)) == Stub(3, HASH, signature)


@pytest.mark.parametrize(
    ("hash", "signature"), [(b"ab" * 32, None), ("x" * 64, None), (HASH, ""), (HASH, b"A"), (1, 2)]
)
def test_any_other_row_is_no_stub(hash: Any, signature: Any) -> None:
    assert as_stub((3, None, hash, signature, 0)) is None


def test_a_checkpoint_of_other_types_is_none() -> None:
    assert as_checkpoint(("note", "1", "", None)) is NO_CHECKPOINT
    assert is_text("a", "b")
    assert not is_text("a", b"b")

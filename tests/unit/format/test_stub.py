"""What is left of a removed entry."""

from __future__ import annotations

import base64

import pytest

from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub, holds, read_stub, stub_line

HASH = "0123456789abcdef" * 4
SIGNATURE = base64.b64encode(bytes(range(64))).decode()


def test_its_line_is_canonical_json() -> None:
    assert stub_line(Stub(7, HASH)) == f'{{"hash":"{HASH}","seq":7}}'.encode()
    signed = stub_line(Stub(7, HASH, SIGNATURE))
    assert signed == f'{{"hash":"{HASH}","seq":7,"signature":"{SIGNATURE}"}}'.encode()


@pytest.mark.parametrize("stub", [Stub(0, HASH), Stub(10**15, HASH, SIGNATURE)])
def test_a_line_is_read_back(stub: Stub) -> None:
    assert read_stub(stub_line(stub)) == stub


@pytest.mark.parametrize(
    "line",
    [
        "",
        f'{{"hash":"{HASH}"}}',
        f'{{"hash":"{HASH}","seq":07}}',
        f'{{"hash":"{HASH}","seq":-1}}',
        f'{{"hash":"{HASH}","seq":1.0}}',
        f'{{"hash":"{HASH}", "seq":1}}',
        f'{{"hash":"{HASH}","seq":1}}\n',
        f'{{"hash":"{HASH.upper()}","seq":1}}',
        f'{{"hash":"{HASH[1:]}","seq":1}}',
        f'{{"hash":"{HASH}","seq":1,"body":"x"}}',
        f'{{"hash":"{HASH}","seq":1,"signature":null}}',
        f'{{"seq":1,"hash":"{HASH}"}}',
    ],
)
def test_any_other_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a stub"):
        read_stub(line.encode())


def test_only_an_entry_can_differ_from_its_hash() -> None:
    assert holds(Record(0, b"{}", leaf_hash(b"{}")))
    assert not holds(Record(0, b"{ }", leaf_hash(b"{}")))
    assert holds(Stub(0, HASH))

"""Each part of a text format has one spelling, and anything else is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chains import often
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from signed_notes import ARCHE_KEYS, ARCHE_NOTE, CHECKPOINT, FOO, FOO_NOTE, PETER_LINE, PROOF

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, Signature
from chained_logging.format.proof import TlogProof
from chained_logging.format.spelling import (
    NoteError,
    check_name,
    check_text,
    from_base64,
    to_base64,
    to_number,
)
from chained_logging.format.vkey import VerifierKey

Parse = Callable[[bytes], bytes]
PARSERS: dict[str, tuple[Parse, list[bytes]]] = {
    "note": (lambda data: Note.parse(data).format(), [FOO_NOTE.encode(), ARCHE_NOTE.encode()]),
    "proof": (lambda data: TlogProof.parse(data).format(), [PROOF.format()]),
    "checkpoint": (
        lambda data: Checkpoint.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [CHECKPOINT.format().encode(), Checkpoint("x", 1, bytes(32), ("é", "z")).format().encode()],
    ),
    "vkey": (
        lambda data: VerifierKey.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [FOO.encode(), ARCHE_KEYS[1].encode()],
    ),
    "line": (
        lambda data: Signature.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [PETER_LINE.encode()],
    ),
}
pieces = st.binary(max_size=4) | st.sampled_from(
    [b"\n", b"\n\n", "— ".encode(), b" ", b"+", b"=", b"index 1\n", b"extra ", b"0", b"\xc2\x85"]
)
edits = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 3), pieces), max_size=4)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=often(400))
@given(st.data())
def test_bytes_are_in_one_form_or_refused(kind: str, data: st.DataObject) -> None:
    parse, seeds = PARSERS[kind]
    given = bytearray(data.draw(st.sampled_from([*seeds, b""]) | st.binary()))
    for at, length, piece in data.draw(edits):
        at %= len(given) + 1
        given[at : at + length] = piece
    try:
        formatted = parse(bytes(given))
    except NoteError:
        assume(bytes(given) not in seeds)
    else:
        assert formatted == bytes(given)


@pytest.mark.parametrize("text", ["", "AA==", "AAAA", "+/8="])
def test_base64_is_read_in_its_one_form(text: str) -> None:
    assert to_base64(from_base64(text, "it")) == text


@pytest.mark.parametrize("text", ["AA", "AB==", "AA==\n", " AA==", "-_8=", "AA=A", "é"])
def test_base64_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match=r"^the key is not base64"):
        from_base64(text, "the key")


@pytest.mark.parametrize("number", [0, 1, 10, 2**63 - 1])
def test_a_number_is_read_as_it_is_written(number: int) -> None:
    assert to_number(str(number), "it") == number


@pytest.mark.parametrize("text", ["", "00", "01", "+1", "-1", "1 ", "1\n", "1_0", "٣", "1" * 20])
def test_a_number_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match=r"^the size is not a decimal number"):
        to_number(text, "the size")


def test_a_text_has_line_feeds_and_no_other_controls() -> None:
    check_text("two\nlines, and é\x7f", "it")
    for text in ("a\0", "\t", "a\r\n", "\x1f"):
        with pytest.raises(NoteError, match=r"^it has a control character$"):
            check_text(text, "it")
    with pytest.raises(NoteError, match=r"^it has a lone surrogate"):
        check_text("\ud800", "it")


def test_the_name_of_a_key_splits_no_line() -> None:
    check_name("example.com/a-log")
    for name in ("", "a+b", "a b", "a\u2028", "a\n"):
        with pytest.raises(NoteError, match=r"^the name of a key is empty or has a space"):
            check_name(name)

"""Events that other programs write, a line each."""

from __future__ import annotations

import io

import pytest

from chained_logging.event.input import MAX_LINE, TOO_LONG, numbered_lines, parse_event

EVENT = b'{"action":"x"}'


def test_lines_are_counted_blank_ones_too_and_one_too_long_costs_no_other() -> None:
    fits, too_long = b"a" * MAX_LINE, b"b" * (MAX_LINE + 1)
    lines = [EVENT, b"", fits, too_long, b"c" * (3 * MAX_LINE), b" \t", EVENT, fits]
    found = list(numbered_lines(io.BytesIO(b"\n".join(lines))))
    shown = [(number, line.rstrip() if isinstance(line, bytes) else line) for number, line in found]
    assert shown == [(1, EVENT), (3, fits), (4, TOO_LONG), (5, TOO_LONG), (7, EVENT), (8, fits)]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"])
def test_an_event_is_utf_8_without_a_byte_order_mark(start: bytes) -> None:
    assert parse_event(EVENT) == {"action": "x"}
    for line in (start + EVENT, EVENT.decode().encode("utf-16")):
        with pytest.raises(ValueError, match="is not JSON"):
            parse_event(line)


@pytest.mark.parametrize("line", [b"[" * 100_000, b"[1]", b'"x"', TOO_LONG])
def test_what_is_not_an_event_is_refused(line: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"^(is not JSON|is not a JSON object|a line must have)"):
        parse_event(line)

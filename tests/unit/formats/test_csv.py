"""CSV that a spreadsheet does not run."""

from __future__ import annotations

import csv as reader
import io

import pytest
from format_entries import HOSTILE, ORIGIN

from chained_logging import AuditEntry
from chained_logging.formats import csv


def cells(*values: object) -> list[str]:
    (found,) = reader.reader(io.StringIO(csv.row(values), newline=""), strict=True)
    return found


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", "＝", "＋", "－", "＠"])
def test_a_formula_becomes_text(first: str) -> None:
    assert cells(f"{first}cmd|' /C calc'!A0") == [f"'{first}cmd|' /C calc'!A0"]


def test_other_values_are_as_they_were() -> None:
    assert cells("a=1", 'x"y', "a,b", "a\nb", 7, {"b": 1, "a": []}, None) == [
        *("a=1", 'x"y', "a,b", "a\nb", "7", '{"a":[],"b":1}', "")
    ]


def test_a_line_ends_as_rfc_4180_says() -> None:
    assert csv.row(["a", "b"]) == "a,b\r\n"
    assert csv.row(['a"b', "c,d"]) == '"a""b","c,d"\r\n'


def test_a_row_has_every_field(entries: dict[str, AuditEntry]) -> None:
    entry = entries["hostile"]
    (found,) = reader.reader(io.StringIO(csv.encode(entry, ORIGIN).decode(), newline=""))
    fields = dict(zip(csv.COLUMNS, found, strict=True))
    assert fields["actor_id"] == HOSTILE
    assert fields["hash"] == entry.hash
    every = {name for each in entries.values() for name in each.fields}
    assert every - set(csv.COLUMNS) == {"prev_hash", "v"}

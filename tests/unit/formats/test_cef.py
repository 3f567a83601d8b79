"""Lines of CEF, read by a parser of its specification."""

from __future__ import annotations

import re

import pytest
from format_entries import EVENTS, HOSTILE, ORIGIN

from chained_logging import AuditEntry
from chained_logging.formats import cef


def parsed(line: bytes) -> tuple[list[str], dict[str, str]]:
    """Return the header's fields and the extension of a line of CEF."""
    text = line.decode()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    fields = re.split(r"(?<!\\)(?:\\\\)*\|", text[:-1], maxsplit=7)
    *header, extension = fields
    pairs = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", extension)
    assert pairs[0] == ""
    found = {}
    for name, value in zip(pairs[1::2], pairs[2::2], strict=True):
        assert not re.search(r"(?<!\\)(?:\\\\)*=", value)
        found[name] = re.sub(
            r"\\(.)", lambda each: {"n": "\n", "r": "\r"}.get(each[1], each[1]), value
        )
    return header, found


def test_the_fields_are_where_a_reader_of_cef_looks(entries: dict[str, AuditEntry]) -> None:
    entry = entries["denied"]
    header, fields = parsed(cef.encode(entry, ORIGIN))
    assert header == ["CEF:0", "chained_logging", "chained_logging", "1", "read", "read", "6"]
    assert fields["externalId"] == entry.id
    assert fields["deviceExternalId"] == ORIGIN
    assert (fields["suid"], fields["src"], fields["outcome"]) == ("ann", "10.0.0.1", "denied")
    assert (fields["cs1Label"], fields["cs1"]) == ("resource", "patient_record/456")
    assert (fields["cs2Label"], fields["cs2"]) == ("hash", entry.hash)
    assert fields["cn1"] == str(entry.seq)


@pytest.mark.parametrize("name", ["genesis", *EVENTS])
def test_each_custom_field_has_a_label(entries: dict[str, AuditEntry], name: str) -> None:
    _, fields = parsed(cef.encode(entries[name], ORIGIN))
    custom = {each for each in fields if re.fullmatch(r"c(s|n|6a)\d", each)}
    assert {f"{each}Label" for each in custom} == {each for each in fields if "Label" in each}


def test_hostile_text_ends_no_field_and_no_line(entries: dict[str, AuditEntry]) -> None:
    header, fields = parsed(cef.encode(entries["hostile"], ORIGIN))
    assert header[4].replace("\\|", "|").replace("\\\\", "\\") == re.sub(
        "[\n\r\u2028]", " ", HOSTILE
    )
    assert fields["suid"] == HOSTILE.replace("\u2028", "\n")
    assert "a" not in fields


def test_long_text_is_cut_with_an_ellipsis(entries: dict[str, AuditEntry]) -> None:
    _, fields = parsed(cef.encode(entries["long"], ORIGIN))
    assert fields["act"] == "a" * 62 + "…"
    assert len(fields["cs6"]) == 4000
    assert fields["cs6"].endswith("…")
    assert len(fields["msg"]) == 1023


def test_an_address_of_ipv6_has_its_own_field(entries: dict[str, AuditEntry]) -> None:
    _, fields = parsed(cef.encode(entries["ipv6"], ORIGIN))
    assert fields["c6a2"] == "2001:db8::1"
    assert "src" not in fields
    assert "src" not in parsed(cef.encode(entries["service"], ORIGIN))[1]

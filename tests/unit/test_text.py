"""What is shown of a log: text that cannot steer a terminal."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from chained_logging.text import printable


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
def test_no_character_that_steers_or_hides_is_shown(category: str) -> None:
    kind = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) == category]
    shown = printable("a" + "".join(kind) + "z")
    assert shown.isprintable()
    assert shown[0] + shown[-1] == "az"


def test_ordinary_text_is_shown_as_it_is() -> None:
    text = "Ann Lee read пациент/45, 病歴, «ü» \\ 'quoted'"
    assert printable(text) == text

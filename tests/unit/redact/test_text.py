"""A text without the secrets in it."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.names import Names
from chained_logging.redact.scan import Scanner
from chained_logging.redact.text import Texts

N = 65_536


def test_own_patterns_run_on_re2() -> None:
    own = Redactor(patterns=[r"\bMRN-\d+\b", re.compile("ward (seven|eight)", re.IGNORECASE)])
    assert own.text("MRN-12 in WARD seven") == f"{REDACTED} in {REDACTED}"
    for text in ("a" * N, "ab" * N):
        began = time.process_time()
        Redactor(patterns=["(a+)+$", "(a|aa)+b$"]).text(text)
        assert time.process_time() - began < 5  # exponential otherwise


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?=a)", r"(?<!a)b", r"(?P=x)", "(", b"a"])
def test_a_pattern_that_re2_does_not_take_is_refused(pattern: Any) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Redactor(patterns=[pattern])


SCANNER = Scanner(Names())
TEXTS = Texts(SCANNER)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("password=hunter2 and no more", f"password={REDACTED} and no more"),
        ("caf\u00e9 p\u0430ssword=hunter2", f"caf\u00e9 p\u0430ssword={REDACTED}"),
        ("sent cGFzc3dvcmQ9aHVudGVyMg==.", f"sent {REDACTED}."),
        ("a=1&b=password%3Dhunter2&c=2", f"a=1&b={REDACTED}&c=2"),
        ("(paid+4111+1111+1111+1111)", f"(paid+{REDACTED})"),
        ("an ordinary text, 100%", "an ordinary text, 100%"),
    ],
)
def test_each_way_to_write_a_secret_is_seen_and_the_rest_kept(text: str, redacted: str) -> None:
    assert TEXTS.redacted(text) == redacted


def test_a_code_is_secret_in_a_url_and_a_card_only_where_one_may_be() -> None:
    assert TEXTS.redacted("/cb?code=7&page=2", url=True) == f"/cb?code={REDACTED}&page=2"
    assert TEXTS.redacted("/cb?code=7&page=2") == "/cb?code=7&page=2"
    assert TEXTS.redacted("4111111111111111", cards=False) == "4111111111111111"


def test_many_encoded_secrets_and_what_is_encoded_too_often_go_as_a_whole() -> None:
    assert TEXTS.redacted("sent cGFzc3dvcmQ9aHVudGVyMg== " * 100) == REDACTED
    assert TEXTS.redacted("&".join(f"a{n}=password%3Dhunter2" for n in range(200))) == REDACTED
    assert TEXTS.redacted("x=%25252525252570") == f"x={REDACTED}"


def test_each_text_may_hold_what_an_application_looks_for() -> None:
    own = Texts(SCANNER, ["MRN-[0-9]+"])
    assert own.has_own
    assert own.may_hold("an ordinary text")
    assert not TEXTS.has_own
    assert not TEXTS.may_hold("an ordinary text")
    assert own.redacted("of MRN-7, password=hunter2") == f"of {REDACTED}, password={REDACTED}"
    assert Texts(SCANNER, [""]).redacted("x" * N) == REDACTED  # too many matches


def test_flags_of_a_pattern_are_kept_or_refused() -> None:
    assert Texts(SCANNER, [re.compile("^b.c", re.S | re.M)]).redacted("a\nb\nc") == f"a\n{REDACTED}"
    with pytest.raises(ValueError, match="verbose"):
        Texts(SCANNER, [re.compile("a b", re.X)])

"""Values that are not secret, though they are behind a secret name or look like one."""

from __future__ import annotations

import pytest

from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.plain import COUNTED, NO_VALUE, is_count, is_harmless, is_plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((word, True) for word in (b"reset", b"per-user", b"Bearer", b"OK", b"12", b"sign/in.")),
        *((word, False) for word in (b"hunter2", b"Xk9vQ2", b"1234", b"a" * 21, b"pass word")),
    ],
)
def test_a_short_word_or_a_small_number_is_plain(value: bytes, expected: bool) -> None:
    assert is_plain(value) is expected


@pytest.mark.parametrize("name", [b"max_tokens", b"TOKENS"])
def test_a_number_under_a_plural_is_a_count(name: bytes) -> None:
    assert is_count(name)
    assert COUNTED.match(b"500,")


@pytest.mark.parametrize("name", [b"token", b"pins", b"backup_codes", b"card_numbers"])
def test_a_number_under_the_name_of_a_number_is_not_a_count(name: bytes) -> None:
    assert not is_count(name)


def test_what_stands_for_a_value_is_not_one() -> None:
    for value in (b"null", b"True,", b"[redacted]", b"***", b"...", b""):
        assert NO_VALUE.match(value), value
    for value in (b"nullx", b"hunter2", b"0"):
        assert not NO_VALUE.match(value), value


def test_a_doubtful_name_has_a_secret_unless_its_value_is_a_word_or_a_small_number() -> None:
    assert is_harmless(b"ok")
    assert is_harmless(b"12.5")
    assert not is_harmless(b"f3a9c1d2")
    event = {"auth": "ok", "refresh": 30, "bearer": "f3a9c1d2"}
    assert Redactor()(event) == {**event, "bearer": REDACTED}

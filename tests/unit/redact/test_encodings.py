"""Secrets that are percent-encoded, or in base64."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from redacted import SECRET, redact

from chained_logging.redact import REDACTED
from chained_logging.redact.encodings import decoded, encoded, holds_login, unquoted


@pytest.mark.parametrize("times", [1, 2, 3, 9])
@pytest.mark.parametrize(
    "value",
    [
        f"/reset?token={SECRET}",
        f'{{"password":"{SECRET}"}}',
        f"https://app/cb?code={SECRET}",
        f"https://bob:{SECRET}@host/",
    ],
)
def test_a_secret_in_an_encoded_parameter_is_seen(value: str, times: int) -> None:
    for _ in range(times):
        value = quote(value, safe="")
    for name in ("query", "url", "location"):
        text = redact({name: f"page=2&next={value}&q=a%26b%3Dc"})[name]
        assert SECRET not in text
        assert text == "page=2&next=[redacted]&q=a%26b%3Dc"


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("word", ["password", "SECRET", "Token", "api_key", "PRIVATE KEY"])
def test_base64_that_tells_of_a_secret_is_found_wherever_the_word_begins(
    word: str, before: int
) -> None:
    plain = f"{'x' * before}{word}: {SECRET}"
    given = base64.b64encode(plain.encode())
    data = b"sent " + given + b", well"
    assert list(encoded(data)) == [(5, 5 + len(given))]
    assert decoded(given) == plain.encode()


def test_base64_goes_where_what_it_means_holds_a_secret() -> None:
    def text(plain: bytes) -> str:
        return f"sent {base64.b64encode(plain).decode()}."

    assert redact.text(text(b"password=" + SECRET.encode())) == f"sent {REDACTED}."
    for plain in (b"forgot the password", b"no words of note"):
        assert redact.text(text(plain)) == text(plain)


def test_base64_is_read_in_either_alphabet_with_or_without_padding() -> None:
    for given in (b"+/+/", b"-_-_", b"-_-_=="):
        assert decoded(given) == b"\xfb\xff\xbf"
    assert decoded(b"aGk") == decoded(b"aGk=") == b"hi"
    assert decoded(b"aGkx5") == b"hi1"  # one letter over
    assert decoded(b"not base64!") == b""


def test_a_form_is_read_as_a_form_is_written() -> None:
    assert unquoted(b"a+b%20c%3d%zz%") == b"a b c=%zz%"


def test_a_name_and_a_password_are_joined_by_a_colon() -> None:
    assert holds_login(base64.b64encode(b"ann:x").rstrip(b"="))
    assert not holds_login(base64.b64encode(b"annx"))
    assert not holds_login(b"subscription\xff")

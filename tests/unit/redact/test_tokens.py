"""The tokens of vendors, web tokens, private keys, and credentials behind their scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from redacted import JWT

from chained_logging.redact.spans import Span
from chained_logging.redact.tokens import (
    _STRICT,
    VENDORS,
    credentials,
    private_keys,
    tokens,
    web_tokens,
)

MIXED = "a1B2c3D4" * 16  # letters and digits
LOOSE = [
    (vendor, least, prefix)
    for vendor, least, prefixes in VENDORS
    for prefix in prefixes.split()
    if prefix.encode() not in _STRICT
]


def found(finder: Callable[[bytes], Iterable[Span]], text: str) -> list[str]:
    return [text[start:end] for start, end in finder(text.encode())]


@pytest.mark.parametrize(("vendor", "least", "prefix"), LOOSE)
def test_a_vendors_token_is_known_by_its_prefix_and_length(
    vendor: str, least: int, prefix: str
) -> None:
    token = prefix + MIXED[: max(least, 10)]
    assert found(tokens, f"got ({token}) from {vendor}") == [token]
    assert found(tokens, f"got ({prefix}{MIXED[:9]})") == []


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "SK" + "0123456789abcdef" * 2,
        "key-" + "0123456789abcdef" * 2,
        "sdk-7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "1//0" + MIXED[:40],
        "secret_" + MIXED[:43],
        "re_" + MIXED[:8] + "_" + MIXED[:20],
        "SG." + MIXED[:22] + "." + MIXED[:43],
        "sk-" + MIXED[:40],
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"[8:],
        "123456789:AA" + MIXED[:33],
        "0123456789abcdef" * 2 + "-us12",
        "A3-ABCDEF-" + "A1B2C3" * 4,
        "pat" + MIXED[:14] + "." + "0123456789abcdef" * 4,
    ],
)
def test_a_token_whose_prefix_is_a_common_word_has_its_own_form(token: str) -> None:
    assert found(tokens, f"got {token}") == [token]


@pytest.mark.parametrize(
    "text",
    [
        *("hf_model_name_of_some_length_or_other", "sk-learn-model-that-has-no-digits-at-all"),
        *("key-value-store-of-the-application", "AKIAiosfodnn7example", "re_index_of_documents"),
    ],
)
def test_an_ordinary_name_with_such_a_beginning_is_no_token(text: str) -> None:
    assert found(tokens, text) == []


def test_a_web_token_is_found_whole_or_cut_off() -> None:
    for token in (JWT, JWT[: len(JWT) // 2], "eyJhbGciOi."):
        assert found(web_tokens, f"with {token} it") == [token]
    assert found(web_tokens, "eyJhbGciOi alone, xeyJhbGciOi.x") == []


def test_a_private_key_ends_with_its_mark_or_with_the_text() -> None:
    one = "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----"
    putty = "Private-Lines: 1\nx\nPrivate-MAC:"
    cut = "-----BEGIN PRIVATE KEY-----\nx"
    assert found(private_keys, f"a {one} b {putty} c {cut}") == [one, putty, cut]
    assert found(private_keys, "-----BEGIN PUBLIC KEY-----\nx") == []


def test_credentials_are_what_is_not_a_word_or_not_a_login() -> None:
    assert found(credentials, "Bearer f3a9c1d2x BASIC YW5uOng6eXo=") == [
        "f3a9c1d2x",
        "YW5uOng6eXo=",
    ]
    assert found(credentials, "bearer documents, basic subscription") == []

"""Numbers that are secret by themselves."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redacted import CARDS, kept, redact

from chained_logging.redact import REDACTED
from chained_logging.redact.digits import (
    cards,
    ibans,
    is_card,
    is_card_digits,
    may_be_secret,
    social_security_numbers,
)
from chained_logging.redact.spans import Span


@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_is_replaced_however_it_is_written(number: str) -> None:
    in_fours = [number[i : i + 4] for i in range(0, len(number), 4)]
    for text in (
        number,
        f"card_{number}",
        f"paid with {number}, expires 12/27",
        f"({number})",
        "-".join(in_fours) if len(in_fours[-1]) > 1 else number,
        f"{' '.join(in_fours)} 123" if len(number) == 16 else number,
        f"12 {' '.join(in_fours)}" if len(number) == 16 else number,
        f"q=a&n={number}",
        f"n={'+'.join(in_fours)}" if len(number) == 16 else number,
    ):
        data = kept({"note": text})
        assert number.encode() not in data.translate(None, b" -+"), text
    assert number.encode() not in kept({"n": int(number), "x": [float(number)]})
    assert number.encode() not in kept({"resource": ("card", number)})
    assert number.encode() not in kept({number: 1, "d": {number: {number: number}}})


@given(st.integers(10**12, 10**19 - 1))
def test_a_number_that_fails_the_check_digit_is_no_card(number: int) -> None:
    digits = [int(digit) for digit in str(number)][::-1]
    total = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits))
    if total % 10:
        assert redact.text(f"order {number}.") == f"order {number}."
        assert redact({"n": number}) == {"n": number}


def test_uuids_are_never_taken_for_cards() -> None:
    seeded = random.Random(7)
    for _ in range(50_000):
        text = str(uuid.UUID(int=seeded.getrandbits(128), version=4))
        assert redact.text(text) == text
    for first in ("becc", "cccc", "00cc", "ABCC"):  # too rare to be met by chance
        text = f"{first}4675-8652-4560-8411-d2e68d1fb4cf"
        assert redact.text(text) == text
        assert redact({"idempotency_key": text}) == {"idempotency_key": text}
    assert redact.text("cc4675-8652-4560-8411") == f"cc{REDACTED}"


def found(finder: Callable[[bytes], Iterable[Span]], text: str) -> list[str]:
    return [text[start:end] for start, end in finder(text.encode())]


@pytest.mark.parametrize(
    "text",
    [
        *("GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO93 8601 1117 947"),
        *("MT84MALT011000012345MTLCAST001S", "RU0204452560040702810412345678901"),
    ],
)
def test_an_iban_is_found_by_its_length_and_its_check_digits(text: str) -> None:
    assert found(ibans, f"to {text}, please") == [text]
    wrong = text[:-1] + str((int(text[-1], 36) + 1) % 10)
    assert found(ibans, f"to {wrong}, please") == []
    assert found(ibans, text + "7") == []


def test_a_social_security_number_is_one_that_can_have_been_given_out() -> None:
    assert found(social_security_numbers, "of 078-05-1120.") == ["078-05-1120"]
    for text in (
        *("000-05-1120", "666-05-1120", "900-05-1120", "078-00-1120", "078-05-0000"),
        *("1-078-05-1120", "078-05-1120-1", "9.078-05-1120"),
    ):
        assert found(social_security_numbers, text) == [], text


def test_a_number_is_a_card_by_the_digits_that_a_network_gives() -> None:
    for number in CARDS:
        assert is_card(int(number))
        assert is_card_digits(number.encode())
    assert not is_card_digits(b"9999999999999995")  # its check digit is right
    assert not is_card(4111111111111112)
    assert not is_card(4111111111111111.5)
    assert is_card(4111111111111111.0)


def test_the_word_before_a_number_says_what_it_is() -> None:
    number = "4111111111111111"
    assert found(cards, f"paid {number}") == [number]
    for text in (f"parcel {number}", f"user_id={number}", f"7.{number}", f"x{number}"):
        assert found(cards, text) == [], text
    assert found(cards, f"id of the card {number}") == [number]
    assert list(cards(number.encode(), bare=False)) == []
    assert list(cards(f"card {number}".encode(), bare=False)) == [(5, 21)]


def test_what_merely_is_long_is_seen_to_be_no_secret_at_once() -> None:
    assert may_be_secret(b"4111111111111111")
    assert may_be_secret(b"4111 1111 1111 1112")  # separators: looked at with care
    assert may_be_secret(b"12345-078-05-1120")
    assert not may_be_secret(b"20230710122532896")
    assert not may_be_secret(b"6679-7425-4011-94400")

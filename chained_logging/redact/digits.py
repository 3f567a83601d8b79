"""Numbers that are secret by themselves: of payment cards, bank accounts and people.

Each has a form and a check digit or ranges of its own, so that what merely is long is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chained_logging.redact.names import compile_bytes
from chained_logging.redact.spans import Span

# As few digits as a card has, however they are grouped. All attempts at a match that are under way
# have seen the same digits, so the automaton stays small.
_SEPARATORS: Final = rb"[ ._/,+\-\"'\xa0\xc2]{0,3}"
RUN: Final = rb"[0-9](?:" + _SEPARATORS + rb"[0-9]){13,}"
"""The expression of a row of digits that may be a card's number."""

_RUN: Final = compile_bytes(RUN)
# Inside of such a row: all at once, in fours, or 4-6-5 and 4-6-4. Each has a fixed length, but for
# the groups of four, which are taken as a chain.
_NUMBER: Final = re.compile(
    rb"(?<![0-9])(?:([0-9]{14,19})"
    rb"|3[0-9]{3}([ ._/+\-\xa0]{1,2})[0-9]{4}\2[0-9]{4}\2[0-9]{2,3}"
    rb"|[0-9]{4}([ ._/+\-\xa0]{1,2}|, ?)[0-9]{4}(?![0-9])(?:\3[0-9]{4}(?![0-9]))++"
    rb"|3[0-9]{3}([ ._/+\-\xa0]{1,2})[0-9]{6}\4[0-9]{4,5})(?![0-9])"
)
_NOT_DIGITS: Final = bytes(byte for byte in range(256) if byte not in b"0123456789")
# "cc" after another hexadecimal digit may be a part of a UUID.
_LABEL: Final = re.compile(
    rb"(?:card|visa|mastercard|maestro|amex|discover|pan|(?<![0-9a-f])cc|number|nr|no)"
    rb"[ .:#_-]{0,2}\Z",
    re.IGNORECASE,
)
_OTHER_NUMBER: Final = re.compile(
    rb"\b(?:parcel|track(?:ing|ed)?|shipment|shipping|consignment|waybill|ean|gtin|upc|isbn"
    rb"|imei|serial|barcode|snowflake|lat(?:itude)?|lon(?:gitude)?|uuid|guid|(?:[a-z]+_)?id)\b"
    rb"(?!.*\bcard)",
    re.IGNORECASE | re.DOTALL,
)
_NEAR: Final = 28  # characters before a number in which a word may say what it is

# First digits and lengths: Visa; Mastercard; American Express; Diners; Discover; JCB; UnionPay;
# Maestro; Mir; RuPay. Card numbers of 13, 17 and 18 digits were never common; what has as many
# digits is an EAN or an identifier.
_ISSUERS: Final = re.compile(
    rb"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    rb"|3[47]\d{13}|3(?:0[0-5]|095|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12}"
    rb"|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}(?:\d{3})?|81\d{14}"
    rb"|(?:50(?:18|20|38)|5893|63(?:04|90)|67(?:59|6[1-3]))\d{12}|220[0-4]\d{12}"
    rb"|(?:60|82|508\d)\d{12,14}(?<=\d{16})"
)
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")


def cards(data: bytes, bare: bool = True) -> Iterator[Span]:
    """Find the numbers of payment cards.

    :param bare: whether a number counts that nothing else says to be one. Under the name of an
        identifier it does not.
    """
    for ((begin, end),) in _RUN.each(data):
        for found in _NUMBER.finditer(data, begin, end):
            start, stop = found.span()
            if _cut_out(data, start, stop) or not _mere_digits(found):
                continue
            for span in _blocks(data, start, stop, found[1] is None):
                if (bare or _labelled(data, span[0])) and not _said_other(data, span[0]):
                    yield span


def is_card(number: int | float) -> bool:
    """Whether a number is a payment card's."""
    if not 10**13 <= number < 10**19:
        return False
    if isinstance(number, float) and (number > 2**53 or not number.is_integer()):
        return False
    return is_card_digits(str(int(number)).encode())


def is_card_digits(digits: bytes) -> bool:
    """Whether these are a card number: the first digits of a network, and the check digit.

    The check is Luhn's (ISO/IEC 7812-1, annex B).
    """
    if _ISSUERS.fullmatch(digits) is None:
        return False
    return (
        sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED)) - 48 * len(digits)
    ) % 10 == 0


def may_be_secret(run: bytes) -> bool:
    """Whether what :data:`RUN` matched may be secret, wherever it is.

    An identifier with a time in it is not, and as little a part of a UUID.
    """
    if run.translate(None, b"0123456789-"):
        return True
    return (b"-" in run and _SSN.find(run) is not None) or any(
        True
        for found in _NUMBER.finditer(run)
        if _mere_digits(found)
        for _ in _blocks(run, *found.span(), found[1] is None)
    )


def _mere_digits(found: re.Match[bytes]) -> bool:
    return found[1] is None or len(found[1]) in (14, 15, 16, 19)


def _cut_out(data: bytes, start: int, stop: int) -> bool:
    """Whether a number is a part of something else: a word, a fraction, a hash."""
    after = data[stop : stop + 2]
    if after[:1] == b"." and after[1:].isdigit():
        return True
    before = data[max(start - 2, 0) : start]
    if before[-1:] == b"." and before[:1].isdigit():
        return True
    if not before[-1:].isalnum():
        return after[:1].isalnum()
    return not _labelled(data, start)


def _labelled(data: bytes, start: int) -> bool:
    return _LABEL.search(data, max(start - 12, 0), start) is not None


def _said_other(data: bytes, start: int) -> bool:
    """Whether the word just before a number says that it is not a card number."""
    return _OTHER_NUMBER.search(data[max(start - _NEAR, 0) : start]) is not None


def _blocks(data: bytes, start: int, stop: int, grouped: bool) -> Iterator[Span]:
    digits = data[start:stop].translate(None, _NOT_DIGITS)
    if not grouped or len(digits) < 20:
        if is_card_digits(digits):
            yield start, stop
        return
    # A longer chain of fours is so many cards, or one number of something else.
    if len(digits) % 16 == 0:
        cut = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        if len(cut) <= _MOST_IN_A_ROW and all(map(is_card_digits, cut)):
            yield start, stop


_MOST_IN_A_ROW: Final = 100


# --- Bank accounts and people.

IBAN: Final = rb"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4} ?[A-Z0-9]{3}"
"""The expression of how an International Bank Account Number begins (ISO 13616)."""
_IBAN: Final = compile_bytes(rb"\b" + IBAN + rb"(?: ?[A-Z0-9])*")
# Lengths by country, from the registry of SWIFT.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def ibans(data: bytes) -> Iterator[Span]:
    """Find International Bank Account Numbers, by their length and their check digits."""
    for ((start, end),) in _IBAN.each(data):
        text = data[start:end]
        length = _IBAN_LENGTHS.get(text[:2].decode(), 0)
        at = _nth(text[: 2 * length], length)
        if not at or text[at : at + 1].isalnum():
            continue
        plain = text[:at].replace(b" ", b"").decode()
        value = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
        if int(value) % 97 == 1:
            yield start, start + at


def _nth(text: bytes, length: int) -> int:
    """Return the offset after `length` characters, not counting spaces; 0 if there are fewer."""
    seen = 0
    for at, byte in enumerate(text):
        seen += byte != 32
        if seen == length > 0:
            return at + 1
    return 0


SSN: Final = rb"[0-9]{3}-[0-9]{2}-[0-9]{4}"
"""The expression of a Social Security Number of the United States."""
_SSN: Final = compile_bytes(rb"\b" + SSN + rb"\b")


def social_security_numbers(data: bytes) -> Iterator[Span]:
    """Find numbers of the form 078-05-1120 that can have been given out."""
    for ((start, end),) in _SSN.each(data):
        if data[max(start - 1, 0) : start] in (b"-", b".") or data[end : end + 1] == b"-":
            continue
        area, group, serial = data[start:end].split(b"-")
        if area not in (b"000", b"666") and area < b"900" and group != b"00" and serial != b"0000":
            yield start, end

"""Clues: what a text has in it that may hold a secret, as parts of one expression."""

from __future__ import annotations

import re
from typing import Final

from chained_logging.redact import digits, tokens
from chained_logging.redact.commands import FLAGS
from chained_logging.redact.encodings import STEMS
from chained_logging.redact.names import BOUNDARY, LABELS, LOCATORS, LOOKALIKE, VALUES
from chained_logging.redact.urls import PARAMETERS

# The name of a URL, behind which an object has its parameters.
_LOCATOR: Final = b"|".join(name.replace("-", "").encode() for name in LOCATORS)

FORMS: Final = (  # secrets that are known by their form
    rb"(?i:bearer|basic)(?:[ \t]|\\t)",
    BOUNDARY + rb"(?:" + b"|".join(FLAGS) + rb")(?:\.exe)?(?:[ \t]|\\t)",
    tokens.TOKEN,
    tokens.JWT,
    tokens.PRIVATE_KEY,
    digits.RUN,
    digits.IBAN,
    digits.SSN,
    STEMS,
)

CLUES: Final = (  # beside secret names and what joins them to a value
    *FORMS,
    rb"(?i:" + PARAMETERS + rb")\]{0,2}=",
    rb"(?i:" + PARAMETERS + rb"|signature)%3[Dd]",
    rb"(?i:" + _LOCATOR + rb")s?\\*[\"']:[\[{](?s:.)*(?i:" + PARAMETERS + rb")\\*[\"']:",
    rb"://(?:[^\s\"\\<>]|\\.)*\\?@",
    rb"[\[,]\s*\\*[\"']-(?:[pP]|pw)\\*[\"'],",  # an item of a list, as in ["-p","hunter2"]
    rb"base64:",
    rb"\\u(?:00[2-7]|0[1-9a-fA-F]|[1-9a-fA-F])",
    LOOKALIKE,
)

# A member that is a label, up to the name that it has. What is escaped or not ASCII may be one.
LABEL: Final = b'"(?i:' + "|".join(sorted(LABELS)).encode() + b')":"'
NAME: Final = rb"[A-Za-z0-9_.\-\[\]%\\\x80-\xff]"
# The member that has the value, in the same object.
_VALUE: Final = re.compile(b'"(?:' + "|".join(sorted(VALUES)).encode() + b')":', re.IGNORECASE)
# A part of an ARN: no value is behind it.
_ARN: Final = re.compile(rb"arn:[a-z\-]+:secretsmanager:[a-z0-9\-]*:[0-9]*:\Z")


def is_mere_label(data: bytes, start: int, end: int) -> bool:
    """Whether a label such as ``"name":"Cookie"`` has no value: no member is called one."""
    has_label = b'":"' in data[start:end]
    return has_label and not _VALUE.search(data)


def is_arn(data: bytes, start: int, end: int) -> bool:
    """Whether the colon behind a name joins it to no value, as in an ARN of AWS."""
    if data[start:end] != b"secret:" or not data[end : end + 1].isalnum():
        return False
    return _ARN.search(data, max(start - 80, 0), start) is not None


def with_plus(pattern: bytes) -> bytes:
    """Return an expression that takes ``+`` wherever it takes a blank, as a form writes one."""
    result = bytearray()
    inside = escaped = negated = False
    for at, byte in enumerate(pattern):
        char = bytes((byte,))
        if char == b" " and not (inside and negated):
            char = b" +" if inside else b"[ +]"
        elif escaped:
            pass
        elif char == b"[" and not inside:
            inside, negated = True, pattern[at + 1 : at + 2] == b"^"
        elif char == b"]":
            inside = False
        escaped = char == b"\\" and not escaped
        result += char
    return bytes(result)

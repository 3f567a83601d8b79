"""Values that are not secret, though they are behind a secret name or look like one."""

from __future__ import annotations

import re
from typing import Final

# Words that mean no value, and placeholders for one.
NO_VALUE: Final = re.compile(
    rb"(?:true|false|null|none|nil|undefined|n/a|\[redacted\]|\[filtered\]|\*+|\.\.\.)?[.,;)}\]]*\Z",
    re.IGNORECASE,
)
# A word of a sentence, or a small number: not a password, or a worthless one.
_PLAIN: Final = re.compile(
    rb"(?:[A-Za-z][a-z]*(?:[-_'/.][A-Za-z]?[a-z]+)*|[A-Z_]+|[0-9]{1,3}[a-z%]?|[^\w\"']+)"
    rb"[.,;:!?)\]}\"']*\Z"
)
_PLAIN_LONGEST: Final = 20
_DOUBTFUL_VALUE: Final = re.compile(rb"[A-Za-z_\-/ ]{0,24}[0-9]?[.,;)}\]]*\Z|[0-9.,]{1,6}\Z")
COUNTED: Final = re.compile(rb"[0-9]{1,9}[.,;)}\]]*\Z")
# Names of numbers that are secret in the plural as well; of others a number is a count.
_NUMERIC: Final = re.compile(rb"(?i)(?:pin|otp|cvv2?|cvc2?|ssn|pan|tin|code|number|no|num)s\W*\Z")


def is_plain(value: bytes) -> bool:
    """Whether a value is a word of a sentence, or a small number."""
    return len(value) <= _PLAIN_LONGEST and _PLAIN.match(value) is not None


def is_count(name: bytes) -> bool:
    """Whether a number under a secret name is how many there are: ``max_tokens``."""
    return name[-1:] in b"sS" and _NUMERIC.search(name) is None


def is_harmless(value: bytes) -> bool:
    """Whether a value under a name that may be secret is not: ``auth=ok``."""
    return _DOUBTFUL_VALUE.match(value) is not None

"""Values that redaction must find, and the bytes that an event becomes."""

from __future__ import annotations

from typing import Any

from chains import EVENT

from chained_logging.event.draft import draft
from chained_logging.redact import Redactor

CARDS = (
    "4111111111111111",  # the networks' own test numbers
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
    "6200000000000005",
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRET = "S3cr3tV4lue"
KEY = b"0123456789abcdef"
redact = Redactor()


def kept(event: dict[str, Any], redactor: Any = redact) -> bytes:
    """Return the bytes that an event becomes."""
    return draft({**EVENT, "action": "read", **event}, redact=redactor).body(1, "a" * 64)

"""Secrets and card numbers are taken out of an event before it becomes an entry.

What is once in an append-only log cannot be removed from it, so this is on by default:
``AuditLog(path, redact=Redactor())``. A value goes by the name that it has (``password``,
``access_token``, ``Set-Cookie``), at any depth, and by what it looks like (a card number, a
vendor's token, a private key, a password in a URL), also in the middle of a text. In its place
stands ``[redacted]``, which tells nothing of it, not even its length. ``docs/sensitive.md`` has
the rules, and what they cannot see.

Time grows with the length of the text alone, whatever the text. The event is serialised and
searched once; it is taken apart (`walk`) only where that search finds something.
"""

from chained_logging.event.draft import Redact
from chained_logging.event.values import REDACTED
from chained_logging.redact.names import SECRET_NAMES, SECRET_WORDS
from chained_logging.redact.redactor import Redactor

__all__ = ["REDACTED", "SECRET_NAMES", "SECRET_WORDS", "Redact", "Redactor"]

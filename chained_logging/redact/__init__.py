"""Secrets and card numbers are taken out of an event before it becomes an entry.

Nothing can be removed from an append-only log later, so this is on by default:
``AuditLog(path, redact=Redactor())``. A value is removed because of its name (``password``,
``access_token``, ``Set-Cookie``), at any depth, or because of its form (a card number, a vendor's
token, a private key, a password in a URL), also in the middle of a text. It is replaced by
``[redacted]``, which does not even tell its length. ``docs/sensitive.md`` has the rules, and what
they miss.

Time grows with the length of the text alone, whatever the text. The event is serialised and
searched once; it is taken apart (`walk`) only where that search finds something.
"""

from chained_logging.event.draft import Redact
from chained_logging.event.values import REDACTED
from chained_logging.redact.names import SECRET_NAMES, SECRET_WORDS
from chained_logging.redact.redactor import Redactor

__all__ = ["REDACTED", "SECRET_NAMES", "SECRET_WORDS", "Redact", "Redactor"]

"""An alert, as the log holds it: an entry ``alert.raise`` of the log's own.

No program can append one through its logging: to forge an alert takes write access to the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.review.detect.finding import SEVERITIES, SHOWN, Finding
from chained_logging.review.period import instant

RAISE: Final = "alert.raise"
ACKNOWLEDGE: Final = "alert.acknowledge"
SUPPRESS: Final = "alert.suppress"
DELIVER: Final = "alert.deliver"
UNDELIVERED: Final = "alert.undelivered"
ACTIONS: Final = (RAISE, ACKNOWLEDGE, SUPPRESS, DELIVER, UNDELIVERED)
"""The actions of all entries about alerts."""

_SENTENCE: Final = 2_000  # characters
_SUBJECT: Final = 1_000


@dataclass(frozen=True)
class Alert:
    """A finding that the log holds.

    :ivar seq: of the entry, as is `id`.
    :ivar raised: the entry's ``timestamp``.
    :ivar log: the log that it is about, if that is another one.
    """

    seq: int
    id: str
    raised: str
    finding: Finding
    log: str | None = None

    @classmethod
    def of(cls, entry: AuditEntry) -> Alert:
        """Return the alert in an entry.

        :raises ValueError: if a field is missing or has another type.
        """
        context = entry.context
        log = context.get("log")
        if log is not None and not isinstance(log, str):
            raise ValueError("log must be a string")
        return cls(entry.seq, entry.fields["id"], entry.timestamp, finding_of(context), log)

    def to_dict(self, origin: str) -> dict[str, Any]:
        """Return it as a receiver gets it.

        :param origin: the name of the log.
        """
        found = self.finding._asdict() | {"entries": list(self.finding.entries)}
        said = {"type": RAISE, "id": self.id, "seq": self.seq, "raised": self.raised, **found}
        return {**said, "origin": origin} | ({"log": self.log} if self.log is not None else {})


def context_of(finding: Finding) -> dict[str, Any]:
    """Return the context of the entry that raises a finding."""
    return finding._asdict() | {
        "subject": finding.subject[:_SUBJECT],
        "sentence": finding.sentence[:_SENTENCE],
        "entries": list(finding.entries[:SHOWN]),
    }


def finding_of(context: Mapping[str, Any]) -> Finding:
    """Return the finding in the context of such an entry.

    :raises ValueError: if a field is missing or has another type.
    """
    texts = [context.get(name) for name in ("rule", "subject", "first", "last", "sentence")]
    severity, entries, count = (context.get(name) for name in ("severity", "entries", "count"))
    if not all(isinstance(text, str) for text in texts) or severity not in SEVERITIES:
        raise ValueError("a field of the alert is missing or has another type")
    if not isinstance(entries, list) or not all(type(seq) is int for seq in entries):
        raise ValueError("entries must be a list of whole numbers")
    if type(count) is not int or len(entries) > SHOWN:
        raise ValueError("count must be a whole number")
    rule, subject, first, last, sentence = texts
    for moment in (first, last):
        instant(moment)  # type: ignore[arg-type]  # checked above
    return Finding(rule, severity, subject, tuple(entries), count, first, last, sentence)  # type: ignore[arg-type]  # checked above

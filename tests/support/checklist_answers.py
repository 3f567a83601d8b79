"""A checklist with an answer of each kind, for the forms that it is written in."""

from __future__ import annotations

from chained_logging.review.checklist.answer import Answer, met, not_met, saw, unseen
from chained_logging.review.checklist.asked import Checklist
from chained_logging.review.checklist.clauses import standard

HOSTILE = "<script>alert(1)</script>\n\u202e"
GOOD = met("the clock is synchronised", saw("Leap status", "chronyc tracking", "Normal"))
BAD = not_met(f"it is off {HOSTILE}", "start chrony", saw("Leap status", "chronyc", HOSTILE))
DARK = unseen("nobody says")
ANSWERS = [
    Answer("point", "1", "Clocks", (GOOD,), "order", "the rest"),
    Answer("clause", "10.6.1", "System clocks …", (GOOD,), "order", "the rest"),
    Answer("clause", "10.6.2", "Correct time …", (BAD, GOOD), "order", "the rest"),
    Answer("clause", "10.6.3", "Settings …", (DARK,), "modes", "the rest", "who may change them"),
    Answer("clause", "10.7.3", "Failures …", (), "nothing", "all of it", "your people"),
]
FIRST, LAST = "2026-11-28T09:00:00.000000Z", "2026-11-28T09:00:05.250000Z"


def checklist(name: str = "pci") -> Checklist:
    """Return a checklist for a standard."""
    return Checklist("audit.db", standard(name), ANSWERS, FIRST, LAST)

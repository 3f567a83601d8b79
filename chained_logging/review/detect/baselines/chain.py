"""The chain is broken, or the log says itself that something was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chained_logging.review.detect.baselines.baseline import at, since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.finding import Finding


class Chain:
    """Compares each entry's ``prev_hash`` with the hash before it, and reads what the log says."""

    name = "chain"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._last: list[Any] = state.setdefault("last", [])

    def see(self, event: Event) -> Iterable[Finding]:
        last = self._last
        linked = not last or event.prev_hash == last[1] or event.seq != last[0] + 1
        found = () if linked else (_unlinked(event, last[0], last[2]),)
        last[:] = event.seq, event.hash, event.timestamp
        return (*found, *_said(event)) if event.ours else found


def _unlinked(event: Event, before: int, timestamp: str) -> Finding:
    said = (
        f"entry {event.seq} follows another entry than the one before it: its prev_hash is "
        f"not the hash of entry {before}; chained-logging verify reports each fault"
    )
    entries = [before, event.seq]
    return since(event, "chain_broken", "critical", "log", said, entries, timestamp)


def _said(event: Event) -> Iterator[Finding]:
    """Yield what an entry of the log's own says about a loss."""
    if event.context.get("lost") or event.action == "log.reopen":
        cause = event.context.get("cause", event.action)
        said = f"the log says of itself: {cause}; {event.context.get('lost', 'no')} entries lost"
        yield at(event, "chain_broken", "high", "log", said)

"""The chain is broken, or the log says itself that something was lost."""

from __future__ import annotations

from collections.abc import Iterator
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

    def see(self, event: Event) -> Iterator[Finding]:
        if self._last:
            yield from self._linked(event)
        self._last[:] = [event.seq, event.hash, event.timestamp]
        if event.ours and (event.context.get("lost") or event.action == "log.reopen"):
            cause = event.context.get("cause", event.action)
            said = (
                f"the log says of itself: {cause}; {event.context.get('lost', 'no')} entries lost"
            )
            yield at(event, "chain_broken", "high", "log", said)

    def _linked(self, event: Event) -> Iterator[Finding]:
        seq, hash, timestamp = self._last
        if event.seq == seq + 1 and event.prev_hash != hash:
            said = (
                f"entry {event.seq} follows another entry than the one before it: its prev_hash is "
                f"not the hash of entry {seq}; chained-logging verify reports each fault"
            )
            entries = [seq, event.seq]
            yield since(event, "chain_broken", "critical", "log", said, entries, timestamp)

"""Stores the clients' events, and makes the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chained_logging.collector.events import answer, failure, read_event, refusal
from chained_logging.collector.keys import Claim, Keys
from chained_logging.errors import FAILURES
from chained_logging.event.entry import InvalidEntry
from chained_logging.log import AuditLog


class Store:
    """Appends events to a log. Threads share one.

    :param log: an open log.
    :raises FAILURES: if the log cannot be read.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._keys = Keys(log)

    def store(self, lines: Sequence[bytes | str], peer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Append events, and return an answer for each.

        :param lines: the bytes of one event each, as JSON; or, as text, why a line was refused.
        :param peer: the sender, for ``context.peer``.
        """
        answers: list[dict[str, Any]] = [{} for _ in lines]
        events: list[tuple[int, dict[str, Any], Claim]] = []
        repeated: list[tuple[int, Claim]] = []
        try:
            for number, line in enumerate(lines):
                try:
                    event, key = read_event(line, peer)
                except ValueError as problem:
                    answers[number] = refusal(problem)
                    continue
                claim = self._keys.claim(peer, key)
                if claim.ours:
                    events.append((number, event, claim))
                else:
                    repeated.append((number, claim))
            appended = self._append([event for _, event, _ in events])
            for (number, _, claim), found in zip(events, appended, strict=True):
                self._keys.settle(claim, found)
                answers[number] = found
        finally:
            for _, _, claim in events:  # whatever happened, no repetition waits without end
                self._keys.settle(claim, failure("interrupted"))
        for number, claim in repeated:
            answers[number] = dict(claim.future.result())  # each client numbers its own
            if "error" not in answers[number]:
                answers[number]["duplicate"] = True
        return answers

    def _append(self, events: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Append all in one write, or one by one if a strict log refuses one of them."""
        try:
            entries = self._log.append_many(events)
        except InvalidEntry as problem:
            if len(events) == 1:
                yield {**refusal(problem), "fields": problem.problems}
                return
            for event in events:
                yield from self._append([event])
        except FAILURES as problem:
            for _ in events:
                yield failure(problem)
        else:
            yield from map(answer, entries)

"""Correlations: whether matches of rules come together within a span of time.

Each takes the same time for each match, and keeps no more than it takes to say that the rule fits,
however many matches there are. What it keeps lasts from one call to the next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

from chained_logging.review.detect.finding import SHOWN
from chained_logging.review.detect.rule import Correlation

MOST_GROUPS: Final = 200_000
"""Groups of a correlation that are kept: of more, those that were quiet the longest are dropped."""


class Match(NamedTuple):
    """An entry that fits a rule.

    :ivar seqs: of the entry; of a correlation, of all that make it up.
    :ivar at: when the last of them was, in seconds of Unix time.
    :ivar first: the ``timestamp`` of the earliest one.
    :ivar last: the ``timestamp`` of the latest one.
    """

    seqs: tuple[int, ...]
    at: float
    first: str
    last: str


class Windows:
    """The matches of one correlation that are still of interest, by their groups.

    Matches come nearly in the order of time. Where time steps back by more than the span, a group
    begins again.
    """

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._groups: OrderedDict[Hashable, _Window] = OrderedDict()

    def add(self, group: Hashable, part: int, match: Match, value: Hashable) -> Match | None:
        """Take a match; return what the correlation makes of it, None if it does not fit now.

        :param part: the place of the rule among the correlation's parts.
        :param value: of the field whose values are counted.
        """
        rule = self._correlation
        window = self._groups.pop(group, None)
        if window is None:
            window = _Chain() if rule.kind == "temporal_ordered" else _Count()
        self._groups[group] = window
        if len(self._groups) > MOST_GROUPS:
            self._groups.popitem(last=False)
        if rule.kind.startswith("temporal"):
            return window.add(part, match, rule)
        return window.add(match.seqs if rule.kind == "event_count" else value, match, rule)

    def forget(self, before: float) -> None:
        """Drop what is too old to matter to a match after a time."""
        oldest = before - self._correlation.span
        for group in [group for group, window in self._groups.items() if window.newest < oldest]:
            del self._groups[group]


class _Count:
    """Different keys within a span: entries, values, or parts. Of each, the latest match counts."""

    def __init__(self) -> None:
        self.newest = float("-inf")
        self._latest: OrderedDict[Hashable, Match] = OrderedDict()
        self._fits = False

    def add(self, key: Hashable, match: Match, rule: Correlation) -> Match | None:
        if match.at < self.newest - rule.span:  # time stepped back
            self._latest.clear()
            self.newest = match.at
        self.newest = max(self.newest, match.at)
        self._latest.pop(key, None)
        self._latest[key] = match
        self._let_go(rule)
        fitted, self._fits = self._fits, len(self._latest) >= rule.least
        if not self._fits:
            return None
        if fitted:  # the parts of a whole are named once
            return None if rule.kind == "temporal" else match
        return joined(*self._latest.values())

    def _let_go(self, rule: Correlation) -> None:
        most = max(rule.least, SHOWN)
        while len(self._latest) > most or self._first.at < self.newest - rule.span:
            self._latest.popitem(last=False)

    @property
    def _first(self) -> Match:
        return next(iter(self._latest.values()))


class _Chain:
    """Parts in their order within a span. Of those that begin it, the latest ones count."""

    def __init__(self) -> None:
        self.newest = float("-inf")
        self._begun: dict[int, tuple[float, Match]] = {}

    def add(self, key: Hashable, match: Match, rule: Correlation) -> Match | None:
        part = int(key)  # type: ignore[call-overload]  # a part
        self.newest = max(self.newest, match.at)
        if part == 0:
            self._begun[0] = match.at, match
            return None
        since, before = self._begun.get(part - 1, (float("inf"), match))
        if not 0 <= match.at - since <= rule.span:
            return None
        chain = joined(before, match)
        self._begun[part] = since, chain
        return chain if part == len(rule.parts) - 1 else None


_Window = _Count | _Chain


def joined(*matches: Match) -> Match:
    """Return several matches as one. The last one given is the latest."""
    seqs = sorted({seq for match in matches for seq in match.seqs})
    first, last = min(match.first for match in matches), max(match.last for match in matches)
    return Match(tuple(seqs), matches[-1].at, first, last)

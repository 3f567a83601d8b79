"""Which entries are handed over: those of a filter, of a period, or a sample that anybody can draw
again.

``docs/format.md`` specifies the draw and the sentence. The verifier has both in its own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from chained_logging.review.filter import ANY, Filter
from chained_logging.review.retention.applied import Ranges

MAX_SAMPLE: Final = 10_000
"""The largest sample. It bounds what drawing it again takes."""
USUAL_SAMPLE: Final = 25
"""The sample of a report by default. Auditors of a SOC 2 Type 2 report draw 20 to 30."""

_WORD: Final = re.compile(r'[^\s;,()"]+')
_HIDDEN: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What could hide or reorder the text around it. A fixed list, since the sentence is compared."""


def drawn(root: bytes, population: int, count: int) -> list[int]:
    """Return a sample of the numbers below `population`, in order. The same root draws the same.

    :param root: the root of the checkpoint that the entries are proven to.
    """
    if count >= population:
        return list(range(population))
    chosen: set[int] = set()
    number = 0
    while len(chosen) < count:
        text = b"chained-logging sample v1\n" + root + number.to_bytes(8, "big")
        chosen.add(int.from_bytes(sha256(text).digest(), "big") % population)
        number += 1
    return sorted(chosen)


def is_period(wanted: Filter) -> bool:
    """Whether a filter says nothing but from when until when, or from where to where."""
    return wanted.narrowed(since=None, until=None, first_seq=None, last_seq=None) == ANY


@dataclass(frozen=True)
class Selection:
    """The entries that were chosen, and what is said of them.

    :ivar wanted: the filter.
    :ivar size: how many entries the log had at the checkpoint.
    :ivar population: by ``seq``, the entries that the filter chooses. Of a period it is everything
        from the first to the last entry that fits: clocks step back, and order is ``seq``.
    :ivar chosen: those that are handed over: all of these, or a sample.
    :ivar sample: how many were asked for; None for all.
    """

    wanted: Filter
    size: int
    population: Sequence[int]
    chosen: Sequence[int]
    sample: int | None = None
    removed: Ranges = field(default_factory=Ranges)

    @classmethod
    def of(
        cls,
        wanted: Filter,
        fitting: Sequence[int],
        size: int,
        root: bytes,
        sample: int | None,
        removed: Ranges | None = None,
    ) -> Selection:
        """Return the selection of a filter.

        :param fitting: the entries that the filter finds below `size`, by ``seq``.
        :param root: of the checkpoint.
        :param removed: entries of which there are only stubs. Where the ends of a period meet
            such, it goes on over them: nobody knows their times any more.
        :raises ValueError: if no entry fits, or the sample has no size that is allowed.
        """
        if Filter.parse(str(wanted)) != wanted:
            raise ValueError("the filter must not hold an empty value")
        if sample is not None and not 1 <= sample <= MAX_SAMPLE:
            raise ValueError(f"a sample must have 1 to {MAX_SAMPLE:,} entries")
        if not fitting:
            raise ValueError(f"no entry that a checkpoint covers fits: {wanted.words()}")
        removed = Ranges() if removed is None else removed
        population = fitting
        if is_period(wanted):
            population = _over_stubs(wanted, (fitting[0], fitting[-1]), size, removed)
        chosen = population
        if sample is not None:
            chosen = [population[at] for at in drawn(root, len(population), sample)]
        return cls(wanted, size, population, chosen, sample, removed)

    @property
    def around(self) -> list[int]:
        """The entries that show where a period begins and ends, and are not chosen themselves."""
        if not is_period(self.wanted):
            return []
        first, last = self.population[0], self.population[-1]
        inner_first, inner_last = first, last  # of a sample, up to an entry
        while self.sample is not None and inner_first in self.removed and inner_first < last:
            inner_first += 1
        while self.sample is not None and inner_last in self.removed and inner_last > first:
            inner_last -= 1
        edges = {first - 1, *range(first, inner_first + 1), *range(inner_last, last + 1), last + 1}
        return sorted(seq for seq in edges.difference(self.chosen) if 0 <= seq < self.size)

    def claim(self) -> dict[str, Any]:
        """Return what the manifest says of the selection."""
        claim: dict[str, Any] = {
            "entries": len(self.chosen),
            "filter": str(self.wanted),
            "population": len(self.population),
            "size": self.size,
            "statement": self.statement,
        }
        if is_period(self.wanted):
            claim |= {"first_seq": self.population[0], "last_seq": self.population[-1]}
        if self.sample is not None:
            claim["sample"] = self.sample
        if self.purged:
            claim["purged"] = self.purged
        return claim

    @property
    def purged(self) -> int:
        """How many of the chosen entries were removed, so that stubs stand for them."""
        if isinstance(self.chosen, range):
            return self.removed.within(self.chosen[0], self.chosen[-1])
        return sum(seq in self.removed for seq in self.chosen)

    @property
    def statement(self) -> str:
        """How many entries of how many were chosen, and by which filter, as a sentence."""
        how = "chosen by this filter"
        if self.sample is not None:
            how = f"drawn from the {len(self.population):,} that this filter chooses"
        text = f"{len(self.chosen):,} of {self.size:,} entries of this log, "
        if self.purged:
            text += f"{self.purged:,} of them purged, "
        return f"{text}{how}: {_in_words(self.wanted)}"

    @property
    def meaning(self) -> str:
        """What the evidence shows of completeness, as a line of the README."""
        if self.sample is not None:
            return "The root of the checkpoint drew the sample. docs/format.md has the steps."
        if is_period(self.wanted):
            first, last = self.population[0], self.population[-1]
            return f"Nothing is left out from seq {first} to seq {last}: verify.py checks it."
        return "That no other entry fits the filter cannot be seen from here: ask for a period."


def _over_stubs(wanted: Filter, ends: tuple[int, int], size: int, removed: Ranges) -> Sequence[int]:
    """Return a period, which goes on over stubs at its ends as far as its numbers allow."""
    first, last = ends
    low = wanted.first_seq or 0
    high = size - 1 if wanted.last_seq is None else min(size - 1, wanted.last_seq)
    before, after = removed.around(first - 1), removed.around(last + 1)
    if before is not None and first > low:
        first = max(low, before[0])
    if after is not None and last < high:
        last = min(high, after[1])
    return range(first, last + 1)


def _in_words(wanted: Filter) -> str:
    said: dict[str, list[str]] = {}
    for name, value in wanted.pairs():
        said.setdefault(name, []).append(_quoted(_HIDDEN.sub("?", value)))
    return "; ".join(f"{name} {' or '.join(values)}" for name, values in said.items()) or "all"


def _quoted(value: str) -> str:
    """Return a value so that no text in it reads as a part of our sentence."""
    return value if _WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)

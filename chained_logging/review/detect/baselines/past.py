"""What is usual: medians of the past, and how far from them something unusual begins."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

DAYS: Final = 35
"""Days with activity that are remembered of an actor."""
ENOUGH: Final = 7
"""Days with activity before an actor is compared with their own past, not with that of others."""
ACTORS: Final = 20_000
"""Actors that are remembered. Beyond that, those who were away the longest are forgotten."""
_NORMAL: Final = 1.4826  # a MAD times this is a standard deviation, for the normal distribution


class Usual(NamedTuple):
    """What some counts of the past say.

    :ivar limit: more than this is unusual.
    :ivar median: of the counts.
    :ivar most: the greatest of them.
    :ivar days: how many there are.
    """

    limit: float
    median: float
    most: int
    days: int


def usual(counts: Sequence[int], floor: float, times: float = 5.0) -> Usual:
    """Return what is usual, and where the unusual begins: ``median + times * spread``.

    The spread is the median absolute deviation, as a standard deviation, and at least a quarter of
    the median and 1, so that a person of strict habits may vary too.

    :param counts: of the past, one a day.
    :param floor: what is never unusual, whatever the past.
    """
    if not counts:
        return Usual(floor, 0.0, 0, 0)
    median = statistics.median(counts)
    mad = statistics.median(abs(count - median) for count in counts)
    spread = max(_NORMAL * mad, 0.25 * median, 1.0)
    return Usual(max(floor, median + times * spread), median, max(counts), len(counts))


def usual_of_few(counts: Sequence[int], floor: float, times: float = 3.5) -> Usual:
    """Return the same for counts of a few a day, whose median absolute deviation is too coarse.

    The middle is the mean without the greatest tenth. The spread is that of a Poisson distribution,
    the square root of the mean, and at least six tenths of the mean.
    """
    if not counts:
        return Usual(floor, 0.0, 0, 0)
    mean = statistics.fmean(sorted(counts)[: len(counts) - len(counts) // 10])
    spread = max(math.sqrt(max(mean, 0.3)), 0.6 * mean)
    limit = max(floor, mean + times * spread)
    return Usual(limit, statistics.median(counts), max(counts), len(counts))


def renewed(table: dict[str, Any], key: str, value: Any, most: int = ACTORS) -> None:
    """Put a value into a table as its newest one. The oldest go where there are too many.

    Of a large table, some go at once: Python looks for its first key past each that went before.
    """
    table.pop(key, None)
    table[key] = value
    if len(table) > most:
        for oldest in [*itertools.islice(table, max(1, most // 1_000))]:
            del table[oldest]

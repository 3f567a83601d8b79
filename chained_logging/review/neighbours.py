"""What is shown of a log that is asked as it is: is it what was chained there?

An entry that is shown is compared with its own hash, and with the entries before and after it. The
whole chain is checked by :mod:`chained_logging.verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from chained_logging.format.line import position
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub, holds


def with_neighbours(wanted: Iterable[int]) -> list[int]:
    """Return some ``seq``, and those before and after each, in order."""
    return sorted({at for seq in wanted for at in (seq - 1, seq, seq + 1)})


def first_fault(
    wanted: Sequence[int], found: Mapping[int, Record | Stub], first: int, last: int
) -> str | None:
    """Return the first fault of the chain at some entries, in words; None if all is well.

    :param wanted: their ``seq``.
    :param found: by ``seq``, these entries, and what is there of their neighbours, stubs too.
    :param first: the lowest ``seq`` of the log, from before the entries were read.
    :param last: the highest one.
    """
    for seq in sorted(wanted):
        if not holds(found[seq]):
            return f"the hash of entry {seq} is not that of its content"
    for seq in with_neighbours(wanted):
        if seq not in found and first < seq < last:
            return f"entry {seq} is missing"
    for before, after in pairwise(sorted(found)):
        if after == before + 1 and _previous(found[after]) not in (None, found[before].hash):
            return f"entry {after} does not follow entry {before}"
    return None


def _previous(item: Record | Stub) -> str | None:
    """Return the hash that an entry is chained to. A stub does not say it."""
    if isinstance(item, Stub):
        return None
    try:
        return position(item.body)[1]
    except ValueError:
        return ""

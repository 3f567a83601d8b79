"""The sample of a report: entries that anybody can draw again, each with its proof."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chained_logging.errors import FAILURES, NoCheckpoint
from chained_logging.event.entry import AuditEntry
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import Frontier
from chained_logging.format.note import Note
from chained_logging.review.filter import Filter
from chained_logging.review.opening import is_url, stored
from chained_logging.review.query import Engine
from chained_logging.review.selection import Selection
from chained_logging.transparency.proof import LogTree

SIZE: Final = 25
"""How many entries are drawn by default. Auditors of a SOC 2 Type 2 report draw 20 to 30."""


@dataclass(frozen=True)
class Drawn:
    """An entry of a sample.

    :ivar proof: the proof that it is in the log, as C2SP tlog-proof; None without a checkpoint.
    """

    entry: AuditEntry
    proof: str | None


@dataclass(frozen=True)
class Sample:
    """Entries drawn from a period.

    :ivar first: the ``seq`` of the period's first entry, as `last` is that of its last one.
    :ivar root: of the tree over all entries that the report stands on, in base64. It drew them.
    :ivar missing: why there is no sample, or why its entries have no proof.
    """

    entries: tuple[Drawn, ...] = ()
    first: int = 0
    last: int = -1
    root: str = ""
    missing: str | None = None

    @property
    def population(self) -> int:
        """How many entries it was drawn from."""
        return self.last - self.first + 1


def sample(engine: Engine, log: str, wanted: Filter, size: int, count: int) -> Sample:
    """Return a sample of a period, drawn by the root over the first `size` entries of the log.

    It is the one that ``evidence --sample`` draws. Nothing is raised for what is in the log.

    :param wanted: the period.
    """
    sql = "SELECT min(seq), max(seq) FROM found"
    ((first, last),) = engine.table(sql, wanted.narrowed(last_seq=size - 1)).rows
    if first is None or count == 0:
        return Sample(missing="The period has no entries." if first is None else "None was asked.")
    if is_url(log):
        return Sample(missing="Samples are drawn from a log file, not from a central store.")
    try:
        return _drawn(engine, log, wanted, size, count, (first, last))
    except (*FAILURES, ValueError) as problem:
        return Sample(missing=f"It could not be drawn: {problem}")


def _drawn(
    engine: Engine, log: str, wanted: Filter, size: int, count: int, ends: tuple[int, int]
) -> Sample:
    tree, missing = None, None
    try:
        tree = LogTree(Path(log))
        root = _root_at(tree, size)
    except NoCheckpoint:
        missing = (
            "No checkpoint of the log covers these entries, so that they have no proofs. The "
            "sample was drawn by the root over the entries."
        )
        root = _root_over(log, size)
    chosen = Selection.of(wanted, ends, size, root, count).chosen
    entries = tuple(_proven(engine, tree, chosen, size))
    return Sample(entries, *ends, base64.b64encode(root).decode(), missing)


def _root_at(tree: LogTree, size: int) -> bytes:
    """Return the root that the checkpoint of a size has.

    :raises NoCheckpoint: if it does not exist.
    """
    for checkpoint in tree.checkpoints:
        if checkpoint.size == size:
            return Checkpoint.parse(Note.parse(checkpoint.note.encode()).text).root
    raise NoCheckpoint(f"there is no checkpoint of size {size}")


def _root_over(log: str, size: int) -> bytes:
    tree = Frontier()
    for entry in stored(log):
        if tree.size == size:
            break
        tree.append(bytes.fromhex(entry.hash or ""))
    return tree.root()


def _proven(
    engine: Engine, tree: LogTree | None, chosen: Sequence[int], size: int
) -> Iterator[Drawn]:
    for seq in chosen:
        (entry,) = engine.entries(Filter(first_seq=seq, last_seq=seq), limit=1).entries
        proof = None if tree is None else tree.inclusion(seq, size).format().decode()
        yield Drawn(entry, proof)

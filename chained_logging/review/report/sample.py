"""The sample of a report: entries that anybody can draw again, each with its proof."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from chained_logging.errors import FAILURES, NoCheckpoint
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import stored_line
from chained_logging.format.merkle import HASH_SIZE, inclusion_proof, root_over
from chained_logging.format.note import Note
from chained_logging.format.proof import TlogProof
from chained_logging.format.subset import root_of
from chained_logging.review.evidence import ReadLog, Signed
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_source
from chained_logging.review.query import Engine
from chained_logging.review.selection import Selection

_LEVEL: Final = 10  # of the nodes that are kept: one for each 1,024 entries
_NOTHING: Final = Filter(last_seq=-1)


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
    :ivar purged: the ``seq`` of what was drawn and is a stub now: retention removed it.
    :ivar missing: why there is no sample, or why its entries have no proof.
    """

    entries: tuple[Drawn, ...] = ()
    first: int = 0
    last: int = -1
    root: str = ""
    missing: str | None = None
    purged: tuple[int, ...] = ()

    @property
    def population(self) -> int:
        """How many entries it was drawn from."""
        return self.last - self.first + 1


def sample(
    engine: Engine, log: str, wanted: Filter, size: int, count: int, *, origin: str | None = None
) -> Sample:
    """Return a sample of a period, drawn by the root over the first `size` entries of the log.

    It is the one that ``evidence --sample`` draws. Nothing is raised for what is in the log.

    :param wanted: the period.
    :param origin: the name of the log, where a store holds several.
    """
    sql = "SELECT min(seq), max(seq) FROM found"
    ((first, last),) = engine.table(sql, wanted.narrowed(last_seq=size - 1)).rows
    if first is None:
        return Sample(missing="The period has no entries.")
    if count == 0:
        return Sample(missing="No sample was asked for.")
    try:
        with closing(open_source(log, origin)) as source:
            return _drawn(ReadLog(source, _NOTHING), wanted, size, count, (first, last))
    except (*FAILURES, ValueError) as problem:
        return Sample(missing=f"It could not be drawn: {problem}")


def _drawn(log: ReadLog, wanted: Filter, size: int, count: int, ends: tuple[int, int]) -> Sample:
    signed, missing = None, None
    try:
        signed = log.at_checkpoint(size)
        root = signed.said.root
    except NoCheckpoint:
        missing = (
            f"No checkpoint of the log is of its first {size:,} entries, so these have no proofs. "
            "The root over the entries drew them."
        )
        root = root_of(log.leaves, 0, size)
    selection = Selection.of(wanted, ends, size, root, count, log.removed)
    purged = tuple(seq for seq in selection.chosen if seq in log.removed)
    chosen = [seq for seq in selection.chosen if seq not in log.removed]
    entries = tuple(_proven(log, signed, chosen))
    first, last = selection.population[0], selection.population[-1]
    return Sample(
        entries, first, last, base64.b64encode(root).decode(), missing=missing, purged=purged
    )


def _proven(log: ReadLog, signed: Signed | None, chosen: Sequence[int]) -> Iterator[Drawn]:
    """Yield entries, each with its proof if there is a checkpoint."""
    lines = log.lines(chosen)
    tree = None if signed is None else _Tree(log.leaves)
    for seq, line in zip(chosen, lines, strict=True):
        entry = AuditEntry.from_line(line.removesuffix(b"\n"))
        if signed is None or tree is None:
            yield Drawn(entry, None)
            continue
        hashes = inclusion_proof(tree.node, seq, signed.size)
        # Without a signature of the entry's own, as in chained_logging.transparency.proof.
        extra = stored_line(entry.body, entry.hash or "")
        proof = TlogProof(seq, tuple(hashes), Note.parse(signed.note.encode()), extra)
        yield Drawn(entry, proof.format().decode())


class _Tree:
    """Reads the nodes of a tree, of which it keeps one for each 1,024 leaves."""

    def __init__(self, leaves: bytearray) -> None:
        self._leaves = leaves
        step = 1 << _LEVEL
        ends = range(step, len(leaves) // HASH_SIZE + 1, step)
        self._kept = [root_of(leaves, end - step, end) for end in ends]

    def node(self, level: int, index: int) -> bytes:
        """Return a node: see :data:`chained_logging.format.merkle.NodeReader`."""
        if level < _LEVEL:
            return root_of(self._leaves, index << level, (index + 1) << level)
        above = level - _LEVEL
        return root_over(self._kept[index << above : (index + 1) << above])

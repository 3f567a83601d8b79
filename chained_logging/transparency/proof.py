"""Proofs about a log: that one entry is in it, that a later state extends an earlier one.

An inclusion proof is a C2SP ``tlog-proof`` file that carries the entry itself in its `extra`
line, so that one file is all there is to hand over: about 20 hashes for a log of a million
entries, and nothing of any other entry. A consistency proof has the form of a C2SP
``tlog-witness`` request: ``old N``, the hashes, an empty line, the newer checkpoint.

``verify.py --proof FILE`` checks both, without the log and without this package.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from chained_logging.errors import BrokenLog, NoCheckpoint
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import stored_line
from chained_logging.format.merkle import HASH_SIZE, Frontier, consistency_proof, inclusion_proof
from chained_logging.format.note import Note
from chained_logging.format.proof import TlogProof
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.stub import Stub, holds
from chained_logging.log.ways import own_checkpoints
from chained_logging.sinks import open_sink

GO_READERS = 49_140
"""Bytes of an entry whose proof readers in Go can take: their ``bufio.Scanner`` reads lines of at
most 64 KiB, and the line `extra` has the entry in base64."""


def growth_proof(tree: Frontier, records: Iterable[Record | Stub], size: int) -> list[bytes]:
    """Return the consistency proof from the size of a tree to a larger size.

    Unlike :class:`LogTree` it reads only what came since: the rest of the proof are the subtrees
    of the older tree, which its frontier holds.

    :param tree: the older tree; it is grown.
    :param records: the entries from there on.
    :raises BrokenLog: if there are not enough.
    """
    old = begin = tree.size
    nodes: dict[tuple[int, int], bytes] = {}
    for hash in reversed(tree.hashes):  # the smallest subtree first: the lowest bit of the size
        level = (begin & -begin).bit_length() - 1
        begin -= 1 << level
        nodes[level, begin >> level] = hash
    for record in records:
        if tree.size == size:
            break
        if record.seq != tree.size:
            raise BrokenLog(f"entry {tree.size} is not in the log")
        for level, node in enumerate(tree.append(bytes.fromhex(record.hash))):
            nodes[level, record.seq >> level] = node
    if tree.size != size:
        raise BrokenLog(f"the log holds {tree.size} entries, not {size}")
    return consistency_proof(lambda level, index: nodes[level, index], old, size)


class LogTree:
    """The Merkle tree of a log, held in memory: 64 bytes an entry.

    Opening it reads the whole log, once for the keys and once for the hashes; each proof then
    takes microseconds.

    :param path: the log.
    :raises OSError: if it cannot be read; also LogError.
    :raises NoCheckpoint: if it has no checkpoint.
    :raises ValueError: at a line that is not an entry, or if the tree is not the checkpoint's.
    """

    def __init__(self, path: Path) -> None:
        self._sink = open_sink(path)
        self._path = path
        self.checkpoints = own_checkpoints(self._sink)
        if not self.checkpoints:
            raise NoCheckpoint(f"{path} has no checkpoint, which a proof needs: give the log a key")
        self._newest = max(reversed(self.checkpoints), key=lambda stored: stored.size)
        size = self._newest.size
        # By level the hashes of complete subtrees, end to end: a list of two million objects would
        # be gone through by each garbage collection, in 50 ms.
        self._rows: list[bytearray] = []
        tree = Frontier()
        for record in self._sink.stored():
            if tree.size == size:
                break
            if record.seq != tree.size or not holds(record):
                raise ValueError(f"{path} is broken at seq {tree.size}: run verify")
            for level, node in enumerate(tree.append(bytes.fromhex(record.hash))):
                if level == len(self._rows):
                    self._rows.append(bytearray())
                self._rows[level] += node
        note = Note.parse(self._newest.note.encode())
        if tree.root() != Checkpoint.parse(note.text).root:
            raise ValueError(f"{path} does not match its checkpoint: run verify")

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._rows[level][index * HASH_SIZE : (index + 1) * HASH_SIZE])

    def inclusion(self, seq: int, size: int | None = None) -> TlogProof:
        """Return the proof that entry `seq` is in the log as it was at `size`.

        :param size: that of a stored checkpoint; by default the newest.
        :raises ValueError: if there is no such entry or checkpoint.
        """
        stored = self._checkpoint(size)
        if not 0 <= seq < stored.size:
            raise ValueError(f"the checkpoint covers entries 0 to {stored.size - 1}, not {seq}")
        record = next(iter(self._sink.stored(seq)))
        if isinstance(record, Stub):
            raise ValueError(
                f"entry {seq} was purged: its hash is left, and no text that could be proved. "
                "A proof made before still verifies"
            )
        # Without a signature of its own: the checkpoint vouches for the entry, and that signature
        # may be of an earlier key than the checkpoint's.
        line = stored_line(record.body, record.hash)
        hashes = inclusion_proof(self._node, seq, stored.size)
        return TlogProof(seq, tuple(hashes), Note.parse(stored.note.encode()), line)

    def consistency(self, old: int, new: int | None = None) -> bytes:
        """Return the proof that the log at `new` begins with all that it held at `old`.

        :param new: the size of a stored checkpoint; by default the newest.
        :raises ValueError: if there is no such checkpoint, or `old` is larger.
        """
        stored = self._checkpoint(new)
        hashes = consistency_proof(self._node, old, stored.size)
        lines = [f"old {old}", *(base64.b64encode(hash).decode() for hash in hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + stored.note.encode()

    def _checkpoint(self, size: int | None) -> StoredCheckpoint:
        if size is None:
            return self._newest
        for stored in reversed(self.checkpoints):  # of two, the one that others signed too
            if stored.size == size:
                return stored
        sizes = ", ".join(str(stored.size) for stored in self.checkpoints[-5:])
        raise ValueError(f"{self._path} has no checkpoint of size {size}; the last are of {sizes}")

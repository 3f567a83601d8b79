"""The Merkle tree of RFC 6962 as pure functions on bytes: roots and proofs.

Nothing here reads a file, a clock or a key. Hashes are the 32 bytes of a SHA-256; the tree is
that of RFC 6962 section 2.1, and a tree of no leaves has the root :data:`EMPTY_ROOT`.

A **node** is the root of a complete subtree. Node ``(level, index)`` covers the 2**level leaves
from ``index * 2**level`` on, so ``(0, i)`` is the hash of leaf i. If you keep the nodes that
:meth:`Frontier.append` returns, you can prove anything about any earlier size of the tree by
reading a few dozen of them: the functions that make proofs take a function that reads a node. For a
tree that fits into memory they also take the list of its leaf hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from chained_logging.errors import ChainedLoggingError

HASH_SIZE: Final = 32

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962, 2.1)."""

MAX_SIZE: Final = 2**63 - 1
"""The largest tree: what a signed 64-bit number can count, as in every implementation met."""

NodeReader = Callable[[int, int], bytes]
"""Return the hash of node ``(level, index)``. What it raises reaches the caller as it is."""

Nodes = NodeReader | Sequence[bytes]
"""A function that reads a node, or the hashes of all leaves."""


class ProofError(ChainedLoggingError, ValueError):
    """A proof does not hold, or something that should make up a tree or a tile is malformed."""


# --- Hashes.


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962, 2.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two nodes: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, 2.1)."""
    return sha256(b"\1" + left + right).digest()


def root_over(row: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree from its nodes at one level: 1, 2, 4, 8 …"""
    while len(row) > 1:
        row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over the complete subtrees that a range of leaves falls into."""
    hash = peaks[-1]
    for left in reversed(peaks[:-1]):
        hash = node_hash(left, hash)
    return hash


# --- The tree that grows.


class Frontier:
    """All of a tree that is needed to go on appending: the roots of its complete subtrees.

    There is one for each bit set in the size, so 20 for a million leaves. The state can be stored
    with :meth:`to_bytes` and taken up again with :meth:`from_bytes`.

    A call that is interrupted, say by a signal handler that raises, has either happened or not.
    Threads that append to one object need a lock.
    """

    __slots__ = ("_state",)

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take up a tree where it was left.

        :param hashes: as :attr:`hashes` gave them, the largest subtree first.
        :raises ProofError: if their number is not the number of bits set in the size, or one of
            them is not 32 bytes long.
        """
        hashes = tuple(hashes)
        _check_size(size)
        if len(hashes) != size.bit_count():
            raise ProofError(
                f"a tree of {size} leaves has {size.bit_count()} subtrees, not {len(hashes)}"
            )
        for hash in hashes:
            _check_hash(hash, "a subtree's hash")
        # One attribute, so that one assignment replaces the whole state.
        self._state = (size, hashes)

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._state[0]

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, the largest first."""
        return self._state[1]

    def append(self, leaf_hash: bytes) -> list[bytes]:
        """Append a leaf.

        :returns: the hashes of the nodes that this leaf completes, from level 0 up. The one at
            `level` is node ``(level, index >> level)``, where `index` is the leaf's. They are what
            a log stores so as to make proofs later: two for a leaf, on average.
        :raises ProofError: if the hash is not 32 bytes long.
        """
        _check_hash(leaf_hash, "a leaf's hash")
        size, hashes = self._state
        hash, completed = leaf_hash, [leaf_hash]
        rest, kept = size, len(hashes)
        while rest & 1:  # as a carry runs through the ones at the end of a binary number
            kept -= 1
            hash = node_hash(hashes[kept], hash)
            completed.append(hash)
            rest >>= 1
        self._state = (size + 1, (*hashes[:kept], hash))
        return completed

    def extend(self, leaf_hashes: bytes) -> None:
        """Append many leaves, each in 0.5 µs instead of 2.

        :param leaf_hashes: their hashes, one after another.
        :raises ProofError: if these are not whole hashes.
        """
        if len(leaf_hashes) % HASH_SIZE:
            raise ProofError(f"leaf hashes must have {HASH_SIZE} bytes each")
        size, hashes = self._state
        peaks = list(hashes)
        row, begin, kept = leaf_hashes, size, []
        while row:
            if begin & 1:  # the last complete subtree of this level has no partner yet
                row = peaks.pop() + row
                begin -= 1
            elif not peaks and len(row) == HASH_SIZE:
                break
            if len(row) // HASH_SIZE & 1:
                kept.append(row[-HASH_SIZE:])
                row = row[:-HASH_SIZE]
            pairs = range(0, len(row), 2 * HASH_SIZE)
            row = b"".join([sha256(b"\1" + row[at : at + 64]).digest() for at in pairs])
            begin >>= 1
        self._state = (
            size + len(leaf_hashes) // HASH_SIZE,
            (*peaks, *([row] if row else []), *reversed(kept)),
        )

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        hashes = self._state[1]
        return _fold(hashes) if hashes else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Return the state: the size in 8 bytes, big-endian, and the hashes."""
        size, hashes = self._state
        return size.to_bytes(8, "big") + b"".join(hashes)

    @classmethod
    def from_bytes(cls, state: bytes) -> Frontier:
        """Return the tree from a state that :meth:`to_bytes` returned.

        :raises ProofError: if the bytes are not such a state.
        """
        size = int.from_bytes(state[:8], "big")
        if len(state) != 8 + HASH_SIZE * size.bit_count():
            raise ProofError(f"{len(state)} bytes are not the state of a tree")
        return cls(size, [state[at : at + HASH_SIZE] for at in range(8, len(state), HASH_SIZE)])

    def __repr__(self) -> str:
        return f"<Frontier size={self.size} root={self.root().hex()}>"


# --- Roots and proofs, made.


def root(nodes: Nodes, size: int | None = None) -> bytes:
    """Return the Merkle Tree Hash of the first `size` leaves (RFC 6962, 2.1).

    :param nodes: a function that reads a node, or the leaf hashes.
    :param size: may be left out for a list: all of it.
    :raises ProofError: if there are fewer leaves, or the size is missing or out of bounds.
    """
    if size is None:
        if callable(nodes):
            raise ProofError("the size of the tree is missing")
        size = len(nodes)
    read = _reader(nodes, size)
    return _subtree(read, 0, size) if size else EMPTY_ROOT


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves.

    It is the audit path of RFC 6962 section 2.1.1: from the sibling of the leaf to the child of the
    root. From a function that reads nodes, at most 2 * log2(size) are read.

    :raises ProofError: if there is no such leaf, or there are fewer leaves.
    """
    read = _reader(nodes, size)
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    proof = []
    begin, end = 0, size
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            proof.append(_subtree(read, middle, end))
            end = middle
        else:
            proof.append(_subtree(read, begin, middle))
            begin = middle
    proof.reverse()
    return proof


def consistency_proof(nodes: Nodes, old_size: int, new_size: int) -> list[bytes]:
    """Return the proof that the tree of `new_size` leaves begins with that of `old_size`.

    It is PROOF(m, D[n]) of RFC 6962 section 2.1.2, and empty where nothing need be proven: for
    equal sizes, and from the empty tree. From a function that reads nodes, at most
    2 * log2(new_size) + 1 are read.

    :raises ProofError: if the old tree is larger, or there are fewer leaves.
    """
    read = _reader(nodes, new_size)
    if not 0 <= old_size <= new_size:
        raise ProofError(f"a tree of {old_size} leaves is not a beginning of a tree of {new_size}")
    if old_size == 0:
        return []
    proof = []
    begin, end = 0, new_size
    while end != old_size:
        middle = _split(begin, end)
        if old_size <= middle:
            proof.append(_subtree(read, middle, end))
            end = middle
        else:
            proof.append(_subtree(read, begin, middle))
            begin = middle
    if begin:  # else this subtree is the old tree, whose root the verifier has
        proof.append(_subtree(read, begin, end))
    proof.reverse()
    return proof


def _reader(nodes: Nodes, size: int) -> NodeReader:
    """Return a function that reads the nodes of a tree of `size` leaves."""
    _check_size(size)
    if callable(nodes):
        return nodes
    leaves = nodes
    if len(leaves) < size:
        raise ProofError(f"there are {len(leaves)} leaves, fewer than {size}")

    def read(level: int, index: int) -> bytes:
        return root_over(leaves[index << level : (index + 1) << level])

    return read


def _split(begin: int, end: int) -> int:
    """Return where RFC 6962 divides D[begin:end]: its k is the largest power of 2 below n."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def _subtree(read: NodeReader, begin: int, end: int) -> bytes:
    """Return MTH(D[begin:end]) for a range that occurs in the division of some tree."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hash = read(level, begin >> level)
        _check_hash(hash, f"the stored hash of node ({level}, {begin >> level})")
        peaks.append(hash)
        begin += 1 << level
    return _fold(peaks)


# --- Proofs, verified.


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf `index` of the tree with this size and root has this hash.

    The proof is that of RFC 6962 section 2.1.1. This decides as the algorithm of RFC 9162 section
    2.1.3.2 does.

    :raises ProofError: saying what is wrong. The number of hashes in the proof must be exactly what
        index and size ask for.
    """
    _check_size(size)
    _check_hash(leaf_hash, "the leaf's hash")
    _check_hash(root, "the root")
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    inner, border = _path_lengths(index, size)
    _check_proof(proof, inner + border)
    hash = leaf_hash
    for level, sibling in enumerate(proof):
        if level >= inner or index >> level & 1:
            hash = node_hash(sibling, hash)
        else:
            hash = node_hash(hash, sibling)
    if hash != root:
        raise ProofError(f"the proof of leaf {index} leads to another root than the tree's")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with all leaves of the old one, in the same order.

    The proof is that of RFC 6962 section 2.1.2. This decides as the algorithm of RFC 9162 section
    2.1.4.2 does.

    RFC 6962 does not define a proof from the empty tree. It is accepted here, with an empty proof
    and :data:`EMPTY_ROOT` as the old root, since every tree begins with the empty one; C2SP
    ``tlog-witness`` does the same. (The test vectors of transparency-dev/merkle refuse it.) Such a
    check says nothing about the new root.

    :raises ProofError: saying what is wrong. The number of hashes in the proof must be exactly what
        the two sizes ask for.
    """
    _check_size(old_size)
    _check_size(new_size)
    _check_hash(old_root, "the old root")
    _check_hash(new_root, "the new root")
    if old_size > new_size:
        raise ProofError(f"a tree of {old_size} leaves is not a beginning of a tree of {new_size}")
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("the root of the tree without leaves is not that of the empty tree")
    if old_size in (0, new_size):
        _check_proof(proof, 0)
        if old_size and old_root != new_root:
            raise ProofError(f"two trees of {old_size} leaves have different roots")
        return
    # The path starts at the last complete subtree of the old tree, not at its last leaf. If that
    # subtree is the whole old tree, the proof leaves it out.
    level = (old_size & -old_size).bit_length() - 1
    index = (old_size - 1) >> level
    inner, border = _path_lengths(old_size - 1, new_size)
    inner -= level
    _check_proof(proof, inner + border + (index > 0))
    old = new = proof[0] if index else old_root
    for at, sibling in enumerate(proof[1:] if index else proof):
        if at >= inner or index >> at & 1:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != old_root:
        raise ProofError("the consistency proof leads to another root than the old tree's")
    if new != new_root:
        raise ProofError("the consistency proof leads to another root than the new tree's")


def _path_lengths(index: int, size: int) -> tuple[int, int]:
    """Return how many siblings a leaf's path has below, and above, where it meets the border.

    Above that level the path runs along the tree's right border. There every sibling is to the
    left, and a level without a subtree on the border has no sibling.
    """
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError("the size of a tree must be from 0 to 2**63 - 1")


def _check_hash(hash: bytes, what: str) -> None:
    if len(hash) != HASH_SIZE:
        raise ProofError(f"{what} is {len(hash)} bytes long, not 32")


def _check_proof(proof: Sequence[bytes], length: int) -> None:
    if len(proof) != length:
        raise ProofError(f"the proof has {len(proof)} hashes where {length} are needed")
    for hash in proof:
        _check_hash(hash, "a hash in the proof")

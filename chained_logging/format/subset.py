"""One proof for many leaves of a Merkle tree, with each shared hash once.

RFC 6962 divides a tree of n leaves at the largest power of 2 below n, and so on down to the leaves.
The proof holds the root of each largest part in which no chosen leaf is, from left to right. With
the chosen leaves these give the root of the tree, by the same division.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from chained_logging.format.merkle import HASH_SIZE, Frontier, ProofError


def root_of(leaves: bytes | bytearray, begin: int, end: int) -> bytes:
    """Return the root over some leaves.

    :param leaves: the hashes of all leaves, one after another.
    """
    tree = Frontier()
    tree.extend(bytes(leaves[begin * HASH_SIZE : end * HASH_SIZE]))
    return tree.root()


def subset_proof(leaves: bytes | bytearray, chosen: Sequence[int], size: int) -> Iterator[bytes]:
    """Yield the proof that some leaves are in a tree.

    :param leaves: the hashes of all leaves, one after another; there may be more than `size`.
    :param chosen: the indexes of the leaves, in order and without repeats.
    :param size: how many leaves the tree has.
    :raises ProofError: if there are fewer leaves, or no such leaf.
    """
    if len(leaves) < size * HASH_SIZE:
        raise ProofError(f"there are {len(leaves) // HASH_SIZE} leaves, fewer than {size}")
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < size:
        raise ProofError(f"the chosen leaves must be among the {size} of the tree")

    def parts(begin: int, end: int) -> Iterator[bytes]:
        at = bisect_left(chosen, begin)
        if at == len(chosen) or chosen[at] >= end:
            yield root_of(leaves, begin, end)
        elif end - begin > 1:
            middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
            yield from parts(begin, middle)
            yield from parts(middle, end)

    return parts(0, size)

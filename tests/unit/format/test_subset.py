"""One proof for many leaves: what it holds, and that it leads to the root of the tree."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from chained_logging.format.merkle import ProofError, inclusion_proof, leaf_hash, node_hash, root
from chained_logging.format.subset import root_of, subset_proof

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]
JOINED = b"".join(LEAVES)


def led_to(size: int, chosen: list[int], proof: list[bytes]) -> bytes:
    """Return the root that a proof leads to, by RFC 6962's own definition of the tree."""
    left = list(proof)

    def mth(begin: int, end: int) -> bytes:
        if not any(begin <= leaf < end for leaf in chosen):
            return left.pop(0)
        if end - begin == 1:
            return LEAVES[begin]
        k = 1
        while 2 * k < end - begin:
            k *= 2
        return sha256(b"\1" + mth(begin, begin + k) + mth(begin + k, end)).digest()

    found = mth(0, size)
    assert not left
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 64, 70])
def test_a_proof_leads_to_the_root(size: int) -> None:
    choice = random.Random(size)
    for _ in range(30):
        chosen = sorted(choice.sample(range(size), choice.randint(1, size)))
        proof = list(subset_proof(JOINED, chosen, size))
        assert led_to(size, chosen, proof) == root(LEAVES[:size])


def test_shared_hashes_are_there_once() -> None:
    assert list(subset_proof(JOINED, range(64), 64)) == []
    one = list(subset_proof(JOINED, [5], 64))
    assert sorted(one) == sorted(inclusion_proof(LEAVES, 5, 64))
    both = list(subset_proof(JOINED, [4, 5], 64))
    assert len(both) == len(one) - 1
    assert set(both) < set(one)


def test_the_root_of_some_leaves() -> None:
    assert root_of(JOINED, 0, 70) == root(LEAVES)
    assert root_of(JOINED, 2, 4) == node_hash(LEAVES[2], LEAVES[3])


@pytest.mark.parametrize(("chosen", "size"), [([], 5), ([5], 5), ([-1], 5), ([0], 71)])
def test_what_is_not_in_the_tree_cannot_be_proven(chosen: list[int], size: int) -> None:
    with pytest.raises(ProofError):
        subset_proof(JOINED, chosen, size)

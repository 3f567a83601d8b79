# The Merkle tree of RFC 6962, and its proofs.


_LARGE = 10  # the level of subtrees that are made at once


class _Tree:
    """A growing tree: the complete subtrees of RFC 6962 that it consists of, each with its level.

    One that begins later than at 0 is a part of a tree, which can be joined to what is before it.
    """

    def __init__(self, begin: int = 0) -> None:
        self.size = begin
        self.nodes: list[tuple[int, bytes]] = []

    def append(self, node: bytes, level: int = 0) -> None:
        """Append a leaf, or a complete subtree of 2**level leaves."""
        index, nodes = self.size >> level, self.nodes
        self.size += 1 << level
        while index & 1 and nodes and nodes[-1][0] == level:
            node = _sha256(b"\1" + nodes.pop()[1] + node).digest()
            index, level = index >> 1, level + 1
        nodes.append((level, node))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaves, most of them as large subtrees, for which less is to be done."""
        at = 0
        while at < len(leaves):
            aligned = (self.size & -self.size).bit_length() or _LARGE + 1
            level = min(aligned, (len(leaves) - at).bit_length(), _LARGE + 1) - 1
            nodes = leaves[at : at + (1 << level)]
            while len(nodes) > 1:
                pairs = zip(nodes[::2], nodes[1::2])  # noqa: B905  # Python 3.9
                nodes = [_sha256(b"\1" + left + right).digest() for left, right in pairs]
            self.append(nodes[0], level)
            at += 1 << level

    def root(self) -> bytes:
        if not self.nodes:
            return _sha256(b"").digest()
        root = self.nodes[-1][1]
        for _, node in reversed(self.nodes[:-1]):
            root = _sha256(b"\1" + node + root).digest()
        return root


_PROOF = b"c2sp.org/tlog-proof@v1\n"


def _fold(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    :raises _Bad: if the proof has not the length that it must have.
    """
    first, last, root = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise _Bad(None, "the proof is too long")
        if first & 1 or first == last:
            root = _sha256(b"\1" + hash_ + root).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            root = _sha256(b"\1" + root + hash_).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise _Bad(None, "the proof is too short")
    return root


def _extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether a consistency proof holds (RFC 9162, 2.1.4.2); from size 0 an empty one does."""
    if old > new or (old in (0, new) and proof) or (0 < old < new and not proof):
        return False
    if old == 0:
        return old_root == _Tree().root()
    if old == new:
        return old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    one = two = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            one = _sha256(b"\1" + hash_ + one).digest()
            two = _sha256(b"\1" + hash_ + two).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            two = _sha256(b"\1" + two + hash_).digest()
        first, last = first >> 1, last >> 1
    return last == 0 and one == old_root and two == new_root


def _hashes(lines: list[str]) -> list[bytes]:
    try:
        found = [_unbase64(line) for line in lines]
    except ValueError:
        raise _Bad(None, "a line of the proof is not a hash") from None
    if len(found) > 63 or any(len(hash_) != 32 for hash_ in found):
        raise _Bad(None, "a line of the proof is not a hash")
    return found


def _root_of(size: int, leaves: Iterator[tuple[int, bytes]], hashes: Iterator[bytes]) -> bytes:
    """Return the root that some leaves of a tree lead to, with the hashes of all parts without one.

    :raises _Bad: if there are not just as many hashes as that takes, or a leaf is not in the tree.
    """
    due = next(leaves, None)

    def root(begin: int, end: int) -> bytes:
        nonlocal due
        if due is None or due[0] >= end:
            found = next(hashes, None)
            if found is None:
                raise _Bad(None, "proof.txt has too few hashes")
            return found
        if end - begin == 1:
            found, due = due[1], next(leaves, None)
            return found
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        left = root(begin, middle)
        return _sha256(b"\1" + left + root(middle, end)).digest()

    whole = root(0, size) if size else _Tree().root()
    if due is not None:
        raise _Bad(None, f"the checkpoint does not cover entry {due[0]}")
    if next(hashes, None) is not None:
        raise _Bad(None, "proof.txt has too many hashes")
    return whole

"""An oracle: C2SP tlog-tiles and RFC 6962 section 2.1, word for word and slow."""

from __future__ import annotations

import hashlib
from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    """Return all that is published: what begins with a dot is not."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    }


def mth(leaves: list[bytes]) -> bytes:
    """Return MTH(D[n]) for leaf hashes, as RFC 6962 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def spelled(number: int) -> str:
    text = str(number)
    text = text.zfill((len(text) + 2) // 3 * 3)
    parts = [text[at : at + 3] for at in range(0, len(text), 3)]
    return "/".join(["x" + part for part in parts[:-1]] + parts[-1:])


def expected_files(entries: list[bytes]) -> dict[str, bytes]:
    """Return the tiles of a tree, by the formula of the specification."""
    size = len(entries)
    leaves = [hashlib.sha256(b"\0" + each).digest() for each in entries]
    found = {}
    for level in range(64):
        row = size // 256**level
        if not row:
            break
        above = [mth(leaves[i * 256**level : (i + 1) * 256**level]) for i in range(row)]
        for n in range((row + 255) // 256):
            part = above[n * 256 : (n + 1) * 256]
            suffix = "" if len(part) == 256 else f".p/{len(part)}"
            found[f"tile/{level}/{spelled(n)}{suffix}"] = b"".join(part)
    for n in range((size + 255) // 256):
        part = entries[n * 256 : (n + 1) * 256]
        suffix = "" if len(part) == 256 else f".p/{len(part)}"
        found[f"tile/entries/{spelled(n)}{suffix}"] = b"".join(
            len(each).to_bytes(2, "big") + each for each in part
        )
    return found


def naive_root(folder: Path) -> tuple[int, bytes, list[bytes]]:
    """Read a folder as a stranger would; return size, root and all entries."""
    _, size_line, *_ = (folder / "checkpoint").read_text().split("\n")
    size = int(size_line)
    leaves, entries = [], []
    for n in range((size + 255) // 256):
        width = min(256, size - n * 256)
        suffix = "" if width == 256 else f".p/{width}"
        tile = (folder / f"tile/0/{spelled(n)}{suffix}").read_bytes()
        assert len(tile) == 32 * width
        leaves += [tile[at : at + 32] for at in range(0, len(tile), 32)]
        bundle = (folder / f"tile/entries/{spelled(n)}{suffix}").read_bytes()
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    assert [hashlib.sha256(b"\0" + each).digest() for each in entries] == leaves
    return size, mth(leaves), entries

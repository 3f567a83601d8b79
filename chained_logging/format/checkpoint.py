"""Checkpoints: what a log states about itself (C2SP ``tlog-checkpoint``)."""

from __future__ import annotations

from dataclasses import dataclass

from chained_logging.format.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from chained_logging.format.spelling import (
    NoteError,
    check_text,
    from_base64,
    to_base64,
    to_number,
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states about itself at one moment (C2SP ``tlog-checkpoint``).

    It is worth something once :func:`verify_note` has verified the note whose text it is.
    """

    origin: str
    """The log's name, one line."""
    size: int
    root: bytes
    """The root of the RFC 6962 tree of that size. For size 0 no other than that of the empty
    tree."""
    extensions: tuple[str, ...] = ()
    """Further lines, which are signed but mean nothing here."""

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            check_text(line, "a line of a checkpoint")
            if not line or "\n" in line:
                raise NoteError("the origin and each extension of a checkpoint must be one line")
        if not 0 <= self.size <= MAX_SIZE:
            raise NoteError("the size of a checkpoint must be from 0 to 2**63 - 1")
        if len(self.root) != HASH_SIZE:
            raise NoteError(f"the root of a checkpoint must have 32 bytes, not {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError("the root of a checkpoint of size 0 is not that of the empty tree")

    def format(self) -> str:
        """Return the text of the note."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse a checkpoint from the text of a note.

        :raises NoteError: if the text is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise NoteError("not a checkpoint: it lacks the lines origin, size and root")
        origin, size, root, *extensions = lines
        return cls(
            origin,
            to_number(size, "the size of a checkpoint"),
            from_base64(root, "the root of a checkpoint"),
            tuple(extensions),
        )

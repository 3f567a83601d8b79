"""What a log consists of: entries as they are stored, the head of the chain, signed checkpoints."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from chained_logging.format.line import GENESIS


class Head(NamedTuple):
    """The last entry's ``seq`` and hash: what the next one is chained to."""

    seq: int
    hash: str


EMPTY = Head(-1, GENESIS)


class Record(NamedTuple):
    """An entry as a sink takes it."""

    seq: int
    body: bytes
    hash: str
    signature: str | None = None


class StoredCheckpoint(NamedTuple):
    """A signed checkpoint as a sink keeps it."""

    note: str
    size: int
    state: str
    """The Merkle tree's frontier at that size, in base64."""
    timestamp: str | None = None
    """An RFC 3161 response over the bytes of the note, in base64."""

    @classmethod
    def of(cls, note: Any, size: Any, state: Any, timestamp: Any = None) -> StoredCheckpoint:
        """Return a checkpoint of fields that anybody may have stored.

        :raises ValueError: if one has another type.
        """
        texts = [note, state]
        if timestamp is not None:
            texts.append(timestamp)
        if type(size) is not int or any(type(text) is not str for text in texts):
            raise ValueError("a field of the checkpoint has another type")
        return cls(note, size, state, timestamp)

    @classmethod
    def from_json(cls, data: bytes) -> StoredCheckpoint:
        """Return the checkpoint that a JSON text holds.

        :raises ValueError: if it holds something else.
        """
        try:
            return cls.of(**json.loads(data))
        except (TypeError, ValueError, RecursionError):
            raise ValueError("its fields are not those of a checkpoint") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as they are stored in JSON."""
        return {name: value for name, value in self._asdict().items() if value is not None}


NO_CHECKPOINT = StoredCheckpoint("", -1, "")
"""Stands for a stored item that is not a checkpoint. Nobody signed it."""

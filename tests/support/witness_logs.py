"""Histories for witnesses to cosign."""

from __future__ import annotations

import functools
import time

from note_keys import LOG, ORIGIN, WITNESS, WITNESS_KEY

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.transparency.witness import format_request

NAME = WITNESS_KEY.name


class History:
    """What a log says about itself. Two of one origin agree up to where the second forks off."""

    def __init__(self, label: str = "a", fork: int = 0, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.leaves = [
            merkle.leaf_hash(f"{'a' if number < fork else label} {number}".encode())
            for number in range(64)
        ]

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, merkle.root(self.leaves[:size]))

    @functools.cache  # noqa: B019 -- they live as long as the tests
    def note(self, size: int) -> bytes:
        return notes.sign_note(self.checkpoint(size).format(), self.origin, LOG).format()

    def proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(self.leaves, old, new)

    def request(self, old: int, new: int) -> bytes:
        return format_request(old, self.proof(old, new), self.note(new))


A = History()


class Slow:
    """The witness's key in a token that takes its time."""

    public_key = WITNESS.public_key

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def sign(self, data: bytes) -> bytes:
        time.sleep(self._seconds)
        return WITNESS.sign(data)

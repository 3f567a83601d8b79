"""What was verified, and when: ``audit.jsonl.watch``, which is not trusted for anything.

A head that is remembered must still be in the log: so a rewritten log is noticed, even if nothing
in it is signed and its chain holds. If somebody changes this file, the log seems to be rewritten;
if somebody removes it, the log's own entries about verifications remain.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from chained_logging.files.durable import replace_file
from chained_logging.files.own import open_regular, require_own

_SIZE_LIMIT: Final = 1 << 20


class Verified(NamedTuple):
    """A place that was found intact.

    :ivar seq: its last entry, with `hash`.
    :ivar at: when that was, in seconds since 1970.
    :ivar seconds: the processor time that it took.
    """

    seq: int
    hash: str
    at: float
    seconds: float


class Memory:
    """Remembers the last intact state of each place.

    :param log: the path of the log; None remembers nothing on the disk.
    """

    def __init__(self, log: Path | None) -> None:
        self._path = None if log is None else log.with_name(f"{log.name}.watch")
        self.places: dict[str, Verified] = self._read()

    def _read(self) -> dict[str, Verified]:
        if self._path is None or not require_own(self._path):
            return {}
        with open_regular(self._path) as file:
            data = file.read(_SIZE_LIMIT)
        try:
            return {str(place): _verified(said) for place, said in json.loads(data).items()}
        except (AttributeError, TypeError, ValueError, RecursionError, OverflowError):
            return {}

    def keep(self, place: str, verified: Verified) -> None:
        """Remember that a place is intact.

        :raises FAILURES: if the file cannot be written.
        """
        self.places[place] = verified
        if self._path is not None:
            replace_file(self._path, json.dumps(self.places).encode())


def _verified(said: Any) -> Verified:
    match said:
        case [int(seq), str(hash), int() | float() as at, int() | float() as seconds]:
            return Verified(seq, hash, float(at), float(seconds))
    raise ValueError("must be a position, a hash and two times")

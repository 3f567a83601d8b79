"""What is known of the entries that were moved to an archive, so that the rest can be verified.

That is the Merkle tree over all of them, from which later roots are computed, and the keys that
they name.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from chained_logging.files.own import open_regular
from chained_logging.format.merkle import Frontier, ProofError
from chained_logging.format.record import Record
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.sinks.lines import stored


class Front:
    """The entries of a log from the first one on, up to some segment.

    :param origin: of the log.
    """

    def __init__(self, origin: str) -> None:
        self._tree = Frontier()
        self._ring = Keyring(origin)
        self._keys: list[dict[str, Any]] = []

    @property
    def size(self) -> int:
        """How many entries these are."""
        return self._tree.size

    @classmethod
    def of(cls, origin: str, context: dict[str, Any]) -> Front | None:
        """Return what an entry says; None if it does not."""
        front = cls(origin)
        try:
            front._tree = Frontier.from_bytes(base64.b64decode(context["tree"], validate=True))
            for named in context["keys"]:
                front._know(VerifierKey.parse(named["key"]), named["seq"])
            front._ring.revoked = dict.fromkeys(context["revoked"], 0)
        except (KeyError, TypeError, ValueError, NoteError, ProofError):
            return None
        return front

    def take(self, segment: Path) -> None:
        """Take up the next segment.

        :raises OSError: if it cannot be read.
        :raises ValueError: if it holds something else.
        """
        with open_regular(segment) as file:
            for item in stored(file, 0):
                self._tree.append(bytes.fromhex(item.hash))
                if isinstance(item, Record):
                    known = self._ring.current
                    self._ring.look(item)
                    if self._ring.current not in (None, known):
                        self._know(VerifierKey.parse(str(self._ring.current)), item.seq)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in an entry."""
        return {
            "tree": base64.b64encode(self._tree.to_bytes()).decode(),
            "keys": list(self._keys),
            "revoked": sorted(self._ring.revoked),
        }

    def _know(self, key: VerifierKey, seq: int) -> None:
        self._keys.append({"key": key.format(), "seq": seq})
        self._ring.current = key.format()
        if key not in self._ring.known:
            self._ring.known.append(key)

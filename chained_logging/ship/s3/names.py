"""Names of objects: `<prefix>/<encoded origin>/<name>`. ``docs/s3.md`` specifies them."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from chained_logging.format.merkle import MAX_SIZE

SEGMENTS: Final = "segments"
CHECKPOINTS: Final = "checkpoints"
ANCHORED: Final = "anchored"
DIGESTS: Final = "digests"
ANCHORED_NAME: Final = re.compile(ANCHORED + r"/([0-9]{20})-([0-9a-f]{16})\.json")


def encode_origin(origin: str) -> str:
    """Return an origin as one component of a key: ``example.com/web`` is ``example.com_2Fweb``.

    It is percent-encoding (RFC 3986, section 2.1) with ``_`` in place of ``%``, since servers and
    clients disagree on how often to decode that. Letters, digits, ``-`` and ``.`` stay as they are,
    except in the names ``.`` and ``..``, which HTTP clients take out of a path.

    :raises ValueError: for an empty origin, or one with a lone surrogate.
    """
    if not origin:
        raise ValueError("an origin must not be empty")
    encoded = quote(origin, safe="").replace("_", "%5F").replace("~", "%7E").replace("%", "_")
    return encoded.replace(".", "_2E") if origin in (".", "..") else encoded


def decode_origin(component: str) -> str:
    """Return the origin that a component of a key stands for.

    :raises ValueError: if :func:`encode_origin` would not have made it.
    """
    origin = unquote(component.replace("_", "%"), errors="strict")
    if encode_origin(origin) != component:
        raise ValueError(f"{component!r} is not an encoded origin")
    return origin


def anchored_name(size: int, data: bytes) -> str:
    """Return the name, below the origin, of a checkpoint that others have signed."""
    return f"{ANCHORED}/{size:020d}-{hashlib.sha256(data).hexdigest()[:16]}.json"


class Name(NamedTuple):
    """What an object's name says it is."""

    kind: str
    """:data:`SEGMENTS`, :data:`CHECKPOINTS` or :data:`DIGESTS`."""
    first: int
    """The first entry of a segment, the size of a checkpoint, the number of a digest."""
    last: int
    """The last entry of a segment; of the others the same as `first`."""
    mark: str = ""
    """Distinguishes this object from another with the same numbers: the start of a segment's last
    hash, or of a digest's SHA-256. Empty, unless somebody else put the other object first."""

    def format(self) -> str:
        """Return the name below the origin. Names of one kind sort as their numbers do."""
        mark = f"-{self.mark}" if self.mark else ""
        if self.kind == SEGMENTS:
            return f"{SEGMENTS}/{self.first:020d}-{self.last:020d}{mark}.jsonl.gz"
        if self.kind == DIGESTS:
            return f"{DIGESTS}/{self.first:020d}{mark}.digest"
        return f"{self.kind}/{self.first:020d}.json"

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Return what a name says, None if it is not of this layout."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        first = int(found[2])
        name = cls(found[1], first, int(found[3] or first), found[4] or "")
        valid = name.format() == text and first <= name.last <= MAX_SIZE
        return name if valid else None


_NAME = re.compile(
    r"(segments|checkpoints|digests)/([0-9]{20})(?:-([0-9]{20}))?(?:-([0-9a-f]{16}))?\.[a-z.]+"
)

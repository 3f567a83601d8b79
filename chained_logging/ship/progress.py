"""How far a log was delivered to one destination, kept beside the log: ``audit.jsonl.ship-<id>``.

The destination itself says what it holds; that makes delivery safe. This file says what it held
when we last looked, and so shows a destination that lost something since; and what a health check
wants to know while the destination is down. One JSON object, replaced as a whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from chained_logging.files.durable import replace_file
from chained_logging.format.line import GENESIS

_MAX_PLACE = 1 << 20


@dataclass
class Place:
    """What one destination held of a log."""

    destination: str
    """Its URL without secrets."""
    seq: int = -1
    hash: str = GENESIS
    checkpoints: int = 0
    """Where reading the log's checkpoints goes on."""
    delivered_at: float | None = None
    """When something last reached it, in seconds since 1970."""
    problem: str | None = None
    """Why it does not go on, if it does not."""
    alert: bool = False
    """Whether it is more than an outage: a broken chain, or a destination with another history."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What the destination wants to be reminded of."""


def place_path(log: Path, destination: str) -> Path:
    """Return where the place of a destination is kept."""
    return log.with_name(f"{log.name}.ship-{sha256(destination.encode()).hexdigest()[:12]}")


def read_place(log: Path, destination: str) -> Place:
    """Return the place of a destination; a new one, if nothing was kept.

    :raises OSError: if it cannot be read, or is malformed.
    """
    path = place_path(log, destination)
    return _read(path) if path.exists() else Place(destination)


def read_places(log: Path) -> list[Place]:
    """Return the places of all destinations that a log was ever shipped to.

    :raises OSError: as :func:`read_place`.
    """
    name = re.compile(re.escape(log.name) + r"\.ship-[0-9a-f]{12}")
    return [_read(path) for path in sorted(log.parent.iterdir()) if name.fullmatch(path.name)]


def _read(path: Path) -> Place:
    try:
        with open(path, "rb") as file:
            return Place(**json.loads(file.read(_MAX_PLACE)))
    except (TypeError, ValueError) as error:
        raise OSError(f"{path} is not a shipper's record of progress: {error}") from None


def write_place(log: Path, place: Place) -> None:
    """Keep a place, on the disk.

    :raises OSError: if that fails; the old one is left then.
    """
    replace_file(place_path(log, place.destination), json.dumps(asdict(place)).encode())

"""How far a log was delivered to one destination, kept beside the log: ``audit.jsonl.ship-<id>``.

The destination itself says what it holds; that makes delivery safe. This file says what it held
when we last looked, and so shows a destination that lost something since; and what a health check
wants to know while the destination is down. One JSON object, replaced as a whole.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from chained_logging.chain import GENESIS
from chained_logging.sinks import sync_directory

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
    """Whether that is no mere outage: a broken chain, or a destination with another history."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What the destination wants to be reminded of."""


def place_path(log: Path, destination: str) -> Path:
    """Return where the place of a destination is kept."""
    return log.with_name(f"{log.name}.ship-{sha256(destination.encode()).hexdigest()[:12]}")


def read_place(log: Path, destination: str) -> Place:
    """Return the place of a destination; a new one, if there is none.

    :raises OSError: if it cannot be read, or is none.
    """
    path = place_path(log, destination)
    try:
        with open(path, "rb") as file:
            place = Place(**json.loads(file.read(_MAX_PLACE)))
    except FileNotFoundError:
        return Place(destination)
    except (TypeError, ValueError) as error:
        raise OSError(f"{path} is no place of a shipper: {error}") from None
    return place


def read_places(log: Path) -> list[Place]:
    """Return the places of all destinations that a log was ever shipped to."""
    names = sorted(log.parent.glob(f"{log.name}.ship-" + "[0-9a-f]" * 12))
    return [Place(**json.loads(name.read_bytes()[:_MAX_PLACE])) for name in names]


def write_place(log: Path, place: Place) -> None:
    """Keep a place, on the disk.

    :raises OSError: if that fails; the old one is left then.
    """
    path = place_path(log, place.destination)
    draft = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(draft, flags, 0o600), "w") as file:
        json.dump(asdict(place), file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)
    sync_directory(path)


def lag(log: Path, place: Place, last_seq: int, first_waiting: float | None) -> dict[str, Any]:
    """Return what ``ship --status`` shows of a destination.

    :param last_seq: of the log.
    :param first_waiting: when the first entry was made that is not there yet.
    """
    seconds = 0.0 if first_waiting is None else max(0.0, time.time() - first_waiting)
    return {
        "destination": place.destination,
        "seq": place.seq,
        "lag_entries": max(0, last_seq - place.seq),
        "lag_seconds": round(seconds, 3),
        "delivered_at": place.delivered_at,
        "problem": place.problem,
        "alert": place.alert,
    }

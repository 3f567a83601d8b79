"""How far a log was delivered to one destination, kept beside the log: ``audit.jsonl.ship-<id>``.

The destination itself says what it holds, which makes delivery safe. This file says what it held
when we last looked. So we notice if the destination has lost something since, and a health check
can read the lag while the destination is down. A feed (:mod:`chained_logging.ship.feeds`) cannot
say what it holds: there, this file alone says where to go on. It is one JSON object, replaced as a
whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import NotALog
from chained_logging.files.durable import replace_file
from chained_logging.files.own import open_regular
from chained_logging.format.line import GENESIS

_SIZE_LIMIT: Final = 1 << 20


@dataclass
class Progress:
    """What one destination held of a log."""

    destination: str
    """Its URL without secrets."""
    seq: int = -1
    """The last entry; -1 if there was none."""
    hash: str = GENESIS
    checkpoints: int = 0
    """The mark from which reading the log's checkpoints continues."""
    delivered_at: float | None = None
    """When something last reached it, in seconds since 1970."""
    problem: str | None = None
    """Why delivery does not continue, if it does not."""
    alert: bool = False
    """Whether the problem is more than an outage: a broken chain, or another history."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What the destination is to be told later."""
    holds: dict[str, Any] = field(default_factory=dict)
    """What is known of the log's holds, for a destination that has its own."""


def progress_path(log: Path, destination: str) -> Path:
    """Return the file that keeps the progress to a destination."""
    return log.with_name(f"{log.name}.ship-{sha256(destination.encode()).hexdigest()[:12]}")


def read_progress(log: Path, destination: str) -> Progress:
    """Return the progress to a destination. Without a file, nothing was delivered.

    :raises OSError: if the file cannot be read.
    :raises NotALog: if it is malformed.
    """
    path = progress_path(log, destination)
    return _read(path) if path.exists() else Progress(destination)


def read_all_progress(log: Path) -> list[Progress]:
    """Return the progress to every destination that a log was ever shipped to.

    :raises: as :func:`read_progress`.
    """
    name = re.compile(re.escape(log.name) + r"\.ship-[0-9a-f]{12}")
    return [_read(path) for path in sorted(log.parent.iterdir()) if name.fullmatch(path.name)]


def _read(path: Path) -> Progress:
    try:
        with open_regular(path) as file:
            progress = Progress(**json.loads(file.read(_SIZE_LIMIT)))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotALog(f"{path} is not a shipper's record of progress: {error}") from None
    wrong = [name for name, kind in _KINDS.items() if not isinstance(getattr(progress, name), kind)]
    if wrong:
        raise NotALog(f"{path} is not a shipper's record of progress: see {', '.join(wrong)}")
    return progress


_KINDS: Final[Mapping[str, Any]] = {
    "destination": str,
    "seq": int,
    "hash": str,
    "checkpoints": int,
    "delivered_at": int | float | None,
    "problem": str | None,
    "alert": bool,
    "memory": dict,
    "holds": dict,
}


def write_progress(log: Path, progress: Progress) -> None:
    """Keep the progress to a destination, on the disk.

    :raises FAILURES: if that fails. The file is unchanged then.
    """
    data = json.dumps(asdict(progress)).encode()
    replace_file(progress_path(log, progress.destination), data)

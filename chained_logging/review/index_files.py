"""The file of an index: where it is, how it is opened, and how one replaces another.

An index belongs to its user alone: one that another user owns or can write to is not opened. It
lies beside the log, or in a cache folder where the log's folder cannot be written to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

from chained_logging.errors import ForeignFile
from chained_logging.files.durable import sync_directory
from chained_logging.files.own import open_own, require_own

_SIDES: Final = ("", "-journal", "-wal", "-shm")  # SQLite believes what is in these
_FAST: Final = (
    "journal_mode = OFF",
    "synchronous = OFF",
    "cache_size = -65536",
    "locking_mode = EXCLUSIVE",
)


def index_path(log: Path) -> Path | None:
    """Return where the index of a log is, or can be made; None if nowhere."""
    beside = log.with_name(f"{log.name}.index")
    return beside if _is_usable(beside) else cached_path(os.path.realpath(log))


def cached_path(name: str) -> Path | None:
    """Return where an index in the cache folder is, or can be made; None if nowhere.

    :param name: of the log: a path, or the name of a store and a log in it.
    """
    path = _in_cache(name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path if _is_usable(path) else None


def _in_cache(name: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    digest = sha256(os.fsencode(name)).hexdigest()[:32]
    return Path(home, "chained-logging", f"{digest}.index")


def _is_usable(path: Path) -> bool:
    try:
        found = [require_own(path.with_name(path.name + side)) for side in _SIDES]
    except (OSError, ForeignFile):
        return False
    return os.access(path.parent, os.W_OK | os.X_OK) and (
        not found[0] or os.access(path, os.R_OK | os.W_OK)
    )


def connect(path: Path | None) -> sqlite3.Connection:
    """Open an index.

    :param path: None makes one in memory, without tables.
    :raises sqlite3.Error: if it cannot be opened.
    """
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0
    )


def schema() -> tuple[list[str], list[str]]:
    """Return the statements that make an index: those before it is filled, and those after."""
    text = resources.files(__package__).joinpath("index.sql").read_text(encoding="utf-8")
    parts = [part.strip().rstrip(";") for part in text.split("\n\n")[1:]]
    statements = [part[part.index("CREATE ") :] for part in parts]
    return statements[:-2], statements[-2:]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a new index, which takes the place of another one once it is complete.

    :raises OSError: if it cannot be made.
    """
    # Containers that share a folder have the same few process ids.
    new = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    os.close(open_own(new, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    try:
        with contextlib.closing(connect(new)) as database:
            for setting in _FAST:
                database.execute(f"PRAGMA {setting}")
            yield database
        fd = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(new, path)
        for side in _SIDES[1:]:
            path.with_name(path.name + side).unlink(missing_ok=True)
        sync_directory(path)
    finally:
        new.unlink(missing_ok=True)

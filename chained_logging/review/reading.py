"""Reading a log is an entry in it: who read, what they asked for, how many entries, and why.

The entry is written before anything is shown. It is the log's own (``actor_id`` is
``chained_logging``), so nobody can append one through the logging of a program, and a reader needs
no key of a signed log. The person is in ``on_behalf_of``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import FAILURES, ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.files.own import why_foreign
from chained_logging.log import AuditLog
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import is_url, named

try:
    import pwd
except ImportError:  # Windows
    pwd = None  # type: ignore[assignment]  # tested for before each use

READ: Final = "audit_log.read"
"""The action of the entries that say who read the log."""
_NO_LOGIN: Final = 2**32 - 1  # what the kernel gives a process that no login began


class NotRecorded(ChainedLoggingError):
    """A reading could not be recorded. The message says why."""


@dataclass(frozen=True)
class Reader:
    """Who reads.

    :ivar name: the person.
    :ivar about: what else is known, for the entry's context.
    """

    name: str
    about: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_this_process(cls) -> Reader:
        """Return the user who logged in, and the user as whom the process runs.

        The names are the operating system's. An environment variable cannot change them.
        """
        user, login = _user_name(_uid()), _login()
        return cls(login or user, {"user": user, "host": socket.gethostname()})


@dataclass(frozen=True)
class Reading:
    """What is read.

    :ivar how: the command or the page, such as ``query``.
    :ivar wanted: which entries.
    :ivar entries: how many; None for all that there are.
    :ivar reason: why, in the reader's words.
    :ivar about: what else is to be said, for the entry's context.
    """

    how: str
    wanted: Filter = ANY
    entries: int | None = None
    reason: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """What has to hold before a log is read.

    :ivar reason: whether a reason must be given.
    :ivar recorded: whether nothing is shown that could not be recorded.
    :ivar elsewhere: the log that records the readings of copies, of central stores, and of logs
        that the reader cannot write to.
    """

    reason: bool = False
    recorded: bool = False
    elsewhere: str | None = None

    def check(self, reading: Reading) -> None:
        """Refuse a reading without a reason, where one must be given.

        :raises NotRecorded: in that case.
        """
        if self.reason and not (reading.reason or "").strip():
            raise NotRecorded("a reason must be given: this log's readings are reviewed")


def record(
    log: str, reading: Reading, reader: Reader, elsewhere: str | None = None
) -> tuple[Path, AuditEntry]:
    """Append the entry about a reading.

    :param log: the log that is read: a path, or the URL of a central store.
    :param elsewhere: as in :class:`Rules`.
    :returns: the log that has the entry, and the entry.
    :raises NotRecorded: if it cannot be written.
    """
    why = why_unwritable(log)
    into = elsewhere if why is not None else log
    if into is None:
        raise NotRecorded(why)
    try:
        with AuditLog(into, on_failure="raise", sign="follow") as opened:
            return opened.path, _append(opened, log, reading, reader)
    except (*FAILURES, ValueError) as error:
        raise NotRecorded(f"{into} cannot be written to: {error}") from error


def _append(opened: AuditLog, log: str, reading: Reading, reader: Reader) -> AuditEntry:
    context = {**reader.about, "how": reading.how, **reading.about}
    if opened.path != Path(os.path.realpath(log)):
        context["log"] = named(log) if is_url(log) else log
    if reading.wanted != ANY:
        context["filter"] = str(reading.wanted)
    entries = opened.last_seq + 1 if reading.entries is None else reading.entries
    return opened.note(
        READ, on_behalf_of=reader.name, reason=reading.reason, entries=entries, **context
    )


def why_unwritable(log: str) -> str | None:
    """Return why what people do with a log cannot become an entry of it; None if it can.

    A copy is not written to, which would make another history of it.
    """
    if is_url(log):
        return "a central store takes entries from the shipper alone"
    path = Path(os.path.realpath(log))
    lock = path.with_name(path.name + ".lock")
    if not lock.exists():
        return f"{log} is a copy: it has no lock file, so no program writes to it here"
    if not os.access(lock, os.W_OK) or not os.access(path, os.W_OK):
        return f"you may not write to {log}"
    foreign = why_foreign(os.lstat(path)) if hasattr(os, "geteuid") else None
    return None if foreign is None else f"{log} {foreign}"


# --- Who that is.


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else -1


def _login() -> str | None:
    """Return the user who logged in, before any sudo; None if no login began this process."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _NO_LOGIN else _user_name(uid)


def _user_name(uid: int) -> str:
    if pwd is None:
        return os.getlogin()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user may have no name
        return f"uid-{uid}"

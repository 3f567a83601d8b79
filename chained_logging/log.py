"""``AuditLog``: the one path by which entries are appended, its locks and its durability."""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import re
import threading
import uuid
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from chained_logging import chain
from chained_logging.entry import AuditEntry, AuditId, Draft, draft
from chained_logging.lock import FileLock
from chained_logging.sinks import EMPTY, Head, Notice, Record, open_sink

DURABILITIES: Final = ("os", "fsync")
POLICIES: Final = ("continue", "raise")
_OURSELVES: Final = {"actor_id": "chained_logging", "actor_type": "system"}
_MEMORY_LIMIT: Final = 10_000


class AuditWarning(UserWarning):
    """An audit event could not be written yet. It is kept, and chained once that works again."""


class AuditLog:
    """A log that entries are appended to: one chain for all threads and processes that share it.

    :param path: ``.jsonl`` or ``.ndjson`` for JSON Lines; ``.db``, ``.sqlite``
        or ``.sqlite3`` for SQLite. Made if it is not there, readable by its owner alone.
    :param durability: ``"os"``: a call returns when the entry is in the file, in
        the kernel's hands; a killed process loses nothing, a power failure at
        most `sync_interval`. ``"fsync"``: when it is on the disk.
    :param on_failure: what a failing disk does to the caller. ``"continue"``:
        nothing; the event is kept and chained later, and a warning tells.
        ``"raise"``: the call raises OSError, so that the action need not happen unaudited.
    :param strict: raise :class:`InvalidEntry` for an event with a missing or
        invalid field, and store nothing of it.
    :param origin: the log's name, such as ``example.com/audit/web``; for an
        existing log it must be the one it has. By default ``chained-logging/`` and a UUID.
    :param sync_interval: seconds between two syncs under ``"os"``.
    :raises OSError: if the log cannot be opened, or is not a log.
    :raises ValueError: for a parameter that is none of the above.

    >>> with AuditLog("audit.db") as log:
    ...     log.append("read", actor="user-1", resource="patient_record/456", ip="10.0.0.1")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Literal["os", "fsync"] = "os",
        on_failure: Literal["continue", "raise"] = "continue",
        strict: bool = False,
        origin: str | None = None,
        sync_interval: float = 1.0,
    ) -> None:
        if durability not in DURABILITIES:
            raise ValueError(f"durability is 'os' or 'fsync', not {durability!r}")
        if on_failure not in POLICIES:
            raise ValueError(f"on_failure is 'continue' or 'raise', not {on_failure!r}")
        if sync_interval <= 0:
            raise ValueError("sync_interval is a number of seconds above 0")
        if origin is not None and not _ORIGIN.fullmatch(origin):
            raise ValueError("origin is a name without spaces, plus signs or control characters")
        # One path, however it was spelled: links in it would lead to a second lock file.
        self.path: Final = Path(os.path.realpath(path))
        self.durability: Final = durability
        self.on_failure: Final = on_failure
        self.strict: Final = strict
        self._sync_interval = sync_interval
        self._sink = open_sink(self.path)
        self._file_lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._counts = {"appended": 0, "incomplete": 0, "failed": 0, "syncs": 0}
        self._last_error: str | None = None
        self._waiting: list[Draft] = []  # what could not be written yet
        self._closed = False
        self._fresh_locks()
        self.origin: Final = self._open(origin)
        _open_logs.add(self)

    def _fresh_locks(self) -> None:
        """Make the locks anew: at the start, and in a forked child, where no thread holds them."""
        # Reentrant, as a signal handler may log in the middle of an append of its own thread.
        self._lock = threading.RLock()
        self._writing = False
        self._syncing = threading.Condition(threading.Lock())
        self._sync_running = False
        self._written = self._synced = 0
        self._syncer: threading.Thread | None = None
        self._stop = threading.Event()

    # --- Appending.

    def append(self, action: str, **fields: Any) -> AuditEntry:
        """Append one entry, and return it.

        :param fields: the fields by name or alias; anything else goes to ``context``.
        :raises InvalidEntry: if the log is strict and a field is missing or not valid.
        :raises OSError: if it cannot be written, with ``on_failure="raise"``.
            Otherwise the entry returned has no ``seq`` and no ``hash`` yet.
        """
        return self.append_many([{"action": action, **fields}])[0]

    def append_many(self, events: Iterable[Mapping[str, Any]]) -> list[AuditEntry]:
        """Append several entries that follow one another, all or none, in one write.

        :param events: fields by name or alias, as :meth:`append` takes them.
        :raises: as :meth:`append`.
        """
        drafts = [draft(event, strict=self.strict) for event in events]
        if not drafts:
            return []
        try:
            records = self._store(drafts)
        except OSError as error:
            if self.on_failure == "raise":
                raise
            warnings.warn(f"audit log: {error}", AuditWarning, stacklevel=3)
            return [AuditEntry(entry.body(0, chain.GENESIS), None) for entry in drafts]
        return [AuditEntry(body, hash, signature) for _, body, hash, signature in records]

    def record(
        self, event: Mapping[str, Any], *, action: object = None, result: str = "success"
    ) -> AuditId:
        """Append one entry for a capture (a handler, a processor) and return its id.

        :raises OSError: if it could not be written. With ``on_failure="continue"``
            the event is kept all the same, and it is for the capture to say so
            without breaking the caller.
        """
        entry = draft(event, action=action, result=result, strict=self.strict)
        self._store((entry,))
        return entry.id

    def _store(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries and write them: the one place where the chain grows."""
        with self._lock:
            if self._closed:
                raise ValueError(f"the audit log {self.path} is closed")
            if self._writing:  # a signal handler or a finaliser, in the middle of our own append
                self._waiting += drafts
                return []
            self._writing = True
            try:
                self._file_lock.acquire()
                try:
                    if self._waiting:
                        self._write_waiting()
                    records = self._write(drafts)
                finally:
                    self._file_lock.release()
            except OSError as error:
                self._failed(error, drafts)
                raise
            finally:
                self._writing = False
            self._written = ticket = self._written + 1
            if self._syncer is None and self.durability == "os":
                self._start_syncer()
        if self.durability == "fsync":
            self._sync_to(ticket)
        return records

    def _write(self, drafts: Sequence[Draft]) -> list[Record]:
        """Under both locks: give each draft its place, and hand all to the sink."""
        # The last hash is read here, after the lock was taken, or two writers would fork the chain.
        seq, prev = self._sink.head()
        if self._sink.notices:
            notices = self._take_notices()
            drafts = [*notices, *drafts]
        records = []
        for entry in drafts:
            seq += 1
            body = entry.body(seq, prev)
            prev = chain.leaf_hash(body)
            records.append(Record(seq, body, prev))
            if entry.incomplete:
                self._counts["incomplete"] += 1
        self._sink.write(records)
        self._file_lock.remember(Head(seq, prev))
        self._counts["appended"] += len(records)
        return records

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._write(waiting)
        except BaseException:
            self._waiting = waiting + self._waiting
            raise

    def _failed(self, error: OSError, drafts: Sequence[Draft]) -> None:
        self._counts["failed"] += len(drafts)
        self._last_error = str(error)
        if self.on_failure == "continue":
            self._waiting += drafts
            del self._waiting[_MEMORY_LIMIT:]

    def _take_notices(self) -> list[Draft]:
        notices, self._sink.notices = self._sink.notices, []
        return [self._own_entry(notice) for notice in notices]

    def _own_entry(self, notice: Notice) -> Draft:
        origin = getattr(self, "origin", None) or notice.context["origin"]
        event = {**_OURSELVES, "resource": ("audit_log", origin), "context": notice.context}
        return draft(event, action=notice.action)

    # --- Opening and closing.

    def _open(self, origin: str | None) -> str:
        """Read where the chain stands, or write the genesis entry. Returns the origin."""
        self._file_lock.acquire()
        try:
            memory = self._file_lock.recall()
            head = self._sink.head()
            found = memory.origin if memory else self._origin_in_log() if head != EMPTY else None
            if found is not None and origin is not None and origin != found:
                raise ValueError(f"the log {self.path} has the origin {found!r}, not {origin!r}")
            name = found or origin or f"chained-logging/{uuid.uuid4()}"
            if memory is not None and head.seq < memory.head.seq:
                head = self._shorter_than_remembered(memory.head, memory.boot, head)
            if head == EMPTY:
                about = {"origin": name, "format": 1, "software": _software()}
                head = self._write_own(Notice("log.open", about), name, head)
            self._file_lock.introduce(head, name)
            return name
        except BaseException:
            self._sink.close()
            raise
        finally:
            self._file_lock.release()

    def _shorter_than_remembered(self, remembered: Head, boot: str, found: Head) -> Head:
        if boot != self._file_lock.boot and found != EMPTY:
            cause = f"the machine was restarted, and the entries after {found.seq} were not on disk"
            head = found
        else:
            cause = f"entry {remembered.seq} had been written, and the file ends at {found.seq}"
            head = remembered  # a gap in seq stays as evidence, and no place is given twice
        self._sink.resume(head)
        self._sink.notices.append(
            Notice("log.recover", {"cause": cause, "lost": remembered.seq - found.seq})
        )
        return head

    def _write_own(self, notice: Notice, origin: str, head: Head) -> Head:
        entry = self._own_entry(Notice(notice.action, {**notice.context, "origin": origin}))
        body = entry.body(head.seq + 1, head.hash)
        record = Record(head.seq + 1, body, chain.leaf_hash(body))
        self._sink.write([record])
        self._sink.sync()
        return Head(record.seq, record.hash)

    def _origin_in_log(self) -> str:
        first = next(iter(self._sink.records()), None)
        if first is not None and first.seq == 0:
            return str(AuditEntry(first.body, first.hash).resource_id)
        return f"chained-logging/{uuid.uuid4()}"

    def entries(self, start: int = 0) -> Iterator[AuditEntry]:
        """Read the stored entries from `start` on, in order. Nothing is verified here."""
        for _, body, hash, signature in self._sink.records(start):
            yield AuditEntry(body, hash, signature)

    def stats(self) -> dict[str, Any]:
        """Return counters since this log was opened, for a health endpoint.

        ``appended``, ``incomplete``, ``failed``, ``syncs``, ``waiting`` (events
        kept until the sink works again), ``last_error`` (a sentence, or None).
        """
        return {**self._counts, "waiting": len(self._waiting), "last_error": self._last_error}

    def flush(self) -> None:
        """Bring everything written so far onto the disk.

        :raises OSError: if the disk refuses.
        """
        self._sync_to(self._written)

    def close(self) -> None:
        """Sync and close. Closing twice does nothing."""
        with self._lock:
            if self._closed:
                return
            if self._waiting:
                try:
                    self._store(())
                except OSError as error:
                    text = f"audit log: {len(self._waiting)} events were never written: {error}"
                    warnings.warn(text, AuditWarning, stacklevel=2)
            self._closed = True
        self._stop.set()
        if self._syncer is not None and self._syncer is not threading.current_thread():
            self._syncer.join()
        try:
            if self._written > self._synced:
                self._sync_to(self._written)
        finally:
            self._sink.close()
            self._file_lock.close()

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditLog {str(self.path)!r} {self.durability}>"

    # --- Durability.

    def _sync_to(self, ticket: int) -> None:
        """Return once everything up to `ticket` is on the disk. Callers that wait share one sync.

        Whoever finds no sync under way makes the next one, for all that was
        written until it starts; the others wait for it.
        """
        with self._syncing:
            while self._synced < ticket and self._sync_running:
                self._syncing.wait()
            if self._synced >= ticket:
                return
            self._sync_running = True
        reached = self._written
        try:
            self._sink.sync()
        except OSError as error:
            self._last_error = str(error)
            raise
        else:
            self._synced = reached
            self._counts["syncs"] += 1
        finally:
            with self._syncing:
                self._sync_running = False
                self._syncing.notify_all()

    def _start_syncer(self) -> None:
        self._syncer = threading.Thread(
            target=_sync_regularly,
            args=(weakref.ref(self), self._stop, self._sync_interval),
            name="chained_logging sync",
            daemon=True,
        )
        try:
            self._syncer.start()
        except RuntimeError:  # the interpreter is shutting down: close() syncs
            self._syncer = None

    def _forked(self) -> None:
        """In a forked child: new locks, new files. The parent's threads and locks are not here."""
        self._fresh_locks()
        self._sink.forked()
        self._file_lock.close()
        self._waiting = []  # the parent has them, and writes them


def _sync_regularly(
    reference: weakref.ref[AuditLog], stop: threading.Event, interval: float
) -> None:
    while not stop.wait(interval):
        log = reference()
        if log is None:
            return
        try:
            if log._written > log._synced:
                log._sync_to(log._written)
        except OSError:
            pass  # kept in last_error; the next round tries again
        del log


def _software() -> str:
    return f"chained_logging {importlib.metadata.version('chained_logging')}"


# What a C2SP signed note allows as a name: no spaces, no plus sign.
_ORIGIN = re.compile(r"[^\s+\x00-\x1f\x7f]{1,1024}")

_open_logs: weakref.WeakSet[AuditLog] = weakref.WeakSet()


def _fork_all() -> None:
    for log in list(_open_logs):
        log._forked()


def _close_all() -> None:
    for log in list(_open_logs):
        log.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork_all)
atexit.register(_close_all)

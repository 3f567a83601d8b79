"""``AuditLog``: the one path by which entries are appended, its locks and its durability."""

from __future__ import annotations

import atexit
import base64
import contextlib
import errno
import gc
import logging
import os
import re
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from chained_logging.diagnostics import AuditWarning, count_unheard, report, warn
from chained_logging.event.context import current
from chained_logging.event.draft import Draft, draft
from chained_logging.event.entry import AuditEntry, AuditId
from chained_logging.event.fields import OURSELVES, set_apart
from chained_logging.event.resources import resource_names
from chained_logging.files.lock import PATIENCE, UNKNOWN_BOOT, Busy, FileLock, Memory
from chained_logging.files.own import ForeignFile
from chained_logging.format.line import GENESIS, leaf_hash, position
from chained_logging.format.record import EMPTY, NO_CHECKPOINT, Head, Record, StoredCheckpoint
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.keys.keyring import KeyForged, Keyring, KeyRotated
from chained_logging.keys.statements import entry_message, statement_message, verifier_key
from chained_logging.log.group_commit import GroupCommit, SyncGate
from chained_logging.log.spill import Spill, spills_of
from chained_logging.log.ways import names_key, signs_each
from chained_logging.log.writers import CHECKPOINT, EACH, NO_KEY, SignsOtherwise, Writers
from chained_logging.redact import Redactor
from chained_logging.sinks import Notice, open_sink
from chained_logging.sinks.checkpoints import make, pretends, signed_by_any, tree_at
from chained_logging.sinks.checkpoints import sign as sign_checkpoint

if TYPE_CHECKING:
    from chained_logging.keys import PrivateKey
    from chained_logging.ship.shipper import Shipper

__all__ = ["AuditLog", "AuditWarning", "LogClosed"]

DURABILITIES: Final = ("os", "fsync")
POLICIES: Final = ("continue", "raise")
SIGNING: Final = ("checkpoint", "each", "follow")
_OURSELVES: Final = {"actor_id": OURSELVES, "actor_type": "system"}
_BATCH: Final = 100
_MEMORY_LIMIT: Final = 10_000
_OPENING_PATIENCE: Final = 30.0  # seconds that one may wait who opens a log, or signs it
_LOOP_PATIENCE: Final = 0.05
_FRESH_LIMIT: Final = 200_000  # 23 MB
_REDACTOR: Final = Redactor()
_logger = logging.getLogger("chained_logging")


class LogClosed(OSError, ValueError):
    """An append was attempted after the log was closed."""


class AuditLog:
    """A log that entries are appended to: one chain for all threads and processes that share it.

    :param path: ``.jsonl`` or ``.ndjson`` for JSON Lines; ``.db``, ``.sqlite``
        or ``.sqlite3`` for SQLite. A missing file is created, readable by its owner alone.
    :param durability: with ``"os"`` a call returns once the kernel has the entry: a killed process
        loses nothing, and a power failure at most the last `sync_interval`. With ``"fsync"`` it
        returns once the entry is on the disk.
    :param on_failure: what a caller sees when the disk fails. ``"continue"``: nothing; the event
        is kept and chained later, and a warning reports it. ``"raise"``: the call raises OSError,
        so the program can refuse to act unaudited.
    :param strict: raise :class:`InvalidEntry` for an event with a missing or
        invalid field, and do not store it.
    :param origin: the log's name, such as ``example.com/audit/web``; for an existing log it must
        be the log's own. The default for a new log is ``chained-logging/`` and a UUID.
    :param sync_interval: seconds between two syncs under ``"os"``.
    :param max_bytes: the size at which a JSON Lines log is sealed as a segment and continues
        in a new file.
    :param max_age: the age of the first entry, in seconds, at which the log is sealed likewise.
    :param spill: the file for events that the log cannot take yet. The default is ``.spill``
        after the log's name; if that disk is full too, a folder that only this user can access,
        in ``/var/tmp``, the temporary folder or ``/dev/shm``.
    :param timeout: seconds that a call waits while others hold the log, such as a program with an
        open write transaction on the database; at most 0.05 on the thread of a running event
        loop. After that the event is kept, and chained once the log is free; later calls do not
        wait until one of them succeeds.
    :param key: signs checkpoints: a :class:`chained_logging.keys.PrivateKey`, or any object with
        ``public_key`` and ``sign``, such as an HSM client. Or the path of a key file, which is
        read again when another process has rotated the key; its passphrase, if it has one, is
        taken from the environment variable ``CHAINED_LOGGING_PASSPHRASE``.
    :param sign: ``"checkpoint"`` signs checkpoints alone; ``"each"`` signs every entry too. All
        writers of a log must sign the same way. ``"follow"`` is for tools that open somebody
        else's log: it signs as the log does. Without a key it opens a signed log too, but can
        only write the log's entries about itself.
    :param checkpoint_every: entries after which a checkpoint is due; it is made within one
        `sync_interval`. Every sealed segment gets a checkpoint too.
    :param checkpoint_interval: seconds after which a checkpoint is due, if there are new entries.
    :param heartbeat: seconds of silence after which the log writes an entry of its own, so that
        a cut tail shows as a gap: ``verify --max-gap``.
    :param ship: where a thread of this process ships all entries: ``postgresql://…`` or
        ``s3://…`` (:class:`chained_logging.ship.shipper.Shipper`). If several processes share a
        log, one of them ships.
    :param redact: removes secrets from each event before anything else happens to it. The default
        is a :class:`chained_logging.redact.Redactor`; pass your own, or any callable that takes
        the event and returns what to store of it. None turns redaction off.
    :param resources: maps other names of a ``resource_type`` to its name in the log, so that a
        record has one name whether a request, a recorder or a line of code names it:
        ``{"patients": "patient_record", "clinic.patient": "patient_record"}``.
        (It also applies to the types in the ``resources`` of an event.)
    :raises OSError: if the log cannot be opened, or is not a log.
    :raises ValueError: if the key is not the log's, if the log has a key and none is given, if
        the log is signed another way, or if a parameter has an invalid value.

    >>> with AuditLog("audit.db") as log:
    ...     log.append("read", actor="user-1", resource="patient_record/456", ip="10.0.0.1")
    """

    _closed = True  # until it is open
    _resting = False  # closed for now: the next event opens it again

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Literal["os", "fsync"] = "os",
        on_failure: Literal["continue", "raise"] = "continue",
        strict: bool = False,
        origin: str | None = None,
        sync_interval: float = 1.0,
        max_bytes: int | None = None,
        max_age: float | None = None,
        spill: str | os.PathLike[str] | None = None,
        timeout: float = 1.0,
        key: Signer | str | os.PathLike[str] | None = None,
        sign: Literal["checkpoint", "each", "follow"] = "checkpoint",
        checkpoint_every: int = 10_000,
        checkpoint_interval: float = 10.0,
        heartbeat: float | None = None,
        ship: str | Sequence[str] = (),
        redact: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = _REDACTOR,
        resources: Mapping[str, str] | None = None,
    ) -> None:
        if durability not in DURABILITIES:
            raise ValueError(f"durability must be 'os' or 'fsync', not {durability!r}")
        if on_failure not in POLICIES:
            raise ValueError(f"on_failure must be 'continue' or 'raise', not {on_failure!r}")
        if sync_interval <= 0:
            raise ValueError("sync_interval must be a number of seconds above 0")
        if max_bytes is not None and max_bytes <= 0:
            raise ValueError("max_bytes must be a number of bytes above 0")
        if max_age is not None and max_age <= 0:
            raise ValueError("max_age must be a number of seconds above 0")
        if timeout < 0:
            raise ValueError("timeout must be a number of seconds, 0 or more")
        if sign not in SIGNING:
            raise ValueError(f"sign must be 'checkpoint', 'each' or 'follow', not {sign!r}")
        if sign == "each" and key is None:
            raise ValueError("sign='each' needs a key: AuditLog(..., key=...)")
        if checkpoint_every <= 0 or checkpoint_interval <= 0:
            raise ValueError("checkpoint_every and checkpoint_interval must be above 0")
        if heartbeat is not None and heartbeat <= 0:
            raise ValueError("heartbeat must be a number of seconds above 0")
        if origin is not None and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "origin must be 1 to 1,024 characters, without spaces, plus signs or control "
                "characters"
            )
        # One path, however it was spelled: links in it would lead to a second lock file.
        self.path: Final = Path(os.path.realpath(path))
        self.durability: Final = durability
        self.on_failure: Final = on_failure
        self.strict: Final = strict
        self._sync_interval = sync_interval
        self._sink = open_sink(self.path, max_bytes=max_bytes, max_age=max_age)
        self._file_lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._writers = Writers(self.path)
        self._look_around = False  # whether it is time to see that the writers agree
        self._outvoted: str | None = None  # why this one may write no more, until it is reopened
        self._spills = [Spill(Path(os.path.abspath(spill)))] if spill else spills_of(self.path)
        self._timeout = timeout
        self._key_file = Path(os.path.abspath(key)) if isinstance(key, str | os.PathLike) else None
        self._key: Signer | None = _load_key(key) if isinstance(key, str | os.PathLike) else key
        self._sign: Final = sign
        self._sign_each = sign == "each"
        self._keyring = Keyring("")
        self._newest: StoredCheckpoint | None = None  # made here, or found to be of our key
        self._told = ""
        self._mute = False  # without the key of a log in which each entry is signed
        self._checkpoint_every = checkpoint_every
        self._checkpoint_interval = checkpoint_interval
        self._heartbeat = heartbeat
        self._ship_to = [ship] if isinstance(ship, str) else list(ship)
        self._shipper: Shipper | None = None
        self.redact: Final = redact
        self.resources: Final = resource_names(resources or {})
        self._last_error: str | None = None
        self._released = False
        self._start_afresh()
        self.origin: Final = self._open_first(origin)
        self._closed = False
        if heartbeat is not None or self._ship_to:  # otherwise with the first entry
            self._start_keeper()
        _open_logs.add(self)

    def _start_afresh(self) -> None:
        """Create what a forked child must not share with its parent; it has no threads yet."""
        self._pid = os.getpid()
        self._counts = {"appended": 0, "incomplete": 0, "failed": 0, "spilled": 0, "syncs": 0}
        # Reentrant, as a signal handler may log in the middle of an append of its own thread.
        self._lock = threading.RLock()
        self._writing = 0  # the id of the thread that is writing, or 0
        self._deferred: list[Draft] = []  # what such a handler logged, if no spill file took it
        self._hasty = False  # what is in the spill file is as safe as what is in the log
        self._stalled = False  # somebody held the log for longer than we may wait
        self._trouble = False  # the program was told that events are kept
        self._dropped_told = 0
        self._waiting: list[Draft] = []  # what neither the log nor the spill file could take
        self._behind = True  # whether something may wait in the spill file
        self._written = 0  # counts appends; a caller waits until its own is synced
        self._gate = SyncGate(self._sync_once)
        self._group: GroupCommit[Sequence[Draft], list[Record]]
        if self.durability == "fsync":
            self._group = GroupCommit(self._commit, gather=True)
        else:
            self._group = GroupCommit(self._commit, entered=self._lock)
        # The log's last entry when we last looked, and since when it was the last; then the size
        # of the last checkpoint, and when it was made.
        self._quiet = (-1, time.monotonic())
        self._signed = (0, time.monotonic())
        # The hashes of the last entries, if all were written here, and the seq of the first: with
        # them a checkpoint takes 1 µs an entry, and 6 if it reads them.
        self._fresh: tuple[int, list[str]] = (-1, [])
        self._signing = threading.RLock()
        self._keyring.lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._stop = threading.Event()

    # --- Appending.

    def append(self, action: str, **fields: Any) -> AuditEntry:
        """Append one entry and return it. If the event fills several, return the first.

        :param fields: the fields by name or alias; anything else goes to ``context``. Fields of
            :func:`chained_logging.context` are added; those given here win.
        :raises InvalidEntry: if the log is strict and a field is missing or not valid.
        :raises OSError: if it cannot be written, with ``on_failure="raise"``.
            Otherwise the entry returned has no ``seq`` and no ``hash`` yet.
        """
        given = current()
        entry = draft(
            set_apart({**given, **fields} if given else fields),
            action=action,
            strict=self.strict,
            redact=self.redact,
            resources=self.resources,
        )
        return self._append([entry, *entry.rest])[0]

    def append_many(self, events: Iterable[Mapping[str, Any]]) -> list[AuditEntry]:
        """Append several consecutive entries in one write, all or none.

        (A crash during that write may leave the first few, but no caller was told that they
        were stored.)

        :param events: fields by name or alias. They may come from elsewhere, so
            :func:`chained_logging.context` adds nothing to them.
        :returns: one entry for each event; the first, if the event fills several.
        :raises: as :meth:`append`.
        """
        strict, redact, names = self.strict, self.redact, self.resources
        drafts = [
            draft(set_apart(event), strict=strict, redact=redact, resources=names)
            for event in events
        ]
        parts = [part for entry in drafts for part in (entry, *entry.rest)]
        firsts = [first for entry in drafts for first in (True, *(False for _ in entry.rest))]
        return list(compress(self._append(parts), firsts))

    def _append(self, drafts: list[Draft]) -> list[AuditEntry]:
        if not drafts:
            return []
        try:
            records = self._store(drafts)
        except LogClosed:
            raise
        except OSError as error:
            if self.on_failure == "raise":
                raise
            self._say_kept(error, stacklevel=4)
            records = []
        else:
            if self._trouble or _exiting:
                self._after_a_call()
        if not records:  # they wait: see _store
            return [AuditEntry(entry.body(0, GENESIS), None) for entry in drafts]
        return [AuditEntry(body, hash, signature) for _, body, hash, signature in records]

    def record(
        self, event: Mapping[str, Any], *, action: object = None, result: str = "success"
    ) -> AuditId:
        """Append one entry for a capture (a handler, a processor) and return its id.

        :raises InvalidEntry: if the log is strict and a field is missing or not valid.
        :raises LogClosed: if somebody closed the log.
        :raises OSError: if it could not be written, with ``on_failure="raise"``. Otherwise the
            event is kept, and the program is told.
        """
        entry = draft(
            event,
            action=action,
            result=result,
            strict=self.strict,
            redact=self.redact,
            resources=self.resources,
            captured=True,
        )
        try:
            self._store((entry, *entry.rest))
        except LogClosed:
            raise
        except OSError as error:
            if self.on_failure == "raise":
                raise
            self._say_kept(error, stacklevel=4)
        else:
            if self._trouble or _exiting:
                self._after_a_call()
        return AuditId(entry.id, (self.path,))

    def _after_a_call(self) -> None:
        """Do what is seldom due after a call that went well."""
        if self._trouble and not (self._waiting or self._behind):
            self._trouble = False
            report(logging.INFO, f"audit log {self.path}: it works again, and has what was kept")
        self._rest_at_exit()

    def _say_kept(self, error: OSError, stacklevel: int) -> None:
        """Tell the program that an event was kept: each time, but where people look only once."""
        warn(f"audit log: {error}", stacklevel)
        dropped = self._counts.get("dropped", 0)
        if not self._trouble:
            self._trouble = True
            where = "in memory" if self._waiting else "on the disk"
            text = f"{error}; events are kept {where}, and chained once that works again"
            level = logging.ERROR if self._waiting else logging.WARNING
            report(level, f"audit log {self.path}: {text}")
        if dropped >= max(1, 10 * self._dropped_told):
            self._dropped_told = dropped
            lost = f"{dropped} events were lost, as neither disk nor memory takes more: {error}"
            report(logging.ERROR, f"audit log {self.path}: {lost}")
        self._rest_at_exit()

    def _rest_at_exit(self) -> None:
        """Close what an exit function has opened again: nobody does after this."""
        if _exiting and not self._closed:
            with contextlib.suppress(Exception):  # of a Python that is half gone
                self.rest()

    def _store(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries and write them, with the durability that was promised.

        Returns their records, or none where this is a signal handler (or a finaliser) that
        Python runs in the middle of this thread's own append: that one stores them at its end.
        """
        if os.getpid() != self._pid:  # forked by C code, such as uWSGI's, that told nobody
            self._forked()
        try:
            return self._store_now(drafts)
        except Busy as busy:
            return self._store_later(drafts, busy)

    def _store_later(self, drafts: Sequence[Draft], busy: Busy) -> list[Record]:
        """Wait, holding no lock, until the log is free; keep the events if that takes too long."""
        deadline = time.monotonic() + (0 if self._stalled else self._patience())
        pause = 0.001
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(2 * pause, PATIENCE)
            try:
                return self._store_now(drafts)
            except Busy as again:
                busy = again
        with self._lock:
            self._set_patience(stalled=True)
            self._keep(busy, drafts)
        raise busy

    def _patience(self) -> float:
        """Return how many seconds this thread may wait."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:
            return min(self._timeout, _LOOP_PATIENCE)
        return self._timeout

    def _set_patience(self, *, stalled: bool) -> None:
        self._stalled = stalled
        self._file_lock.patience = self._sink.patience = 0 if stalled else PATIENCE

    def _store_now(self, drafts: Sequence[Draft]) -> list[Record]:
        synced, writing = self.durability == "fsync", self._writing
        # The fast path. Not while a group has a leader, even if the log's lock is free: taking it
        # from a leader that is about to wake would make two threads wait for each other.
        if not synced and not writing and self._group.leader is None:
            return self._write_out(drafts)
        me = threading.get_ident()
        if me == writing or me == threading.main_thread().ident:
            return self._write_through(drafts) if synced else self._write_out(drafts)
        return self._group.submit(drafts)

    def _commit(self, calls: Sequence[Sequence[Draft]]) -> list[list[Record] | BaseException]:
        """Store for several threads in one write; return what each one gets or must raise."""
        write = self._write_through if self.durability == "fsync" else self._write_out
        since = self._seq + 1
        try:
            records = iter(write([entry for drafts in calls for entry in drafts]))
            return [list(islice(records, len(drafts))) for drafts in calls]
        except OSError as error:
            return [error] * len(calls)
        except BaseException as error:
            # A signer failed for one of them, or this thread was interrupted, which concerns only
            # its own call, the first. So store each by itself, unless it is in the log already.
            if len(calls) == 1:
                return [error]
            outcomes: list[list[Record] | BaseException] = []
            if not isinstance(error, Exception):
                outcomes.append(error)
            return outcomes + [self._commit_again(c, since) for c in calls[len(outcomes) :]]

    def _commit_again(self, drafts: Sequence[Draft], since: int) -> list[Record] | BaseException:
        """Store what a write that was interrupted may have stored already, after `since`."""
        ids = {entry.id for entry in drafts}
        try:
            stored = self._sink.records(since)
            found = [r for r in stored if AuditEntry(r.body, r.hash).id in ids]
            if not found:
                return self._commit([drafts])[0]
            if self.durability == "fsync":
                self._sink.sync()
            return found
        except OSError as error:
            return error

    def _write_through(self, drafts: Sequence[Draft]) -> list[Record]:
        records = self._write_out(drafts)
        self._gate.wait(self._written)
        return records

    def _write_out(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries and hand them to the kernel. The chain grows nowhere else."""
        with self._lock:
            if self._closed:
                self._wake(drafts)
            if self._writing:
                self._defer(drafts)
                return []
            # Even if this write fails, as the thread retries it. But not at exit: a thread that is
            # started then may never run, and start() would wait for it.
            if self._keeper is None and not _exiting:
                self._start_keeper()
            self._writing = threading.get_ident()
            try:
                records = self._write_locked(drafts)
                if self._deferred or self._behind:  # logged in the middle of this
                    self._write_all_deferred()
            except BaseException:  # perhaps from a signal handler that logged in the middle
                if self._deferred or self._behind:
                    with contextlib.suppress(OSError):
                        self._write_deferred()
                raise
            finally:
                self._writing = 0
            if records:
                self._seq = records[-1].seq
            self._written += 1
        return records

    def _defer(self, drafts: Sequence[Draft]) -> None:
        """Keep what a signal handler logs in the middle of an append: it may end the process."""
        synced, behind = self.durability == "fsync", self._behind
        try:
            self._spills[0].add(drafts, sync=synced, patience=0)
        except OSError:
            self._deferred += drafts
        else:
            self._hasty = not (synced or behind)
            self._behind = True

    def _write_all_deferred(self) -> None:
        with contextlib.suppress(OSError):  # no caller waits for these; they are kept for later
            while self._deferred or self._behind:
                self._write_deferred()

    def _write_deferred(self) -> None:
        waiting = len(self._deferred)  # they are removed once their fate is known
        try:
            self._write_locked(self._deferred[:waiting])
        except Busy:
            raise
        except OSError:  # they are kept
            del self._deferred[:waiting]
            raise
        del self._deferred[:waiting]

    def _write_locked(self, drafts: Sequence[Draft]) -> list[Record]:
        """Under the lock that processes share: read the chain's end, and append to it."""
        lock = self._file_lock
        try:
            lock.acquire()
            # The last hash is read here, after the lock was taken, or two writers would fork
            # the chain.
            head = self._sink.head()
            if self._look_around:
                self._see_that_writers_agree(head)
            if self._sign == "follow" and any(d.fields["actor_id"] != OURSELVES for d in drafts):
                self._write_as_others_do(head)
            if (self._behind or self._waiting) and not self._mute:
                head = self._write_waiting(head)
            if self._sink.notices:
                head = self._write_notices(head)
            records = self._write(drafts, head)
            if records:
                lock.note(records[-1].seq, records[-1].hash)
            if self._stalled:
                self._set_patience(stalled=False)
            return records
        except Busy:  # for the caller to wait, or to keep them
            raise
        except OSError as error:
            self._keep(error, drafts)
            raise
        finally:
            lock.release()

    def _write(self, drafts: Sequence[Draft], head: Head) -> list[Record]:
        """Give each draft its ``seq`` and previous hash, and hand all of them to the sink."""
        if self._sign_each and head.seq > self._seq:
            self._follow_others(head)
        seq, prev = head
        records = []
        incomplete = 0
        for entry in drafts:
            seq += 1
            body = entry.body(seq, prev)
            prev = leaf_hash(body)
            signature = self._signature(prev) if self._sign_each else None
            records.append(Record._make((seq, body, prev, signature)))  # half of Record(…)
            incomplete += entry.incomplete
        if records:
            self._sink.write(records)
            if self._key is not None:
                self._remember(records)
            self._counts["appended"] += len(records)
            self._counts["incomplete"] += incomplete
        return records

    def _remember(self, records: Sequence[Record]) -> None:
        """Keep the hashes for the next checkpoint."""
        start, hashes = self._fresh
        first, _, hash, _ = records[0]
        self._keyring.wrote(first, len(records))
        if start + len(hashes) != first or len(hashes) > _FRESH_LIMIT:
            self._fresh = start, hashes = first, []
        if len(records) == 1:
            hashes.append(hash)
        else:
            hashes += [record.hash for record in records]

    def _write_notices(self, head: Head) -> Head:
        """Record what the sink came across, such as a torn line."""
        memory = self._file_lock.recall()
        if memory is not None and memory.head.seq > head.seq:
            # The file was cut or moved away, with entries of others that we never saw: continue
            # after those.
            head = memory.head
            self._sink.resume(head)
        notices = list(self._sink.notices)
        records = self._write([self._own_entry(notice) for notice in notices], head)
        self._counts["appended"] -= len(records)  # ours, and not the caller's
        del self._sink.notices[: len(notices)]
        return Head(records[-1].seq, records[-1].hash)

    def _write_waiting(self, head: Head) -> Head:
        """Chain what could not be written before: from the spill file, then from memory."""
        self._behind = False  # until a signal handler logs in the middle of this
        try:
            for spill in self._spills:
                if spill.exists():
                    with spill.held():
                        head = self._write_spilled(spill, head)
        except BaseException:
            self._behind = True
            raise
        while self._waiting:
            batch = self._waiting[:_BATCH]
            head = self._write_batches(batch, head)
            del self._waiting[: len(batch)]
        return head

    def _write_spilled(self, spill: Spill, head: Head) -> Head:
        start, done = spill.start(), dict[str, Record]()
        sync = not self._hasty
        if start is None or head.seq + 1 < start:
            spill.mark(head.seq + 1, sync=sync)
        else:  # a process died halfway through this: do not chain its entries twice
            done = {AuditEntry(r.body, r.hash).id: r for r in self.records(start)}
        batch: list[Draft] = []
        strange = False
        for item in spill.read():
            if isinstance(item, bytes):
                strange = True
            elif isinstance(item, Draft) and not _is_there(item, done):
                batch.append(item)
                if len(batch) == _BATCH:
                    head = self._write_batches(batch, head)
                    batch.clear()
        head = self._write_batches(batch, head)
        if strange:
            about = {"cause": "lines of the spill file that are no events"}
            about["kept_in"] = spill.set_aside()
            self._sink.notices.append(Notice("log.recover", about))
        if sync:
            self._sink.sync()
        spill.remove(sync=sync)
        return head

    def _spill_refused(self) -> str | None:
        """Return why an existing spill file is not used; None if there is no such file."""
        return next((spill.refused for spill in self._spills if spill.refused), None)

    def _write_batches(self, drafts: Sequence[Draft], head: Head) -> Head:
        for start in range(0, len(drafts), _BATCH):
            *_, last = self._write(drafts[start : start + _BATCH], head)
            head = Head(last.seq, last.hash)
        return head

    def _keep(self, error: OSError, drafts: Sequence[Draft]) -> None:
        """Note a failure and, unless the caller gets to see it, keep the events for later."""
        self._counts["failed"] += len(drafts)
        self._last_error = str(error)
        # The log's entries about itself are never kept: their caller sees the error, and a spill
        # file must hold none in the log's name.
        drafts = [entry for entry in drafts if entry.fields["actor_id"] != OURSELVES]
        if self.on_failure == "raise" or not (drafts or self._waiting):
            return
        # An event that only has to wait its turn is kept as durably as the log would keep it.
        sync = self.durability == "fsync" or not isinstance(error, Busy)
        try:
            self._spill_out([*self._waiting, *drafts], sync=sync)
        except OSError:
            self._waiting += drafts
            self._counts["dropped"] = self._counts.get("dropped", 0) + len(
                self._waiting[_MEMORY_LIMIT:]
            )
            del self._waiting[_MEMORY_LIMIT:]
        else:
            self._counts["spilled"] += len(self._waiting) + len(drafts)
            self._waiting.clear()

    def _spill_out(self, drafts: Sequence[Draft], *, sync: bool) -> None:
        """Put events into the first spill file that takes them.

        :raises OSError: if none does.
        """
        *others, last = self._spills
        for spill in others:
            with contextlib.suppress(OSError):
                return self._spill_into(spill, drafts, sync=sync)
        return self._spill_into(last, drafts, sync=sync)

    def _spill_into(self, spill: Spill, drafts: Sequence[Draft], *, sync: bool) -> None:
        if drafts:
            spill.add(drafts, sync=sync)
            self._behind, self._hasty = True, False

    def _own_entry(self, notice: Notice) -> Draft:
        origin = self._keyring.origin
        event = {**_OURSELVES, "resource": ("audit_log", origin), "context": notice.context}
        return draft(event, action=notice.action, own=True)

    # --- Opening and closing.

    def _open_first(self, origin: str | None) -> str:
        """As :meth:`_open`, with more patience."""
        self._file_lock.patience = self._sink.patience = _OPENING_PATIENCE
        try:
            return self._open(origin)
        except (OSError, SignsOtherwise) as error:
            # Unreferenced logs keep their files open until they are garbage-collected.
            full = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
            if not (full or isinstance(error, SignsOtherwise)) or not gc.collect():
                raise
            return self._open(origin)
        finally:
            self._set_patience(stalled=False)

    def _wake(self, drafts: Sequence[Draft]) -> None:
        """Reopen a resting log; if that fails, keep the events.

        :raises LogClosed: if it was closed for good.
        :raises OSError: if it cannot be opened.
        """
        if not self._resting:
            raise LogClosed(f"the audit log {self.path} is closed")
        if not self._released:
            raise Busy(f"the audit log {self.path} is being closed")
        try:
            self._open(self.origin)
        except Busy:
            raise
        except OSError as error:
            self._keep(error, drafts)
            raise
        self._stop, self._keeper, self._behind = threading.Event(), None, True
        self._closed = self._resting = self._released = False

    def _open(self, origin: str | None) -> str:
        """Find the chain's end, or write the genesis entry. Returns the origin."""
        self._file_lock.acquire()
        try:
            memory = self._file_lock.recall()
            if memory is None and not self.path.exists():
                # From here on a damaged file is known to be ours, after a power failure too.
                self._file_lock.introduce(EMPTY, -1, origin or "")
                self._file_lock.sync()
            elif memory is not None and self._file_lock.restarted(memory):
                self._sink.recheck(memory.synced)
            head = self._sink.head()
            found = self._origin_in_log() if head != EMPTY else None
            if found is None and memory is not None:
                found = memory.origin or None
            if found is not None and origin is not None and origin != found:
                raise ValueError(f"the log {self.path} has the origin {found!r}, not {origin!r}")
            if self._sign != "follow":
                self._writers.join(EACH if self._sign_each else self._way())
            name = found or origin or f"chained-logging/{uuid.uuid4()}"
            rewritten = memory is not None and self._rewritten(memory.head, head)
            if memory is not None and head.seq < memory.head.seq:
                head = self._shorter_than_remembered(memory, head)
            self._keyring = Keyring(name)
            if head == EMPTY:
                about = {"origin": name, "format": 1, "software": _software()}
                if self._key is not None:
                    about["public_key"] = verifier_key(name, self._key)
                head = self._write_own(Notice("log.open", about), head)
            else:
                head = self._join(head)
            synced = -1 if memory is None else min(memory.synced, head.seq)
            # Until the notice is written, the lock file keeps the head that shows the change.
            noted = memory.head if memory is not None and rewritten else head
            self._file_lock.introduce(noted, synced, name)
            if memory is not None and self._file_lock.restarted(memory):
                # The entry it remembered may be lost, and its seq used again: a second power
                # failure must not bring the old note back.
                self._file_lock.sync()
            self._seq = head.seq
            self._behind = any([spill.exists() for spill in self._spills])
            self._tell(self._keyring.trouble or self._spill_refused())
            return name
        except BaseException:
            self._sink.close()
            self._writers.leave()
            self._file_lock.close()
            raise
        finally:
            self._file_lock.release()

    def _rewritten(self, remembered: Head, found: Head) -> bool:
        """Return whether the last entry written was replaced since, and record it if so."""
        if not 0 <= remembered.seq <= found.seq:
            return False
        hash = found.hash
        if found.seq > remembered.seq:  # killed between an append and its note: rare
            hash = ""
            with contextlib.suppress(ValueError):  # the line is no longer an entry
                record = next(self._sink.records(remembered.seq), None)
                if record is not None and record.seq == remembered.seq:
                    hash = record.hash
        if hash == remembered.hash:
            return False
        cause = f"entry {remembered.seq} had the hash {remembered.hash}, and has another one"
        self._sink.notices.append(Notice("log.recover", {"cause": cause, "rewritten": True}))
        return True

    def _shorter_than_remembered(self, memory: Memory, found: Head) -> Head:
        remembered = memory.head
        if found != EMPTY and self._file_lock.may_have_lost(memory, found.seq):
            was = "may have been" if memory.boot == UNKNOWN_BOOT else "was"
            cause = (
                f"the machine {was} restarted, and the entries after {found.seq} were not on disk"
            )
            head = found
        else:
            cause = f"entry {remembered.seq} had been written, and the file ends at {found.seq}"
            head = remembered  # the gap in seq is evidence, and no seq is used twice
        self._sink.resume(head)
        self._sink.notices.append(
            Notice("log.recover", {"cause": cause, "lost": remembered.seq - found.seq})
        )
        return head

    def _write_own(self, what: Notice | Draft, head: Head) -> Head:
        """Write an entry of the log about itself, straight to the disk."""
        entry = what if isinstance(what, Draft) else self._own_entry(what)
        body = entry.body(head.seq + 1, head.hash)
        hash = leaf_hash(body)
        signature = self._signature(hash) if self._sign_each else None
        record = Record(head.seq + 1, body, hash, signature)
        self._sink.write([record])
        self._keyring.look(record)
        self._remember([record])
        self._sink.sync()
        return Head(record.seq, record.hash)

    def _way(self) -> str:
        return NO_KEY if self._key is None else CHECKPOINT

    def _join(self, head: Head) -> Head:
        """Check that this writer has the log's key and signs as its other writers do.

        :returns: the log's head.
        :raises ValueError: if it does not, as its entries would spoil theirs.
        """
        key, origin = self._key, self._keyring.origin
        new = key is not None and self._find_key(key, origin, head)
        self._check_way(head)
        if key is not None and self._sign == "follow":
            self._sign_each = (self._writers.running() or self._way_found()) == EACH
        if new and key is not None:
            about = {"origin": origin, "public_key": verifier_key(origin, key)}
            head = self._write_own(Notice("key.add", about), head)
        return head

    def _check_way(self, head: Head) -> None:
        """Check that this writer signs as the log's entries are signed.

        :raises ValueError: if it does not.
        """
        origin = self._keyring.origin
        if self._key is None:
            self._mute = names_key(self._sink, origin, head)
            if self._mute and self._sign != "follow":
                raise ValueError(
                    f"the log {self.path} is signed: open it with its key, or with sign='follow' "
                    "to write nothing but what the log says of itself"
                )
        elif not self._sign_each and signs_each(self._sink, self._keyring.known, origin, head):
            if self._sign == "checkpoint":
                raise ValueError(f"each entry of {self.path} is signed: open it with sign='each'")
            self._sign_each = True

    def _way_found(self) -> str:
        return EACH if self._sign_each else self._way()

    def _write_as_others_do(self, head: Head) -> None:
        """Join the log's writers: a tool that follows does so with its first event.

        :raises OSError: if it has no key and the others have one.
        """
        if self._writers.way is not None:
            return
        way = self._writers.running() or self._way_found()
        if self._key is None and (self._mute or way != NO_KEY):
            raise OSError(f"the log {self.path} is signed, and this writer has no key")
        if self._key is not None:
            self._sign_each = way == EACH
            self._check_way(head)
        self._writers.join(self._way_found())

    def _see_that_writers_agree(self, head: Head) -> None:
        """Join again if the file that says how the writers sign was deleted or replaced.

        :raises OSError: if writers that sign another way joined meanwhile. What is logged here is
            kept for them in the spill file.
        """
        try:
            if self._outvoted is None and self._writers.stay():
                self._check_way(head)
        except ValueError as disagree:
            if self._writers.running() == self._writers.way:  # they ended, and left their entries
                self._outvoted = str(disagree)
                self._writers.leave()
            raise OSError(str(disagree)) from None
        if self._outvoted is not None:
            raise OSError(self._outvoted)
        self._look_around = False

    def _find_key(self, key: Signer, origin: str, head: Head) -> bool:
        """Check that a key is the log's, and return whether it has to be added first.

        Entries below a checkpoint of this key are not read: its signer has checked them.

        :raises ValueError: if the log has another key.
        """
        ours, ring = verifier_key(origin, key), self._keyring
        known = [VerifierKey(origin, ED25519, key.public_key)]
        stored = self._sink.recent_checkpoints()
        if stored and not signed_by_any(stored[0], known):
            # The previous key signed it, or somebody without a key wrote it.
            stored = sorted((one for _, one in self._sink.checkpoints()), key=lambda one: -one.size)
        last = next((one for one in stored if signed_by_any(one, known)), None)
        if last is not None and last.size <= head.seq + 1:
            ring.trust(ours, self._entry(last.size - 1))
            self._newest = last
        self._look_at_others(head)
        self._tell_of_foreign(head)
        if ring.current is None:  # with trouble, the key is unknown and nothing is signed
            return ring.trouble is None
        if ring.current != ours:
            raise ValueError(f"the log {self.path} has the key {ring.current}, not {ours}")
        return False

    def _entry(self, seq: int) -> Record | None:
        with contextlib.suppress(ValueError):
            record = next(self._sink.readable(seq), None)
            return record if record is not None and record.seq == seq else None
        return None

    def _look_at_others(self, head: Head) -> None:
        """Check entries that were not checked yet: anybody may have written them."""
        ring = self._keyring
        try:
            self._look_at(self._sink.records(ring.next), head)
        except ValueError as error:
            ring.trouble = ring.trouble or (
                f"{self.path} cannot be read as a log: {error}; chained-logging verify names every "
                "break"
            )
            self._look_at(self._sink.readable(ring.next), head)

    def _look_at(self, records: Iterable[Record], head: Head) -> None:
        for record in records:
            if record.seq > head.seq:
                break
            self._keyring.look(record)

    def _tell(self, problem: str | None) -> None:
        """Note a problem, and report it once in the program's own logging."""
        if problem is None:
            return
        self._last_error = problem
        if problem != self._told:
            self._told = problem
            _logger.error("audit log %s: %s", self.path, problem)

    def _origin_in_log(self) -> str | None:
        """Return the origin in the first entry, which wins over the lock file's memory."""
        with contextlib.suppress(ValueError):
            first = next(iter(self._sink.records()), None)
            if first is not None and first.seq == 0:
                return str(AuditEntry(first.body, first.hash).resource_id)
        return None

    def entries(self, start: int = 0) -> Iterator[AuditEntry]:
        """Read the stored entries from `start` on, in order. Nothing is verified here."""
        for _, body, hash, signature in self.records(start):
            yield AuditEntry(body, hash, signature)

    def records(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`entries`, but yield the stored bytes."""
        return self._sink.records(start)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """Read the stored checkpoints. One that was co-signed later appears twice."""
        return (stored for _, stored in self._sink.checkpoints())

    def own_checkpoints(self) -> Iterator[StoredCheckpoint]:
        """As :meth:`checkpoints`, but only those that a past or present key of the log signed,
        as far as the log was read here."""
        return (stored for stored in self.checkpoints() if self._is_ours(stored))

    def last_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest stored checkpoint. If the log was opened with its key, return the
        newest that a key of the log signed."""
        if self._key is not None:
            return self._newer(self._kept())
        recent = self._sink.recent_checkpoints()
        return next((one for one in recent if one is not NO_CHECKPOINT), None)

    def checkpoints_after(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """As :meth:`checkpoints`, starting at a mark; each comes with the mark after it."""
        return self._sink.checkpoints(mark)

    def durable_head(self) -> Head:
        """Sync all entries, including those of other processes, and return the head.

        Entries up to the head are acknowledged, or will be, and no crash can undo them.

        :raises OSError: if the log cannot be read or synced.
        """
        self._notice_fork()
        with self._held():
            if self._released:
                raise LogClosed(f"the audit log {self.path} is closed")
            head = self._sink.head()
        self._sink.sync()
        return head

    # --- Signing.

    def _signature(self, hash: str) -> str:
        if self._key is None:
            raise OSError("there is no key to sign with")
        return base64.b64encode(self._key.sign(entry_message(hash))).decode()

    def checkpoint(self) -> bytes:
        """Sign a checkpoint over all entries so far, keep it beside the log, and return it.

        :returns: a C2SP signed note; the previous one, if no entry was added since.
        :raises ValueError: if the log has no key.
        :raises OSError: if the log or the checkpoints cannot be read or written.
        """
        if self._key is None:
            raise ValueError("a checkpoint needs a key: AuditLog(..., key=...)")
        self._notice_fork()
        with self._signing:
            with self._held():
                head = self._sink.head()
            self._signed = (head.seq + 1, time.monotonic())
            return self._checkpoint_at(head).note.encode()

    def _checkpoint_at(self, head: Head) -> StoredCheckpoint:
        """Sign the entries up to `head` and keep the checkpoint, unless one that covers as many
        or more exists.

        :raises OSError: if one covers more entries than there are: the end was cut off.
        """
        with self._held():
            kept, end = self._kept(), self._sink.head()
        if kept is not None and kept.size > end.seq + 1:
            raise OSError(
                f"a checkpoint of {self.path} covers {kept.size:,} entries, and there are "
                f"{end.seq + 1:,}: the end was cut off; chained-logging verify names every break"
            )
        if kept is not None and kept.size > head.seq:
            return kept
        last = self._newer(kept)
        # Outside the lock, which others wait for: what is read does not change any more.
        self._check_names(head, last)
        if head.seq < self._keyring.since:  # a segment that was sealed before the log had this key
            with self._held():
                head = self._sink.head()
        made = self._make_checkpoint(head, last)
        with self._held():
            kept, end = self._kept(), self._sink.head()
            if kept is None or kept.size < made.size:  # else another process was faster
                self._sink.add_checkpoint(made)
            self._tell_of_foreign(end)
            self._newest = made
            start, hashes = self._fresh
            if start < made.size - 1 <= start + len(hashes):  # the last one stays, see above
                self._fresh = made.size - 1, hashes[made.size - 1 - start :]
        return made

    def _kept(self) -> StoredCheckpoint | None:
        """Return the newest stored checkpoint that a key of the log signed."""
        return next((one for one in self._sink.recent_checkpoints() if self._is_ours(one)), None)

    def _newer(self, kept: StoredCheckpoint | None) -> StoredCheckpoint | None:
        """Return the checkpoint to continue from: the larger of `kept` and our own newest, so
        that deleting the stored one does not help an attacker."""
        newest = self._newest
        return newest if kept is None or (newest and newest.size > kept.size) else kept

    def _is_ours(self, stored: StoredCheckpoint) -> bool:
        """Whether a key of the log signed it. Write access to the file is not enough for that."""
        newest = self._newest
        if newest is not None and (stored.note, stored.size) == (newest.note, newest.size):
            return True
        return signed_by_any(stored, self._keyring.known)

    def _tell_of_foreign(self, head: Head) -> None:
        """Report checkpoints that no key of the log signed."""
        self._look_at_others(head)  # they may name the key of the newest
        recent = self._sink.recent_checkpoints()
        # A checkpoint older than ours may be of a key that is no longer known here.
        newer = takewhile(lambda one: not self._is_ours(one), recent)
        known = self._keyring.known
        if next(newer, None) is not None or any(pretends(one, known) for one in recent):
            self._tell(
                f"among the checkpoints of {self.path} is one that no key of the log signed: it is "
                "foreign and is ignored; chained-logging verify names it"
            )

    def _check_names(self, head: Head, last: StoredCheckpoint | None = None) -> None:
        """Check that every key that an entry up to `head` names was named by the log's own key.

        :raises KeyForged: if one was not.
        :raises KeyRotated: if the log was rotated to a key that this writer does not have.
        """
        ring, key = self._keyring, self._key
        if key is None:
            raise OSError("there is no key to sign with")
        ours = verifier_key(self.origin, key)
        if last is not None and ring.next < last.size - 1 <= head.seq and ring.current == ours:
            mine = [VerifierKey(self.origin, ED25519, key.public_key)]
            if signed_by_any(last, mine):  # its signer has checked the entries below
                ring.trust(ours, self._entry(last.size - 1))
        self._look_at_others(head)
        if ring.trouble is not None:
            raise KeyForged(ring.trouble)
        if ring.current != ours:
            self._take_new_key(KeyRotated(ring.current))

    def _tell_of_revocation(self) -> None:
        """Report that the key was revoked: somebody must replace it."""
        at = self._keyring.revoked.get(self._keyring.current or "")
        if at is not None:
            self._tell(
                f"entry {at} says that the log's key was stolen: replace it with "
                "chained-logging rotate-key"
            )

    def keep_anchored(self, note: bytes, timestamp: str | None = None) -> None:
        """Store a checkpoint of this log once more, with the signatures that others added.

        :param note: a stored checkpoint with more signatures under it.
        :param timestamp: an RFC 3161 response over exactly these bytes, in base64.
        :raises ValueError: if its text is not that of a stored checkpoint.
        :raises OSError: if it cannot be written.
        """
        text = note.decode().rpartition("\n\n")[0]
        for stored in self.checkpoints():
            same = stored.note.rpartition("\n\n")[0] == text
            if same and (self._key is None or self._is_ours(stored)):
                break
        else:
            raise ValueError(f"{self.path} does not have this checkpoint")
        self._notice_fork()
        with self._held():
            self._sink.head()
            self._sink.add_checkpoint(stored._replace(note=note.decode(), timestamp=timestamp))

    def rotate_key(self, new: Signer) -> bytes:
        """Switch to a new key, and seal everything before it with the old one.

        A thief of the new key cannot forge the past: that takes the old key, which the caller
        should destroy now (:func:`chained_logging.keys.destroy`). Other processes that opened the
        log with the key's file read it again. Those that were given the key object stop making
        checkpoints and say so in ``stats()["last_error"]``; the processes with the new key seal
        their entries.

        :returns: the sealing checkpoint. Keep a copy elsewhere.
        :raises ValueError: if the log has no key, or if `new` is its present key.
        :raises OSError: if the log cannot be written.
        """
        self._notice_fork()
        if self._key is None:
            raise ValueError("this log has no key: reopen it with one, and it is added")
        if new.public_key == self._key.public_key:
            raise ValueError("the new key must differ from the old one")
        with self._signing:
            self.checkpoint()  # so that the seal, under the lock, has little to read
            with self._held():
                head, named = self._sink.head(), verifier_key(self.origin, new)
                self._check_names(head)
                about = {
                    "origin": self.origin,
                    "old_public_key": verifier_key(self.origin, self._key),
                    "public_key": named,
                    "statement": self._statement("key.rotate", head, named),
                }
                head = self._write_own(Notice("key.rotate", about), head)
                sealed = self._make_checkpoint(head, self._newer(self._kept()))
                self._sink.add_checkpoint(sealed)
                self._key, self._seq, self._newest = new, head.seq, sealed
            return sealed.note.encode()

    def _statement(self, action: str, head: Head, key: str) -> str:
        """Return the log key's signed statement about another key, for the entry after `head`."""
        if self._key is None:
            raise OSError("there is no key to sign with")
        ours = verifier_key(self.origin, self._key)
        message = statement_message(action, self.origin, head.seq + 1, head.hash, ours, key)
        return base64.b64encode(self._key.sign(message)).decode()

    def revoke_key(self, public_key: str, reason: str) -> AuditEntry:
        """Record that a key was stolen: from here on its signatures prove nothing by themselves.

        Of what that key signed, the verifier then trusts only what a checkpoint kept elsewhere
        covers. If this log was opened with its key, the entry holds a statement signed by it. If
        not, anybody with write access could have made the entry, and the verifier says so.

        :param public_key: the key as a ``vkey``.
        :raises ValueError: if the log never had it.
        :raises OSError: if it cannot be written.
        """
        self._notice_fork()
        with self._signing, self._held():
            head, ring = self._sink.head(), Keyring(self.origin)
            for record in self._sink.records():
                ring.look(record)
            if public_key not in {key.format() for key in ring.known}:
                raise ValueError(f"the log {self.path} never had the key {public_key}")
            context = {"origin": self.origin}
            if self._key is not None:
                self._check_names(head)
                context["statement"] = self._statement("key.revoke", head, public_key)
            about = {"resource": ("public_key", public_key), "reason": reason, "context": context}
            entry = draft({**_OURSELVES, **about}, action="key.revoke", own=True)
            seq = self._write_own(entry, head).seq
            written = self._entry(seq)
        if written is None:
            raise OSError(f"{self.path} does not hold entry {seq}, which was just written")
        return AuditEntry(written.body, written.hash, written.signature)

    def note(self, action: str, **context: Any) -> AuditEntry:
        """Append an entry that the log writes about itself, such as that it was restored.

        :param action: ``log.…``.
        :raises OSError: if it cannot be written.
        """
        entry = self._own_entry(Notice(action, context))
        records = self._store([entry])
        if not records:  # during an append of this very thread, which writes it at its end
            return AuditEntry(entry.body(0, GENESIS), None)
        return AuditEntry(*records[0][1:])

    def _make_checkpoint(self, head: Head, last: StoredCheckpoint | None) -> StoredCheckpoint:
        """Sign the entries up to `head`. What they say about keys must have been checked.

        :raises OSError: if one of them is missing.
        """
        key = self._key
        if key is None:
            raise OSError("there is no key to sign with")
        tree = tree_at(last, self._sink.records)
        start, hashes = self._fresh
        fresh = hashes[tree.size - start : head.seq + 1 - start] if start <= tree.size else []
        # On the disk first: a power failure must not leave a checkpoint without its entries.
        self._sink.sync()
        if fresh and len(fresh) == head.seq + 1 - tree.size and fresh[-1] == head.hash:
            tree.extend(bytes.fromhex("".join(fresh)))
            return sign_checkpoint(tree, self.origin, key)
        records = (r for r in self._sink.records(tree.size) if r.seq <= head.seq)
        made = make(tree, records, self.origin, key)
        if made.size != head.seq + 1:
            raise OSError(f"{self.path} holds {made.size} entries, not {head.seq + 1}")
        return made

    def _follow_others(self, head: Head) -> None:
        """Before signing: check the entries of others since our last one. They may name a key
        that the log does not have, or have rotated it."""
        self._check_names(head)
        self._seq = head.seq

    def _take_new_key(self, rotated: KeyRotated) -> None:
        """Read the key's file again, if the key came from one.

        :raises KeyRotated: if it did not, or if the file does not hold the new key yet.
        """
        file = self._key_file
        for name in () if file is None else (file, f"{file}.new"):  # the second during a rotation
            with contextlib.suppress(OSError, ValueError):
                key = _load_key(name)
                if verifier_key(self.origin, key) == rotated.vkey:
                    self._key = key
                    return
        raise rotated

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock between threads and that between processes."""
        deadline = time.monotonic() + _OPENING_PATIENCE
        while True:
            with self._lock:
                if self._writing:
                    raise OSError("the log is busy in the middle of an append of this very thread")
                self._writing = threading.get_ident()
                try:
                    if self._taken_until(deadline):
                        yield
                        return
                finally:
                    self._file_lock.release()
                    self._writing = 0
            time.sleep(0.001)  # others may come in between

    def _taken_until(self, deadline: float) -> bool:
        try:
            self._file_lock.acquire()
        except Busy:
            if time.monotonic() > deadline:
                raise
            return False
        return True

    @property
    def last_seq(self) -> int:
        """The ``seq`` of the last entry that was found when opening, or written here since."""
        return self._seq

    def stats(self) -> dict[str, Any]:
        """Return counters since this log was opened in this process, for a health endpoint.

        ``appended``; ``incomplete``; ``failed`` (events that met an error); ``spilled`` (of
        these, those that were put into the spill file); ``waiting`` (events in memory until the
        log or the spill file works again); ``dropped`` (beyond the 10,000 that memory holds);
        ``syncs``; ``last_error`` (a sentence, or None); ``unheard`` (tagged calls of the whole
        process that were seen, and that no log recorded).
        """
        waiting = len(self._waiting) + len(self._deferred)
        counts = {"dropped": 0, **self._counts, "waiting": waiting, "unheard": count_unheard()}
        return {**counts, "last_error": self._last_error}

    def flush(self) -> None:
        """Bring everything written so far onto the disk.

        :raises OSError: if the disk refuses.
        """
        self._notice_fork()
        self._gate.wait(self._written)

    def close(self) -> None:
        """Chain what waits, sync and close. Closing twice does nothing."""
        self._shut()
        self._resting = False

    def rest(self) -> None:
        """Close until the next event: for the shutdown of logging or of Python.

        Handlers and exit functions may still log after that, and a file handler would write it.
        """
        # At the interpreter's exit a file can no longer be opened.
        self._shut(resting=True, release=self._sink.needs_closing or not _exiting)

    def __del__(self) -> None:
        # Events that wait for another process's lock are kept in the spill file.
        if not self._closed:
            with contextlib.suppress(Exception):
                self._set_patience(stalled=True)
                self._shut()

    def _shut(self, *, resting: bool = False, release: bool = True) -> None:
        self._notice_fork()
        # In the keeper's order: it may be about to sign a sealed segment.
        with self._signing, self._lock:
            if self._closed:
                return
            # A signal handler may close the log in the middle of an append of this very thread.
            nested = self._writing == threading.get_ident()
            self._behind = self._behind or any([spill.exists() for spill in self._spills])
            told = [] if nested else [*self._write_last(), *self._sign_last()]
            if release:
                self._closed, self._resting = True, resting
        for level, text in told:
            warn(f"audit log: {text}", stacklevel=4)
            report(level, f"audit log {self.path}: {text}")
        self._stop.set()
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join()
        if self._shipper is not None:
            self._shipper.stop()
            self._shipper = None
        with self._lock:
            try:
                self._released = release
                self._gate.wait(self._written)
                with contextlib.suppress(OSError):  # then the lock file does not know the last head
                    self._note_place()
            finally:
                if release:
                    self._sink.close()
                    self._writers.leave()
                    self._file_lock.close()

    def _write_last(self) -> list[tuple[int, str]]:
        """Chain the backlog; if that fails, return the levels and texts to report."""
        self._writing = threading.get_ident()
        try:
            error = self._write_deferred_until(time.monotonic() + self._patience())
        finally:
            self._writing = 0
        if error is None:
            return []
        told = [
            (logging.WARNING, f"events wait in {spill.path}: {error}")
            for spill in self._spills
            if spill.exists()
        ]
        if self._waiting:
            lost = f"{len(self._waiting)} events were never written: {error}"
            told.append((logging.ERROR, lost))
        return told

    def _write_deferred_until(self, deadline: float) -> OSError | None:
        """Write the backlog; return the error if that fails."""
        while True:
            try:
                self._write_deferred()
                if not (self._deferred or self._behind):
                    return None
            except Busy as busy:
                if time.monotonic() < deadline and not self._stalled:
                    time.sleep(0.001)
                    continue
                waiting, self._deferred = self._deferred, []
                self._keep(busy, waiting)
                return busy
            except OSError as error:
                return error

    def _sign_last(self) -> list[tuple[int, str]]:
        if self._key is not None:
            try:
                self.checkpoint()
            except Exception as error:  # a signer of the user's may raise anything
                return [(logging.WARNING, f"no checkpoint at close: {error}")]
        return []

    @classmethod
    def from_config(cls, file: str | os.PathLike[str] | None = None, **arguments: Any) -> AuditLog:
        """Open the log that the configuration names, with its settings.

        :param file: the configuration file; by default the one that
            :mod:`chained_logging.config` finds.
        :param arguments: settings that win over the configuration: ``log``, the path, and the
            keywords of :class:`AuditLog`.
        :raises ConfigError: if a setting does not exist or has a wrong value, or none names the
            log. Opening raises what :class:`AuditLog` does.
        """
        from chained_logging import config  # most programs have none

        settings = config.load(file) | arguments
        if "log" not in settings:
            raise config.ConfigError('the configuration must name the log: log = "audit.db"')
        return cls(settings.pop("log"), **settings)

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AuditLog cannot be pickled: hand over its path, and open it there")

    def __repr__(self) -> str:
        return f"<AuditLog {str(self.path)!r} {self.durability}>"

    # --- Durability.

    def _sync_once(self) -> int:
        """Sync everything written so far, and return how many appends that is."""
        reached, seq = self._written, self._seq
        try:
            self._sink.sync()
        except OSError as error:
            self._last_error = f"a sync failed: {error}"
            cause = f"a sync failed, and entries before this one may not be on the disk: {error}"
            self._sink.notices.append(Notice("log.recover", {"cause": cause}))
            raise
        self._counts["syncs"] += 1
        self._file_lock.note_synced(seq)
        return reached

    def _start_keeper(self) -> None:
        self._keeper = threading.Thread(
            target=_keep_house,
            args=(weakref.ref(self), self._stop, self._sync_interval),
            name="chained_logging",
            daemon=True,
        )
        try:
            self._keeper.start()
            if self._ship_to:
                self._start_shipper()
        except RuntimeError:  # the interpreter is shutting down: close() does the rest
            self._keeper = None

    def _start_shipper(self) -> None:
        from chained_logging.ship.shipper import Shipper

        self._shipper = Shipper(self, self._ship_to, interval=self._sync_interval, signer=self._key)
        self._shipper.start()

    def _tend(self) -> None:
        """Once an interval: sync, chain the backlog, seal old segments, note the head."""
        self._gate.wait(self._written)
        with self._lock:
            if self._closed or self._writing:
                return
            self._writing = threading.get_ident()
            try:
                if self._file_lock.moved():
                    self._file_lock.close()
                if any([spill.exists() for spill in self._spills]):
                    self._behind, self._hasty = True, False
                foreign = self._spill_refused()
                self._look_around = True
                if self._behind or self._waiting or self._deferred:
                    self._write_deferred()
                self._file_lock.acquire()
                head = self._sink.head()
                self._see_that_writers_agree(head)
                try:
                    self._sink.tend()
                except ForeignFile as error:  # the rest still works
                    foreign = str(error)
                self._note_place()
            finally:
                self._file_lock.release()
                self._writing = 0
        self._tell(foreign)
        self._tend_silence(head)
        sealed = self._sink.sealed()
        if self._key is not None and sealed is not None and sealed.seq >= self._signed[0]:
            with self._signing:  # so that a segment has a checkpoint of its own
                self._signed = (self._checkpoint_at(sealed).size, time.monotonic())
        self._tell_of_revocation()
        if self._key is not None and head.seq + 1 > self._signed[0]:
            fresh = head.seq + 1 - self._signed[0]
            waited = time.monotonic() - self._signed[1]
            if fresh >= self._checkpoint_every or waited >= self._checkpoint_interval:
                self.checkpoint()

    def _tend_silence(self, head: Head) -> None:
        """Write a heartbeat if nobody wrote for long enough."""
        if self._heartbeat is None:
            return
        if head.seq != self._quiet[0]:
            self._quiet = (head.seq, time.monotonic())
        elif time.monotonic() - self._quiet[1] >= self._heartbeat:
            self._write_out([self._own_entry(Notice("log.heartbeat", {}))])
            self._counts["appended"] -= 1  # ours, and not the caller's

    def _note_place(self) -> None:
        """Let the lock file remember the chain's end, so that a tail cut off later shows."""
        try:
            self._file_lock.acquire()
            head, memory = self._sink.head(), self._file_lock.recall()
            synced = -1 if memory is None else min(memory.synced, head.seq)
            self._file_lock.introduce(head, synced, self.origin)
        finally:
            self._file_lock.release()

    # --- Forks.

    def _notice_fork(self) -> None:
        if os.getpid() != self._pid:  # by C code, such as uWSGI's, that told nobody
            self._forked()

    def _forked(self) -> None:
        """In a forked child, which starts without the parent's threads and locks."""
        self._start_afresh()
        if self._shipper is not None:
            self._shipper.forked()
            self._shipper = None
        self._sink.forked()
        self._file_lock.close()


def _is_there(draft: Draft, done: Mapping[str, Record]) -> bool:
    """Whether this very event is in the log, and not another with the same id."""
    record = done.get(draft.id)
    if record is None:
        return False
    seq, prev = position(record.body)
    return draft.body(seq, prev) == record.body


def _load_key(file: str | os.PathLike[str]) -> PrivateKey:
    from chained_logging.keys import PrivateKey, passphrase_from

    return PrivateKey.load(file, passphrase_from())


def _keep_house(reference: weakref.ref[AuditLog], stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        log = reference()
        if log is None:
            return
        try:
            log._tend()
            log._after_a_call()
        except Busy:  # others are at work
            continue
        except KeyForged as error:
            log._tell(str(error))
        except Exception as error:  # from the disk or a signer; the next round tries again
            log._last_error = str(error) or repr(error)
        del log


def _software() -> str:
    from importlib import metadata  # it takes longer to import than the rest of this module

    try:
        return f"chained_logging {metadata.version('chained_logging')}"
    except metadata.PackageNotFoundError:  # frozen, vendored, a zip file
        return "chained_logging"


# What a C2SP signed note allows as a name: no spaces, no plus sign.
_ORIGIN = re.compile(r"[^\s+\x00-\x1f\x7f]{1,1024}")

_open_logs: weakref.WeakSet[AuditLog] = weakref.WeakSet()


# A fork copies locks in their present state, including those in SQLite's C code, but not the
# threads that hold them. So no thread may be in an append during a fork.
_forking: list[AuditLog] = []
_logging_lock: Any = getattr(logging, "_lock", None) or threading.RLock()  # a child gets a new one


def _before_fork() -> None:
    # logging closes its handlers, and so us, under a lock of its own, which its own fork hook takes
    # only later: so take it here. A thread in an append may want it too (a signer that logs), so
    # unless all locks can be taken, all are given back.
    while not _take_all():
        time.sleep(0.001)
    for log in _forking:
        try:
            log._sink.before_fork()
        except OSError as error:
            log._last_error = f"before a fork: {error}"


def _take_all() -> bool:
    _logging_lock.acquire()
    for log in sorted(_open_logs, key=id):
        if not log._lock.acquire(timeout=0.05):
            for taken in _forking:
                taken._lock.release()
            _forking.clear()
            _logging_lock.release()
            return False
        _forking.append(log)
    return True


def _after_fork_in_parent() -> None:
    for log in reversed(_forking):
        log._sink.after_fork()
        log._lock.release()
    _forking.clear()
    _logging_lock.release()


def _after_fork_in_child() -> None:
    # Every open log: C code that forks may call this hook without _before_fork.
    for log in list(_open_logs):
        log._forked()
    _forking.clear()


_exiting = False


def _close_all() -> None:
    global _exiting
    _exiting = True  # exit functions that were registered before this one run after it
    for log in list(_open_logs):
        with contextlib.suppress(Exception):  # go on to the other logs
            log.rest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
atexit.register(_close_all)

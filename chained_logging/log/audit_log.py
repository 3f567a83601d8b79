"""``AuditLog``: the front of a log, with its options and all that a program may call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from chained_logging.diagnostics import AuditWarning, count_unheard
from chained_logging.errors import FAILURES, Failure, LogClosed
from chained_logging.event.context import current
from chained_logging.event.draft import Draft, draft
from chained_logging.event.entry import AuditEntry, AuditId
from chained_logging.event.fields import set_apart
from chained_logging.event.resources import resource_names
from chained_logging.format.line import GENESIS
from chained_logging.format.record import Head, Record
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import Signer
from chained_logging.log import forks
from chained_logging.log.options import Options
from chained_logging.log.own_entries import own_draft
from chained_logging.log.parts import Parts
from chained_logging.log.signed import Signed
from chained_logging.redact import Redactor
from chained_logging.sinks import Notice, open_sink

__all__ = ["AuditLog", "AuditWarning"]

_REDACTOR: Final = Redactor()


class AuditLog(Signed):
    """A log that entries are appended to: one chain for all threads and processes that share it.

    :param path: ``.jsonl`` or ``.ndjson`` for JSON Lines; ``.db``, ``.sqlite``
        or ``.sqlite3`` for SQLite. A missing file is created, readable by its owner alone.
    :param durability: with ``"os"`` a call returns once the kernel has the entry: a killed process
        loses nothing, and a power failure at most the last `sync_interval`. With ``"fsync"`` it
        returns once the entry is on the disk.
    :param on_failure: what a caller sees when the disk fails. ``"continue"``: nothing; the event
        is kept and chained later, and a warning reports it. ``"raise"``: the call raises OSError
        or :class:`LogError`, so the program can refuse to act unaudited.
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
    :raises OSError: if the log cannot be opened.
    :raises LogError: if it is not a log, or cannot be used as it is, or is busy; see
        :mod:`chained_logging.errors`.
    :raises ValueError: if the key is not the log's, if the log has a key and none is given, if
        the log is signed another way, or if a parameter has an invalid value.

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
        options = Options(
            durability=durability,
            on_failure=on_failure,
            origin=origin,
            sync_interval=sync_interval,
            max_bytes=max_bytes,
            max_age=max_age,
            timeout=timeout,
            sign=sign,
            checkpoint_every=checkpoint_every,
            checkpoint_interval=checkpoint_interval,
            heartbeat=heartbeat,
        )
        if sign == "each" and key is None:
            raise ValueError("sign='each' needs a key: AuditLog(..., key=...)")
        # One path, however it was spelled: links in it would lead to a second lock file.
        self.path: Final = Path(os.path.realpath(path))
        self._paths: Final = (self.path,)  # for each AuditId
        self.durability: Final = durability
        self.on_failure: Final = on_failure
        self.strict: Final = strict
        self.redact: Final = redact
        self.resources: Final = resource_names(resources or {})
        self._sink = open_sink(self.path, max_bytes=max_bytes, max_age=max_age)
        destinations = [ship] if isinstance(ship, str) else list(ship)
        self._parts = parts = Parts(self, self._sink, options, key, spill, destinations)
        self._writer, self._alarm = parts.writer, parts.alarm  # each call needs these
        parts.opening.open(origin)
        self.origin: Final = parts.state.origin
        if heartbeat is not None or destinations:  # otherwise with the first entry
            parts.keeper.start()
        forks.register(self, parts.state)

    # --- Appending.

    def append(self, action: str, **fields: Any) -> AuditEntry:
        """Append one entry and return it. If the event fills several, return the first.

        :param fields: the fields by name or alias; anything else goes to ``context``. Fields of
            :func:`chained_logging.context` are added; those given here win.
        :raises InvalidEntry: if the log is strict and a field is missing or not valid.
        :raises OSError: if it cannot be written, with ``on_failure="raise"``; also LogError.
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
        :raises OSError: as :meth:`append`; also LogError and InvalidEntry.
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
            records = self._writer.store(drafts)
        except LogClosed:
            raise
        except FAILURES as error:
            self._fail(error)
            records = []
        else:
            if self._alarm.raised or forks.exiting:
                self._after_a_call()
        if not records:  # they wait: see Writer.store
            return [AuditEntry(entry.body(0, GENESIS), None) for entry in drafts]
        return [AuditEntry(body, hash, signature) for _, body, hash, signature in records]

    def record(
        self, event: Mapping[str, Any], *, action: object = None, result: str = "success"
    ) -> AuditId:
        """Append one entry for a capture (a handler, a processor) and return its id.

        :raises InvalidEntry: if the log is strict and a field is missing or not valid.
        :raises LogClosed: if somebody closed the log.
        :raises OSError: if it could not be written, with ``on_failure="raise"``; also LogError.
            Otherwise the event is kept, and the program is told.
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
            self._writer.store([entry, *entry.rest] if entry.rest else [entry])
        except LogClosed:
            raise
        except FAILURES as error:
            self._fail(error)
        else:
            if self._alarm.raised or forks.exiting:
                self._after_a_call()
        return AuditId(entry.id, self._paths)

    def note(
        self,
        action: str,
        *,
        on_behalf_of: str | None = None,
        reason: str | None = None,
        **context: Any,
    ) -> AuditEntry:
        """Append an entry that the log writes about itself, such as that it was restored.

        :param action: ``log.…`` or ``audit_log.…``.
        :param on_behalf_of: the person who made the log do it.
        :raises OSError: if it cannot be written; also LogError.
        """
        fields = {"on_behalf_of": on_behalf_of, "reason": reason}
        given = {name: value for name, value in fields.items() if value is not None}
        entry = own_draft(Notice(action, context), self.origin, **given)
        records = self._writer.store([entry])
        if not records:  # during an append of this very thread, which writes it at its end
            return AuditEntry(entry.body(0, GENESIS), None)
        return AuditEntry(*records[0][1:])

    def _fail(self, error: Failure) -> None:
        """Raise the error that a call met, or warn of it, as the options say."""
        if self.on_failure == "raise":
            raise error
        self._alarm.raise_for(error, stacklevel=5)
        self._rest_at_exit()

    def _after_a_call(self) -> None:
        """Do what is seldom due after a call that went well."""
        self._alarm.end()
        self._rest_at_exit()

    def _rest_at_exit(self) -> None:
        """Close what an exit function has opened again: nobody does after this."""
        if forks.exiting and not self._parts.state.closed:
            with contextlib.suppress(Exception):  # of a Python that is half gone
                self.rest()

    # --- Reading.

    def entries(self, start: int = 0) -> Iterator[AuditEntry]:
        """Read the stored entries from `start` on, in order. Nothing is verified here."""
        for _, body, hash, signature in self.records(start):
            yield AuditEntry(body, hash, signature)

    def records(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`entries`, but yield the stored bytes."""
        yield from self._sink.records(start)  # a generator, so that the log stays open meanwhile

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        """As :meth:`records`, with a stub in the place of each entry that retention removed."""
        yield from self._sink.stored(start)

    def durable_head(self) -> Head:
        """Sync all entries, including those of other processes, and return the head.

        Entries up to the head are acknowledged, or will be, and no crash can undo them.

        :raises OSError: if the log cannot be read or synced; also LogError.
        """
        state = self._parts.state
        state.notice_fork()
        with state.held():
            if state.released:
                raise LogClosed(f"the audit log {self.path} is closed")
            head = state.head()
        self._sink.sync()
        return head

    # --- Life.

    @property
    def last_seq(self) -> int:
        """The ``seq`` of the last entry that was found when opening, or written here since."""
        return self._parts.state.seq

    def stats(self) -> dict[str, Any]:
        """Return counters since this log was opened in this process, for a health endpoint.

        ``appended``; ``incomplete``; ``failed`` (events that met an error); ``spilled`` (of
        these, those that were put into the spill file); ``waiting`` (events in memory until the
        log or the spill file works again); ``dropped`` (beyond the 10,000 that memory holds);
        ``syncs``; ``last_error`` (a sentence, or None); ``unheard`` (tagged calls of the whole
        process that were seen, and that no log recorded).
        """
        state, backlog = self._parts.state, self._parts.backlog
        waiting = len(backlog.waiting) + len(backlog.deferred)
        counts = {**state.counts, "waiting": waiting, "unheard": count_unheard()}
        return {**counts, "last_error": state.last_error}

    def flush(self) -> None:
        """Bring everything written so far onto the disk.

        :raises OSError: if the disk refuses; also LogError.
        """
        self._parts.state.notice_fork()
        self._writer.flush()

    def close(self) -> None:
        """Chain what waits, sync and close. Closing twice does nothing."""
        self._parts.closing.close()
        self._parts.state.resting = False

    def rest(self) -> None:
        """Close until the next event: for the shutdown of logging or of Python.

        Handlers and exit functions may still log after that, and a file handler would write it.
        """
        # At the interpreter's exit a file can no longer be opened.
        release = self._sink.needs_closing or not forks.exiting
        self._parts.closing.close(resting=True, release=release)

    def _tend(self) -> None:
        """Do what is due once an interval. Called by the keeper's thread."""
        if self._parts.upkeep.tend():
            self._after_a_call()

    def __del__(self) -> None:
        # Events that wait for another process's lock are kept in the spill file.
        parts: Parts | None = self.__dict__.get("_parts")  # None if a wrong option was given
        if parts is not None and not parts.state.closed:
            with contextlib.suppress(Exception):
                parts.state.set_patience(stalled=True)
                parts.closing.close()

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

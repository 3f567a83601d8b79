"""The shipper: delivers every entry of a log to central storage, verified on the way.

Each destination has a thread of its own, so a destination that is down does not delay the others. A
delivery asks the destination what it holds, reads on from there, checks every hash and link, and
writes a batch. After any doubt (a timeout, a crash, a second shipper) it asks again, so that each
entry arrives exactly once. The log is synced to this machine's disk before it is read: no power
failure leaves central storage with entries that the log does not have.

A chain that is broken is shipped up to the break and not past it. That is an alert, and so is a
destination that holds another history, or less than it did.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import FAILURES, BrokenChain, DestinationError, Refused
from chained_logging.files.lock import FileLock
from chained_logging.format.line import check_next, recorded_at
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import Signer
from chained_logging.ship import destination_name, open_destination, require_retries
from chained_logging.ship.destination import (
    Destination,
    HoldingDestination,
    OpenDestination,
    RememberingDestination,
    StubDestination,
)
from chained_logging.ship.holding import Holding
from chained_logging.ship.ours import OurLog
from chained_logging.ship.progress import Progress, progress_path, read_progress, write_progress
from chained_logging.ship.source import Source

_LONGEST: Final = 4_000
"""Characters of a problem. A receiver has a part in it, and could make a file that is not read."""
_log = logging.getLogger("chained_logging.ship")

_LATER = 60.0
"""Seconds until a refused delivery is tried again, as somebody may have mended the cause; and until
a destination that accepts entries is asked again what it holds."""


class Shipper:
    """Ships one log to one or more destinations.

    :param log: the log, open in this process; others may write it.
    :param destinations: URLs, see :func:`chained_logging.ship.open_destination`.
    :param interval: seconds between two checks for new entries, in :meth:`start`.
    :param signer: signs what a destination states itself, such as the digests of S3.
    :param on_alert: called with a sentence when something is more than an outage; it is logged as
        critical to ``chained_logging.ship`` too.
    :param on_progress: called with a destination's name, how many entries it holds, and how many
        there are.
    :param beside: the path beside which the progress is kept, in place of the log's.
    :raises ValueError: if a URL names no destination.
    :raises ImportError: if an extra is not installed.
    """

    def __init__(
        self,
        log: Source,
        destinations: Sequence[str],
        *,
        interval: float = 1.0,
        signer: Signer | None = None,
        on_alert: Callable[[str], None] | None = None,
        on_progress: Callable[[str, int, int], None] | None = None,
        beside: Path | None = None,
    ) -> None:
        require_retries()  # said here and not by a thread
        self.log = log
        self.beside = log.path if beside is None else beside
        self.interval = interval
        self.on_alert = on_alert
        self.on_progress = on_progress
        names = [destination_name(url) for url in destinations]
        if len(set(names)) < len(names):
            raise ValueError("a destination is named twice")
        self._routes = [
            _Route(self, name, partial(open_destination, url, signer=signer))
            for name, url in zip(names, destinations, strict=True)
        ]
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def ship(self, patience: float = 60.0) -> list[Progress]:
        """Deliver all that the log holds now, and return what each destination holds then.

        :param patience: seconds for which a destination that is down is tried again.
        :returns: the progress to each. Its ``problem`` says why one did not get all.
        """
        deadline = time.monotonic() + patience
        threads = [
            threading.Thread(target=route.deliver_all, args=(deadline,)) for route in self._routes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [route.progress for route in self._routes]

    def start(self) -> None:
        """Deliver in threads of this process from now on, until :meth:`stop`.

        If another process already ships this log to the same destination, the thread waits, and
        takes over when that process ends.
        """
        for route in self._routes:
            thread = threading.Thread(
                target=route.follow, args=(self._stop,), name="chained_logging ship", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 5.0) -> None:
        """Deliver what is there and end. A destination that does not answer gets the rest later.

        :param timeout: seconds to wait.
        """
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()

    def status(self) -> list[dict[str, Any]]:
        """Return how far behind each destination is, in entries and in seconds."""
        return [status(self.log, read_progress(self.beside, route.name)) for route in self._routes]

    def forked(self) -> None:
        """Close the parent's locks in a forked child, which has no threads."""
        for route in self._routes:
            route.lock.close()


def status(log: Source, progress: Progress) -> dict[str, Any]:
    """Return how far a destination is behind a log, in entries and in seconds since the first of
    them was made."""
    last = log.durable_head().seq
    made = None
    # A broken log may have something else here, without a time.
    with contextlib.suppress(ValueError):
        waiting = next(log.records(progress.seq + 1), None) if progress.seq < last else None
        made = None if waiting is None else recorded_at(waiting.body)
    return {
        "destination": progress.destination,
        "seq": progress.seq,
        "lag_entries": max(0, last - progress.seq),
        "lag_seconds": 0.0 if made is None else round(max(0.0, time.time() - made), 3),
        "delivered_at": progress.delivered_at,
        "problem": progress.problem,
        "alert": progress.alert,
    }


class _Route:
    """The way to one destination."""

    def __init__(self, shipper: Shipper, name: str, opener: Callable[[], Destination]) -> None:
        self.shipper, self.name, self._open = shipper, name, opener
        path = progress_path(shipper.beside, name)
        self.lock = FileLock(path.with_name(f"{path.name}.lock"))
        self.progress = Progress(name)
        self._ours = OurLog(shipper.log, lambda: Head(self.progress.seq, self.progress.hash))
        self._holding: Holding | None = None
        self._destination: Destination | None = None
        self._there = EMPTY  # what it held when we asked, and what we wrote since
        self._asked: float | None = None

    # --- Once.

    def deliver_all(self, deadline: float) -> None:
        """Deliver until nothing is left, or the deadline has passed."""
        from tenacity import stop_after_delay

        patience = stop_after_delay(max(0.0, deadline - time.monotonic()))
        try:
            if not self.lock.try_acquire():
                self.progress.problem = "another process ships this log there"
                return
            self.progress = read_progress(self.shipper.beside, self.name)
            self._retrying(10, stop=patience)(self._guarded, True)
        except Exception as error:  # in a thread: only the progress can tell
            self._failed(error)
        finally:
            self._close()
            self.lock.release()
            self.lock.close()

    # --- On and on.

    def follow(self, stop: threading.Event) -> None:
        """Deliver what is there, again and again; once more after `stop`."""
        from tenacity import sleep_using_event, stop_when_event_set

        retrying = self._retrying(
            _LATER,
            stop=stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=lambda state: self._failed(state.outcome.exception()),
        )
        pause, last = self.shipper.interval, False
        while not last:
            last = stop.wait(pause)
            try:
                if self.lock.held or self.lock.try_acquire():
                    self.progress = read_progress(self.shipper.beside, self.name)
                    retrying(self._guarded, last)
                pause = self.shipper.interval
            except Exception as error:  # whatever it is: the next look may go well
                self._failed(error)
                pause = max(_LATER, self.shipper.interval)
        self._close()
        self.lock.release()
        self.lock.close()

    def _retrying(self, longest: float, **options: Any) -> Any:
        """Return a retrier, whose pauses grow to so many seconds while a destination is down."""
        from tenacity import Retrying, retry_if_exception_type, wait_exponential, wait_random

        return Retrying(
            retry=retry_if_exception_type(DestinationError),
            wait=wait_exponential(multiplier=0.2, max=longest) + wait_random(0, 0.5),
            reraise=True,
            **options,
        )

    # --- One delivery.

    def _guarded(self, everything: bool) -> None:
        try:
            self._deliver(everything)
        except BaseException:
            self._close()  # after a failure a new connection
            raise

    def _deliver(self, everything: bool) -> None:
        """Ask what the destination holds, and write what comes after it.

        :param everything: also a batch that could still wait for more.
        """
        log = self.shipper.log
        if self._destination is None:
            self._destination = self._open()
            if isinstance(self._destination, RememberingDestination):
                self._destination.remember(log.origin, self.progress.memory)
            self._asked = None
        now = time.monotonic()
        if self._asked is None or now - self._asked >= _LATER:
            # Not each time: a listing of S3 costs money. What is written here is known.
            self._there, self._asked = self._ask_end(self._destination), now
        there = self._there
        until = log.durable_head()
        self._compare(there, until)
        for batch, full in self._batches(there, until, self._destination.batch_seconds):
            if not (full or everything):
                break  # it waits for more
            checkpoints, mark = self._checkpoints(batch[-1].seq)
            self._write(self._destination, batch, checkpoints)
            self._there = there = Head(batch[-1].seq, batch[-1].hash)
            self._reached(there, mark)
            if self.shipper.on_progress is not None:
                self.shipper.on_progress(self.name, there.seq + 1, until.seq + 1)
        if there == until:
            late, mark = self._checkpoints(there.seq)
            if late:
                self._destination.write(log.origin, [], late)
            self._reached(there, mark)
        self._destination.tend(log.origin)
        self._keep_memory(self._destination)

    def _write(
        self,
        destination: Destination,
        batch: list[Record | Stub],
        checkpoints: list[StoredCheckpoint],
    ) -> None:
        origin = self.shipper.log.origin
        if isinstance(destination, HoldingDestination):
            self._write_held(destination, batch, checkpoints)
            return
        if isinstance(destination, StubDestination):
            destination.write(origin, batch, checkpoints)
            return
        removed = next((one.seq for one in batch if isinstance(one, Stub)), None)
        if removed is not None:
            raise Refused(
                f"{self.name} takes no stubs, and retention removed entry {removed} before it was "
                "shipped there: ship to PostgreSQL, or restore the log from a store that has it"
            )
        destination.write(origin, [one for one in batch if isinstance(one, Record)], checkpoints)

    def _write_held(
        self,
        destination: HoldingDestination,
        batch: list[Record | Stub],
        checkpoints: list[StoredCheckpoint],
    ) -> None:
        """Write a batch, held if a hold of the log covers it. Hold what was shipped before a hold
        that is in the batch; the log goes on if that fails."""
        log = self.shipper.log
        known = self._holding = self._holding or Holding(log, self.progress.holds)
        destination.write(log.origin, batch, checkpoints, held=known.covers(batch))
        self.progress.holds = known.memory
        if known.began_in(batch):
            try:
                destination.bring_holds(log.origin, known.holds, log.stored())
            except DestinationError as problem:
                _log.warning("%s; run hold sync with s3:PutObjectLegalHold", problem)

    def _ask_end(self, destination: Destination) -> Head:
        """Return the log's end there, without what somebody else may have added after it."""
        if isinstance(destination, OpenDestination):
            return destination.find_end(self.shipper.log.origin, self._ours)
        return destination.head(self.shipper.log.origin)

    def _keep_memory(self, destination: Destination) -> None:
        if (
            isinstance(destination, RememberingDestination)
            and destination.memory != self.progress.memory
        ):
            self.progress.memory = dict(destination.memory)
            write_progress(self.shipper.beside, self.progress)

    def _compare(self, there: Head, until: Head) -> None:
        """Check what the destination holds against the log and against what it held.

        :raises Refused: if it holds another history.
        """
        log = self.shipper.log
        if there.seq > until.seq:
            raise Refused(
                f"{self.name} holds {there.seq + 1:,} entries and the log {until.seq + 1:,}: the "
                "log was cut or rolled back, or another host writes under its name"
            )
        if there != EMPTY:
            ours = next(log.stored(there.seq), None)
            if ours is None or (ours.seq, ours.hash) != there:
                raise Refused(f"{self.name} holds another entry {there.seq} than the log")
        if there.seq < self.progress.seq:
            self._alert(
                f"{self.name} held {self.progress.seq + 1:,} entries and now holds "
                f"{there.seq + 1:,}: something was deleted there, or an old backup restored. "
                "The rest is shipped again"
            )
            self.progress.checkpoints = 0
        self.progress.seq, self.progress.hash = there

    def _batches(
        self, there: Head, until: Head, patience: float
    ) -> Iterator[tuple[list[Record | Stub], bool]]:
        """Yield verified entries in batches, and whether each is due: full, or old enough."""
        destination = self._destination
        assert destination is not None  # noqa: S101 -- for the type checker
        batch: list[Record | Stub] = []
        size = 0
        for record in self._verified(there, until):
            if isinstance(record, BrokenChain):
                if batch:
                    yield batch, True
                raise record
            length = 100 + (len(record.body) if isinstance(record, Record) else 0)
            if batch and (
                len(batch) >= destination.batch_entries or size + length > destination.batch_bytes
            ):
                yield batch, True
                batch, size = [], 0
            batch.append(record)
            size += length
        if batch:
            now = time.time()
            since = self.progress.delivered_at
            yield batch, since is None or not 0 <= now - since < patience

    def _verified(self, there: Head, until: Head) -> Iterator[Record | Stub | BrokenChain]:
        """Yield what comes after `there`, each checked; a BrokenChain at the first wrong one."""
        seq, prev = there
        path = self.shipper.log.path
        try:
            for record in self.shipper.log.stored(there.seq + 1):
                if record.seq > until.seq:
                    return
                if isinstance(record, Record):
                    check_next(record.body, record.hash, seq + 1, prev)
                if record.seq != seq + 1:  # in a database, which has the number in a column too
                    raise ValueError(f"entry {seq} is followed by {record.seq}")
                seq, prev = record.seq, record.hash
                yield record
        except ValueError as error:
            yield BrokenChain(f"{path} is broken after entry {seq}: {error}")
            return
        if seq != until.seq:
            yield BrokenChain(f"{path} is broken: entries {seq + 1} to {until.seq} are missing")

    def _checkpoints(self, last_seq: int) -> tuple[list[StoredCheckpoint], int]:
        """Return the checkpoints that became due, and the mark from which to read on."""
        found, mark = [], self.progress.checkpoints
        for after, stored in self.shipper.log.checkpoints_after(mark):
            if stored.size > last_seq + 1:
                if self._ours.made(stored):
                    break
                continue  # of nobody: it would be waited for without end
            found.append(stored)
            mark = after
        return found, mark

    def _reached(self, there: Head, mark: int) -> None:
        new = dataclasses.replace(
            self.progress,
            seq=there.seq,
            hash=there.hash,
            checkpoints=mark,
            problem=None,
            alert=False,
        )
        if new != self.progress:
            new.delivered_at = time.time()
            self.progress = new
            write_progress(self.shipper.beside, new)

    # --- What went wrong.

    def _failed(self, error: BaseException) -> None:
        alert = isinstance(error, Refused | BrokenChain)
        text = " ".join((str(error) or repr(error)).split())  # libpq writes several lines
        if not text.startswith(self.name):
            text = f"{self.name}: {text}"
        text = text[:_LONGEST]
        if alert:
            self._alert(text)
        elif text != self.progress.problem:
            _log.warning("%s", text)
        if (text, alert) != (self.progress.problem, self.progress.alert):
            self.progress.problem, self.progress.alert = text, alert
            try:
                write_progress(self.shipper.beside, self.progress)
            except FAILURES as full:
                _log.warning("%s: %s", self.name, full)

    def _alert(self, sentence: str) -> None:
        if sentence == self.progress.problem:
            return  # said already
        _log.critical("%s", sentence)
        if self.shipper.on_alert is not None:
            self.shipper.on_alert(sentence)

    def _close(self) -> None:
        destination, self._destination = self._destination, None
        if destination is not None:
            try:
                destination.close()
                if self.lock.held:
                    self._keep_memory(destination)  # of what it made at its end
            except Exception as error:
                _log.debug("%s: closing: %s", self.name, error)

"""The landing: takes batches out of a stream, and writes them to a destination that keeps them.

Any number of landings share the partitions of a stream. A batch is acknowledged once the
destination has it durably, so after a crash it is delivered again. The destination's own head
ensures that no entry is stored twice or out of order: a batch that it has is skipped, and one that
comes too early waits. Each hash and link is checked here, before anything is written.

A bad message is never skipped. It is kept in the stream ``STREAM-dead``, an alert is raised, and
its log is stopped until somebody has looked (:meth:`Landing.resume`). A stopped log loses nothing
meanwhile: acknowledging a message does not delete it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chained_logging.errors import DestinationError, Refused, ShipError, Unfit
from chained_logging.format.record import Head
from chained_logging.ship import require_retries
from chained_logging.ship.destination import Destination, JudgingDestination
from chained_logging.ship.nats.batch import next_batch
from chained_logging.ship.nats.connection import Connection
from chained_logging.ship.nats.consumers import acknowledge, oldest, pull, put_back, take, waiting
from chained_logging.ship.nats.message import (
    Foreign,
    Message,
    check_published,
    decode,
    following,
    name_of,
    partition_of,
    token_of,
)
from chained_logging.ship.nats.stopped import StoppedLogs
from chained_logging.text import printable

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from chained_logging.ship.nats.consumers import Pull

_log = logging.getLogger("chained_logging.ship")

_TRIES: Final = 10  # of a message that comes too early, until the stream itself is searched
_FAILURES: Final = 3  # logs in a row that a destination did not take, until it is down
_TEND_EVERY: Final = 10.0
_LOOK_EVERY: Final = 60.0  # seconds between two looks at how old the oldest message is


class _Delivery(NamedTuple):
    message: Message
    raw: Msg


class Landing:
    """Lands a stream in a destination.

    :param source: ``nats://…``, see :class:`chained_logging.ship.nats.NatsDestination`.
    :param opener: opens the destination, again after each failure.
    :param partitions: which ones; by default all.
    :param patience: seconds for which a batch that comes too early waits for those before it.
    :param ack_wait: seconds after which what a landing that died held is given to another one.
    :param on_alert: called with a sentence when somebody must look; it is logged as critical to
        ``chained_logging.ship`` too.
    :raises ValueError: if the URL names no stream.
    :raises ImportError: if an extra is not installed.
    """

    def __init__(
        self,
        source: str,
        opener: Callable[[], Destination],
        *,
        partitions: Sequence[int] | None = None,
        patience: float = 30.0,
        ack_wait: float = 120.0,
        on_alert: Callable[[str], None] | None = None,
    ) -> None:
        require_retries()  # said here and not after an hour
        self._stream = Connection(source)
        self._opener = opener
        self._wanted = partitions
        self._ack_wait = ack_wait
        self._delay = patience / _TRIES
        self._on_alert = on_alert
        self._destination: Destination | None = None
        self._id = ""
        self._stops = StoppedLogs(self._stream, "")
        self._pulls: list[Pull] = []
        self._stopped: dict[str, str] = {}
        self._alerted: set[str] = set()
        self._origins: set[str] = set()
        self._tended = self._looked = 0.0
        self._wrote = False
        self.landed = 0
        """Entries landed so far."""

    # --- Going on.

    def run(self, stop: threading.Event) -> None:
        """Land what comes, until `stop`.

        :raises Refused: if the stream or the destination is not set up.
        """
        while not stop.is_set():
            began = time.monotonic()
            full = self._retrying(self._round, stop)
            destination = self._destination
            if not full and destination is not None:
                stop.wait(max(0.0, began + destination.batch_seconds - time.monotonic()))
        self.close()

    def land(self, patience: float = 60.0) -> bool:
        """Land what is there now.

        :param patience: seconds for which it is tried.
        :returns: whether nothing is left.
        :raises Refused: as :meth:`run`.
        """
        stop = threading.Event()
        timer = threading.Timer(patience, stop.set)
        timer.daemon = True
        timer.start()
        try:
            while not stop.is_set():
                self._retrying(self._round, stop)
                if self._retrying(self._count_waiting, stop) == 0:
                    return True
            return False
        finally:
            timer.cancel()
            self.close()

    def close(self) -> None:
        """Close the connections."""
        destination, self._destination = self._destination, None
        self._pulls.clear()
        self._stream.close()
        if destination is not None:
            try:
                destination.close()
            except Exception as error:
                _log.debug("closing: %s", error)

    def _retrying(self, work: Callable[[], int], stop: threading.Event) -> int:
        """Do something again and again until it succeeds; each time with new connections."""
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_exception_type,
            stop_when_event_set,
            wait_exponential,
            wait_random,
        )

        def pause(seconds: float) -> None:
            stop.wait(seconds)

        def failed(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if state.attempt_number == 1:
                _log.warning("the landing waits: %s", error)
            self.close()

        retrying = Retrying(
            retry=retry_if_exception_type(DestinationError),
            wait=wait_exponential(multiplier=0.2, max=30) + wait_random(0, 0.5),
            stop=stop_when_event_set(stop),
            after=failed,
            sleep=pause,
            retry_error_callback=lambda _: 1,
        )
        try:
            return retrying(work)
        except BaseException:
            self.close()
            raise

    # --- One round.

    def _round(self) -> int:
        """Take what is there, and land it; return whether there may be more at once."""
        destination = self._open()
        limit = min(5.0, max(0.2, destination.batch_seconds))
        taken, full = self._stream.ask(take(self._pulls, limit), limit + 30)
        logs: dict[str, list[Msg]] = {}
        for raw in taken:
            logs.setdefault(raw.subject, []).append(raw)
        if logs:
            self._stopped = self._stops.read()
        failed = 0
        for subject, raws in logs.items():
            try:
                self._land_log(subject, raws)
                failed = 0
            except DestinationError:  # of this log alone, perhaps: somebody may hold a lock on it
                failed += 1
                self._pause(raws)
                if failed == min(len(logs), _FAILURES):
                    raise
        self._tend()
        self._look_at_age()
        return full

    def _pause(self, raws: list[Msg]) -> None:
        """Have messages delivered again a little later."""
        self._stream.ask(put_back(raws, self._delay))

    def _tend(self) -> None:
        """Let the destination do what is due by the clock, for each log."""
        if time.monotonic() < self._tended + _TEND_EVERY:
            return
        destination = self._open()
        for origin in sorted(self._origins):
            try:
                destination.tend(origin)
            except Refused as error:
                self._alert(f"{destination.name}: {origin}: {error}")
        self._tended = time.monotonic()

    def _land_log(self, subject: str, raws: list[Msg]) -> None:
        """Land the messages of one log."""
        token = subject.rpartition(".")[2]
        if token in self._stopped:
            self._acknowledge(raws)  # they stay in the stream, for resume
            return
        deliveries = []
        for raw in raws:
            try:
                deliveries.append(_Delivery(self._checked(subject, raw.headers, raw.data), raw))
            except Foreign as error:
                self._set_aside(token, raw, str(error))
            except Exception as error:  # whatever it is, it is of this message
                wrong = raw, f"message {raw.metadata.sequence.stream} is not a batch: {error}"
                break
        else:
            wrong = None
        deliveries.sort(key=lambda one: (one.message.first, one.message.head.seq))
        rest = self._land_batches(deliveries)
        if wrong is not None:
            self._stop_log(subject, *wrong)
        if token in self._stopped:
            self._acknowledge(raws)
            return
        for delivery in rest:
            self._put_back(subject, delivery)

    def _checked(self, subject: str, headers: Any, data: bytes | None) -> Message:
        check_published(headers, data)
        message = decode(subject, headers, data)
        partition = partition_of(message.origin, self._stream.partitions)
        if subject != f"{self._stream.stream}.{partition}.{token_of(message.origin)}":
            raise ValueError("it is in the partition of another log")
        message.check()
        return message

    def _land_batches(self, deliveries: list[_Delivery]) -> list[_Delivery]:
        """Write what follows what the destination has; return what comes too early."""
        destination = self._open()
        while deliveries:
            origin = deliveries[0].message.origin
            try:
                head = self._end(destination, deliveries[0].message)
            except Refused as error:
                self._refused(deliveries[0].raw, error)
                return []
            self._origins.add(origin)
            most = destination.batch_entries, destination.batch_bytes
            batch = next_batch(head, (one.message for one in deliveries), *most)
            if batch.records or batch.checkpoints:
                try:
                    destination.write(origin, batch.records, batch.checkpoints)
                except (DestinationError, Refused) as error:
                    if self._end(destination, deliveries[0].message) != head:
                        continue  # another landing was faster
                    if isinstance(error, DestinationError):
                        raise
                    self._refused(deliveries[0].raw, error)
                    return []
                self._wrote = True
                self.landed += len(batch.records)
            self._acknowledge([one.raw for one in deliveries[: batch.messages]])
            deliveries = deliveries[batch.messages :]
            if batch.wrong is not None:
                raw = deliveries[0].raw
                number = raw.metadata.sequence.stream
                self._stop_log(
                    raw.subject, raw, f"message {number} cannot be landed: {batch.wrong}"
                )
                return []
            if not batch.messages:
                break
        return deliveries

    def _end(self, destination: Destination, message: Message) -> Head:
        """Return a log's end there, without what somebody else may have added after it."""
        if isinstance(destination, JudgingDestination):
            return destination.end_for(message.origin, message.before(), message.records)
        return destination.head(message.origin)

    def _set_aside(self, token: str, raw: Msg, reason: str) -> None:
        """Keep a message that is not part of any log, report it, and go on."""
        reason = f"message {raw.metadata.sequence.stream}: {reason}"
        self._stops.keep(token, raw, reason)
        self._acknowledge([raw])
        self._alert(f"{raw.subject}: {reason}")

    def _refused(self, raw: Msg, error: Refused) -> None:
        """Stop a log that the destination does not take. If the destination has taken nothing yet,
        and does not blame these entries, it is probably not set up: then no log is stopped, and the
        landing ends."""
        if not self._wrote and not isinstance(error, Unfit):
            raise error
        self._stop_log(raw.subject, raw, str(error))

    def _put_back(self, subject: str, delivery: _Delivery) -> None:
        """Have a message that comes too early delivered again later; in the end, search for what
        is missing."""
        if delivery.raw.metadata.num_delivered < _TRIES:
            self._stream.ask(delivery.raw.nak(delay=self._delay))
            return
        missing = self._catch_up(delivery.message.origin)
        if missing is None:
            self._acknowledge([delivery.raw])
            return
        self._stop_log(
            subject,
            None,
            f"entries {missing[0]} to {missing[1]} are not in the stream any more: ship the log "
            f"once to {self._open().name} directly, then resume it",
        )
        self._acknowledge([delivery.raw])

    def _catch_up(self, origin: str) -> tuple[int, int] | None:
        """Land all that the stream itself holds of a log, whatever was acknowledged of it.

        Wrong messages are left out: they were reported before.

        :returns: the first and last entry that are missing in between; None if nothing is.
        """
        destination = self._open()
        partition = partition_of(origin, self._stream.partitions)
        subject = f"{self._stream.stream}.{partition}.{token_of(origin)}"
        head: Head | None = None
        for _, _, headers, data in self._stream.messages(subject):
            try:
                message = self._checked(subject, headers, data)
                if head is None:
                    head = self._end(destination, message)
                new = following(head, message)
            except DestinationError:
                raise
            except Exception:  # it was named before
                _log.debug("a message of %s is left out", origin, exc_info=True)
                continue
            if new is None:
                return head.seq + 1, message.first - 1
            if new or message.checkpoints:
                try:
                    destination.write(origin, new, message.checkpoints)
                except (DestinationError, Refused) as error:
                    now = self._end(destination, message)
                    if now.seq < message.head.seq:
                        if not isinstance(error, Unfit) or not message.checkpoints:
                            raise
                        destination.write(origin, new, [])  # a checkpoint may be forged
                    else:
                        head = now
                        continue
                self.landed += len(new)
            if new:
                head = message.head
        return None

    # --- Logs that are stopped.

    def stopped(self) -> dict[str, str]:
        """Return the logs that are stopped in this destination, each with the reason."""
        self._open()
        return {name_of(token): reason for token, reason in self._stops.read().items()}

    def resume(self, origin: str) -> int:
        """Go on with a log that was stopped. What was wrong is left out.

        :returns: how many entries were landed.
        :raises ShipError: if it is not stopped, or entries are still missing.
        """
        self._open()
        token, before = token_of(origin), self.landed
        if token not in self._stops.read():
            raise ShipError(f"{origin} is not stopped")
        for last in (False, True):
            missing = self._catch_up(origin)
            if missing is not None:
                raise ShipError(
                    f"{origin} cannot go on: entries {missing[0]} to {missing[1]} are still missing"
                )
            if not last:  # what comes between the two is landed by the second, or waits
                self._stops.resume(token)
        self._alerted.clear()
        return self.landed - before

    def _stop_log(self, subject: str, raw: Msg | None, reason: str) -> None:
        """Stop a log, for all landings in this destination, and raise an alert."""
        token = subject.rpartition(".")[2]
        if raw is not None:
            self._stops.keep(token, raw, reason)
        self._stops.stop(token, reason)
        self._stopped[token] = reason
        self._alert(f"the log {name_of(token)} is stopped: {reason}")

    # --- Help.

    def status(self) -> dict[str, Any]:
        """Return how many messages wait, how old the oldest is in seconds, how long messages stay,
        and which logs are stopped."""
        self._open()
        infos = [pull.info() for pull in self._pulls]
        return {
            "destination": self._open().name,
            "messages_waiting": sum(info.num_pending or 0 for info in infos),
            "messages_unacknowledged": sum(info.num_ack_pending or 0 for info in infos),
            "oldest_seconds": round(oldest(self._stream, self._pulls), 1),
            "kept_seconds": self._stream.config.max_age or None,
            "stopped": self.stopped(),
        }

    def _count_waiting(self) -> int:
        self._open()
        return waiting(self._stream, self._pulls)

    def _look_at_age(self) -> None:
        """Warn well before a message expires that was not landed."""
        kept = self._stream.config.max_age
        if not kept or time.monotonic() < self._looked + _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        if oldest(self._stream, self._pulls) > kept / 2:
            self._alert(
                f"messages of {self._stream.name} wait for longer than half of the time for which "
                "the stream keeps them"
            )

    def _open(self) -> Destination:
        if self._destination is None:
            self._stream.open()
            self._destination = self._opener()
            # Tells the landings of one destination from those of another.
            self._id = sha256(self._destination.name.encode()).hexdigest()[:12]
            self._stops = StoppedLogs(self._stream, self._id)
        if not self._pulls:
            wanted = range(self._stream.partitions) if self._wanted is None else self._wanted
            for partition in wanted:
                self._pulls.append(pull(self._stream, partition, self._id, self._ack_wait))
        return self._destination

    def _acknowledge(self, raws: Iterable[Msg]) -> None:
        self._stream.ask(acknowledge(raws))

    def _alert(self, sentence: str) -> None:
        if sentence in self._alerted:
            return
        self._alerted.add(sentence)
        sentence = printable(sentence)
        _log.critical("%s", sentence)
        if self._on_alert is not None:
            self._on_alert(sentence)

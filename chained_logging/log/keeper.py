"""The threads of an open log: one that tends it once an interval, and those that ship it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from chained_logging.log.signing import Signing

if TYPE_CHECKING:
    from chained_logging.ship.shipper import Shipper
    from chained_logging.ship.source import Source

    class Kept(Source, Protocol):
        """A log, as its threads see it."""

        def _tend(self) -> None: ...


class Keeper:
    """Starts and ends the threads. The keeper thread does not keep the log alive.

    :param log: the front of the log, which others may drop at any time.
    :param interval: seconds between two rounds.
    :param destinations: where the log is shipped to.
    :ivar started: whether there is such a thread.
    """

    def __init__(
        self,
        log: weakref.ref[Kept],
        interval: float,
        destinations: Sequence[str],
        signing: Signing,
    ) -> None:
        self._log = log
        self._interval = interval
        self._destinations = destinations
        self._signing = signing
        self._shipper: Shipper | None = None
        self.afresh()

    def afresh(self) -> None:
        """Begin without threads: after the log was closed, and in a forked child."""
        self.started = False
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        if self._shipper is not None:
            self._shipper.forked()
            self._shipper = None

    def start(self) -> None:
        """Start the threads. At the interpreter's exit there are none: closing does the rest."""
        self.started = True
        try:
            self._thread = threading.Thread(
                target=_keep,
                args=(self._log, self._stop, self._interval),
                name="chained_logging",
                daemon=True,
            )
            self._thread.start()
            if self._destinations:
                self._start_shipper()
        except BaseException as error:  # perhaps from a signal handler: the next append tries again
            self._give_up()
            if not isinstance(error, RuntimeError):
                raise

    def _give_up(self) -> None:
        """End what was started, without waiting for it."""
        self._stop.set()
        if self._shipper is not None:
            self._shipper.stop(0)
            self._shipper = None
        self.afresh()

    def _start_shipper(self) -> None:
        from chained_logging.ship.shipper import Shipper

        log = self._log()
        if log is not None:
            signer = self._signing.key
            self._shipper = Shipper(log, self._destinations, interval=self._interval, signer=signer)
            self._shipper.start()

    def stop(self) -> None:
        """End the threads, and wait for them."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._shipper is not None:
            self._shipper.stop()
            self._shipper = None


def _keep(reference: weakref.ref[Kept], stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        log = reference()
        if log is None:
            return
        log._tend()
        del log

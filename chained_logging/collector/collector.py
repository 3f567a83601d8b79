"""The collector: a log and the two servers in front of it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

from chained_logging.collector.http import MIN_TOKEN, Events, loopback
from chained_logging.collector.store import Store
from chained_logging.collector.unix import UnixServer, guard
from chained_logging.log import AuditLog
from chained_logging.net.server import HttpServer
from chained_logging.net.signals import wait_for

_DRAIN: Final = 10.0  # seconds that connections have to end at SIGTERM


class Collector:
    """Serves a log to other programs until :meth:`stop`. A context manager.

    :param log: an open log. Open it with ``on_failure="raise"``, so that a client learns when its
        event was not stored.
    :param socket_path: Unix socket to listen on. The socket of a dead collector is replaced. That
        of a running one, and a file that is not a socket, are refused.
    :param mode: mode of the socket file. A program that may write to it may add entries.
    :param http: ``(address, port)`` to listen on as well, loopback only; port 0 for any free one.
    :param token: what HTTP clients send as ``Authorization: Bearer``; at least 16 characters.
    :param connections: number of clients that may be connected at once, to the socket and over
        HTTP each. HTTP clients without the token have a budget of their own.
    :param timeout: seconds that a client has to finish a line, to finish a request, or to take an
        answer, before its connection is closed.
    :raises OSError: if it cannot listen there.
    :raises ValueError: for an address that is not loopback, and for HTTP without a token.
    """

    def __init__(
        self,
        log: AuditLog,
        socket_path: str | os.PathLike[str],
        *,
        mode: int = 0o600,
        http: tuple[str, int] | None = None,
        token: str | None = None,
        connections: int = 128,
        timeout: float = 30.0,
    ) -> None:
        if http is not None and (token is None or len(token) < MIN_TOKEN):
            raise ValueError(f"HTTP needs a token of at least {MIN_TOKEN} characters")
        self.log: Final = log
        store = Store(log)
        self._path = Path(socket_path)
        self._guard = guard(self._path)
        self._unix: UnixServer | None = None
        self._http: HttpServer | None = None
        self._threads: list[threading.Thread] = []
        try:
            self._unix = UnixServer(store, str(self._path), mode, connections, timeout)
            if http is not None:
                self._http = HttpServer(
                    Events(store, (token or "").encode()),
                    *loopback(*http),
                    connections=connections,
                    timeout=timeout,
                )
        except BaseException:
            self.stop()
            raise
        self._threads.append(threading.Thread(target=self._unix.serve_forever, args=(0.1,)))
        self._threads[0].start()
        if self._http is not None:
            self._threads.append(self._http.start())

    @property
    def http_address(self) -> tuple[str, int]:
        """The address and port on which it listens for HTTP."""
        if self._http is None:
            raise ValueError("this collector does not listen for HTTP")
        return self._http.address

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections, store and answer what has arrived, and end. The log stays open."""
        end = time.monotonic() + _DRAIN
        if self._http is not None:
            self._http.stop()
        if self._unix is not None:
            if self._threads:
                self._unix.shutdown()
                self._unix.accept_waiting()
            self._unix.server_close()
            self._unix.drain(end)
        for thread in self._threads:
            thread.join()
        if self._unix is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._guard)

    def run(self, ended: threading.Event) -> None:
        """Serve until an event is set, then :meth:`stop`. For the main thread.

        :param ended: from :func:`chained_logging.net.signals.ended_by_signal`. Call that before you
            make the collector, so that signals are handled from the first connection on.
        """
        wait_for(ended)
        self.stop()

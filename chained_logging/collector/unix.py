"""The collector's Unix socket."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import socket
import socketserver
import stat
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from chained_logging.collector.events import numbered, to_lines
from chained_logging.collector.lines import CHUNK, LineReader
from chained_logging.collector.store import Store
from chained_logging.errors import Busy, ForeignFile


def guard(path: Path) -> int:
    """Lock a socket's path for this collector, and remove what a dead one left there.

    :returns: the descriptor of the lock file.
    :raises Busy: if another program uses the path.
    :raises ForeignFile: if a file there is not a socket.
    """
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"a collector is running on {path}: stop it first") from None
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise ForeignFile(f"{path} exists and is not a socket: choose another path")
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise Busy(f"another program listens on {path}: choose another path")
            os.unlink(path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _credentials(connection: socket.socket) -> dict[str, Any]:
    """Return who is at the other end of a Unix socket, as reported by the kernel."""
    peer: dict[str, Any] = {"transport": "unix"}
    if hasattr(socket, "SO_PEERCRED"):  # Linux
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, gid = struct.unpack("3i", data)
        peer |= {"pid": pid, "uid": uid, "gid": gid, "user": f"uid:{uid}"}
        with contextlib.suppress(KeyError):
            peer["user"] = pwd.getpwuid(uid).pw_name
    return peer


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves a Unix socket, with a thread for each connection. They can be told to finish.

    :param store: where events go.
    :param path: the socket, whose path :func:`guard` made free.
    :param mode: its mode.
    :param connections: number of clients that may be connected at once.
    :param timeout: seconds that a client has to finish a line, or to take an answer.
    :raises OSError: if it cannot listen there.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    too_many = b'{"error":"there are too many connections","retry":true}\n'

    def __init__(
        self, store: Store, path: str, mode: int, connections: int, timeout: float
    ) -> None:
        self.store = store
        self.limit = timeout
        self._free = threading.BoundedSemaphore(connections)
        self._lock = threading.Condition()
        self._open: dict[socket.socket, bool] = {}  # whether it sent a line; oldest first
        super().__init__(path, _Handler, bind_and_activate=False)
        mask = os.umask(0o177)  # so that the socket never has another mode
        try:
            self.server_bind()
        finally:
            os.umask(mask)
        os.chmod(path, mode)
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False) and not self._made_way():
            with contextlib.suppress(OSError):
                request.settimeout(1)
                request.sendall(self.too_many)
            self.shutdown_request(request)
            return
        with self._lock:
            self._open[request] = False
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
                self._lock.notify_all()
            self._free.release()

    def _made_way(self) -> bool:
        """Close the oldest connection that never sent a line, if there is one, and use its slot."""
        with self._lock:
            silent = next((one for one, spoke in self._open.items() if not spoke), None)
            if silent is None:
                return False
            with contextlib.suppress(OSError):
                silent.shutdown(socket.SHUT_RDWR)
        return self._free.acquire(timeout=1)

    def spoke(self, connection: socket.socket) -> None:
        """Note that a client sent a line, so that it keeps its connection."""
        with self._lock:
            if connection in self._open:
                self._open[connection] = True

    def accept_waiting(self) -> None:
        """Accept the connections that wait in the kernel: they may have sent events already."""
        self.socket.settimeout(0)
        with contextlib.suppress(OSError):  # BlockingIOError: there are no more
            while True:
                connection, address = self.socket.accept()
                connection.setblocking(True)
                self.process_request(connection, address)

    def drain(self, end: float) -> None:
        """Let connections read what was already sent, and wait for them until `end`."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)  # it still reads what has arrived
            self._lock.wait_for(lambda: not self._open, max(0.0, end - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report that a connection failed, unless its client went away."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"collector: a connection failed: {error!r}", file=sys.stderr)


class _Handler(socketserver.BaseRequestHandler):
    server: UnixServer

    def handle(self) -> None:
        timeout = self.server.limit
        peer = _credentials(self.request)
        reader = LineReader(self.request, timeout)
        listening = True
        number = 1
        while batch := reader.lines():
            self.server.spoke(self.request)
            answers = self.server.store.store(batch, peer)
            numbered(answers, number)
            number += len(answers)
            if listening:
                self.request.settimeout(timeout)
                try:
                    self.request.sendall(to_lines(answers))
                except BrokenPipeError:  # it wants no answers; what it sends is still stored
                    listening = False
        # Closing with unread bytes would reset the connection, and the client might never read
        # the last answer.
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RD)
            self.request.settimeout(1)
            while self.request.recv(CHUNK):
                pass

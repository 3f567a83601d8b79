"""A small HTTP/1.1 server: bounded in time, in memory and in connections.

One thread reads and writes for all connections (asyncio). A few other threads answer requests that
have arrived whole. So a client that is slow or silent costs a file descriptor and some kilobytes,
and no thread.

A **stranger** is a client that has not shown who it is. Strangers have a budget of their own, so
they cannot keep out the other clients. When the budget is spent, a new connection replaces the
oldest one of the address that has the most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol

from chained_logging.net.head import MAX_HEAD, BadRequest, Head, check_line, parse_head

BACKLOG: Final = 512
STRANGERS: Final = 256
"""Connections of clients that have not shown who they are."""
WORKERS: Final = 32
"""Threads that answer requests."""
DRAIN: Final = 10.0
"""Seconds that running requests may take when the server stops."""
_LINGER: Final = 2.0  # seconds to read what a refused client still sends
_LINGER_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 65_536

_log = logging.getLogger(__name__)


class Response(NamedTuple):
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    known: bool = False
    """Whether the request has shown who the client is."""


class Admission(NamedTuple):
    """What a request may send, judged by its head."""

    limit: int
    """Bytes that the body may have."""
    known: bool = False
    """Whether the head shows who the client is."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has arrived whole."""

    head: Head
    body: bytes
    address: str
    """The client's IP address."""


class Application(Protocol):
    """What is served."""

    def admit(self, head: Head) -> Admission | Response:
        """Judge a head before its body is read; a response refuses it. Must not block."""

    def answer(self, request: Request) -> Response:
        """Answer a request. Called in one of several threads; what it raises becomes a 500."""

    def refuse(self, status: int, reason: str) -> Response:
        """Return the answer to a request that cannot be read, or has too long a body."""


class HttpServer:
    """Serves an application. It listens from its construction on.

    :param application: answers the requests.
    :param strangers: largest number of connections of clients that have not shown who they are.
    :param connections: largest number of connections of clients that have.
    :param timeout: seconds in which a request must arrive, counted from the end of the one before;
        and in which the client must take the answer.
    :raises OSError: if it cannot listen on the address.
    """

    def __init__(
        self,
        application: Application,
        host: str,
        port: int,
        *,
        strangers: int = STRANGERS,
        connections: int = 128,
        timeout: float = 15.0,
    ) -> None:
        self._application = application
        self._limits = (strangers, connections)
        self._timeout = timeout
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self.address: Final[tuple[str, int]] = self._socket.getsockname()[:2]
        """The address and port on which it listens."""
        self._connections: dict[_Connection, None] = {}  # oldest first
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="http")
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._lock = threading.Lock()
        self._stop_wanted = False

    def run(self) -> None:
        """Serve until :meth:`stop` is called from another thread."""
        try:
            asyncio.run(self._serve())
        finally:
            self._socket.close()
            self._workers.shutdown(wait=False, cancel_futures=True)

    def start(self) -> threading.Thread:
        """Serve in a thread of its own, and return that."""
        thread = threading.Thread(target=self.run, name="http", daemon=True)
        thread.start()
        self._running.wait()
        return thread

    def stop(self) -> None:
        """Accept no more connections, answer what has arrived, and end. Returns at once."""
        with self._lock:
            self._stop_wanted = True
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stopping.set)

    def close(self) -> None:
        """Stop listening, if it was never run."""
        self._socket.close()
        self._workers.shutdown(wait=False)

    async def _serve(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._stop_wanted:
                self._stopping.set()
        server = await asyncio.start_server(
            self._connected, sock=self._socket, limit=MAX_HEAD, backlog=BACKLOG
        )
        self._running.set()
        try:
            await self._stopping.wait()
            for _ in range(5):  # connections that wait in the kernel have arrived too
                await asyncio.sleep(0)
        finally:
            server.close()
            await self._drain()
            with self._lock:
                self._loop = None

    async def _drain(self) -> None:
        """Let connections read what was already sent, and wait for them."""
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN
        while True:
            for _ in range(5):  # some may only just have been accepted
                await asyncio.sleep(0)
            tasks = [each.task for each in self._connections]
            if not tasks or loop.time() >= end:
                break
            for connection in self._connections:
                connection.end_reading()
            await asyncio.wait(tasks, timeout=end - loop.time())
        for connection in self._connections:
            connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=1)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        self._connections[connection] = None
        self._make_way()
        try:
            while await self._exchange(connection):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client is gone, or too slow
        finally:
            await connection.close(self._timeout)
            del self._connections[connection]

    def _make_way(self) -> None:
        """Send a stranger away if there are too many."""
        strangers = [each for each in self._connections if not (each.known or each.working)]
        if len(strangers) <= self._limits[0]:
            return
        [(address, _)] = Counter(each.address for each in strangers).most_common(1)
        oldest = next(each for each in strangers if each.address == address)
        oldest.send_away(self._application.refuse(503, "there are too many connections"))

    async def _exchange(self, connection: _Connection) -> bool:
        """Read and answer a request. Return whether another one may follow."""
        try:
            async with asyncio.timeout(self._timeout):
                request = await self._receive(connection)
        except BadRequest as bad:
            await self._refuse(connection, self._application.refuse(bad.status, str(bad)))
            return False
        if isinstance(request, Response):
            await self._refuse(connection, request)
            return False
        if request is None:
            return False
        at_work = sum(each.working and not each.known for each in self._connections)
        if not connection.known and at_work >= self._limits[0]:
            busy = self._application.refuse(503, "there are too many requests")
            await self._send(connection, busy, request.head.method, True)
            return False
        connection.working = True
        try:
            response = await asyncio.get_running_loop().run_in_executor(
                self._workers, self._answer, request
            )
        finally:
            connection.working = False
        connection.known |= response.known
        last = not request.head.keep_alive or self._stopping.is_set()
        await self._send(connection, response, request.head.method, last)
        return not last

    async def _receive(self, connection: _Connection) -> Request | Response | None:
        head = await connection.read_head()
        if head is None:
            return None
        admission = self._application.admit(head)
        if isinstance(admission, Response):
            return admission
        if admission.known and not connection.known:
            if sum(each.known for each in self._connections) >= self._limits[1]:
                return self._application.refuse(503, "there are too many connections")
            connection.known = True
        if head.length > admission.limit:
            reason = f"a request must have at most {admission.limit:,} bytes"
            return self._application.refuse(413, reason)
        expect = head.headers.get("expect")
        if expect is not None and expect.lower() != "100-continue":
            return self._application.refuse(417, "the only expectation is 100-continue")
        if expect is not None and head.length:
            await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(head, await connection.read(head.length), connection.address)

    def _answer(self, request: Request) -> Response:
        try:
            return self._application.answer(request)
        except Exception:
            _log.exception("a request failed")
            return self._application.refuse(500, "the server failed")

    async def _send(
        self, connection: _Connection, response: Response, method: str, last: bool
    ) -> None:
        async with asyncio.timeout(self._timeout):
            await connection.send(format_response(response, method, last))

    async def _refuse(self, connection: _Connection, response: Response) -> None:
        """Answer a request that was not read whole, and end the connection."""
        await self._send(connection, response, "", True)
        # Closing with unread bytes would reset the connection, and the client might never see why.
        # So end our side, and wait a little for the client's end.
        async with asyncio.timeout(_LINGER):
            await connection.linger()


def format_response(response: Response, method: str, last: bool) -> bytes:
    """Return a response as it is sent.

    :param last: whether the connection is closed after it.
    """
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(["Connection: close"] if last else []),
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n"
    return head if method == "HEAD" else head + response.body


class _Connection:
    """One client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.address = str((writer.get_extra_info("peername") or ("",))[0])
        self.task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self.known = False
        self.working = False

    async def read_head(self) -> Head | None:
        """Return the next head; None if the client ended the connection before it began one.

        :raises BadRequest: if the client does not send a valid head.
        """
        lines: list[bytes] = []
        left = MAX_HEAD
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                left = 0
            except asyncio.IncompleteReadError as end:
                if not lines and not end.partial:
                    return None
                raise
            else:
                left -= len(line)
            if left <= 0:
                raise BadRequest(
                    431 if lines else 414, f"a head must have at most {MAX_HEAD:,} bytes"
                )
            check_line(line)
            if line == b"\r\n":
                return parse_head(lines)
            lines.append(line[:-2])

    async def read(self, length: int) -> bytes:
        return await self._reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def linger(self) -> None:
        self._writer.write_eof()
        left = _LINGER_BYTES
        while left > 0 and (data := await self._reader.read(_CHUNK)):
            left -= len(data)

    def end_reading(self) -> None:
        """Let the reader see what has arrived, and then an end."""
        with contextlib.suppress(OSError):
            self._writer.get_extra_info("socket").shutdown(socket.SHUT_RD)

    def send_away(self, response: Response) -> None:
        """Answer and close, so that its task ends."""
        if self._writer.is_closing():
            self.abort()
            return
        self._writer.write(format_response(response, "", True))
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def close(self, seconds: float) -> None:
        """Close, and give the client some seconds to take what was written."""
        self._writer.close()
        try:
            async with asyncio.timeout(seconds):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()

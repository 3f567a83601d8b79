"""The collector: entries from any language on this machine, over a Unix socket or loopback HTTP.

Each line of JSON is one event. It is answered with one line once it is durable, in order:
``{"id": …, "seq": …, "hash": …}``, or ``{"error": …}`` if it was refused. Each connection has a
thread of its own. The thread takes what has arrived, appends it in one write, answers, and only
then reads on. A client that is faster than the disk therefore waits, and no queue grows. Under
``durability="fsync"`` connections that wait at the same time share one sync. The protocol, and what
a client may rely on, is in ``docs/collector.md``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import os
import pwd
import re
import socket
import socketserver
import stat
import struct
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import orjson

from chained_logging.event.entry import AuditEntry, InvalidEntry
from chained_logging.event.input import parse_event
from chained_logging.format.line import MAX_BODY
from chained_logging.log import AuditLog
from chained_logging.net.head import Head
from chained_logging.net.server import Admission, HttpServer, Request, Response
from chained_logging.net.signals import wait_for

MAX_LINE: Final = 10 * MAX_BODY
"""Bytes in one event. Values that an entry cannot hold are stored as their digests."""
MAX_REQUEST: Final = 4 * MAX_LINE
"""Bytes in the body of one HTTP request."""
MAX_KEY: Final = 200
"""Characters in an idempotency key."""
REMEMBERED: Final = 100_000
"""Number of recent entries whose idempotency keys are known, also after a restart."""
_BATCH: Final = 256
_CHUNK: Final = 1 << 16
_DRAIN: Final = 10.0  # seconds that connections have to end at SIGTERM
_MIN_TOKEN: Final = 16
_ACTORS: Final = ("actor", "actor_id", "user_id")
_PLAIN_ERROR: Final = re.compile(r"[^\x20-\x7e]")


class Collector:
    """Serves a log to other programs until :meth:`stop`. A context manager.

    :param log: an open log. Open it with ``on_failure="raise"``, so that a client learns when its
        event was not stored.
    :param socket_path: Unix socket to listen on. The socket of a dead collector is replaced. That
        of a running one, and a file that is not a socket, are refused.
    :param mode: mode of the socket file. Every program that may write to it may add entries.
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
        if http is not None and (token is None or len(token) < _MIN_TOKEN):
            raise ValueError(f"HTTP needs a token of at least {_MIN_TOKEN} characters")
        self.log: Final = log
        self.timeout: Final = timeout
        self.token: Final = (token or "").encode()
        self._keys = _Keys(log)
        self._path = Path(socket_path)
        self._guard = _guard(self._path)
        self._unix: _UnixServer | None = None
        self._http: HttpServer | None = None
        self._threads: list[threading.Thread] = []
        try:
            self._unix = _UnixServer(self, str(self._path), mode, connections)
            if http is not None:
                self._http = HttpServer(
                    _Events(self), *_loopback(*http), connections=connections, timeout=timeout
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
            make the collector, so that a signal finds its handler from the first connection on.
        """
        wait_for(ended)
        self.stop()

    # --- What the two servers share.

    def store(self, lines: Sequence[bytes | str], peer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Append events, and return an answer for each.

        :param lines: the bytes of one event each, as JSON; or, as text, why a line was refused.
        :param peer: the sender, for ``context.peer``.
        """
        answers: list[dict[str, Any]] = [{} for _ in lines]
        events: list[tuple[int, dict[str, Any], _Claim | None]] = []
        others: list[tuple[int, Future[dict[str, Any]]]] = []
        for number, line in enumerate(lines):
            try:
                if isinstance(line, str):
                    raise ValueError(line)
                event = parse_event(line)
                key = _take_key(event)
                _attribute(event, peer)
            except ValueError as problem:
                answers[number] = {"error": _printable(problem)}
                continue
            claim = self._keys.claim(peer, key) if key is not None else None
            if claim is not None and not claim.ours:
                others.append((number, claim.future))
            else:
                events.append((number, event, claim))
        for number, answer in self._append(events):
            answers[number] = answer
        for number, future in others:
            answer = future.result()
            answers[number] = answer if "error" in answer else {**answer, "duplicate": True}
        return answers

    def _append(
        self, events: Sequence[tuple[int, dict[str, Any], _Claim | None]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Append all in one write, or one by one if a strict log refuses one of them."""
        answers: list[dict[str, Any]] = []
        try:
            answers = [_answer(e) for e in self.log.append_many([event for _, event, _ in events])]
        except InvalidEntry as problem:
            if len(events) > 1:
                for one in events:
                    yield from self._append([one])
                return
            answers = [{"error": _printable(problem), "fields": problem.problems}]
        except OSError as problem:
            answers = [{"error": f"not stored: {_printable(problem)}", "retry": True}] * len(events)
        except BaseException:
            for _, _, claim in events:
                self._keys.settle(claim, {"error": "not stored: interrupted", "retry": True})
            raise
        for (number, _, claim), answer in zip(events, answers, strict=True):
            self._keys.settle(claim, answer)
            yield number, answer


# --- An event, and its answer.


def _take_key(event: dict[str, Any]) -> str | None:
    """Return the client's idempotency key, which stays in the event."""
    key = event.get("idempotency_key")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MAX_KEY):
        raise ValueError(f"idempotency_key must be a text of 1 to {MAX_KEY} characters")
    return key


def _attribute(event: dict[str, Any], peer: Mapping[str, Any]) -> None:
    """Store who sent an event in ``peer``, which the sender cannot set."""
    context = event.get("context")
    context = context if isinstance(context, dict) else {}
    for holder in (event, context):
        if "peer" in holder:
            name = "_peer"
            while name in event or name in context:
                name = f"_{name}"
            holder[name] = holder.pop("peer")
    event["peer"] = dict(peer)
    if all(event.get(name) is None for name in _ACTORS):
        event["actor_id"] = peer.get("user") or f"{peer['transport']}"
        event["actor_type"] = "service"


def _answer(entry: AuditEntry) -> dict[str, Any]:
    if entry.hash is None:
        return {"id": entry.id, "waiting": True}
    answer = {"id": entry.id, "seq": entry.seq, "hash": entry.hash}
    if entry.incomplete:
        answer["incomplete"] = sorted(entry.context["invalid"])
    return answer


def _lines(answers: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(answer) + b"\n" for answer in answers)


def _printable(problem: object) -> str:
    return _PLAIN_ERROR.sub("?", str(problem))


class _Claim:
    """One use of an idempotency key; `ours` for the first, which appends the event."""

    def __init__(self, name: tuple[Any, str], future: Future[dict[str, Any]], ours: bool) -> None:
        self.name = name
        self.future = future
        self.ours = ours


class _Keys:
    """The recent idempotency keys and their answers, so that a retry adds no entry."""

    def __init__(self, log: AuditLog) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Any, str], Future[dict[str, Any]]] = OrderedDict()
        for entry in log.entries(max(0, log.last_seq + 1 - REMEMBERED)):
            if b'"idempotency_key"' in entry.body and b'"peer"' in entry.body:
                key, peer = entry.context.get("idempotency_key"), entry.context.get("peer")
                if isinstance(key, str) and isinstance(peer, dict):
                    future: Future[dict[str, Any]] = Future()
                    future.set_result(_answer(entry))
                    self._known[(_service(peer), key)] = future

    def claim(self, peer: Mapping[str, Any], key: str) -> _Claim:
        """Return a claim to a key. If it is not the first, it waits for the first one's answer."""
        name = (_service(peer), key)
        with self._lock:
            future = self._known.get(name)
            if future is not None:
                return _Claim(name, future, ours=False)
            self._known[name] = future = Future()
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return _Claim(name, future, ours=True)

    def settle(self, claim: _Claim | None, answer: dict[str, Any]) -> None:
        """Give an answer to all that wait for it. An error is forgotten, so it can be retried."""
        if claim is None:
            return
        if "error" in answer:
            with self._lock:
                self._known.pop(claim.name, None)
        claim.future.set_result(answer)


def _service(peer: Mapping[str, Any]) -> Any:
    return peer.get("uid", peer.get("transport"))


# --- The Unix socket.


def _guard(path: Path) -> int:
    """Lock a socket's path for this collector, and remove what a dead one left there.

    :returns: the descriptor of the lock file.
    :raises OSError: if another program uses the path, or a file there is not a socket.
    """
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"a collector is running on {path}: stop it first") from None
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(f"{path} exists and is not a socket: choose another path")
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise OSError(f"another program listens on {path}: choose another path")
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


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread for each connection, up to a limit. They can be told to finish."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    too_many = b'{"error":"there are too many connections","retry":true}\n'

    def __init__(self, collector: Collector, path: str, mode: int, connections: int) -> None:
        self.collector = collector
        self._free = threading.BoundedSemaphore(connections)
        self._lock = threading.Condition()
        self._open: dict[socket.socket, bool] = {}  # whether it sent a line; oldest first
        super().__init__(path, _UnixHandler, bind_and_activate=False)
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


class _UnixHandler(socketserver.BaseRequestHandler):
    server: _UnixServer

    def handle(self) -> None:
        collector = self.server.collector
        peer = _credentials(self.request)
        reader = _Lines(self.request, collector.timeout)
        listening = True
        number = 0
        while batch := reader.lines():
            self.server.spoke(self.request)
            answers = collector.store(batch, peer)
            for answer in answers:
                number += 1
                if "error" in answer:
                    answer["line"] = number
            if listening:
                self.request.settimeout(collector.timeout)
                try:
                    self.request.sendall(_lines(answers))
                except BrokenPipeError:  # it wants no answers; what it sends is still stored
                    listening = False
        # Closing with unread bytes would reset the connection, and the client might never read
        # the last answer.
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RD)
            self.request.settimeout(1)
            while self.request.recv(_CHUNK):
                pass


class _Lines:
    """Lines from a socket, each bounded in its length and in the time that it takes."""

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._buffer = bytearray()
        self._ready: list[bytes | str] = []
        self._skipping = False
        self._ended = False
        self._begun: float | None = None

    def lines(self) -> list[bytes | str]:
        """Wait for a line, and return it with those that arrived with it; nothing at the end.

        A line that is refused is replaced by a text that says why.
        """
        while not self._ready and not self._ended:
            self._receive()
        batch, self._ready = self._ready[:_BATCH], self._ready[_BATCH:]
        return batch

    def _receive(self) -> None:
        left = None
        if self._begun is not None:
            left = self._begun + self._timeout - time.monotonic()
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(_CHUNK)
        except TimeoutError:
            self._end(f"a line must end within {self._timeout:g} seconds")
            return
        except ConnectionError:
            data = b""
        if not data:
            self._end("a line must end with a line feed: without one it may have been cut off")
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._finish(bytes(self._buffer) + line)
            self._buffer.clear()
        self._buffer += rest
        if lines or self._begun is None:
            self._begun = time.monotonic() if rest or self._skipping else None
        if len(self._buffer) > MAX_LINE:
            self._skipping = True
            self._buffer.clear()

    def _finish(self, line: bytes) -> None:
        if self._skipping or len(line) > MAX_LINE:
            self._skipping = False
            self._ready.append(f"a line must have at most {MAX_LINE:,} bytes")
        elif line.strip():
            self._ready.append(line)

    def _end(self, reason: str) -> None:
        if self._buffer or self._skipping:
            self._ready.append(reason)
        self._ended = True


# --- HTTP.


def _loopback(host: str, port: int) -> tuple[str, int]:
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"HTTP must stay on this machine: {host!r} is not a loopback address")
    return host, port


_NDJSON: Final = "application/x-ndjson"


class _Events:
    """``POST /v1/events``, for :class:`~chained_logging.net.server.HttpServer`."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def admit(self, head: Head) -> Admission | Response:
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        given = token.strip().encode("latin-1")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._collector.token):
            reason = "the request needs the right bearer token"
            return self.refuse(401, reason, ("WWW-Authenticate", "Bearer"))
        if head.target != "/v1/events":
            return self.refuse(404, "post events to /v1/events")
        if head.method != "POST":
            return self.refuse(405, "post events to /v1/events", ("Allow", "POST"))
        if head.media_type() not in ("application/json", _NDJSON, "application/jsonl"):
            return self.refuse(415, "the body must be application/json or application/x-ndjson")
        charset = re.search("charset *= *[\"']?([^\"'; ]*)", head.headers["content-type"], re.I)
        if charset and charset[1].lower() not in ("utf-8", "utf8"):
            return self.refuse(415, "the body must be in UTF-8")
        return Admission(MAX_REQUEST, known=True)

    def answer(self, request: Request) -> Response:
        lines: list[bytes | str] = [request.body]
        if request.head.media_type() != "application/json":
            lines = [line for line in request.body.split(b"\n") if line.strip()]
        checked = [
            ln if len(ln) <= MAX_LINE else f"a line must have at most {MAX_LINE:,} bytes"
            for ln in lines
        ]
        peer = {"transport": "http", "address": request.address}
        answers: list[dict[str, Any]] = []
        for start in range(0, len(checked), _BATCH):
            answers += self._collector.store(checked[start : start + _BATCH], peer)
        for number, answer in enumerate(answers, 1):
            if "error" in answer:
                answer["line"] = number
        status = 201
        if any(answer.get("retry") for answer in answers):
            status = 503
        elif any("error" in answer for answer in answers):
            status = 400
        return self._response(status, answers)

    def refuse(self, status: int, reason: str, *headers: tuple[str, str]) -> Response:
        return self._response(status, [{"error": reason}], *headers)

    def _response(
        self, status: int, answers: Sequence[Mapping[str, Any]], *headers: tuple[str, str]
    ) -> Response:
        if status == 503:
            headers += (("Retry-After", "1"),)
        return Response(status, _lines(answers), _NDJSON, headers)


def read_token(path: str | os.PathLike[str]) -> str:
    """Return the token in the first line of a file that only its owner can read.

    :raises OSError: if the file cannot be read, or others may read it.
    :raises ValueError: if the token is too short or not ASCII.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise OSError(f"{path} must be readable by its owner only: chmod 600 {path}")
        token = file.readline(4096).strip()
    if len(token) < _MIN_TOKEN or not token.isascii():
        raise ValueError(
            f"the first line of {path} must be a token of at least {_MIN_TOKEN} ASCII characters"
        )
    return token.decode()

"""A small HTTP/1.1 client: one deadline for all of an exchange, and bounds on what comes back.

The timeout of a socket is one for each read, so a server that sends a byte now and then, or
``100 Continue`` without end, holds a client forever. Here the deadline is that of the whole
exchange: the name, the connection, TLS, the request, the head of the answer and its body.

Redirects are not followed. The proxy and the certificates are those that the environment names
(``https_proxy``, ``no_proxy``, ``SSL_CERT_FILE``).
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from chained_logging.errors import TooLong, Unreachable

_HEAD_BYTES: Final = 65_536  # of an answer, beside the limit of its body
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes


class Client:
    """Sends requests, and keeps connections for the next one. A context manager.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Http] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._kept.values():
            connection.hang_up()
        self._kept.clear()

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, limit: int
    ) -> Answer:
        """Send a body and return the answer, whatever its status.

        A request on a kept connection that the server has closed meanwhile is sent once more, so
        this is for what may be sent twice.

        :param url: ``http://…`` or ``https://…``.
        :param timeout: seconds for everything together.
        :param limit: the most bytes that the answer's body may have.
        :raises TimeoutError: if it takes longer.
        :raises TooLong: if the answer is longer.
        :raises Unreachable: if there is no connection.
        :raises OSError: for what else fails.
        :raises http.client.HTTPException: if the answer is not HTTP, or is cut off.
        """
        deadline = time.monotonic() + timeout
        parts = urlsplit(url)
        server = (parts.scheme, parts.netloc)
        connection = self._kept.pop(server, None)
        if connection is not None:
            try:
                return self._exchange(connection, parts, body, headers, deadline, limit)
            except (http.client.RemoteDisconnected, ConnectionError):
                pass  # it was closed while nobody used it
        return self._exchange(_connection(parts), parts, body, headers, deadline, limit)

    def _exchange(
        self,
        connection: _Http,
        parts: SplitResult,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
        limit: int,
    ) -> Answer:
        try:
            connection.renew(deadline, limit + _HEAD_BYTES)
            sent = {**headers, **connection.proxy_headers}
            connection.request("POST", connection.target(parts), body, sent)
            response = connection.getresponse()
            data = _read(response, limit)
            response.close()  # not the connection: this makes it ready for another request
            fields = {name.lower(): value for name, value in response.getheaders()}
            keep = not response.will_close
        except BaseException:
            connection.hang_up()
            raise
        if keep:
            self._kept[parts.scheme, parts.netloc] = connection
        else:
            connection.hang_up()
        return Answer(response.status, fields, data)


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    data = bytearray()
    while part := response.read1(_CHUNK):
        data += part
        if len(data) > limit:
            raise TooLong(f"the answer has more than {limit} bytes")
    if response.length:
        raise http.client.IncompleteRead(bytes(data), response.length)
    return bytes(data)


# --- A connection.


def _connection(parts: SplitResult) -> _Http:
    """Return a connection, not yet made, for a URL, by way of the environment's proxy."""
    host, port = str(parts.hostname), parts.port
    proxy = None
    if not urllib.request.proxy_bypass(host):
        proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None:
        return _Http(host, port, parts.scheme == "https")
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    headers = {}
    if via.username is not None:
        login = f"{unquote(via.username)}:{unquote(via.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection = _Http(str(via.hostname), via.port or 80, parts.scheme == "https")
    if parts.scheme == "https":
        connection.set_tunnel(host, port or 443, headers)
    else:
        connection.proxy_headers = headers
        connection.proxied = True
    return connection


class _Http(http.client.HTTPConnection):
    """A connection all of whose reads and writes obey one deadline and one bound."""

    def __init__(self, host: str, port: int | None, tls: bool) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(host, port)
        self._tls = tls
        self._raw: socket.socket | None = None
        self.proxied = False
        self.proxy_headers: dict[str, str] = {}
        self.renew(0, 0)

    def renew(self, deadline: float, bound: int) -> None:
        """Begin an exchange."""
        self.deadline, self.left = deadline, bound

    def seconds(self) -> float:
        """Return what is left of the time.

        :raises TimeoutError: if nothing is.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the answer comes too slowly")
        return seconds

    def target(self, parts: SplitResult) -> str:
        """Return the target for the request line of a URL."""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return f"{parts.scheme}://{parts.netloc}{path}" if self.proxied else path

    def connect(self) -> None:
        try:
            raw = _connected(self.host, self.port, self)
        except TimeoutError:
            raise
        except OSError as error:
            raise Unreachable(str(error)) from error
        self._raw = raw
        self.sock = _Timed(raw, self)
        if self._tunnel_host:  # type: ignore[attr-defined]
            self._tunnel()  # type: ignore[attr-defined]
        if self._tls:
            self._raw = self._secured(raw)
            self.sock = _Timed(self._raw, self)

    def hang_up(self) -> None:
        """Close the connection for good."""
        self.close()
        if self._raw is not None:
            self._raw.close()

    def _secured(self, raw: socket.socket) -> socket.socket:
        name = self._tunnel_host or self.host  # type: ignore[attr-defined]
        raw.settimeout(self.seconds())
        try:
            return ssl.create_default_context().wrap_socket(raw, server_hostname=name)
        except TimeoutError:
            raw.close()
            raise
        except OSError as error:
            raw.close()
            raise Unreachable(str(error)) from error


def _connected(host: str, port: int, time_left: _Http) -> socket.socket:
    """Return a connection to the first address of a host that takes one."""
    problem: OSError | None = None
    for family, kind, protocol, _, address in _resolved(host, port, time_left.seconds()):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(time_left.seconds())
            made.connect(address)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError as error:
            made.close()
            problem = error
    raise problem or Unreachable(f"{host} has no address")


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    """Return a host's addresses. The resolver has no timeout, so it is asked in a thread."""
    answers: SimpleQueue[Any] = SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(Unreachable(str(error)))

    threading.Thread(target=resolve, daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"the name {host} is not resolved in time") from None
    if isinstance(found, Unreachable):
        raise found
    return list(found)


class _Timed:
    """What `http.client` needs of a socket."""

    def __init__(self, raw: socket.socket, exchange: _Http) -> None:
        self._raw = raw
        self._exchange = exchange

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._raw.settimeout(self._exchange.seconds())
            view = view[self._raw.send(view) :]

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._raw, self._exchange))

    def close(self) -> None:
        """Do nothing: `http.client` closes before it has read. See :meth:`_Http.hang_up`."""


class _Reader(io.RawIOBase):
    def __init__(self, raw: socket.socket, exchange: _Http) -> None:
        self._raw = raw
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._raw.settimeout(self._exchange.seconds())
        count = self._raw.recv_into(buffer)
        self._exchange.left -= count
        if self._exchange.left < 0:
            raise TooLong("the answer has too many bytes")
        return count

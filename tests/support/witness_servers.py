"""Witnesses on HTTP, and what is sent to them by the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from note_keys import ORIGIN, WITNESS
from witness_logs import NAME, History

from chained_logging.transparency.witness import (
    Answer,
    Witness,
    WitnessServer,
)

B = History("b", fork=5)


@contextmanager
def serving(plain: Witness, **options: Any) -> Iterator[str]:
    with WitnessServer(plain, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def post(url: str, body: bytes, **headers: str) -> Answer:
    """Post with the standard library alone."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("POST", "/add-checkpoint", body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.headers["Content-Type"])
    finally:
        connection.close()


def holds(answer: bytes, text: str) -> int:
    """Verify an answer from the words of C2SP tlog-cosignature alone; return its time."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found = re.fullmatch(rf"— {re.escape(NAME)} (\S+)\n", answer.decode())
    assert found
    data = base64.b64decode(found[1])
    id = hashlib.sha256(NAME.encode() + b"\n\x04" + WITNESS.public_key).digest()[:4]
    assert data[:4] == id
    assert len(data) == 4 + 8 + 64
    time = int.from_bytes(data[4:12], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.public_key).verify(data[12:], message)
    return time


def get(url: str, path: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.headers["Content-Type"])
    finally:
        connection.close()


TEXT = "text/plain; charset=utf-8"


def state(folder: Path) -> Path:
    return folder / hashlib.sha256(ORIGIN.encode()).hexdigest()


def raw(url: str, data: bytes, *, end: bool = True, timeout: float = 20) -> bytes:
    """Send bytes and return all that comes until the other side closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while not (found := re.search(rb"(?i)content-length: ([0-9]+)\r\n(?s:.*?\r\n\r\n)", data)) or (
        len(data) < found.end() + int(found[1])
    ):
        part = connection.recv(100_000)
        if not part:
            break
        data += part
    return data


@contextmanager
def talking(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Any:
    """Run a server that reads a request and then does what it likes with the connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    seen.append(read_request(connection))
                    talk(connection)
                except OSError:  # the client had enough
                    pass
                finally:
                    connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}", seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(20)


@contextmanager
def saying(status: int, body: bytes, headers: bytes = b"") -> Iterator[str]:
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n" % (status, len(body), headers)
    with talking(lambda connection: connection.sendall(head + body)) as (url, _):
        yield url

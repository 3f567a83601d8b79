"""The HTTP client: a server that is silent, slow or lies holds it for a bounded time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from chained_logging.errors import NetError, TooLong, Unreachable
from chained_logging.net.client import Client
from chained_logging.transparency import timestamps
from chained_logging.transparency.witness import WitnessError, ask


@contextlib.contextmanager
def lying(talk: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """Serve connections, each in a thread, and count them."""
    listening = socket.create_server(("127.0.0.1", 0))
    count: list[int] = []
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                count.append(1)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", count
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(20)


def _forever(begin: bytes, again: bytes, pause: float) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(begin)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return talk


ENDLESS = {
    "slow status": _forever(b"", b"H", 0.05),
    "slow headers": _forever(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05),
    "one long header": _forever(b"HTTP/1.1 200 OK\r\nx: ", b"y", 0.05),
    "continue": _forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "continue at once": _forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0),
    "slow body": _forever(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x", 0.05),
    "slow chunks": _forever(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05
    ),
    "nothing": lambda connection: time.sleep(8),
    "early": _forever(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 10, 0.3),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_deadline_is_that_of_all_together(kind: str) -> None:
    with lying(ENDLESS[kind]) as (url, _):
        started = time.monotonic()
        with pytest.raises((NetError, timestamps.TimestampError), match="answer"):
            timestamps.fetch(f"{url}/tsa", b"note", timeout=0.5)
        with pytest.raises(WitnessError):
            ask(url, 0, [], b"note", timeout=0.5)
        assert time.monotonic() - started < 6


def test_a_server_that_does_not_read_is_left() -> None:
    with lying(lambda connection: time.sleep(8)) as (url, _), Client() as client:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.post(url, bytes(50_000_000), {}, timeout=0.5, limit=10)
        assert time.monotonic() - started < 6


def test_an_answer_has_a_bound() -> None:
    endless = _forever(b"HTTP/1.1 200 OK\r\n\r\n", bytes(100_000), 0)
    with lying(endless) as (url, _), Client() as client, pytest.raises(TooLong):
        client.post(url, b"", {}, timeout=20, limit=1_000_000)


def test_an_answer_of_one_byte_more_is_refused() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + bytes(11))

    with lying(talk) as (url, _), Client() as client:
        assert len(client.post(url, b"", {}, timeout=20, limit=11).body) == 11
        with pytest.raises(TooLong, match="more than 10 bytes"):
            client.post(url, b"", {}, timeout=20, limit=10)


def test_a_name_that_is_not_resolved_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    started = time.monotonic()
    with Client() as client, pytest.raises(TimeoutError, match="not resolved in time"):
        client.post("http://x.example/", b"", {}, timeout=0.3, limit=10)
    assert time.monotonic() - started < 2.5


def test_a_connection_is_kept_and_made_again_where_it_was_closed() -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            data = b""
            while not data.endswith(b"body"):
                part = connection.recv(65_536)
                if not part:
                    return
                data += part
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with lying(talk) as (url, count), Client() as client:
        for number in range(6):
            answer = client.post(url, b"body", {}, timeout=20, limit=10)
            assert (answer.status, answer.body) == (200, b"ok")
            time.sleep(0.05)
            assert len(count) == number // 2 + 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_environments_proxy_is_asked(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    with lying(talk) as (proxy, _), Client() as client:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", "//me:pass%20word@"))
        monkeypatch.delenv("no_proxy", raising=False)
        with contextlib.suppress(OSError):  # the tunnel is refused
            assert client.post(f"{scheme}://x.example/a", b"", {}, timeout=9, limit=9).status == 403
    first = seen[0].split(b"\r\n")[0]
    tunnel = scheme == "https"
    assert first == (b"CONNECT x.example:443" if tunnel else b"POST http://x.example/a") + (
        b" HTTP/1.1" if first.endswith(b"1.1") else b" HTTP/1.0"
    )
    assert b"Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk" in seen[0]


def test_an_answer_that_is_cut_off_is_none() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    with lying(talk) as (url, _), Client() as client, pytest.raises(http.client.HTTPException):
        client.post(url, b"", {}, timeout=20, limit=10)


def test_a_host_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Client() as client, pytest.raises(Unreachable):
        client.post(f"http://127.0.0.1:{port}/", b"", {}, timeout=20, limit=10)


def test_a_request_says_what_it_was_given() -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nno")

    with lying(talk) as (url, _), Client() as client:
        answer = client.post(f"{url}/a?b=c", b"body", {"X-Y": "z"}, timeout=20, limit=10)
    assert (answer.status, answer.headers["location"], answer.body) == (302, "/b", b"no")
    assert seen[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"X-Y: z\r\n" in seen[0]
    assert len(seen) == 1  # a redirection is not followed

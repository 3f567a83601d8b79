"""Lines from a socket are bounded in length and in time, and none is cut in two."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chained_logging.collector.lines import BATCH, CHUNK, LineReader
from chained_logging.event.input import MAX_LINE, TOO_LONG


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read(ends: tuple[socket.socket, socket.socket], timeout: float = 30) -> list[bytes | str]:
    """Read all that comes until the client is done."""
    reader, found = LineReader(ends[0], timeout), []
    while lines := reader.lines():
        assert len(lines) <= BATCH
        found += lines
    return found


def test_lines_come_in_order_without_their_line_feed(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ends[1].sendall(b"one\n\n  \ntwo\n")
    ends[1].shutdown(socket.SHUT_WR)
    assert read(ends) == [b"one", b"two"]


@contextmanager
def sending(end: socket.socket, data: bytes) -> Iterator[None]:
    """Send what the other end must read meanwhile, because it is more than a socket holds."""

    def send() -> None:
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    thread.join()


def test_a_line_may_come_in_pieces(ends: tuple[socket.socket, socket.socket]) -> None:
    line = b"x" * (3 * CHUNK)
    with sending(ends[1], line + b"\nlast\n"):
        assert read(ends) == [line, b"last"]


def test_a_last_line_without_a_line_feed_is_refused(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ends[1].sendall(b"one\ntw")
    ends[1].shutdown(socket.SHUT_WR)
    one, refusal = read(ends)
    assert one == b"one"
    assert isinstance(refusal, str)
    assert "line feed" in refusal


def test_a_line_that_is_too_long_spoils_no_other(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with sending(ends[1], b"x" * (MAX_LINE + CHUNK) + b"\nnext\n"):
        assert read(ends) == [TOO_LONG, b"next"]


def test_a_line_must_end_in_time_however_its_bytes_trickle(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    done = threading.Event()

    def trickle() -> None:
        for _ in range(100):  # two seconds
            if done.wait(0.02):
                return
            ends[1].sendall(b"x")
        ends[1].shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=trickle)
    thread.start()
    (refusal,) = read(ends, timeout=0.2)
    done.set()
    assert "within 0.2 seconds" in str(refusal)
    thread.join()


def test_a_client_may_be_silent_between_lines(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].sendall(b"one\n")
    reader = LineReader(ends[0], timeout=0.05)
    assert reader.lines() == [b"one"]
    timer = threading.Timer(0.2, ends[1].sendall, [b"two\n"])
    timer.start()
    assert reader.lines() == [b"two"]
    timer.join()

"""The Unix socket: its file, its connections, and what a client that is slow or gone costs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest
from collecting import EVENT, Client, Here, command
from programs import until

from chained_logging import AuditLog
from chained_logging.collector import Collector
from chained_logging.collector.unix import guard
from chained_logging.errors import Busy, ForeignFile


def test_a_line_that_was_cut_off_is_not_stored(tmp_path: Path) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        client.send(EVENT, json.dumps(EVENT).encode())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()["seq"] == 1
        assert "cut off" in client.answer()["error"]
        assert client.answer() is None
        assert len(here.entries()) == 1


def test_who_shuts_its_reading_side_gets_no_answers_and_loses_nothing(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        with Client(here.socket) as client:
            client.socket.shutdown(socket.SHUT_RD)
            for n in range(3000):
                client.send({**EVENT, "n": n})
        until(lambda: here.path.read_bytes().count(b"\n") == 3001, "all are stored")


def test_who_goes_away_without_reading_loses_nothing(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        with Client(here.socket) as client:
            client.send(*({**EVENT, "n": n} for n in range(500)))
        until(lambda: here.path.read_bytes().count(b"\n") == 501, "all are stored")
        assert [e["context"]["n"] for e in here.entries()] == list(range(500))


def test_who_sends_without_reading_is_made_to_wait_and_then_cut_off(tmp_path: Path) -> None:
    with Here(tmp_path, timeout=1.0) as here, Client(here.socket) as client:
        sent = 0
        with contextlib.suppress(OSError):  # first it blocks, then the connection is gone
            for sent in range(100_000):
                client.send({**EVENT, "n": sent})
        until(lambda: not here.collector._unix._open, "the connection is closed")
        stored = [e["context"]["n"] for e in here.entries()]
        assert 0 < sent < 50_000  # not all piled up in somebody's memory
        assert stored == list(range(len(stored)))


def test_a_slow_line_is_cut_off_and_an_idle_connection_is_not(tmp_path: Path) -> None:
    with (
        Here(tmp_path, timeout=0.5) as here,
        Client(here.socket) as idle,
        Client(here.socket) as slow,
    ):
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            for byte in json.dumps(EVENT).encode()[:30]:
                slow.send(bytes([byte]))
                time.sleep(0.1)
        assert "must end within 0.5 seconds" in slow.answer()["error"]
        assert slow.answer() is None
        assert time.monotonic() - began < 10
        time.sleep(0.6)
        assert idle.ask(EVENT)["seq"] == 1


def test_too_many_connections_are_told_so(tmp_path: Path) -> None:
    with Here(tmp_path, connections=2) as here:
        with Client(here.socket) as one, Client(here.socket) as two:
            assert one.ask(EVENT)["seq"] == 1
            assert two.ask(EVENT)["seq"] == 2
            with Client(here.socket) as three:
                answer = three.answer()
                assert answer == {"error": "there are too many connections", "retry": True}
                assert three.answer() is None

        def again() -> bool:
            with Client(here.socket) as client, contextlib.suppress(OSError):
                return "seq" in client.ask(EVENT)
            return False

        until(again, "there is a place again")


def test_who_never_sent_a_line_makes_way(tmp_path: Path) -> None:
    with Here(tmp_path, connections=3) as here, contextlib.ExitStack() as stack:
        first = stack.enter_context(Client(here.socket))
        assert first.ask(EVENT)["seq"] == 1
        silent = [stack.enter_context(Client(here.socket)) for _ in range(9)]
        silent[-1].socket.sendall(b'{"action"')  # half a line is none
        with Client(here.socket) as late:
            assert late.ask(EVENT)["seq"] == 2
            assert first.ask(EVENT)["seq"] == 3


def test_the_socket_is_the_owners_alone_or_as_was_said(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        assert stat.S_IMODE(here.socket.stat().st_mode) == 0o600
    with Here(tmp_path, mode=0o660) as here:
        assert stat.S_IMODE(here.socket.stat().st_mode) == 0o660
    assert not here.socket.exists()


def test_a_dead_collectors_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        with (
            AuditLog(tmp_path / "other.jsonl") as log,
            pytest.raises(Busy, match="a collector is running"),
        ):
            Collector(log, tmp_path / "s")
        with Client(tmp_path / "s") as client:
            assert client.ask(EVENT)["seq"] == 1
        process.kill()
        process.wait()
    assert (tmp_path / "s").exists()
    with command(tmp_path), Client(tmp_path / "s") as client:
        assert client.ask(EVENT)["seq"] == 2


def test_what_is_not_a_dead_collectors_socket_is_left_alone(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ForeignFile, match="exists and is not a socket"):
            Collector(log, tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"
        (tmp_path / "link").symlink_to(tmp_path / "file")
        with pytest.raises(ForeignFile, match="exists and is not a socket"):
            Collector(log, tmp_path / "link")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "other"))
            other.listen()
            with pytest.raises(Busy, match="another program listens"):
                Collector(log, tmp_path / "other")
        with pytest.raises(OSError):  # noqa: PT011  # the kernel's own sentence
            Collector(log, tmp_path / "no-such-folder" / "s")


def test_a_path_is_guarded_until_its_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "s"
    held = guard(path)
    with pytest.raises(Busy, match=rf"^a collector is running on {path}: stop it first$"):
        guard(path)
    os.close(held)
    os.close(guard(path))
    assert stat.S_IMODE((tmp_path / "s.lock").stat().st_mode) == 0o600

"""The command that listens for events of other programs."""

from __future__ import annotations

import http.client
import json
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from collecting import COLLECT, EVENT, TOKEN, Client, command
from commands import run


def test_the_command_serves_both(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with command(tmp_path, "--http", "127.0.0.1:0", "--token-file", str(file)) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2].removesuffix("/v1/events\n"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        for seq in (1, 2):  # on one connection
            connection.request("POST", "/v1/events", json.dumps(EVENT), headers)
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["seq"]) == (201, seq)
        with Client(tmp_path / "s") as client:
            assert client.ask(EVENT)["seq"] == 3
        process.terminate()
        assert process.wait(20) == 0
        connection.close()
    refused = subprocess.run(
        [
            *(*COLLECT, str(tmp_path / "audit.jsonl"), "--socket", str(tmp_path / "s")),
            *("--http", "0.0.0.0:0", "--token-file", str(file)),
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "not a loopback address" in refused.stderr
    assert TOKEN not in refused.stderr


def test_the_socket_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    with command(tmp_path, "--mode", "660", "--fsync") as process:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
        with Client(tmp_path / "s") as client:
            assert client.ask(EVENT)["seq"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http", "127.0.0.1:0"], "--http needs a --token-file"),
        (["--http", "127.0.0.1"], "must be an address and a port"),
        (["--mode", "rw"], "must be three octal digits"),
        (["--connections", "0"], "--connections"),
        (["--timeout", "0"], "--timeout"),
        (["--http", "127.0.0.1:0", "--token-file", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    path = tmp_path / "audit.jsonl"
    assert said in run("collect", path, "--socket", tmp_path / "s", *options, status=2)
    assert list(tmp_path.iterdir()) == []

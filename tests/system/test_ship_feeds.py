"""Feeds to real receivers: rsyslog with TLS, and HTTP servers, while both sides are killed."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from chains import EVENT, often
from commands import run
from feed_receiver import SECRET
from folders import SUPPORT
from programs import ends_with_parent, free_port, missing, until
from rsyslogd import Rsyslog, make_certificates

from chained_logging import AuditLog
from chained_logging.format.line import split_line
from chained_logging.ship.feeds.webhook import SECRET_VARIABLE
from chained_logging.ship.progress import read_all_progress
from chained_logging.ship.shipper import Shipper

ORIGIN = "example.com/audit/web"


class Receiver(Protocol):
    """A receiver that can be killed.

    :ivar url: for ``ship --to``.
    """

    url: str

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def lines(self) -> list[bytes]:
        """Return the stored lines that arrived, with repetitions."""


class Syslog:
    """rsyslog with the example's configuration."""

    def __init__(self, folder: Path) -> None:
        make_certificates(folder)
        port = free_port()
        self._file = folder / "received.jsonl"
        self.rsyslog = Rsyslog(
            folder / "rsyslog",
            "feed.conf",
            {
                "/var/spool/audit-feed": f"{folder}/rsyslog/work",
                "/etc/audit-feed": str(folder),
                "/var/log/audit-feed.jsonl": str(self._file),
                'port="6514"': f'port="{port}"',
            },
        )
        self.url = (
            f"syslog+tls://127.0.0.1:{port}#ca={folder}/ca.pem&certificate={folder}/cert.pem"
            f"&key={folder}/key.pem"
        )
        self.start, self.kill = self.rsyslog.start, self.rsyslog.kill

    def lines(self) -> list[bytes]:
        return self._file.read_bytes().splitlines() if self._file.exists() else []


class Http:
    """The receiver in ``tests/support``."""

    def __init__(self, folder: Path, kind: str) -> None:
        port = free_port()
        self._file = folder / "received"
        self._command = [sys.executable, str(SUPPORT / "feed_receiver.py"), kind, str(port)]
        self._process: subprocess.Popen[bytes] | None = None
        scheme = {"webhook": "http", "otlp": "otlp+http"}[kind]
        self.url = f"{scheme}://127.0.0.1:{port}" + ("/hook" if kind == "webhook" else "")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, str(self._file)], preexec_fn=ends_with_parent(signal.SIGKILL)
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def lines(self) -> list[bytes]:
        rows = self._file.read_bytes().splitlines() if self._file.exists() else []
        return [row.partition(b" ")[2] for row in rows]


def syslog(folder: Path) -> Receiver:
    if not shutil.which("rsyslogd"):
        missing("rsyslogd is not installed")
    if not list(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so")):
        missing("rsyslog-openssl is not installed")
    return Syslog(folder)


KINDS: dict[str, Callable[[Path], Receiver]] = {
    "syslog": syslog,
    "webhook": lambda folder: Http(folder, "webhook"),
    "otlp": lambda folder: Http(folder, "otlp"),
}


@pytest.fixture(params=list(KINDS))
def receiver(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    made = KINDS[request.param](tmp_path)
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with AuditLog(tmp_path / "audit.jsonl", origin=ORIGIN) as log:
        yield log


def write(log: AuditLog, count: int, **fields: Any) -> None:
    log.append_many([{**EVENT, "action": f"a-{n}", **fields} for n in range(count)])


def test_each_entry_arrives_byte_for_byte(receiver: Receiver, log: AuditLog) -> None:
    receiver.start()
    write(log, 3_000)
    write(log, 3, note="x" * 64_000)
    write(log, 20, note='ü€😀 \\n \\ "quoted" %msg% #177 \x7f\t\r\n\x00\x1b[0m \u2028  ')
    write(log, 1, note="  spaces at both ends  ", reason=" ")
    shipper = Shipper(log, [receiver.url])
    for count in (0, 5):
        write(log, count)
        (progress,) = shipper.ship(20)
        assert (progress.problem, progress.seq) == (None, log.durable_head().seq)
        assert receiver.lines() == log.path.read_bytes().splitlines()


KILLS = often(20)


def acknowledged(log: AuditLog) -> int:
    """Return how many entries receivers have acknowledged, as the shipper remembers it."""
    return sum(one.seq + 1 for one in read_all_progress(log.path))


def await_half(log: AuditLog, before: int) -> int:
    """Wait until receivers have acknowledged half of the log, and more than before."""
    enough = max(before + 1, log.durable_head().seq // 2 + 1)
    until(lambda: acknowledged(log) >= enough, f"{enough} entries are acknowledged")
    return acknowledged(log)


def test_each_entry_is_there_after_kills_of_both_sides(receiver: Receiver, log: AuditLog) -> None:
    choose = random.Random(7)
    command = [sys.executable, "-m", "chained_logging", "ship", str(log.path), "--follow"]
    command += ["--to", receiver.url, "--interval", "0.05"]

    def shipping() -> subprocess.Popen[bytes]:
        with (log.path.parent / "errors").open("ab") as errors:
            return subprocess.Popen(
                command, stderr=errors, preexec_fn=ends_with_parent(signal.SIGKILL)
            )

    receiver.start()
    sender, reached = shipping(), 0
    for number in range(2 * KILLS):
        stop = time.monotonic() + choose.uniform(0.1, 0.9)
        while time.monotonic() < stop:
            write(log, 40)
            time.sleep(0.01)
        if number % 2:
            receiver.kill()
            receiver.start()
        else:
            assert sender.poll() is None, (log.path.parent / "errors").read_text()
            # On a busy machine it may not have begun yet, or fall behind.
            reached = await_half(log, reached)
            sender.kill()
            sender.wait()
            sender = shipping()
    await_half(log, reached)
    assert sender.poll() is None
    sender.kill()
    sender.wait()
    (progress,) = Shipper(log, [receiver.url]).ship(60)
    assert progress.problem is None
    there = receiver.lines()
    assert set(there) == set(log.path.read_bytes().splitlines())
    once = {split_line(line).hash: line for line in there}
    assert len(once) == log.durable_head().seq + 1
    first = list(dict.fromkeys(there))  # in order, but for what came again
    assert first == log.path.read_bytes().splitlines()
    copy = log.path.with_name("copy.jsonl")
    copy.write_bytes(b"".join(line + b"\n" for line in first))
    assert "INTACT" in run("verify", copy)


def test_a_receiver_that_is_down_gets_all_later(receiver: Receiver, log: AuditLog) -> None:
    write(log, 50)
    shipper = Shipper(log, [receiver.url])
    (progress,) = shipper.ship(0.2)
    assert progress.problem
    assert not progress.alert
    receiver.start()
    (progress,) = shipper.ship(20)
    assert progress.problem is None
    assert receiver.lines() == log.path.read_bytes().splitlines()

"""The configuration in ``examples/rsyslog``, run by two real rsyslogd."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from programs import free_port, missing
from rsyslogd import Rsyslog, make_certificates

from chained_logging import AuditLog

ORIGIN = "example.com/audit/web"


class Pair:
    """A host that sends, and a server that receives."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.log = folder / "log" / "audit.jsonl"
        self.log.parent.mkdir()
        self.received = folder / "received" / address / "web"
        make_certificates(folder)
        port = free_port()
        self.receiver = Rsyslog(
            folder / "receiver",
            "receiver.conf",
            {
                "/var/spool/audit-store": f"{folder}/receiver/work",
                "/etc/audit-store": str(folder),
                "/var/log/audit": f"{folder}/received",
                'port="2514"': f'port="{port}"',
            },
        )
        self.sender = Rsyslog(
            folder / "sender",
            "sender.conf",
            {
                "/run/audit-forward": f"{folder}/sender/work",
                "/etc/audit-forward": str(folder),
                "/var/log/app": str(self.log.parent),
                'target="logs.example.com" port="2514"': f'target="127.0.0.1" port="{port}"',
                'action.resumeInterval="5"': 'action.resumeInterval="1"',
            },
        )

    def segments(self) -> dict[str, list[bytes]]:
        """Return the lines of each sealed segment."""
        names = [
            path for path in self.log.parent.iterdir()
            if re.fullmatch(r"audit\.\d{20}\.jsonl", path.name)
        ]  # fmt: skip
        return {path.name: path.read_bytes().splitlines(keepends=True) for path in names}

    def arrived(self) -> dict[str, list[bytes]]:
        if not self.received.exists():
            return {}
        return {
            path.name: path.read_bytes().splitlines(keepends=True)
            for path in self.received.iterdir()
        }

    def wait(self, seconds: float = 40) -> None:
        """Wait until every line of every segment has arrived, perhaps more than once."""
        deadline = time.monotonic() + seconds
        while any(
            set(lines) - set(self.arrived().get(name, ()))
            for name, lines in self.segments().items()
        ):
            assert time.monotonic() < deadline, self.sender.errors() + self.receiver.errors()
            time.sleep(0.1)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    if not shutil.which("rsyslogd"):
        missing("rsyslogd is not installed")
    if not list(Path("/usr/lib").glob("*/rsyslog/omrelp.so")):
        missing("rsyslog-relp is not installed")
    made = Pair(tmp_path)
    try:
        yield made
    finally:
        made.sender.kill()
        made.receiver.kill()


def write(log: AuditLog, count: int, **fields: Any) -> None:
    log.append_many([{**EVENT, "action": f"a-{n}", **fields} for n in range(count)])


def verified(folder: Path) -> str:
    """Run the verifier on all segments in a folder, which must be intact; return what it says."""
    command = [sys.executable, "-m", "chained_logging", "verify", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sealed_segments_arrive_byte_for_byte_and_verify_there(pair: Pair) -> None:
    pair.receiver.start()
    pair.sender.start()
    with AuditLog(pair.log, origin=ORIGIN, max_bytes=200_000) as log:
        write(log, 300)
        write(log, 3, note="x" * 64_000)
        write(log, 20, note='ü€😀 \\n \\ "quoted" %msg% #177 \x7f\t\r\n\x00\x1b[0m \u2028  ')
        write(log, 1, note="  spaces at both ends  ", reason=" ")
        assert max(len(record.body) for record in log.records()) > 64_000
        for _ in range(8):
            write(log, 300)
            time.sleep(0.05)
    pair.wait()
    time.sleep(0.3)
    assert len(pair.segments()) >= 5
    assert pair.arrived() == pair.segments()
    assert "INTACT" in verified(pair.received)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in pair.received.iterdir())


def test_a_quiet_log_arrives_after_its_max_age(pair: Pair) -> None:
    pair.receiver.start()
    pair.sender.start()
    with AuditLog(pair.log, origin=ORIGIN, max_age=1.0) as log:
        write(log, 5)
        deadline = time.monotonic() + 20
        while not pair.arrived():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        pair.wait()
        assert sum(map(len, pair.arrived().values())) == 6
        verified(pair.received)


@pytest.mark.long
def test_nothing_is_lost_while_the_receiver_is_away_over_many_segments(pair: Pair) -> None:
    pair.sender.start()
    with AuditLog(pair.log, origin=ORIGIN, max_bytes=50_000) as log:
        for _ in range(12):
            write(log, 120)
            time.sleep(0.02)
        pair.receiver.start()
        pair.wait()
        assert pair.arrived() == pair.segments()
        pair.receiver.stop()
        for number in range(12):
            write(log, 120)
            time.sleep(0.02)
            if number == 6:  # with lines on their way that have no receipt
                pair.sender.stop()
                pair.sender.start()
        pair.receiver.start()
        pair.wait()
    assert len(pair.segments()) > 20
    once(pair.received)
    assert pair.arrived() == pair.segments()
    verified(pair.received)


@pytest.mark.long
def test_what_is_killed_repeats_lines_at_most(pair: Pair) -> None:
    pair.receiver.start()
    pair.sender.start()
    with AuditLog(pair.log, origin=ORIGIN, max_bytes=100_000) as log:
        for round in range(12):
            for _ in range(4):
                write(log, 100)
                time.sleep(0.02)
            one = pair.receiver if round % 2 else pair.sender
            one.kill()
            one.start()
    pair.wait()
    once(pair.received)
    assert pair.arrived() == pair.segments()
    verified(pair.received)


def test_a_sender_without_a_certificate_of_the_authority_is_refused(
    pair: Pair, tmp_path: Path
) -> None:
    pair.receiver.start()
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    for name in ("cert.pem", "key.pem"):
        shutil.copy(other / name, tmp_path / f"other-{name}")
    config = pair.sender.folder / "rsyslog.conf"
    text = config.read_text()
    for name in ("cert.pem", "key.pem"):
        text = text.replace(f"{tmp_path}/{name}", f"{tmp_path}/other-{name}")
    config.write_text(text)
    pair.sender.start()
    with AuditLog(pair.log, origin=ORIGIN, max_bytes=20_000) as log:
        write(log, 100)
    time.sleep(3)
    assert pair.segments()
    assert pair.arrived() == {}


def once(folder: Path) -> None:
    """Leave each line once, as ``docs/rsyslog.md`` says."""
    for path in folder.glob("*.jsonl"):
        command = ["awk", "!seen[$0]++", path.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
        path.write_bytes(done.stdout)
